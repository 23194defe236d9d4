"""Finished rasters: a mosaic of parts becomes a cloud-optimised GeoTIFF, read back before it gets its name."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from landmix.errors import LandmixError
from landmix.files import reason, replacing, write_text
from landmix.geo.georeference import georeference, metadata
from landmix.geo.sidecars import remove_sidecars
from landmix.seal import BLANK, KEY, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.core.legend import Legend
    from landmix.core.window import Window
    from landmix.geo.grid import Grid

_VRT_TYPES = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """Part files that together are one raster."""

    parts: Sequence[tuple[Window, Path]]
    """Where each part lies; all in one folder."""
    grid: Grid
    dtype: np.dtype[np.generic]
    nodata: float
    bands: tuple[str, ...]
    """Descriptions."""
    tags: Mapping[str, str]
    scale: float = 1.0
    legend: Legend | None = None
    """Given for class rasters: their colour table."""
    creation: Mapping[str, str] = field(default_factory=dict)
    """GDAL's options of the finished raster, where they are to be others than `write_cog`'s own."""


def read_back(path: Path) -> dict[int, int]:
    """Read every block of a raster, and count the values of its first band where they are 8 or 16 bits without a sign.

    rasterio does not report a failed close: on a full disk a truncated file looks finished. Raises `RasterioError`
    where a block cannot be read.
    """
    with rasterio.open(path, driver="GTiff", sharing=False) as dataset:
        highest = np.iinfo(dataset.dtypes[0]).max + 1 if dataset.dtypes[0] in {"uint8", "uint16"} else 0
        halves = 2 if dataset.width * dataset.height > _LARGE else 1
        levels = (None, *range(len(dataset.overviews(1))))
    parts = [(level, slice(first, None, halves)) for level in levels for first in range(halves)]

    def read(part: tuple[int | None, slice]) -> NDArray[np.int64]:
        return _read_blocks(path, *part, highest)

    with ThreadPoolExecutor(2) as pool:
        # GDAL needs some milliseconds in each new thread
        found = list(pool.map(read, parts) if halves > 1 else map(read, parts))
    counts = sum(found[:halves], np.zeros(highest, np.int64))
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


_LARGE = 2**23
"""Pixels of a raster from which on a second thread pays."""


def _read_blocks(path: Path, level: int | None, which: slice, highest: int) -> NDArray[np.int64]:
    """Read some blocks of a raster or of an overview of it; counts of values below `highest` in the first band."""
    counts = np.zeros(highest, np.int64)
    overview = {} if level is None else {"overview_level": level}
    # closed in the thread that opened it, however the other ends
    with contextlib.closing(rasterio.open(path, driver="GTiff", sharing=False, **overview)) as dataset:
        for _, window in list(dataset.block_windows(1))[which]:
            values = dataset.read(window=window)
            if highest and level is None:
                counts += np.bincount(values[0].ravel(), minlength=highest)
    return counts


def write_cog(mosaic: Mosaic, target: Path, expected: Mapping[int, int] | None = None) -> dict[int, int]:
    """Assemble the parts into a cloud-optimised GeoTIFF at `target`, as `new_cog` does."""
    with new_cog(mosaic, target, expected) as counts:
        return counts


@contextlib.contextmanager
def new_cog(mosaic: Mosaic, target: Path, expected: Mapping[int, int] | None = None) -> Iterator[dict[int, int]]:
    """Assemble the parts into a cloud-optimised GeoTIFF that becomes `target` when the block ends well.

    It is whole, read back and sealed (`landmix.seal`) when the block begins. Gives how often each value occurs; where
    `expected` is given, the file must hold just that. Raises `LandmixError` where the disk is full or a part is
    damaged.
    """
    with replacing(target) as temporary:
        counts = _copy(mosaic, target, temporary)
        if expected is not None and counts != dict(expected):
            msg = f"cannot write {target}: what was written reads back different"
            raise LandmixError(msg)
        seal(temporary)
        yield counts
        remove_sidecars(target)  # an old style would give the new map wrong names


def _copy(mosaic: Mosaic, target: Path, temporary: Path) -> dict[int, int]:
    """Write the parts as one file with a place for its seal, and count what is in it."""
    blank = replace(mosaic, tags={**mosaic.tags, KEY: BLANK})
    try:
        with rasterio.Env(GDAL_PAM_ENABLED="NO"), open_mosaic(blank) as source:
            rasterio.shutil.copy(
                source,
                temporary,
                driver="COG",
                # an average of class values would be a class that is not there
                OVERVIEW_RESAMPLING="MODE" if mosaic.legend else "AVERAGE",
                **{**_CREATION, **mosaic.creation},
            )
            return read_back(temporary)
    except (RasterioError, CPLE_BaseError, SystemError) as error:  # copy lets GDAL's own errors through
        msg = f"cannot write {target}: {reason(target.parent, error)}"
        raise LandmixError(msg) from error


_CREATION = {"BLOCKSIZE": "512", "COMPRESS": "DEFLATE", "NUM_THREADS": "2", "BIGTIFF": "IF_SAFER"}


@contextlib.contextmanager
def open_mosaic(mosaic: Mosaic) -> Iterator[rasterio.DatasetReader]:
    """The parts as one open raster, by way of a virtual one beside them."""
    vrt = mosaic.parts[0][1].with_suffix(".vrt")
    write_text(vrt, _vrt(mosaic), durable=False)  # gone again in a moment
    try:
        with rasterio.open(vrt, driver="VRT") as source:
            yield source
    finally:
        vrt.unlink(missing_ok=True)


def _vrt(mosaic: Mosaic) -> str:
    """The parts as one GDAL virtual raster; sources are named relative to it."""
    grid = mosaic.grid
    root = ET.Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    georeference(root, grid)
    metadata(root, mosaic.tags.items())
    for number, description in enumerate(mosaic.bands, start=1):
        band = ET.SubElement(
            root,
            "VRTRasterBand",
            dataType=_VRT_TYPES[mosaic.dtype.name],
            band=str(number),
            blockXSize="512",
            blockYSize="512",
        )
        ET.SubElement(band, "Description").text = description
        ET.SubElement(band, "NoDataValue").text = repr(mosaic.nodata)
        if mosaic.scale != 1.0:
            ET.SubElement(band, "Offset").text = "0"
            ET.SubElement(band, "Scale").text = repr(mosaic.scale)
        if mosaic.legend and mosaic.dtype == np.uint8:
            _palette(band, mosaic.legend)
        for window, path in mosaic.parts:
            _source(band, number, window, path)
    return ET.tostring(root, encoding="unicode")


def _palette(band: ET.Element, legend: Legend) -> None:
    ET.SubElement(band, "ColorInterp").text = "Palette"
    table = ET.SubElement(band, "ColorTable")
    colors = {c.value: c.rgb for c in legend}
    for value in range(256):
        red, green, blue = colors.get(value, (0, 0, 0))
        alpha = "255" if value in colors else "0"
        ET.SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4=alpha)


def _source(band: ET.Element, number: int, window: Window, path: Path) -> None:
    source = ET.SubElement(band, "SimpleSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = path.name
    ET.SubElement(source, "SourceBand").text = str(number)
    width, height = str(window.width), str(window.height)
    ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=height)
    ET.SubElement(source, "DstRect", xOff=str(window.col), yOff=str(window.row), xSize=width, ySize=height)
