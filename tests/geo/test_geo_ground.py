from __future__ import annotations

import numpy as np
import pyproj
import pytest
from affine import Affine as Transform
from geo_files import NORTH_UP, ROTATED, SOUTH_UP, UTM, grid, ground

from landmix.errors import LandmixError
from landmix.geo.ground import pixel_size, pixels_differ, plane

GEOD = pyproj.Geod(ellps="WGS84")
DEGREES = Transform(0.0001, 0, 13.0, 0, -0.0001, 60.0)
MERCATOR = Transform(10, 0, 1_500_000, 0, -10, 8_300_000)
FEET = Transform(30, 0, 980_000, 0, -30, 200_000)
GRIDS = [
    (NORTH_UP, UTM),
    (SOUTH_UP, UTM),
    (ROTATED, UTM),
    (DEGREES, "EPSG:4326"),
    (MERCATOR, "EPSG:3857"),
    (FEET, "EPSG:2263"),
    (Transform(0.001, 0, 11.0, 0, -0.001, -33.0), "EPSG:4326"),
]


def degrees(transform: Transform, crs: str, rows: list[float], cols: list[float]) -> tuple[list[float], list[float]]:
    x, y = ground(transform, np.array(rows) + 0.5, np.array(cols) + 0.5)
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    return lon.tolist(), lat.tolist()


@pytest.mark.parametrize(
    ("transform", "crs", "times"),
    [
        (ROTATED, UTM, 1.0),
        (Transform(0.01, 0, 13.0, 0, -0.01, 60.0), "EPSG:4326", np.cos(np.radians(50)) / np.cos(np.radians(60))),
        # what a Mercator map stretches is 1 / cos(latitude), in both directions
        (
            Transform(1000, 0, 1_500_000, 0, -1000, 6_446_276),  # from 50 to 43.876 degrees
            "EPSG:3857",
            (np.cos(np.radians(43.876)) / np.cos(np.radians(50))) ** 2,
        ),
    ],
)
def test_pixels_differ_by_the_ground_that_they_cover(transform: Transform, crs: str, times: float) -> None:
    assert pixels_differ(grid(1000, 40, transform, crs)) == pytest.approx(times, rel=0.01)


@pytest.mark.parametrize(("transform", "crs"), GRIDS)
def test_pixel_size_is_geodesic(transform: Transform, crs: str) -> None:
    lon, lat = degrees(transform, crs, [50, 51, 50], [60, 60, 61])
    _, _, height = GEOD.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, width = GEOD.inv(lon[0], lat[0], lon[2], lat[2])
    assert pixel_size(grid(100, 120, transform, crs)) == pytest.approx((height, width), rel=1e-3)


@pytest.mark.parametrize(("transform", "crs"), GRIDS)
def test_distances_in_the_plane_are_geodesic(transform: Transform, crs: str) -> None:
    rng = np.random.default_rng(0)
    rows, cols = rng.integers(0, 100, 50), rng.integers(0, 120, 50)
    xy = plane([grid(100, 120, transform, crs)], np.zeros(50, np.int32), rows, cols)
    lon, lat = degrees(transform, crs, rows.tolist(), cols.tolist())
    _, _, metres = GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    np.testing.assert_allclose(np.hypot(*np.diff(xy, axis=0).T), metres, rtol=1e-3)


def test_scenes_of_different_crs_share_a_plane() -> None:
    to_33 = pyproj.Transformer.from_crs("EPSG:32632", UTM, always_xy=True)
    other = grid(40, 40, Transform(10, 0, 940_000, 0, -10, 5_410_000), "EPSG:32632")
    scene = np.array([0, 1], np.int32)
    xy = plane([grid(20, 30), other], scene, np.array([3, 7]), np.array([4, 9]))
    a = NORTH_UP @ (4.5, 3.5)
    b = to_33.transform(*(other.transform @ (9.5, 7.5)))
    assert np.hypot(*(xy[0] - xy[1])) == pytest.approx(np.hypot(a[0] - b[0], a[1] - b[1]), rel=1e-3)


def test_scenes_of_one_projected_crs_keep_their_coordinates() -> None:
    shifted = grid(20, 30, NORTH_UP @ NORTH_UP.translation(100, 0))
    xy = plane([grid(20, 30), shifted], np.array([0, 1, 0]), np.array([0, 0, 19]), np.array([0, 0, 29]))
    assert xy.tolist() == [[500_005, 5_399_995], [501_005, 5_399_995], [500_295, 5_399_805]]


def test_a_local_crs_counts_in_its_own_unit() -> None:
    local = grid(100, 120, NORTH_UP, 'LOCAL_CS["site",UNIT["foot",0.3048]]')
    size = abs(NORTH_UP.a) * 0.3048
    assert pixel_size(local) == pytest.approx((size, size))


def test_other_planets_have_no_metres_on_earth() -> None:
    there = grid(
        100,
        120,
        DEGREES,
        'GEOGCRS["Moon",DATUM["Moon",ELLIPSOID["Moon",1737400,0]],CS[ellipsoidal,2],'
        'AXIS["lon",east],AXIS["lat",north],ANGLEUNIT["degree",0.0174532925199433],ID["IAU_2015",30100]]',
    )
    assert pixel_size(there) is None
    with pytest.raises(LandmixError, match="no place on earth"):
        plane([there], np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32))


def test_without_georeference_pixels_are_the_unit_and_scenes_are_far_apart() -> None:
    bare = grid(20, 30, Transform.identity(), None)
    assert pixel_size(bare) is None
    xy = plane([bare, bare], np.array([0, 0, 1]), np.array([0, 3, 0]), np.array([0, 4, 0]))
    assert np.hypot(*(xy[1] - xy[0])) == 5
    assert np.hypot(*(xy[2] - xy[0])) > 1e6


def test_placed_and_unplaced_scenes_stay_apart() -> None:
    bare = grid(20, 30, Transform.identity(), None)
    xy = plane([grid(20, 30), bare], np.array([0, 1]), np.array([0, 0]), np.array([0, 0]))
    assert np.hypot(*(xy[1] - xy[0])) > 1e6
    assert np.isfinite(plane([grid(20, 30, DEGREES, "EPSG:4326"), bare], *np.zeros((3, 2), int))).all()


def test_no_pixels_have_no_places() -> None:
    none = np.empty(0, np.int32)
    for transform, crs in GRIDS:
        assert plane([grid(5, 5, transform, crs)], none, none, none).shape == (0, 2)
