"""What a model file is from outside: a torch checkpoint of plain data, or safetensors; told apart by content."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

import torch

from landmix.errors import LandmixError
from landmix.files import open_bytes, replacing
from landmix.safetensors_file import is_safetensors, read_safetensors
from landmix.seal import BLANK, KEY, is_intact, seal

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "landmix-model"
VERSION = 2
"""1: without temperature and reference; written where a model has neither, so that older versions read it."""


def is_model(path: Path) -> bool:
    """Whether a file is a torch checkpoint, which is a zip archive with a pickle in it, or safetensors; of anybody."""
    return path.is_file() and (_is_checkpoint(path) or is_safetensors(path))


def file_format(path: Path) -> str:
    """`safetensors` or `checkpoint`."""
    return "safetensors" if is_safetensors(path) else "checkpoint"


def read_model(path: Path) -> dict[str, Any]:
    """`bundle` and `weights` as a model file of this version holds them, not yet checked; runs no code from it.

    Raises `LandmixError` for a file that is no landmix model, is damaged, or comes from a newer landmix.
    """
    if is_safetensors(path):
        content, kind = read_safetensors(path, FORMAT), "safetensors file"
    else:
        content, kind = _checkpoint(path), "checkpoint"
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        hint = " (an unfinished training run goes on with resume=true)" if _is_lightning(content) else ""
        msg = f"{path} is a {kind}, but no landmix model{hint}"
        raise LandmixError(msg)
    if str(content.get("version")) not in {"1", str(VERSION)}:
        msg = f"{path} was written by a newer landmix (model format {content.get('version')!r}): update landmix"
        raise LandmixError(msg)
    return content


def save_tensors(content: dict[str, Any], path: Path) -> None:
    """Write plain data and tensors as a checkpoint, whole or not at all, with a seal as the comment of its zip file.

    By way of the memory, because torch's own writer has errors of its own for a full disk.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    comment = f"{KEY} {BLANK}".encode()
    with replacing(path) as temporary:
        # a zip file ends with the length of its comment, two bytes, and the comment
        temporary.write_bytes(buffer.getbuffer()[:-2])
        with temporary.open("ab") as file:
            file.write(len(comment).to_bytes(2, "little") + comment)
        seal(temporary)


def check_intact(path: Path, content: dict[str, Any]) -> None:
    """Raise `LandmixError` where a byte of a model file has changed since it was written.

    `content` is what it holds. Files from before there were seals have their zip file's checksums at least, which torch
    does not look at.
    """
    intact = is_intact(path)
    if intact is None:
        intact = KEY not in content and (file_format(path) == "safetensors" or _sound(path))
    if not intact:
        msg = f"the model {path} is damaged: it is not as it was written"
        raise LandmixError(msg)


def _sound(path: Path) -> bool:
    """Whether a zip file has no comment, which would be a broken seal, and its members have their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not archive.comment and archive.testzip() is None
    except zipfile.BadZipFile:
        return not _is_checkpoint(path)  # torch's older format is none
    except (zlib.error, ValueError, RuntimeError, NotImplementedError, EOFError):
        return False


def _checkpoint(path: Path) -> Any:
    with open_bytes(str(path)) as file:
        try:
            _check_stored(file)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what torch thinks of a pickle that is no checkpoint
                # not by its path: torch takes a file named *.safetensors for one
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            # torch.load raises almost anything on foreign bytes; whatever it was, this is no model.
            msg = f"{path} is no landmix model: it cannot be read as a checkpoint of plain data"
            raise LandmixError(msg) from error


def _check_stored(file: IO[bytes]) -> None:
    """Raise `ValueError` for a zip file that is smaller than what is in it: torch compresses nothing."""
    size = file.seek(0, os.SEEK_END)
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as archive:  # torch's older format is none
        members = archive.infolist()
        stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
        if not stored or sum(member.file_size for member in members) > size:
            msg = "its parts are compressed, or overlap"
            raise ValueError(msg)
    file.seek(0)


def _is_checkpoint(path: Path) -> bool:
    with open_bytes(str(path)) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return any(name.endswith("data.pkl") for name in archive.namelist())
        except zipfile.BadZipFile:
            return False


def _is_lightning(content: Any) -> bool:
    return isinstance(content, dict) and "pytorch-lightning_version" in content
