"""Whether a raster is still what landmix wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasterio.errors import RasterioError

from landmix.errors import LandmixError
from landmix.files import unreadable
from landmix.geo.opening import open_raster
from landmix.geo.writing import read_back
from landmix.seal import is_intact

if TYPE_CHECKING:
    from pathlib import Path


def verified_tags(path: Path) -> dict[str, str]:
    """The tags of a raster of landmix's, of which every byte is as it was written and every block reads.

    Raises `LandmixError` for a raster that is not whole, or of somebody else.
    """
    with open_raster(str(path)) as dataset:
        tags: dict[str, str] = dataset.tags()
    if "LANDMIX_DIGEST" not in tags:
        msg = f"{path} is no map of landmix: it does not say what made it, so there is nothing to compare it with"
        raise LandmixError(msg)
    try:
        intact = is_intact(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if intact is None:
        msg = f"{path} does not carry the sha256 of its bytes, so nobody can say whether it is as it was written: make"
        msg += " it again with overwrite=true"
        raise LandmixError(msg)
    if not intact:
        msg = f"{path} is damaged or was changed: its bytes are not those that landmix wrote; make it again with"
        msg += " overwrite=true"
        raise LandmixError(msg)
    try:
        read_back(path)
    except (RasterioError, SystemError) as error:
        msg = f"{path} is damaged: not every block can be read ({error}); make it again with overwrite=true"
        raise LandmixError(msg) from error
    return tags
