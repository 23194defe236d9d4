"""Write: a shard's outputs become part files, whole or not at all, and are known again by a checksum."""

from __future__ import annotations

import contextlib
import zlib
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from landmix.errors import LandmixError
from landmix.files import reason, replacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.classify.plan import Layer, Plan
    from landmix.core.window import Window


def write_parts(plan: Plan, shard: Window, arrays: list[NDArray[np.generic]]) -> dict[Path, dict[int, int]]:
    """Write the outputs of a shard, (bands, H, W) for each layer of the plan. Returns what `read_part` would.

    Raises `LandmixError` where the disk is full; no part is then left that was not whole.
    """
    with contextlib.ExitStack() as stack:
        for layer, array in zip(plan.layers, arrays, strict=True):
            path = stack.enter_context(replacing(plan.part(layer, shard)))
            try:
                write_part(path, array)
            except (RasterioError, SystemError) as error:
                msg = f"cannot write {plan.work}: {reason(plan.work, error)}"
                raise LandmixError(msg) from error
    return {plan.part(layer, shard): _counts(array[0]) for layer, array in zip(plan.layers, arrays, strict=True)}


def write_part(path: Path, array: NDArray[np.generic]) -> None:
    """Write (bands, H, W) with its checksum, and read it back. Raises `RasterioError` or `SystemError`."""
    bands, height, width = array.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=bands,
        dtype=array.dtype,
        height=height,
        width=width,
        compress="deflate",
        zlevel=1,  # it lives for minutes
        tiled=True,
        blockxsize=512,
        blockysize=512,
        BIGTIFF="IF_SAFER",
        sharing=False,
    ) as part:
        part.write(array)
        part.update_tags(**{_CHECKSUM: zlib.crc32(array.data)})
    # rasterio does not report a failed close: on a full disk a truncated file looks finished
    if _read(path)[1] != zlib.crc32(array.data):
        msg = "what was written reads back different"
        raise RasterioError(msg)


def read_part(path: Path, layer: Layer, shard: Window) -> dict[int, int]:
    """How often each value stands in the first band of a part; none for fractions as float32.

    Raises `LandmixError` for a part that is damaged or not what it should be.
    """
    try:
        first, found, said, shape = _read(path)
    except (RasterioError, SystemError) as error:
        path.unlink(missing_ok=True)
        msg = f"the part {path} was damaged ({error}) and is removed: run the command that wrote it again"
        raise LandmixError(msg) from error
    if said != found or shape != (len(layer.bands), shard.height, shard.width):
        path.unlink(missing_ok=True)
        msg = f"the part {path} was not as it was written and is removed: run the command that wrote it again"
        raise LandmixError(msg)
    return _counts(first)


def _counts(values: NDArray[np.generic]) -> dict[int, int]:
    """How often each value of (H, W) occurs; none for fractions."""
    if values.dtype.kind == "f":
        return {}
    counts = np.zeros(2 ** (8 * values.itemsize), np.int64)
    for start in range(0, len(values), _ROWS):
        counts += np.bincount(values[start : start + _ROWS].ravel(), minlength=len(counts))
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


_ROWS = 32
"""Counted at a time: numpy makes 8 bytes of each value, which should stay in the cache."""


_CHECKSUM = "LANDMIX_CRC32"


def _read(path: Path) -> tuple[NDArray[np.generic], int, int | None, tuple[int, int, int]]:
    """The first band of a part, its checksum over all bands, the checksum that it was written with, and its shape."""
    with rasterio.open(path, driver="GTiff", sharing=False) as part:
        first, checksum = part.read(1), 0
        for band in range(1, part.count + 1):
            checksum = zlib.crc32((part.read(band) if band > 1 else first).data, checksum)
        said = part.tags().get(_CHECKSUM)
        return first, checksum, int(said) if said else None, (part.count, part.height, part.width)
