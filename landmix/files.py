"""The one way in which landmix writes a file: beside its target, whole, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".landmix-"
"""How every unfinished file's name begins."""

WORK = ".landmix"
"""The folder of unfinished work in every output folder."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what is written there takes the place of `path` when the block ends well.

    The temporary file has the suffix of `path`, lies in the same folder (so that the rename is atomic), and is
    gone when the block fails. Raises `LandmixError` where the folder cannot be written.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with Unix line ends."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, data: Any) -> None:
    """Write plain data as indented JSON; NaN is refused with ValueError."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and prove that it can be written.

    Raises `LandmixError` naming the folder if not.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f"{TEMPORARY}{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def is_remote(path: str) -> bool:
    """Whether a path names something that is not in the local file system."""
    return "://" in path or path.startswith("/vsi")


def file_hash(path: str) -> str:
    """sha256 of a local file's bytes; of a remote one's name.

    Raises `LandmixError` for a file that cannot be read.
    """
    if is_remote(path):
        return hashlib.sha256(path.encode()).hexdigest()
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise LandmixError(msg) from error


def sync(path: Path) -> None:
    """Make sure that a file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def unwritable(path: Path, error: OSError) -> LandmixError:
    """The error for a file or folder that cannot be written."""
    return LandmixError(f"cannot write {path}: {error.strerror or error}")


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call for folders and does not need it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
