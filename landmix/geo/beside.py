"""What lies beside a raster or vector file: GDAL opens masks and overviews there with whatever driver takes them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

import rasterio
from rasterio.errors import RasterioError

from landmix.errors import LandmixError
from landmix.files import archive_parts, in_archive, open_bytes
from landmix.geo.remote import gdal_path

if TYPE_CHECKING:
    from rasterio import DatasetReader

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins, the larger kind too."""

_RASTERS = (".msk", ".ovr")
"""Ends of side files that GDAL opens as rasters, in any letter case."""


def check_side_files(path: str) -> None:
    """Look at what GDAL would open together with a local raster, or one in a zip file, before it does.

    A mask or overviews that are no TIFF may be a text that names any file or address, for drivers some of which write.
    Raises `LandmixError` for such, and for what is no regular file: a pipe may never end.
    """
    parts = archive_parts(path)
    own = Path(parts[1] if parts else path)
    begins = f"{own.name.casefold()}.", f"{own.stem.casefold()}."
    for side in _in_archive(*parts) if parts else _in_folder(path):
        ends = Path(side).name.casefold()
        if ends == own.name.casefold() or not ends.startswith(begins):
            continue
        if ends.endswith(_RASTERS):
            _check_tiff(side)
        elif ends.endswith(".aux.xml"):
            _check_metadata(side)


def check_regular(path: str) -> None:
    """Raise `LandmixError` where a file of the same stem is neither a regular file nor a folder."""
    _in_folder(path)


def check_overviews(path: str, dataset: DatasetReader) -> None:
    """Raise `LandmixError` where a raster's own metadata name another file, which would be read as its overviews."""
    if any(key.upper() == "OVERVIEW_FILE" for key in dataset.tags(ns="OVERVIEWS")):
        raise _elsewhere(path)


def _in_folder(path: str) -> list[str]:
    """The files of a local file's stem, in any letter case."""
    folder, stem = Path(path).parent, Path(path).stem.casefold()
    found = []
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - a folder may hold a hundred thousand, of which few are looked at
            if not name.casefold().startswith(stem):
                continue
            side = folder / name
            try:
                mode = side.stat().st_mode
            except OSError:  # a link to nowhere
                continue
            if S_ISREG(mode):
                found.append(str(side))
            elif not S_ISDIR(mode):
                msg = f"{side}, which belongs to {path}, is no regular file: remove it"
                raise LandmixError(msg)
    except OSError:  # a folder that may not be listed; GDAL finds nothing in it either
        return []
    return found


def _in_archive(archive: str, member: str) -> list[str]:
    """The files of a zip file in the folder of one of its own."""
    folder = Path(member).parent
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if Path(name).parent == folder]
    except (OSError, ValueError, zipfile.BadZipFile):  # what reads it says so
        return []
    return [in_archive(archive, name) for name in names]


def _check_tiff(side: str) -> None:
    with open_bytes(side) as file:
        head = file.read(4)
    if head not in TIFF:
        msg = f"{side} is no TIFF, as masks and overviews beside a raster must be: remove it"
        raise LandmixError(msg)
    try:
        with rasterio.open(gdal_path(side), driver="GTiff", sharing=False) as dataset:
            check_overviews(side, dataset)
    except RasterioError as error:
        msg = f"cannot read {side} as a TIFF, as masks and overviews beside a raster must be: remove it"
        raise LandmixError(msg) from error


def _check_metadata(side: str) -> None:
    kept = b""
    with open_bytes(side) as file:
        while piece := file.read(2**20):
            if b"overview_file" in (kept + piece).lower():
                raise _elsewhere(side)
            kept = piece[-16:]


def _elsewhere(path: str) -> LandmixError:
    return LandmixError(f"the metadata of {path} name another file as its overviews (OVERVIEW_FILE): remove that")
