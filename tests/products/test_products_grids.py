from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine as Transform
from product_files import (
    TALL,
    UTM,
    WIDE,
    X,
    Y,
    landsat_l1,
    look,
    noise,
    north_up,
    physical,
    s2_pixels,
    s2_shape,
    sentinel2_bands,
    sentinel2_l2a,
    stored,
    write,
)
from rasterio.enums import ColorInterp
from scipy.ndimage import map_coordinates

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

KERNELS = ["nearest", "bilinear", "cubic", "average"]
KILOMETRES = "+proj=utm +zone=33 +datum=WGS84 +units=km"
"""Another CRS for the same places."""


def repeated(values: NDArray[Any], times: int) -> NDArray[np.float64]:
    return values.astype(np.float64).repeat(times, 0).repeat(times, 1)


def places(count: int, step: float) -> NDArray[np.float64]:
    """Middles of pixels that are `step` source pixels wide, where the middle of a source pixel is a whole number."""
    return np.asarray((np.arange(count) + 0.5) * step - 0.5, np.float64)


def bilinear(values: NDArray[Any], times: int) -> NDArray[np.float64]:
    at = np.meshgrid(*[places(n * times, 1 / times) for n in values.shape], indexing="ij")
    found: NDArray[np.float64] = map_coordinates(values.astype(np.float64), at, order=1, mode="nearest")
    return found


def keys(distance: float) -> float:
    """Keys' cubic convolution with a = -1/2, as in the paper of 1981."""
    d = abs(distance)
    if d <= 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


def cubic(values: NDArray[Any], times: int) -> NDArray[np.float64]:
    """Row by row, then column by column, pixels at the edge repeated."""
    for axis in (0, 1):
        count = values.shape[axis]
        weights = np.zeros((count * times, count))
        for i, place in enumerate(places(count * times, 1 / times)):
            for k in range(-3, count + 3):
                weights[i, min(max(k, 0), count - 1)] += keys(place - k)
        values = np.moveaxis(np.tensordot(weights, values.astype(np.float64), (1, axis)), 0, axis)
    found: NDArray[Any] = values.astype(np.float64)
    return found


