"""How much a file from a stranger may ask for before anything of it is read (`limits.*` of the configuration)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import Interleaving

from landmix.errors import LandmixError
from landmix.files import STALE, archive_parts, local_file, size_in_archive

if TYPE_CHECKING:
    import rasterio

_MOST = 2000
"""Bytes that one byte of a file can stand for: deflate reaches 1032. What holds more has blocks that are not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes above which a file is refused: it is damaged, or made to keep a machine busy."""

    pixels: int = 500_000_000
    """Rows times columns of a raster whose file cannot hold so many, because its blocks are missing."""
    bytes: int = 20_000_000_000
    """Of all values of such a raster."""
    block: int = 300_000_000
    """Bytes of what must be decoded at once: a tile or strip of a raster."""
    bands: int = 10_000
    """Of a raster; each costs time, whatever its size."""
    vector: int = 500_000_000
    """Bytes of a vector file."""
    stale_after: float = STALE
    """Seconds after which an unfinished file of a run on another host is nobody's, if nobody has written to it."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                msg = f"limits.{field.name} must be 1 or more, not {getattr(self, field.name)}"
                raise ValueError(msg)

    def check_raster(self, path: str, dataset: rasterio.DatasetReader) -> None:
        """Raise `LandmixError` for an open raster that declares too much."""
        self._check(path, "bands", dataset.count)
        self._check(path, "block", _block(dataset))
        local = local_file(path)
        if local is None or dataset.driver == "VRT":  # who knows what it holds
            return
        inside = archive_parts(path)
        held = size_in_archive(*inside) if inside else local.stat().st_size
        pixels = dataset.height * dataset.width
        declared = pixels * sum(_bytes(dtype) for dtype in dataset.dtypes)
        if declared > _MOST * held:
            self._check(path, "pixels", pixels)
            self._check(path, "bytes", declared)

    def check_vector(self, path: str) -> None:
        """Raise `LandmixError` for a vector file that is too large."""
        local = local_file(path)
        self._check(path, "vector", local.stat().st_size if local and local.is_file() else 0)

    def _check(self, path: str, name: str, came: int) -> None:
        most = getattr(self, name)
        if came > most:
            msg = f"{path} has {_WORDS[name].format(came)}, and {most} are allowed: lift that with limits.{name}={came}"
            raise LandmixError(msg)


_WORDS = {
    "pixels": "{} pixels in an almost empty file",
    "bytes": "{} bytes of pixels in an almost empty file",
    "block": "blocks of {} bytes",
    "bands": "{} bands",
    "vector": "{} bytes of vectors",
}

DEFAULT = Limits()


def _block(dataset: rasterio.DatasetReader) -> int:
    """Bytes of the largest block; where bands lie pixel by pixel, of all of them."""
    shapes = zip(dataset.block_shapes, dataset.dtypes, strict=True)
    sizes = [rows * cols * _bytes(dtype) for (rows, cols), dtype in shapes]
    return sum(sizes) if dataset.interleaving == Interleaving.pixel else max(sizes)


def _bytes(dtype: str) -> int:
    """Of one value; GDAL's complex integers are none of numpy's."""
    return 4 if dtype == "complex_int16" else np.dtype(dtype).itemsize
