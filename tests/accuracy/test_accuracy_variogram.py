"""The variogram of labelled pixels, on fields whose range is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from landmix.accuracy.variogram import Variogram, drawn, variogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SIZE, PIXEL, SIDE = 256, 10.0, 8


def field(covariance: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int) -> NDArray[np.float64]:
    """(H, W) a Gaussian random field of variance 1 with a covariance of the distance in metres."""
    twice = 2 * SIZE
    along = np.minimum(np.arange(twice), twice - np.arange(twice)) * PIXEL
    spectrum = np.fft.fft2(covariance(np.hypot(along[:, None], along[None]))).real.clip(0)
    noise = np.fft.fft2(np.random.default_rng(seed).normal(size=(twice, twice)))
    return np.fft.ifft2(noise * np.sqrt(spectrum)).real[:SIZE, :SIZE]


def spherical(reach: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """1 - 1.5 d/r + 0.5 (d/r)^3 up to the range r."""
    return lambda d: 1 - 1.5 * np.minimum(d / reach, 1) + 0.5 * np.minimum(d / reach, 1) ** 3


def labelled(values: NDArray[np.float64], seed: int, apart: float = 3.0) -> tuple[NDArray[Any], ...]:
    """Values (N, C), places (N, 2) and classes (N,) in scattered polygons of 80 m; classes lie `apart`."""
    rng = np.random.default_rng(seed)
    index = np.full((SIZE, SIZE), -1)
    for unit in range(120):
        row, col = rng.integers(0, SIZE - SIDE, 2)
        index[row : row + SIDE, col : col + SIDE] = unit % 3
    rows, cols = np.nonzero(index >= 0)
    found = index[rows, cols]
    return values[rows, cols] + apart * found[:, None], np.stack([cols, rows], axis=1) * PIXEL, found


def of(values: NDArray[np.float64], seed: int = 0, apart: float = 3.0) -> Variogram:
    """As training does it."""
    pixels, xy, index = labelled(values, seed, apart)
    chosen = drawn(xy, index)
    return variogram(pixels[chosen], xy[chosen], index[chosen])


def bands(covariance: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int) -> NDArray[np.float64]:
    """(H, W, 4) fields with a fifth of noise."""
    noise = np.random.default_rng(seed + 99).normal(0, 0.5, (SIZE, SIZE, 4))
    return np.stack([field(covariance, 10 * seed + i) for i in range(4)], axis=-1) + noise


@pytest.mark.parametrize("reach", [50.0, 200.0, 800.0])
def test_range_of_a_spherical_field_is_found(reach: float) -> None:
    found = of(bands(spherical(reach), 1))
    assert found.range_m == pytest.approx(reach, rel=0.25)
    assert found.sill == pytest.approx(1, abs=0.1)
    assert found.nugget == pytest.approx(0.2, abs=0.1)
    assert found.n > 1000


def test_range_of_other_fields_is_near_their_effective_range() -> None:
    exponential = of(bands(lambda d: np.exp(-d / 100), 2)).range_m
    gaussian = of(bands(lambda d: np.exp(-((d / 150) ** 2)), 2)).range_m
    assert exponential is not None
    assert gaussian is not None
    assert 160 < exponential < 340  # covariance below 5 % at 300 m
    assert 230 < gaussian < 400  # at 260 m


def test_neither_classes_nor_polygons_are_taken_for_likeness() -> None:
    near, far = (of(bands(spherical(800.0), 3), apart=apart) for apart in (0.0, 50.0))
    assert near.range_m == pytest.approx(far.range_m)
    assert far.range_m is not None
    assert far.range_m > 500  # over all pairs it would be 80 to 200 m, the size of the polygons


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_range_0(seed: int) -> None:
    found = of(np.random.default_rng(seed).normal(size=(SIZE, SIZE, 4)), seed)
    assert found.range_m == 0
    assert found.sill == pytest.approx(1, abs=0.05)


def test_a_trend_has_no_range() -> None:
    slope = np.broadcast_to(np.linspace(0, 9, SIZE)[:, None, None], (SIZE, SIZE, 2))
    found = of(slope + np.random.default_rng(0).normal(0, 0.1, (SIZE, SIZE, 2)))
    assert found.range_m is None
    assert found.sill is not None


def test_it_is_the_same_each_time_and_bounded() -> None:
    rng = np.random.default_rng(0)
    xy, index = rng.random((60_000, 2)) * 1e4, rng.integers(0, 5, 60_000)
    chosen = drawn(xy, index)
    assert len(chosen) < 5000
    np.testing.assert_array_equal(chosen, drawn(xy, index))
    assert set(index[chosen]) == set(range(5))


def test_too_little_tells_nothing() -> None:
    rng = np.random.default_rng(0)
    nothing = Variogram()
    xy = rng.random((20, 2)) * 100
    assert variogram(rng.random((20, 3)), xy, np.zeros(20, int)) == nothing  # too few pixels of a class
    xy = rng.random((200, 2)) * 100
    assert variogram(np.ones((200, 3)), xy, np.zeros(200, int)) == nothing  # constant
    assert variogram(rng.random((200, 3)), np.zeros((200, 2)), np.zeros(200, int)) == nothing  # one place
    assert variogram(rng.random((200, 3)), xy.round(-2), np.zeros(200, int)).range_m is None  # two distances
