"""The one way in which landmix writes a file: beside its target, whole, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from landmix import owner
from landmix.errors import LandmixError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".landmix-"
"""How every unfinished file's name begins."""

WORK = ".landmix"
"""The folder of unfinished work in every output folder."""


STALE = 86_400.0
"""Seconds after which an unfinished file that nobody has written to is nobody's, where its owner cannot be asked."""

_UNFINISHED = re.compile(rf"{re.escape(TEMPORARY)}(?:({owner.PATTERN})-)?[0-9a-f]{{8}}(?:[-.].*)?")
"""Names of unfinished files and of what GDAL puts beside them, with the mark of their owner."""


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; what is written there takes the place of `path` when the block ends well.

    The temporary file has the suffix of `path`, lies in the same folder (so that the rename is atomic), and is
    gone when the block fails. What is not `durable` may be lost when the power fails. Raises `LandmixError` where the
    folder cannot be written, or `path` is a link.
    """
    check_no_link(path)
    temporary = _unfinished(path.parent, path.suffix)
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
        if durable:
            _sync_folder(path.parent)
    except BaseException as error:
        _discard(temporary)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def check_no_link(path: Path) -> None:
    """Raise `LandmixError` for a link: neither what it names nor the link itself is landmix's to replace."""
    if path.is_symlink():
        msg = f"{path} is a link to {path.readlink()}, and landmix writes no file through or over a link: remove it,"
        msg += " or choose another name"
        raise LandmixError(msg)


def _unfinished(folder: Path, suffix: str = "") -> Path:
    return folder / f"{TEMPORARY}{owner.mark()}-{secrets.token_hex(4)}{suffix}"


def _discard(temporary: Path) -> None:
    """Remove an unfinished file, and what GDAL has put beside it."""
    with contextlib.suppress(OSError):
        for path in temporary.parent.iterdir():
            if path.name.startswith(temporary.stem):
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write `text` as UTF-8 with Unix line ends."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, data: Any) -> None:
    """Write plain data as indented JSON; NaN is refused with ValueError."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def make_folder(path: Path, stale_after: float = STALE) -> None:
    """Make a folder and its parents, prove that it can be written, and remove what dead runs left unfinished in it.

    `stale_after`: seconds after which that holds for files whose owner cannot be asked. Raises `LandmixError` naming
    the folder if it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = _unfinished(path)
        probe.touch()
        now = probe.stat().st_mtime  # the file system's clock, which may not be this machine's
        probe.unlink()
    except OSError as error:
        raise unwritable(path, error) from error
    _remove_stale(path, now, stale_after)


def _remove_stale(folder: Path, now: float, after: float) -> None:
    """Remove unfinished files of dead owners; of owners who cannot be asked, those not written to for `after` s."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            found = _UNFINISHED.fullmatch(path.name)
            if found is None:
                continue
            with contextlib.suppress(OSError):  # another run may remove it at the same time
                dead = owner.is_dead(found[1]) if found[1] else None
                if dead or (dead is None and now - path.lstat().st_mtime > after):
                    path.unlink()


def is_remote(path: str) -> bool:
    """Whether a path names something that is not in the local file system."""
    return "://" in path or (path.startswith("/vsi") and not path.startswith(_ZIP))


_ZIP = "/vsizip/{"
"""How the path of a file in a local zip file begins; GDAL's own way of writing it."""

_IN_ZIP = re.compile(r"/vsizip/\{(.*?\.zip)\}/(.*)", re.IGNORECASE | re.DOTALL)


def in_archive(archive: str, name: str) -> str:
    """The path of a file in a zip file."""
    return f"{_ZIP}{archive}}}/{name}"


def local_file(path: str) -> Path | None:
    """The file of the local file system that holds a path's bytes: itself, or its zip file; None for a remote one."""
    if is_remote(path):
        return None
    parts = archive_parts(path)
    return Path(parts[0] if parts else path)


