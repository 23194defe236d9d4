from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from landmix.demo import LEGEND, DemoScene, make_scene
from landmix.demo.noise import blur, rough, smooth
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RED_EDGE = 5
"""Index of B06."""


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return make_scene(0, 256)


def _inside(scene: DemoScene, name: str) -> NDArray[np.bool_]:
    """(H, W): True where a pixel and those around it are wholly of a class."""
    pure = scene.fractions[LEGEND.names.index(name)] > 0.999
    around = [np.roll(pure, (r, c), (0, 1)) for r in (-1, 0, 1) for c in (-1, 0, 1)]
    return np.asarray(np.logical_and.reduce(around), np.bool_)


def _local_deviation(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W): deviation in the 3 x 3 pixels around each."""
    stack = np.stack([np.roll(image, (r, c), (0, 1)) for r in (-1, 0, 1) for c in (-1, 0, 1)])
    return np.asarray(stack.std(axis=0))


def _best_threshold(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Balanced accuracy of the best threshold that tells two samples apart, whichever is larger."""
    cuts = np.quantile(np.concatenate([first, second]), np.linspace(0.01, 0.99, 99))
    balance = [float(np.mean(first < cut) + np.mean(second >= cut)) / 2 for cut in cuts]
    return max(*balance, *(1 - share for share in balance))


def test_same_seed_same_scene_other_seed_other_scene(scene: DemoScene) -> None:
    again, other = make_scene(0, 256), make_scene(1, 256)
    assert np.array_equal(scene.reflectance, again.reflectance)
    assert np.array_equal(scene.truth, again.truth)
    assert np.array_equal(scene.valid, again.valid)
    assert np.mean(scene.truth != other.truth) > 0.3


def test_shapes_and_types(scene: DemoScene) -> None:
    arrays = (scene.reflectance, scene.truth, scene.valid, scene.fractions)
    assert [array.shape for array in arrays] == [(12, 256, 256), (256, 256), (256, 256), (7, 256, 256)]
    assert [array.dtype.name for array in arrays] == ["float32", "uint8", "bool", "float32"]


@pytest.mark.parametrize("seed", range(5))
def test_every_class_covers_some_of_every_scene(seed: int) -> None:
    made = make_scene(seed, 256)
    assert set(np.unique(made.truth)) == set(LEGEND.values)
    shares = [np.mean(made.truth[made.valid] == value) for value in LEGEND.values]
    assert min(shares) > 0.015
    assert 0.7 < made.valid.mean() < 0.97


def test_fractions_sum_to_one_and_agree_with_the_truth(scene: DemoScene) -> None:
    assert np.allclose(scene.fractions.sum(axis=0), 1, atol=1e-5)
    assert scene.fractions.min() >= 0
    largest = np.asarray(LEGEND.values)[scene.fractions.argmax(axis=0)]
    assert np.mean(largest == scene.truth) > 0.97
    assert 0.03 < np.mean(scene.fractions.max(axis=0) < 0.9) < 0.5


def test_swath_edge_slants(scene: DemoScene) -> None:
    ends = [int(np.flatnonzero(scene.valid[row]).max()) for row in (0, 255)]
    assert ends[0] > ends[1] + 5


@pytest.mark.parametrize(("rough_class", "smooth_class"), [("built-up", "bare soil"), ("broadleaf", "needleleaf")])
def test_neighbours_tell_apart_what_one_pixel_does_not(rough_class: str, smooth_class: str) -> None:
    made = make_scene(3, 512)
    first, second = _inside(made, rough_class), _inside(made, smooth_class)
    band = made.reflectance[RED_EDGE]
    relative = band / band[first | second].mean()
    deviation = _local_deviation(relative)
    by_pixel = _best_threshold(relative[first], relative[second])
    by_neighbours = _best_threshold(deviation[first], deviation[second])
    assert by_pixel < 0.82
    assert by_neighbours > 0.95
    assert by_neighbours > by_pixel + 0.1


def test_soil_and_built_up_have_nearly_equal_marginals() -> None:
    made = make_scene(3, 512)
    soil, built = (made.reflectance[RED_EDGE][_inside(made, name)] for name in ("bare soil", "built-up"))
    assert built.mean() == pytest.approx(soil.mean(), rel=0.1)
    assert built.std() == pytest.approx(soil.std(), rel=0.35)


def test_fields_of_noise_are_standard_and_rough_or_smooth() -> None:
    rng = np.random.default_rng(0)
    for field, low, high in ((rough(rng, 128), -0.6, -0.1), (smooth(rng, 128, 10.0), 0.9, 1.0)):
        assert field.mean() == pytest.approx(0, abs=1e-3)
        assert field.std() == pytest.approx(1, abs=1e-3)
        assert low < np.corrcoef(field[:, :-1].ravel(), field[:, 1:].ravel())[0, 1] < high


def test_blur_keeps_constants_and_mass() -> None:
    point = np.zeros((2, 9, 9), np.float32)
    point[:, 4, 4] = 1
    assert blur(np.ones((3, 5, 7), np.float32)) == pytest.approx(1, abs=1e-6)
    assert blur(point).sum(axis=(1, 2)) == pytest.approx(1, abs=1e-6)
    assert np.count_nonzero(blur(point)[0]) == 9


def test_too_small_a_scene_is_refused() -> None:
    with pytest.raises(LandmixError, match="at least 192 x 192"):
        make_scene(0, 64)
