"""What a GeoTIFF can hold of a georeference, and how GDAL is told of one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import rasterio
import rasterio.shutil
from affine import Affine as Transform
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, RasterioError
from rasterio.io import MemoryFile

from landmix.errors import LandmixError
from landmix.geo.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rasterio.crs import CRS

_FORMS = "WKT1_GDAL", "WKT2_2019", "WKT1_ESRI"
"""Texts of a CRS. None says all, and which one a GeoTIFF keeps best depends on the CRS."""


def check_holds(grid: Grid, where: str) -> None:
    """Raise `LandmixError` where a GeoTIFF cannot hold the georeference of the scene `where` exactly."""
    try:
        held = _through_geotiff(grid)
    except (RasterioError, CPLE_BaseError, SystemError) as error:
        msg = f"a GeoTIFF cannot hold the georeference of {where} ({error}): mend it first"
        raise LandmixError(msg) from error
    lost = [
        what
        for what, kept in (
            ("CRS", held.crs == grid.crs),
            ("transform", bool(grid.gcps) or held.transform == grid.transform),
            ("control points", _points(held) == _points(grid)),
            ("RPCs", dict(held.rpc).keys() >= dict(grid.rpc).keys()),
        )
        if not kept
    ]
    if lost:
        msg = f"a GeoTIFF cannot hold the {' and '.join(lost)} of {where} ({grid}): bring it into a common CRS first"
        raise LandmixError(msg)


def _through_geotiff(grid: Grid, wkt: str | None = None) -> Grid:
    """The grid as it comes back from a map; `wkt`: its CRS in these words."""
    root = ET.Element("VRTDataset", rasterXSize="1", rasterYSize="1")
    georeference(root, grid, wkt)
    ET.SubElement(root, "VRTRasterBand", dataType="Byte", band="1")
    # without files beside it, which could hold anything
    with rasterio.Env(GDAL_PAM_ENABLED="NO"), MemoryFile(ext=".tif") as memory:
        with rasterio.open(ET.tostring(root, encoding="unicode"), driver="VRT") as source:
            rasterio.shutil.copy(source, memory.name, driver="COG")
        with memory.open(driver="GTiff") as dataset:
            return Grid.of(dataset)


def _points(grid: Grid) -> list[tuple[float, float, float, float, float]]:
    return [(p.row, p.col, p.x, p.y, p.z or 0.0) for p in grid.gcps]


def metadata(root: ET.Element, items: Iterable[tuple[str, str]], domain: str = "") -> None:
    """Put texts by name into a virtual raster."""
    element = ET.SubElement(root, "Metadata", {"domain": domain} if domain else {})
    for key, value in items:
        ET.SubElement(element, "MDI", key=key).text = value


@functools.lru_cache(64)
def _wkt(crs: CRS) -> str:
    """A CRS as the text that comes back from a GeoTIFF as the same CRS, if there is one."""
    texts = [text for form in _FORMS if (text := _said(crs, form))]
    for text in texts:
        grid = Grid(crs=crs, transform=Transform.scale(2, -2), height=1, width=1)
        if _through_geotiff(grid, text).crs == crs:
            return text
    return texts[0] if texts else ""


def _said(crs: CRS, form: str) -> str | None:
    try:
        return str(crs.to_wkt(version=form))
    except (RasterioError, CPLE_BaseError, CRSError):  # heights have no words in the old form
        return None


def georeference(root: ET.Element, grid: Grid, wkt: str | None = None) -> None:
    """Say in a virtual raster where it is; `wkt`: its CRS in these words."""
    if wkt is None:
        wkt = "" if grid.crs is None else _wkt(grid.crs)
    if grid.rpc:
        metadata(root, grid.rpc, domain="RPC")
    if grid.gcps:
        points = ET.SubElement(root, "GCPList", Projection=wkt)
        for number, point in enumerate(grid.gcps, start=1):
            ET.SubElement(
                points,
                "GCP",
                Id=str(number),
                Pixel=repr(point.col),
                Line=repr(point.row),
                X=repr(point.x),
                Y=repr(point.y),
                Z=repr(point.z or 0.0),
            )
        return
    if wkt:
        # traditional axis order, as GeoTIFF files mean it
        ET.SubElement(root, "SRS", dataAxisToSRSAxisMapping="2,1" if _latitude_first(wkt) else "1,2").text = wkt
    if not grid.transform.is_identity:
        ET.SubElement(root, "GeoTransform").text = ", ".join(map(repr, grid.transform.to_gdal()))


def _latitude_first(wkt: str) -> bool:
    """Whether the authority's axis order begins with latitude or northing."""
    import pyproj  # noqa: PLC0415 - only here
    from pyproj.exceptions import CRSError  # noqa: PLC0415

    try:
        axes = pyproj.CRS.from_wkt(wkt).axis_info
    except CRSError:  # GDAL knows some that PROJ does not
        return False
    return len(axes) > 1 and axes[0].direction.lower() in ("north", "south")
