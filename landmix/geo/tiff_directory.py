"""Whether a TIFF's first directory is whole: where its end is missing, GDAL goes on without place and scale."""

from __future__ import annotations

import os
import struct
from typing import IO, TYPE_CHECKING

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = -1
"""No tag: the directory itself."""

_NEEDED = {
    _DIRECTORY: "directory",
    258: "bits", 273: "offsets of strips", 279: "sizes of strips", 324: "offsets of tiles", 325: "sizes of tiles",
    33550: "pixel size", 33922: "tie points", 34264: "transform", 34735: "CRS", 34736: "CRS", 34737: "CRS",
    42112: "scales and names", 42113: "nodata value", 50844: "RPCs",
}  # fmt: skip
"""Tags without which pixels or their place would be others."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST = 4096
"""Entries of a directory that are looked at."""


def check_directory(path: str) -> None:
    """Raise `LandmixError` for a local TIFF that is cut short before what its first directory points to."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path as the user wrote it
            end = file.seek(0, os.SEEK_END)
            lost = [_NEEDED[tag] for tag, last in _ends(file, end) if tag in _NEEDED and last > end]
    except (OSError, struct.error):
        return  # GDAL says it better
    if lost:
        msg = f"cannot read {path}: it is cut short, its {lost[0]} should lie behind its end"
        raise LandmixError(msg)


def _ends(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """Where the values of each tag of the first directory end; 0 for those inside it."""
    file.seek(0)
    head = file.read(16)
    order, big = "<" if head[:2] == b"II" else ">", head[2:4] in (b"+\0", b"\0+")
    start = struct.unpack_from(f"{order}{'Q' if big else 'I'}", head, 8 if big else 4)[0]
    entry, inline, word = (20, 8, "Q") if big else (12, 4, "I")
    if start >= end:  # libtiff would complain past GDAL
        yield _DIRECTORY, start + 1
        return
    file.seek(start)
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(8 if big else 2))
    content = file.read(entry * min(count, _MOST))
    for at in range(0, len(content) - entry + 1, entry):
        tag, kind, number, value = struct.unpack_from(f"{order}HH{word}{word}", content, at)
        length = _SIZES.get(kind, 0) * number
        yield tag, value + length if length > inline else 0