def archive_parts(path: str) -> tuple[str, str] | None:
    """The zip file and the name in it of what `in_archive` made; None for any other path."""
    found = _IN_ZIP.fullmatch(path)
    return (found[1], found[2]) if found else None


def size_in_archive(archive: str, name: str) -> int:
    """Bytes of a file in a zip file as they lie there. Raises `LandmixError` for one that cannot be read."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.getinfo(name).compress_size
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        msg = f"cannot read {archive}: {error}"
        raise LandmixError(msg) from error


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Open a local file, or one in a zip file, for reading bytes.

    Raises `LandmixError` for one that cannot be read.
    """
    try:
        parts = archive_parts(path)
        if parts is None:
            if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
                msg = f"cannot read {path}: it is no regular file"  # a pipe may never end, or never begin
                raise LandmixError(msg)
            with Path(path).open("rb") as file:
                yield file
            return
        with zipfile.ZipFile(parts[0]) as opened, opened.open(parts[1]) as member:
            yield member
    # ValueError: a path with a NUL; RuntimeError: an encrypted archive
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        msg = f"cannot read {path}: {why(error)}"
        raise LandmixError(msg) from error


def read_bytes(path: str, limit: int) -> bytes:
    """The bytes of a local file, or of one in a zip file. Raises `LandmixError` where it has more than `limit`."""
    with open_bytes(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        msg = f"{path} has more than {limit} bytes, too many for what it should be"
        raise LandmixError(msg)
    return content


_PIECE = 64 * 2**20
"""Bytes that are hashed together."""


def file_hash(path: str) -> str:
    """sha256 of a local file's bytes, or those of one in a zip file; of more than 64 MiB, that of its pieces' sha256.

    Pieces can be hashed side by side: a scene's hash is wanted before its first pixel. Raises `LandmixError` for a file
    that cannot be read.
    """
    if archive_parts(path):
        with open_bytes(path) as file:
            pieces = list(iter(lambda: _piece(file), hashlib.sha256().digest()))
    else:
        with open_bytes(path) as file:
            size = file.seek(0, os.SEEK_END)
        with ThreadPoolExecutor(4 if size > _PIECE else 1) as pool:
            pieces = list(pool.map(lambda start: _piece_at(path, start), range(0, size, _PIECE)))
    if len(pieces) <= 1:
        return pieces[0].hex() if pieces else hashlib.sha256().hexdigest()
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def _piece_at(path: str, start: int) -> bytes:
    with open_bytes(path) as file:
        file.seek(start)
        return _piece(file)


def _piece(file: IO[bytes]) -> bytes:
    """sha256 of the next piece."""
    digest, left = hashlib.sha256(), _PIECE
    while left and (block := file.read(min(2**20, left))):
        digest.update(block)
        left -= len(block)
    return digest.digest()


def sync(path: Path) -> None:
    """Make sure that a file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def check_text(*names: str) -> None:
    """Raise `UsageError` for a name that is not UTF-8: neither JSON nor GDAL can hold it."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            msg = f"names must be UTF-8, but {name.encode('utf-8', 'backslashreplace').decode()} is not: rename it"
            raise UsageError(msg) from None


def unreadable(path: Path, error: OSError) -> LandmixError:
    """The error for a file that cannot be read."""
    return LandmixError(f"cannot read {path}: {error.strerror or error}")


def unwritable(path: Path, error: OSError) -> LandmixError:
    """The error for a file or folder that cannot be written."""
    return LandmixError(f"cannot write {path}: {why(error)}")


def why(error: BaseException) -> str:
    """What is wrong with a file, in a line: the system's own words, or those of a library."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not written in UTF-8"
    return " ".join(str(getattr(error, "strerror", None) or error).split())


_FULL = 4 * 2**20
"""Free bytes of a disk that is as good as full."""


def reason(folder: Path, error: BaseException) -> str:
    """Why a library could not write there: it seldom says that the disk is full."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < _FULL:
            return "the disk is full"
    return str(error)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call for folders and does not need it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
