"""Opening rasters: the driver follows from the first bytes, never from GDAL's own guess.

GDAL chooses a driver by content: a text named `scene.tif` can make it fetch URLs or write files. So the first bytes
choose one driver out of a short list, and GDAL is told to use that one.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.env import set_gdal_config
from rasterio.errors import RasterioError

from landmix.errors import LandmixError
from landmix.files import archive_parts, is_remote, open_bytes
from landmix.geo import remote
from landmix.geo.beside import TIFF, check_overviews, check_side_files
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.tiff_directory import check_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rasterio.enums import ColorInterp

FAILURES = (RasterioError, CPLE_BaseError, SystemError)
"""What rasterio raises where GDAL fails; its own errors let others through."""

_MAGIC = (
    *((magic, "GTiff") for magic in TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"<VRTDataset", "VRT"),
)


def raster_driver(path: str) -> str | None:
    """GDAL driver name for a local file by its first bytes; None if it is no raster that landmix reads.

    Raises `LandmixError` for a file that does not exist or cannot be read.
    """
    with open_bytes(path) as file:
        head = file.read(16)
    driver = next((driver for magic, driver in _MAGIC if head.startswith(magic)), None)
    return driver or ("ENVI" if _envi_header(Path(path)) else None)


def _envi_header(path: Path) -> bool:
    """Whether an ENVI header lies beside a file of raw numbers."""
    for header in (path.with_suffix(".hdr"), path.with_name(path.name + ".hdr")):
        if header != path and header.is_file():
            with header.open("rb") as file:
                return file.read(4) == b"ENVI"
    return False


def open_raster(path: str, *, allow_vrt: bool = False, limits: Limits = DEFAULT) -> rasterio.DatasetReader:
    """Open a raster for reading, with a handle of its own.

    Raises `LandmixError` for what does not exist, is no raster, is damaged, or declares more than `limits` allow.
    """
    if is_remote(path):
        # by name: a first look at the bytes would be one more request for every file
        driver: str | None = "JP2OpenJPEG" if remote.suffix(path) in {".jp2", ".j2k"} else "GTiff"
    else:
        driver = raster_driver(path)
        if driver is None:
            msg = f"{path} is no raster: landmix reads GeoTIFF, JPEG 2000, ENVI and PNG files"
            raise LandmixError(msg)
        if driver == "VRT" and not allow_vrt:
            msg = f"{path} is a VRT, which can name any other file: allow it with scene.allow_vrt=true if you trust it"
            raise LandmixError(msg)
    if not is_remote(path):
        check_side_files(path)
    if driver == "GTiff" and not is_remote(path) and archive_parts(path) is None:
        check_directory(path)
    with looking(path):
        with remote.settings([path]):
            dataset = rasterio.open(remote.gdal_path(path), driver=driver, sharing=False)
        try:
            check_overviews(path, dataset)
            limits.check_raster(path, dataset)
        except BaseException:
            dataset.close()
            raise
        return dataset


@contextlib.contextmanager
def looking(path: str) -> Iterator[None]:
    """Look at a raster's header: what fails is a `LandmixError` that names it."""
    try:
        yield
    except FAILURES as error:
        msg = f"cannot read {path} as a raster: {cause(error)}"
        raise LandmixError(msg) from error


def band_kinds(dataset: rasterio.DatasetReader) -> tuple[ColorInterp, ...]:
    """What each band is.

    rasterio takes what GDAL last complained of, a tag that nobody needs perhaps, for a failure of this one call.
    """
    try:
        return tuple(dataset.colorinterp)
    except CPLE_BaseError:
        return tuple(dataset.colorinterp)


def cause(error: BaseException) -> str:
    """What GDAL said first: rasterio's own error often only points to it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


_cache = 0
_cache_lock = threading.Lock()


def limit_cache(size: int) -> None:
    """Let GDAL's block cache take `size` bytes, or what was asked for before if that is more.

    It is one for the whole process. GDAL's own limit grows with the machine's memory, and so does what an `Env` that
    ends puts back, while other threads still read.
    """
    global _cache  # noqa: PLW0603 - as GDAL has it
    with _cache_lock:
        _cache = max(_cache, size)
        set_gdal_config("GDAL_CACHEMAX", _cache)
