"""Where rasters lie, in degrees and as grids; rasterio's own warping is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rasterio.warp
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from landmix.export.stac_ground import WHOLE_EARTH, around, place, projection
from landmix.geo.grid import Grid

UTM = CRS.from_epsg(32633)


def grid(
    crs: CRS | None = UTM, transform: Affine | None = None, height: int = 60, width: int = 80, **more: Any
) -> Grid:
    north_up = Affine(10, 0, 500_000, 0, -10, 5_400_000)
    return Grid(crs=crs, transform=transform or north_up, height=height, width=width, **more)


def holes(g: Grid) -> int:
    """Pixel centres that lie outside the outline or its box."""
    found = place([g])
    shape = shapely.buffer(shapely.geometry.shape(found["geometry"]), 1e-4)
    west, south, east, north = found["bbox"]
    rows, cols = (part.ravel() for part in np.mgrid[0 : g.height : 7, 0 : g.width : 7])
    x, y = g.transform @ (cols + 0.5, rows + 0.5)
    lon, lat = (np.asarray(part) for part in rasterio.warp.transform(g.crs, "EPSG:4326", x, y)[:2])
    lon = (lon + 180) % 360 - 180
    across = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
    boxed = across & (lat >= south) & (lat <= north)
    return int((~(shapely.contains_xy(shape, lon, lat) & boxed)).sum())


CASES = {
    "north up": grid(),
    "south up": grid(transform=Affine(10, 0, 500_000, 0, 10, 5_400_000)),
    "east to west": grid(transform=Affine(-10, 0, 500_000, 0, -10, 5_400_000)),
    "rotated": grid(transform=Affine.translation(5e5, 5.4e6) @ Affine.rotation(30) @ Affine.scale(30, -20)),
    "degrees": grid(CRS.from_epsg(4326), Affine(0.01, 0, 10, 0, -0.01, 50)),
    "degrees to 360": grid(CRS.from_epsg(4326), Affine(0.01, 0, 190, 0, -0.01, 50)),
    "degrees over 180": grid(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, 50)),
    "a zone over 180": grid(CRS.from_epsg(32660), Affine(100, 0, 6.2e5, 0, -100, 7e6), 900, 900),
    "from the west over 180": grid(CRS.from_epsg(32601), Affine(100, 0, 3e5, 0, -100, 7e6), 900, 900),
    "north pole": grid(CRS.from_epsg(3413), Affine(1e4, 0, -4e5, 0, -1e4, 3e5)),
    "south pole": grid(CRS.from_epsg(3031), Affine(1e4, 0, -4e5, 0, -1e4, 3e5)),
    "beside a pole": grid(CRS.from_epsg(3413), Affine(1e3, 0, 5e4, 0, -1e3, 3e5)),
    "over 180 near a pole": grid(CRS.from_epsg(3413), Affine(1e4, 0, -1.5e6, 0, -1e4, 1.9e6)),
    "large": grid(CRS.from_epsg(3035), Affine(1e4, 0, 2.5e6, 0, -1e4, 5e6), 300, 300),
    "the earth": grid(CRS.from_epsg(4326), Affine(1, 0, -180, 0, -1, 90), 180, 360),
    "the earth from 0": grid(CRS.from_epsg(4326), Affine(1, 0, 0, 0, -1, 90), 180, 360),
    "its own CRS": grid(
        CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=11 +datum=WGS84 +units=m"), Affine(20, 0, 9, 0, -20, 3)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_pixel_is_inside(name: str) -> None:
    g = CASES[name]
    assert holes(g) == 0
    found = place([g])
    shape = shapely.geometry.shape(found["geometry"])
    assert shape.is_valid
    assert shapely.bounds(shape)[0] >= -180
    assert shapely.bounds(shape)[2] <= 180
    assert all(shapely.is_ccw(part.exterior) for part in shapely.get_parts(shape))


@pytest.mark.parametrize("name", ["north up", "south up", "degrees", "large", "its own CRS"])
def test_the_box_is_no_larger_than_it_must_be(name: str) -> None:
    g = CASES[name]
    corners = [g.transform @ (col, row) for col in (0, g.width) for row in (0, g.height)]
    xs, ys = zip(*corners, strict=True)
    edges = (min(xs), min(ys), max(xs), max(ys))
    expected = rasterio.warp.transform_bounds(g.crs, "EPSG:4326", *edges, densify_pts=99)
    assert place([g])["bbox"] == pytest.approx(list(expected), abs=5e-3 if name == "large" else 2e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-180, 180), st.floats(-80, 80), st.floats(0, 360), st.floats(1, 2000), st.sampled_from([1, -1]),
    st.sampled_from(["laea", "aeqd"]),
)  # fmt: skip
def test_any_grid(lon: float, lat: float, turn: float, pixel: float, way: int, kind: str) -> None:
    crs = CRS.from_proj4(f"+proj={kind} +lat_0={lat:.3f} +lon_0={lon:.3f} +datum=WGS84 +units=m")
    middle = Affine.rotation(turn) @ Affine.scale(pixel, way * pixel) @ Affine.translation(-40, -30)
    assert holes(grid(crs, middle)) == 0


def test_boxes_over_180_end_in_the_west() -> None:
    west, _, east, _ = place([CASES["degrees over 180"]])["bbox"]
    assert (west, east) == (179.5, -179.7)
    assert place([CASES["degrees over 180"]])["geometry"]["type"] == "MultiPolygon"
    for name in ("a zone over 180", "from the west over 180", "over 180 near a pole"):
        west, _, east, _ = place([CASES[name]])["bbox"]
        assert 150 < west < 180
        assert -180 < east < -170
    assert place([CASES["the earth"]])["bbox"] == WHOLE_EARTH
    assert place([CASES["the earth from 0"]])["bbox"] == WHOLE_EARTH
    assert place([CASES["north pole"]])["bbox"][::2] == [-180, 180]
    assert place([CASES["north pole"]])["bbox"][3] == 90
    assert place([CASES["south pole"]])["bbox"][1] == -90
    both = around([[179.0, 0, 180, 1], [-180, 0, -179.5, 2]])
    assert both == [179, 0, -179.5, 2]
    assert around([both, [10, -5, 11, 0]]) == [10, -5, -179.5, 2]
    assert around([[-10, 0, 10, 1], [20, 0, 30, 1]]) == [-10, 0, 30, 1]


def test_no_place() -> None:
    assert place([]) == {"geometry": None}
    assert place([grid(crs=None)]) == {"geometry": None}
    assert place([grid(transform=Affine.identity())]) == {"geometry": None}
    assert place([grid(CRS.from_epsg(32633), Affine(1e9, 0, 0, 0, 1e9, 0))]) == {"geometry": None}
    assert place([grid(crs=None), CASES["degrees"]]) == place([CASES["degrees"]])
    assert projection(grid(crs=None)) == {
        "proj:code": None,
        "proj:shape": [60, 80],
        "proj:bbox": [500_000, 5_399_400, 500_800, 5_400_000],
        "proj:transform": [10, 0, 500_000, 0, -10, 5_400_000],
    }


def test_control_points() -> None:
    points = [
        GroundControlPoint(row=r, col=c, x=10 + c / 100, y=50 - r / 100)
        for r, c in ((0, 0), (0, 80), (60, 0), (60, 80))
    ]
    g = grid(CRS.from_epsg(4326), Affine.identity(), gcps=tuple(points))
    assert place([g])["bbox"] == pytest.approx([10, 49.4, 10.8, 50])
    assert "proj:transform" not in projection(g)


def test_grids_are_told_exactly() -> None:
    rotated = CASES["rotated"]
    told = projection(rotated)
    assert told["proj:code"] == "EPSG:32633"
    assert "proj:wkt2" not in told
    assert Affine(*told["proj:transform"]) == rotated.transform
    south_up = projection(CASES["south up"])
    assert south_up["proj:bbox"] == [500_000, 5_400_000, 500_800, 5_400_600]


def test_a_crs_without_a_code_is_told_in_full() -> None:
    own = CASES["its own CRS"]
    told = projection(own)
    assert told["proj:code"] is None
    assert CRS.from_wkt(told["proj:wkt2"]) == own.crs
    nearly = CRS.from_wkt(UTM.to_wkt().replace("500000", "500001").replace(',AUTHORITY["EPSG","32633"]', ""))
    assert projection(grid(nearly))["proj:code"] is None
