from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest

from landmix.report.quicklook import quicklook

INVALID = np.array([0.93, 0.86, 0.90])


def drawn(panels: int, shape: tuple[int, int], valid: np.ndarray | None = None) -> np.ndarray:
    rng = np.random.default_rng(0)
    pictures = [(f"p{i} $x_", rng.random((3, *shape)).astype(np.float32)) for i in range(panels)]
    png = quicklook("Ä $title$ <b>", pictures, np.ones(shape, np.bool_) if valid is None else valid, "a caption")
    picture: np.ndarray = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    return picture


def test_two_panels_are_twice_as_wide() -> None:
    assert drawn(2, (40, 40)).shape[1] > 1.8 * drawn(1, (40, 40)).shape[1]


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3)])
def test_any_shape_is_drawn_in_bounds(shape: tuple[int, int]) -> None:
    height, width = drawn(1, shape).shape[:2]
    assert 200 < height < 2000
    assert 600 < width < 900


def test_invalid_pixels_have_a_colour_of_their_own() -> None:
    valid = np.ones((40, 40), np.bool_)
    valid[:, 20:] = False
    pink = (np.abs(drawn(1, (40, 40), valid) - INVALID) < 0.01).all(-1).mean()
    assert 0.3 < pink < 0.5


def test_a_scene_without_a_valid_pixel_is_drawn() -> None:
    assert (np.abs(drawn(1, (40, 40), np.zeros((40, 40), np.bool_)) - INVALID) < 0.01).all(-1).mean() > 0.6


def test_a_constant_band_is_drawn_without_a_warning() -> None:
    quicklook("t", [("p", np.full((3, 5, 5), 7, np.float32))], np.ones((5, 5), np.bool_), "")
