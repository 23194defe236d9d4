from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from scipy.ndimage import map_coordinates

from landmix.core.tiling import Tiling
from landmix.geo.grid import Grid
from landmix.geo.resample import Axis, Placement, Sampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.geo.resample import Kernel

UTM = CRS.from_epsg(32633)
KERNELS: tuple[Kernel, ...] = ("nearest", "bilinear", "cubic", "average")
RNG = np.random.default_rng(0)


def grid(height: int, width: int, pixel: float, x: float = 0.0, y: float = 0.0, up: int = -1) -> Grid:
    return Grid(crs=UTM, transform=Affine(pixel, 0, x, 0, up * pixel, y), height=height, width=width)


def mixed(target: Grid, source: Grid, values: NDArray[np.float32], kernel: Kernel) -> NDArray[np.float32]:
    """The whole target at once."""
    placement = Placement.of(target, source)
    assert placement is not None
    sampling = Sampling.of(placement, target.window, kernel)
    assert sampling is not None
    valid = np.isfinite(values)
    part = (slice(sampling.row, sampling.row + sampling.height), slice(sampling.col, sampling.col + sampling.width))
    return sampling.mix(values[part], None if valid.all() else valid[part])


@given(
    start=st.floats(-5, 40),
    step=st.sampled_from([0.1, 1 / 6, 0.5, 1.0, 1.5, 2.0, 6.0, -0.5, -2.0]),
    kernel=st.sampled_from(KERNELS),
    first=st.integers(0, 30),
)
def test_weights_sum_to_one_and_do_not_know_the_window(start: float, step: float, kernel: Kernel, first: int) -> None:
    axis = Axis(start, step, 37)
    index, weight = axis.taps(first, 9, kernel)
    inside = (axis.nearest(first, 9) >= 0) & (axis.nearest(first, 9) < 37)
    np.testing.assert_allclose(weight[inside].sum(1), 1, atol=1e-6)
    assert index.min() >= 0
    assert index.max() < 37
    alone = [axis.taps(i, 1, kernel) for i in range(first, first + 9)]
    for whole, parts in ((index, [i for i, _ in alone]), (weight, [w for _, w in alone])):
        np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize(("kernel", "order"), [("bilinear", 1)])
@pytest.mark.parametrize("pixel", [2, 6])
def test_a_finer_grid_interpolates_between_centres(kernel: Kernel, order: int, pixel: int) -> None:
    values = RNG.random((13, 11)).astype(np.float32)
    found = mixed(grid(13 * pixel, 11 * pixel, 10), grid(13, 11, 10 * pixel), values, kernel)
    rows, cols = ((np.arange(n * pixel) + 0.5) / pixel - 0.5 for n in (13, 11))
    expected = map_coordinates(values, np.meshgrid(rows, cols, indexing="ij"), order=order, mode="nearest")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_cubic_keeps_a_parabola_and_the_middle_of_pixels() -> None:
    rows, cols = np.indices((20, 20)).astype(np.float32)
    values = rows**2 + 3 * cols
    found = mixed(grid(60, 60, 10), grid(20, 20, 30), values, "cubic")
    fine = (np.arange(60) + 0.5) / 3 - 0.5
    expected = fine[:, None] ** 2 + 3 * fine
    np.testing.assert_allclose(found[9:-9, 9:-9], expected[9:-9, 9:-9], rtol=1e-4)
    np.testing.assert_allclose(found[10:-9:3, 10:-9:3], values[3:-3, 3:-3], rtol=1e-6)


@pytest.mark.parametrize("kernel", ["bilinear", "cubic", "average"])
def test_a_coarser_grid_averages_by_area(kernel: Kernel) -> None:
    values = RNG.random((12, 18)).astype(np.float32)
    found = mixed(grid(4, 6, 30), grid(12, 18, 10), values, kernel)
    np.testing.assert_allclose(found, values.reshape(4, 3, 6, 3).mean((1, 3)), rtol=1e-6)