FINER: dict[str, Callable[[NDArray[Any], int], NDArray[np.float64]]] = {
    "nearest": repeated,
    "bilinear": bilinear,
    "cubic": cubic,
    "average": repeated,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentinel2_bands(tmp_path_factory.mktemp("grids") / "bands")


@pytest.mark.parametrize(
    ("resolution", "metres"),
    [(None, 10), (10, 10), (20, 20), (60.0, 60), ("finest", 10), ("coarsest", 60), ("B05", 20), ("red", 10)],
)
def test_the_resolution_chooses_a_bands_grid(folder: Path, resolution: Any, metres: int) -> None:
    scene = look(folder, resolution=resolution, offset=0)
    assert scene.grid.transform == north_up(X, Y, metres)
    assert (scene.grid.height, scene.grid.width) == s2_shape(metres)


def test_a_resolution_without_a_band_cuts_from_the_same_corner(folder: Path) -> None:
    scene = look(folder, resolution=25, offset=0)
    assert scene.grid.transform == north_up(X, Y, 25)
    assert (scene.grid.height, scene.grid.width) == (17, 15)
    assert look(folder, resolution=5, offset=0).grid.height == 2 * TALL


def test_an_unknown_band_as_resolution_is_refused_with_those_that_exist(folder: Path) -> None:
    with pytest.raises(LandmixError, match=r"B77.*B01"):
        look(folder, resolution="B77", offset=0)


def test_a_resolution_that_cannot_be_meant_is_refused(folder: Path) -> None:
    with pytest.raises(LandmixError, match=r"scene\.resolution=1e-06"):
        look(folder, resolution=1e-6, offset=0)


def test_the_finest_grid_of_landsat_is_that_of_the_pan_band(tmp_path: Path) -> None:
    product = landsat_l1(tmp_path)
    assert look(product, resolution="finest").grid.transform.a == 15
    assert look(product, resolution="coarsest").grid.transform.a == 30


@pytest.mark.parametrize("kernel", KERNELS)
def test_bands_of_20_and_60_m_are_placed_exactly_under_10_m(folder: Path, kernel: str) -> None:
    values, valid = stored(look(folder, resampling=kernel, offset=0))
    assert valid.all()
    for i, (band, times) in enumerate([("B01", 6), ("B02", 1), ("B03", 1), ("B04", 1), ("B05", 2), ("B11", 2)]):
        expected = s2_pixels(band) if times == 1 else FINER[kernel](s2_pixels(band), times)
        np.testing.assert_allclose(values[i], expected, rtol=2e-6, atol=2e-2, err_msg=band)
        if kernel in {"nearest", "average"}:
            np.testing.assert_array_equal(values[i], expected)


@pytest.mark.parametrize("kernel", ["bilinear", "cubic", "average"])
def test_a_coarser_grid_averages_whatever_the_kernel_is(folder: Path, kernel: str) -> None:
    found = physical(look(folder, resolution=60, resampling=kernel, scale="none"))
    for band, times in [("B02", 6), ("B05", 3)]:
        blocks = s2_pixels(band).reshape(7, times, 6, times).mean((1, 3))
        np.testing.assert_allclose(found[band], blocks, rtol=1e-6)


def test_nearest_on_a_coarser_grid_picks_the_pixel_under_the_centre(folder: Path) -> None:
    found = physical(look(folder, resolution=60, resampling="nearest", scale="none"))
    np.testing.assert_array_equal(found["B05"], s2_pixels("B05")[1::3, 1::3])


def test_pixels_that_share_parts_of_others_are_averaged_by_area(folder: Path) -> None:
    found = physical(look(folder, resolution=25, scale="none"))
    for band, times in (("B02", 2), ("B05", 4)):
        fine = repeated(s2_pixels(band), times)  # of 5 m: 5 x 5 make one of 25 m
        expected = [[fine[r : r + 5, c : c + 5].mean() for c in range(0, 75, 5)] for r in range(0, 85, 5)]
        np.testing.assert_allclose(found[band][:, :14], np.array(expected)[:, :14], rtol=1e-6)
        # the middle of the last column lies outside
        assert np.isnan(found[band][:, 14]).all()


def test_a_coarse_pixel_is_valid_where_half_of_it_is(tmp_path: Path) -> None:
    blue = np.full(s2_shape(10), 500, np.uint16)
    for i, holes in enumerate([1, 2, 3, 4]):
        block = [0] * holes + [700] * (4 - holes)
        blue[:2, 2 * i : 2 * i + 2] = np.array(block).reshape(2, 2)
    found = physical(look(sentinel2_bands(tmp_path / "b", pixels={"B02": blue}), resolution=20, scale="none"))["B02"]
    np.testing.assert_allclose(found[0, :5], [700, 700, np.nan, np.nan, 500])


@pytest.mark.parametrize("kernel", KERNELS)
def test_on_a_finer_grid_a_pixel_is_valid_where_the_one_under_it_is(tmp_path: Path, kernel: str) -> None:
    holes = noise("holes", s2_shape(20), 0, 3) == 0
    edge = np.where(holes, 0, s2_pixels("B05")).astype(np.uint16)
    found = physical(look(sentinel2_bands(tmp_path / "b", pixels={"B05": edge}), resampling=kernel, scale="none"))
    np.testing.assert_array_equal(np.isnan(found["B05"]), repeated(holes, 2).astype(bool))


def test_bilinear_shares_out_the_weight_of_nodata_among_valid_neighbours(tmp_path: Path) -> None:
    holes = noise("holes", s2_shape(20), 0, 3) == 0
    edge = np.where(holes, 0, s2_pixels("B05")).astype(np.uint16)
    found = physical(look(sentinel2_bands(tmp_path / "b", pixels={"B05": edge}), scale="none"))["B05"]
    total, share = bilinear(edge, 2), bilinear(~holes, 2)
    expected = np.where(repeated(holes, 2) == 1, np.nan, total / np.maximum(share, 1e-9))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_band_that_covers_a_part_is_invalid_elsewhere(tmp_path: Path) -> None:
    product = sentinel2_bands(tmp_path / "b", bands=("B02", "B05"))
    part = s2_pixels("B05")[4:, 3:]
    write(product / "X_B05.tif", part, north_up(X + 60, Y - 80, 20))
    found = physical(look(product, resampling="nearest", scale="none"))["B05"]
    assert np.isnan(found[:8]).all()
    assert np.isnan(found[:, :6]).all()
    np.testing.assert_array_equal(found[8:, 6:], repeated(part, 2))


def test_rows_that_run_north_are_turned(tmp_path: Path) -> None:
    product = sentinel2_bands(tmp_path / "b", bands=("B02", "B05"))
    write(product / "X_B05.tif", s2_pixels("B05")[::-1], Transform(20, 0, X, 0, 20, Y - TALL * 10))
    found = physical(look(product, resampling="bilinear", scale="none"))["B05"]
    np.testing.assert_allclose(found, bilinear(s2_pixels("B05"), 2), rtol=1e-6)


# another CRS


def surface(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
    """A smooth surface on the ground, in UTM 33."""
    return np.asarray(5000 + 1000 * np.sin((x - X) / 150) + 800 * np.cos((y - Y) / 110), np.float32)


def two_zones(folder: Path, *, hole: bool = False) -> Scene:
    """A 10 m band in UTM 33, and one of 15 m around it in UTM 32."""
    rows, cols = np.mgrid[0:90, 0:80]
    write(folder / "s_a.tif", surface(X + 10 * cols + 5, Y - 10 * rows - 5), north_up(X, Y, 10))
    east, north = pyproj.Transformer.from_crs(UTM, "EPSG:32632", always_xy=True).transform(X, Y)
    place = north_up(east - 300, north + 300, 15)
    rows, cols = np.mgrid[0:110, 0:110]
    back = pyproj.Transformer.from_crs("EPSG:32632", UTM, always_xy=True)
    values = surface(*back.transform(place.c + 15 * cols + 7.5, place.f - 15 * rows - 7.5))
    if hole:
        values[40, 40] = -1
    write(folder / "s_b.tif", values, place, crs="EPSG:32632", nodata=-1)
    return look([folder / "s_a.tif", folder / "s_b.tif"])


def test_a_band_in_another_zone_lands_on_its_place(tmp_path: Path) -> None:
    scene = two_zones(tmp_path)
    assert scene.grid.crs == UTM
    values, valid = stored(scene)
    assert valid.all()
    # 15^2 / 8 times the curvature bounds what bilinear loses of this surface; half a pixel would change 30
    assert np.abs(values[1] - values[0]).max() < 3.2


def test_nodata_of_a_band_in_another_zone_is_not_mixed(tmp_path: Path) -> None:
    found = physical(two_zones(tmp_path, hole=True))
    holes = np.isnan(found["b"])
    assert 1 <= holes.sum() <= 16
    assert np.nanmax(np.abs(found["b"] - found["a"])) < 30


def test_nearest_from_another_zone_picks_the_pixel_under_the_centre(tmp_path: Path) -> None:
    codes = noise("codes", (110, 110))
    write(tmp_path / "s_a.tif", noise("a", (TALL, WIDE)), north_up(X, Y, 10))
    move = pyproj.Transformer.from_crs(UTM, "EPSG:32632", always_xy=True)
    east, north = move.transform(X, Y)
    write(tmp_path / "s_b.tif", codes, north_up(east - 300, north + 300, 15), crs="EPSG:32632")
    scene = look([tmp_path / "s_a.tif", tmp_path / "s_b.tif"], resampling="nearest")
    rows, cols = np.mgrid[0:TALL, 0:WIDE]
    x, y = move.transform(X + 10 * cols + 5, Y - 10 * rows - 5)
    col, row = (x - east + 300) / 15, (north + 300 - y) / 15
    sure = (np.abs(col - np.round(col)) > 1e-4) & (np.abs(row - np.round(row)) > 1e-4)
    expected = codes[np.floor(row).astype(int), np.floor(col).astype(int)]
    np.testing.assert_array_equal(stored(scene)[0][1][sure], expected[sure])


def with_alpha(path: Path, values: NDArray[Any], hole: tuple[int, int], transform: Transform, crs: str) -> Path:
    alpha = np.full(values.shape, 65535, np.uint16)
    alpha[hole] = 0
    write(path, np.stack([values, alpha]), transform, crs=crs)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    return path


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_an_alpha_band_hides_is_not_mixed_on_a_finer_grid(tmp_path: Path, kernel: str) -> None:
    a = write(tmp_path / "s_a.tif", noise("a", (TALL, WIDE)), north_up(X, Y, 10))
    flat = np.full(s2_shape(20), 1000, np.uint16)
    flat[5, 6] = 60_000
    b = with_alpha(tmp_path / "s_b.tif", flat, (5, 6), north_up(X, Y, 20), UTM)
    found = physical(look([a, b], resampling=kernel))["b"]
    expected = np.full((TALL, WIDE), 1000.0)
    expected[10:12, 12:14] = np.nan
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_an_alpha_band_hides_is_not_mixed_from_another_crs(tmp_path: Path, kernel: str) -> None:
    a = write(tmp_path / "s_a.tif", noise("a", (TALL, WIDE)), north_up(X, Y, 10))
    flat = np.full(s2_shape(20), 1000, np.uint16)
    flat[5, 6] = 60_000
    b = with_alpha(tmp_path / "s_b.tif", flat, (5, 6), north_up(X / 1000, Y / 1000, 0.02), KILOMETRES)
    found = physical(look([a, b], resampling=kernel))["b"]
    assert np.isnan(found[10:12, 12:14]).all()
    assert np.isfinite(found).sum() >= TALL * WIDE - 16
    np.testing.assert_allclose(found[np.isfinite(found)], 1000, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_bands_of_one_file_in_another_crs_have_nodata_of_their_own(tmp_path: Path, kernel: str) -> None:
    a = write(tmp_path / "s_a.tif", noise("a", (TALL, WIDE)), north_up(X, Y, 10))
    flat = np.full((2, *s2_shape(20)), 1000, np.uint16)
    flat[0, 5, 6] = flat[1, 12, 9] = 0
    b = write(tmp_path / "s_b.tif", flat, north_up(X / 1000, Y / 1000, 0.02), crs=KILOMETRES, nodata=0)
    found = list(physical(look([a, b], resampling=kernel)).values())[1:]
    for band, (row, col) in zip(found, [(10, 12), (24, 18)], strict=True):
        assert np.isnan(band[row : row + 2, col : col + 2]).all()
        assert np.isnan(band).sum() <= 16
        np.testing.assert_allclose(band[np.isfinite(band)], 1000, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_coded_embeddings_are_not_mixed_before_they_are_decoded_in_another_crs(tmp_path: Path, kernel: str) -> None:
    pixels = np.zeros((64, 20, 24), np.int8)
    pixels[:, :, 1::2] = 100
    pixels[:, 3, 4] = -128
    write(tmp_path / "f" / "a.tif", noise("a", (30, 30)), north_up(X / 1000, Y / 1000, 0.008), crs=KILOMETRES)
    write(tmp_path / "f" / "e.tif", pixels, north_up(X, Y, 10))
    product = {
        "title": "Two", "decode": "alphaearth", "nodata": -128, "reference": "r",
        "bands": {"r": {"file": "a.tif"}, "e": {"file": "e.tif", "number": 5}},
    }  # fmt: skip
    found = physical(look(tmp_path / "f", product=product, resampling=kernel))["e"]
    assert np.isnan(found).any()
    known = np.round(found[np.isfinite(found)], 6)
    assert set(known.tolist()) <= {0.0, 0.615148}


def test_sentinel2_as_a_product_stays_on_the_grid_of_b02(tmp_path: Path) -> None:
    assert look(sentinel2_l2a(tmp_path, skip=("B03",))).grid.transform == north_up(X, Y, 10)
