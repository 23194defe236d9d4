"""Models as safetensors: the weights, and everything else as JSON in the header; no pickle anywhere."""

from __future__ import annotations

import json
import math
import os
from typing import IO, TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from landmix.errors import LandmixError
from landmix.files import open_bytes, replacing
from landmix.seal import BLANK, KEY, seal

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

LIMIT = 32 * 2**20
"""Bytes of a header; 65536 bands, more than any model has, need about 20 million."""

_KNOWN = 100_000_000
"""Bytes of the longest header that the format allows."""

_START = 8
"""Bytes of the header's length, little-endian, with which a file begins."""

_METADATA = "__metadata__"
"""The header's key for what is no tensor: text by text."""

_TEXTS = {"format", "version", "bundle", KEY}
"""What it holds."""

_FLOAT = "$float"
"""How NaN and infinity are written, which JSON does not have: `{"$float": "nan"}`."""


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do. Raises `LandmixError` where it cannot be read."""
    with open_bytes(str(path)) as file:
        start = file.read(_START + 1)
    return start[_START:] == b"{" and int.from_bytes(start[:_START], "little") <= _KNOWN


def read_safetensors(path: Path, wanted: str) -> dict[str, Any]:
    """`format`, `version`, `bundle` and `weights`, unchecked; nothing where the format is not the `wanted` one.

    Weights are read last: a stranger's large file costs its header only. Raises `LandmixError` for a damaged file.
    """
    with open_bytes(str(path)) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            start, header = _header(file, size)
            metadata = _metadata(header)
            if metadata.get("format") != wanted:
                return {}
            _check_texts(metadata)
            content: dict[str, Any] = {**metadata, "bundle": _parse(metadata["bundle"])}
            content["weights"] = _weights(start + file.read())
        except RecursionError as error:
            msg = f"the model {path} is damaged: its header is nested too deeply"
            raise LandmixError(msg) from error
        except (KeyError, ValueError, SafetensorError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
            msg = f"the model {path} is damaged: {what}"
            raise LandmixError(msg) from error
    return content


def write_safetensors(content: dict[str, Any], path: Path) -> None:
    """Write a model's `format`, `version`, `bundle` and `weights`, whole or not at all; the same bytes each time.

    Raises `LandmixError` where the plain data are too many for a header.
    """
    text = json.dumps(_finite(content["bundle"]), allow_nan=False)
    body = save({name: tensor.contiguous() for name, tensor in content["weights"].items()})
    end = _START + int.from_bytes(body[:_START], "little")
    metadata = {"format": content["format"], "version": str(content["version"]), KEY: BLANK, "bundle": text}
    # safetensors itself writes metadata in another order each time
    header = json.dumps({_METADATA: metadata, **json.loads(body[_START:end])}).encode("ascii")
    header += b" " * (-len(header) % 8)  # readers that map the file want aligned numbers
    if len(header) > LIMIT:
        msg = f"cannot write {path}: bands, classes and training record take {len(header)} bytes, more than the {LIMIT}"
        msg += " of a header: use the checkpoint"
        raise LandmixError(msg)
    with replacing(path) as temporary:
        temporary.write_bytes(len(header).to_bytes(_START, "little") + header + body[end:])
        seal(temporary)


def _header(file: IO[bytes], size: int) -> tuple[bytes, Any]:
    """The bytes up to the header's end, and what they say."""
    first = file.read(_START)
    length = int.from_bytes(first, "little")
    if length > LIMIT:
        msg = f"its header has {length} bytes, more than the {LIMIT} that a model may have"
        raise ValueError(msg)
    if _START + length > size:
        msg = "it is cut short"
        raise ValueError(msg)
    raw = file.read(length)
    return first + raw, _parse(raw.decode("utf-8"))


def _metadata(header: Any) -> dict[str, str]:
    metadata = header.get(_METADATA, {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        msg = "its header is none of safetensors"
        raise ValueError(msg)
    return metadata


def _check_texts(metadata: dict[str, str]) -> None:
    """Raise `ValueError` where there are more: the name of the seal may be damaged."""
    if strange := metadata.keys() - _TEXTS:
        msg = f"its header holds {min(strange)!r}, which no model has"
        raise ValueError(msg)


def _weights(content: bytes) -> dict[str, Tensor]:
    """The tensors, each in memory of its own; safetensors checks that they cover the file without gap or overlap."""
    return {name: tensor.clone() for name, tensor in load(content).items()}


def _parse(text: str) -> Any:
    """Strict JSON: each key once, no bare NaN."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)


def _once(pairs: list[tuple[str, Any]]) -> Any:
    """An object, or the number that `_finite` wrote as one."""
    data = dict(pairs)
    if len(data) != len(pairs):
        msg = "a key stands twice in its header"
        raise ValueError(msg)
    return float(data[_FLOAT]) if data.keys() == {_FLOAT} else data


def _refuse(word: str) -> None:
    msg = f"{word} is no JSON"
    raise ValueError(msg)


def _finite(data: Any) -> Any:
    """Plain data with NaN and infinity as objects."""
    if isinstance(data, dict):
        return {key: _finite(part) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(part) for part in data]
    return {_FLOAT: str(data)} if isinstance(data, float) and not math.isfinite(data) else data
