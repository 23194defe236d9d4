"""A file that carries the sha256 of its own bytes, so that any change of it shows wherever it is copied.

The 64 digits stand after a mark in the file, and count as zeros when it is hashed. A seal tells of damage; it is no
signature, since anybody can make one.
"""

from __future__ import annotations

import hashlib
import re
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY = "LANDMIX_SHA256"
"""The mark: the name of a tag in a map, of a text in a safetensors header, the comment of a checkpoint's zip file."""

BLANK = "0" * 64
"""What a file holds in the place of the digest until it is sealed."""

_SEAL = re.compile(KEY.encode() + rb'[">: ]{1,4}([0-9a-f]{64})')

_LENGTH = len(KEY) + 4 + len(BLANK)
"""Bytes of a seal at most."""

_PIECE = 2**20
"""Bytes that are read at a time."""


def seal(path: Path) -> None:
    """Put the digest of a file where it holds the blank. Raises `ValueError` for a file without one, `OSError`."""
    with path.open("r+b") as file:
        place = _find(file)
        if place is None:
            msg = f"there is no place for a seal in {path}"
            raise ValueError(msg)
        digest = _digest(file, place)
        file.seek(place)
        file.write(digest)


def is_intact(path: Path) -> bool | None:
    """Whether a file's bytes are those that were sealed; None for one without a seal. Raises `OSError`."""
    with path.open("rb") as file:
        place = _find(file)
        if place is None:
            return None
        file.seek(place)
        said = file.read(len(BLANK))
        return said == _digest(file, place)


def _find(file: IO[bytes]) -> int | None:
    """Where the digits of the first seal begin."""
    kept, start = b"", 0
    while piece := file.read(_PIECE):
        held = kept + piece
        found = _SEAL.search(held)
        if found:
            return start + found.start(1)
        kept = held[-_LENGTH:]
        start += len(held) - len(kept)
    return None


def _digest(file: IO[bytes], place: int) -> bytes:
    """The digits of sha256 over the bytes, with the blank at `place`."""
    digest = hashlib.sha256()
    file.seek(0)
    left = place
    while left and (piece := file.read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    digest.update(BLANK.encode())
    file.seek(place + len(BLANK))
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest().encode()