def test_half_a_pixel_beside_is_a_quarter_a_half_a_quarter() -> None:
    values = RNG.random((82, 82)).astype(np.float32)
    found = mixed(grid(41, 41, 30), grid(82, 82, 15, x=-7.5, y=-7.5), values, "average")
    weights = np.array([0.25, 0.5, 0.25])
    # row 20 of the target reaches from row 39.5 to 41.5 of the source, column 20 from column 40.5 to 42.5
    expected = sum(weights[i] * weights[j] * values[39 + i, 40 + j] for i in range(3) for j in range(3))
    assert found[20, 20] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("pixel", [5, 20, 25, 60])
@pytest.mark.parametrize("up", [-1, 1])
def test_windows_agree_with_the_whole_to_the_last_bit(kernel: Kernel, pixel: float, up: int) -> None:
    target, source = grid(90, 70, 10, y=900), grid(40, 60, pixel, x=-37, y=913 if up < 0 else -80, up=up)
    values = RNG.random((40, 60)).astype(np.float32)
    values[RNG.random(values.shape) < 0.1] = np.nan
    whole = mixed(target, source, values, kernel)
    placement = Placement.of(target, source)
    assert placement is not None
    for tile in Tiling(core=17, margin=3).tiles(target.window):
        part = tile.read.intersect(target.window)
        assert part is not None
        sampling = Sampling.of(placement, part, kernel)
        if sampling is None:
            assert np.isnan(whole[part.slices]).all()
            continue
        own = values[sampling.row : sampling.row + sampling.height, sampling.col : sampling.col + sampling.width]
        np.testing.assert_array_equal(sampling.mix(own, np.isfinite(own)), whole[part.slices])


@pytest.mark.parametrize("kernel", KERNELS)
def test_invalid_pixels_are_never_mixed_in(kernel: Kernel) -> None:
    values = np.full((20, 20), 5, np.float32)
    values[7:9, 3:12] = np.nan
    fine = mixed(grid(40, 40, 10), grid(20, 20, 20), values, kernel)
    np.testing.assert_array_equal(np.isnan(fine), np.isnan(values).repeat(2, 0).repeat(2, 1))
    np.testing.assert_allclose(fine[np.isfinite(fine)], 5, rtol=1e-5)


def test_half_a_coarse_pixel_must_be_valid() -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    values[0, :2] = np.nan
    values[2:, 2:] = [[np.nan, np.nan], [np.nan, 15]]
    found = mixed(grid(2, 2, 20), grid(4, 4, 10), values, "average")
    np.testing.assert_allclose(found, [[(4 + 5) / 2, (2 + 3 + 6 + 7) / 4], [(8 + 9 + 12 + 13) / 4, np.nan]])


def test_pixels_outside_the_source_are_invalid() -> None:
    found = mixed(grid(10, 10, 10), grid(3, 3, 20, x=20, y=-20), np.ones((3, 3), np.float32), "bilinear")
    assert np.isfinite(found[2:8, 2:8]).all()
    assert np.isfinite(found).sum() == 36


def test_degrees_do_not_move_a_pixel_by_rounding() -> None:
    third = 1 / 3 * 1e-4
    target = Grid(crs=CRS.from_epsg(4326), transform=Affine(third, 0, 13.1, 0, -third, 48.7), height=300, width=300)
    source = Grid(crs=CRS.from_epsg(4326), transform=Affine(1e-4, 0, 13.1, 0, -1e-4, 48.7), height=100, width=100)
    values = RNG.random((100, 100)).astype(np.float32)
    np.testing.assert_array_equal(mixed(target, source, values, "nearest"), values.repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize(
    "other",
    [
        Grid(crs=CRS.from_epsg(32632), transform=Affine(10, 0, 0, 0, -10, 0), height=5, width=5),
        Grid(crs=UTM, transform=Affine(10, 0, 0, 0, -10, 0) @ Affine.rotation(10), height=5, width=5),
        Grid(crs=None, transform=Affine(10, 0, 0, 0, -10, 0), height=5, width=5),
    ],
)
def test_other_crs_and_rotation_are_left_to_the_warper(other: Grid) -> None:
    assert Placement.of(grid(5, 5, 10), other) is None
