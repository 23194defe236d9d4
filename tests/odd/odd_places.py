"""Odd places: every way to say where a raster lies, or not to say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine as Transform
from odd_kinds import PLACE, Kind, bytes_of, tif, values, written
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from tiff_bytes import DOUBLE, KEYS, MATRIX, PIXEL_SCALE, SHORT, TIEPOINTS, Tags, Tiff, basic, geo, strip

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = values().astype(np.uint8)
_POINTS = [
    GroundControlPoint(row=row, col=col, x=500_000 + 10 * col + row, y=5_400_000 - 10 * row, z=3.5)
    for row, col in ((0, 0), (0, 24), (20, 0), (20, 24), (7.25, 3.125))
]
_LOCAL = (
    'LOCAL_CS["a building site",UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)
_OWN = "+proj=laea +lat_0=41.3 +lon_0=11.7 +x_0=123.5 +y_0=-7 +ellps=bessel +units=us-ft"
_COMPOUND = "EPSG:25832+5783"
_RPC = RPC(
    err_bias=1.5, err_rand=0.25, height_off=300.0, height_scale=500.0, lat_off=48.5, lat_scale=0.1,
    line_den_coeff=[1.0] + [0.001] * 19, line_num_coeff=[0.01] * 20, line_off=10.0, line_scale=10.0,
    long_off=11.5, long_scale=0.1, samp_den_coeff=[1.0] + [0.0] * 19, samp_num_coeff=[-0.02] * 20, samp_off=12.0,
    samp_scale=12.0,
)  # fmt: skip


def _in_place(name: str, transform: Transform | None, crs: Any = "EPSG:32633") -> Kind:
    return written(name, _BYTES, transform=transform, crs=crs)


def _world(path: Path, suffix: str) -> None:
    """The place lies in a text beside the file."""
    tif(path, _BYTES, transform=None, crs=None)
    path.with_suffix(suffix).write_text("30\n0\n0\n-30\n500015\n5399985\n", encoding="ascii")


def _beside(path: Path, content: str) -> None:
    tif(path, _BYTES)
    path.with_name(path.name + ".aux.xml").write_text(content, encoding="utf-8")


def _keys(*keys: int, doubles: tuple[float, ...] = (), **tags: Any) -> bytes:
    """GeoKeys as one likes them."""
    place: Tags = {
        PIXEL_SCALE: (DOUBLE, (10.0, 10.0, 0.0)),
        TIEPOINTS: (DOUBLE, (0.0, 0.0, 0.0, 500_000.0, 5_400_000.0, 0.0)),
        KEYS: (SHORT, keys),
    }
    if doubles:
        place[34736] = DOUBLE, doubles
    return Tiff(tags={**basic(20, 24, 2), **place, **tags.get("more", {})}, blocks=[strip(_BYTES)]).whole()


def _matrix(*numbers: float) -> bytes:
    place: Tags = {MATRIX: (DOUBLE, numbers), KEYS: geo()[KEYS]}
    return Tiff(tags={**basic(20, 24, 2), **place}, blocks=[strip(_BYTES)]).whole()


def _tiepoints() -> bytes:
    points = [number for p in _POINTS for number in (p.col, p.row, 0.0, p.x, p.y, p.z)]
    return Tiff(tags={**basic(20, 24, 2), TIEPOINTS: (DOUBLE, tuple(points))}, blocks=[strip(_BYTES)]).whole()


_UTM = (1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)

KINDS = (
    _in_place("south-up", Transform(10, 0, 500_000, 0, 10, 5_400_000)),
    _in_place("west-right", Transform(-10, 0, 500_000, 0, -10, 5_400_000)),
    _in_place("rotated", PLACE @ Transform.rotation(33)),
    _in_place("sheared", PLACE @ Transform.shear(12, 3)),
    _in_place("turned-by-90", PLACE @ Transform.rotation(90)),
    _in_place("pixels-of-two-shapes", Transform(10, 0, 500_000, 0, -37.123456789, 5_400_000)),
    _in_place("tiny-pixels", Transform(1e-9, 0, 11, 0, -1e-9, 48), "EPSG:4326"),
    _in_place("huge-pixels", Transform(1e7, 0, -2e7, 0, -1e7, 1e7), "EPSG:3857"),
    _in_place("odd-numbers", Transform(1 / 3, 0, 2**0.5, 0, -1 / 7, 3**0.5), "EPSG:4326"),
    _in_place("across-the-antimeridian", Transform(0.5, 0, 175, 0, -0.5, 10), "EPSG:4326"),
    _in_place("degrees-to-360", Transform(10, 0, 100, 0, -1, 80), "EPSG:4326"),
    _in_place("northing-first", PLACE, "EPSG:31468"),
    _in_place("web-mercator", PLACE, "EPSG:3857"),
    _in_place("feet", PLACE, "EPSG:2263"),
    _in_place("polar", PLACE, "EPSG:3413"),
    _in_place("own-crs", PLACE, _OWN),
    _in_place("heights", PLACE, _COMPOUND),
    _in_place("geocentric-heights", Transform(0.1, 0, 11, 0, -0.1, 48), "EPSG:4979"),
    _in_place("local-crs", PLACE, rasterio.crs.CRS.from_wkt(_LOCAL)),
    _in_place("no-crs", PLACE, None),
    _in_place("no-transform", None),
    _in_place("no-place", None, None),
    written("gcps", _BYTES, transform=None, crs="EPSG:32633", gcps=_POINTS),
    written("gcps-in-degrees", _BYTES, transform=None, crs="EPSG:4326", gcps=_POINTS),
    bytes_of("gcps-without-crs", _tiepoints, refused=None),
    written("one-gcp", _BYTES, transform=None, gcps=_POINTS[:1]),
    written("rpcs", _BYTES, transform=None, crs=None, rpcs=_RPC),
    written("rpcs-and-transform", _BYTES, rpcs=_RPC),
    written("pixel-is-point", _BYTES, after=lambda file: file.update_tags(AREA_OR_POINT="Point")),
    written("tfw-written-by-gdal", _BYTES, tfw="yes"),
    Kind(name="world-file-tfw", make=lambda path: _world(path, ".tfw")),
    Kind(name="world-file-wld", make=lambda path: _world(path, ".wld")),
    Kind(
        name="aux-with-statistics",
        make=lambda path: _beside(
            path,
            "<PAMDataset><PAMRasterBand band='1'><Metadata><MDI key='STATISTICS_MEAN'>9</MDI></Metadata>"
            "</PAMRasterBand></PAMDataset>",
        ),
    ),
    Kind(name="aux-no-xml", make=lambda path: _beside(path, "<PAMDataset><not closed")),
    Kind(name="aux-empty", make=lambda path: _beside(path, "")),
    Kind(name="aux-of-another-world", make=lambda path: _beside(path, "<VRTDataset/>")),
    bytes_of(
        "user-defined-crs", lambda: _keys(1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32767), refused=None
    ),
    bytes_of("unknown-epsg", lambda: _keys(1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 9999), refused=None),
    bytes_of("keys-version-9", lambda: _keys(9, 1, 0, 3, *_UTM), refused=None),
    bytes_of("keys-beyond-their-end", lambda: _keys(1, 1, 0, 900, *_UTM), refused=None),
    bytes_of(
        "pixel-is-point-by-hand",
        lambda: _keys(1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32633),
        refused=None,
    ),
    bytes_of(
        "geographic-and-projected",
        lambda: _keys(1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 2048, 0, 1, 4326, 3072, 0, 1, 32633),
        refused=None,
    ),
    bytes_of(
        "degrees-that-are-metres",
        lambda: _keys(1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326),
        refused="cannot lie where",
    ),
    bytes_of(
        "pixels-without-size",
        lambda: Tiff(tags={**basic(20, 24, 2), **geo((500_000, 0, 5_400_000, 0))}, blocks=[strip(_BYTES)]).whole(),
        refused=None,
    ),
    bytes_of(
        "pixels-of-no-number",
        lambda: Tiff(
            tags={**basic(20, 24, 2), **geo((500_000, float("nan"), 5_400_000, 10))}, blocks=[strip(_BYTES)]
        ).whole(),
        refused=".",
    ),
    bytes_of("matrix", lambda: _matrix(9, 2, 0, 500_000, 3, -8, 0, 5_400_000, 0, 0, 0, 0, 0, 0, 0, 1), refused=None),
    bytes_of("matrix-of-zeros", lambda: _matrix(*[0.0] * 16), refused=None),
    bytes_of("matrix-that-is-flat", lambda: _matrix(1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), refused=None),
)
