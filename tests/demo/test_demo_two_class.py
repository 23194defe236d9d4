from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio

from landmix.demo import best_accuracy, write_two_class
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _read(path: Path) -> NDArray[np.float64]:
    with rasterio.open(path) as file:
        return np.asarray(file.read(), np.float64)


def _accuracy(scene: NDArray[np.float64], truth: NDArray[np.float64], separation: float) -> float:
    """Accuracy of Bayes' rule: the mean of the bands against half the separation."""
    predicted = np.where(scene.mean(axis=0) > separation / 2, 2, 1)
    return float(np.mean(predicted == truth[0]))


def test_best_accuracy_has_the_known_values() -> None:
    assert best_accuracy(2.0, 1) == pytest.approx(0.841345, abs=5e-7)
    assert best_accuracy(2.0, 1, pixels=9) == pytest.approx(0.998650, abs=5e-7)
    assert best_accuracy(0.0, 5) == 0.5
    assert best_accuracy(1.0, 4) == best_accuracy(2.0, 1)


@pytest.mark.parametrize(("separation", "bands", "field"), [(2.0, 1, 1), (0.7, 5, 1), (2.0, 1, 8)])
def test_bayes_rule_reaches_the_best_accuracy(tmp_path: Path, separation: float, bands: int, field: int) -> None:
    files = write_two_class(tmp_path, seed=4, size=256, separation=separation, bands=bands, field=field)
    best = best_accuracy(separation, bands)
    error = np.sqrt(best * (1 - best) / 256**2)
    assert abs(_accuracy(_read(files.scene), _read(files.reference), separation) - best) < 3 * error


def test_mean_of_nine_pixels_inside_a_field_reaches_its_best_accuracy(tmp_path: Path) -> None:
    files = write_two_class(tmp_path, seed=4, size=384, field=3)
    scene, truth = _read(files.scene)[0], _read(files.reference)[:, 1::3, 1::3]
    means = scene.reshape(128, 3, 128, 3).mean(axis=(1, 3))[None]
    best = best_accuracy(2.0, 1, pixels=9)
    assert abs(_accuracy(means, truth, 2.0) - best) < 3 * np.sqrt(best * (1 - best) / 128**2)


def test_half_is_labelled_and_labels_agree_with_the_reference(tmp_path: Path) -> None:
    files = write_two_class(tmp_path, size=128)
    labels, truth = _read(files.labels), _read(files.reference)
    assert np.mean(labels > 0) == 0.5
    assert np.array_equal(labels[labels > 0], truth[labels > 0])
    assert set(np.unique(truth)) == {1, 2}


def test_neighbours_tell_nothing_where_each_pixel_is_a_field(tmp_path: Path) -> None:
    truth = _read(write_two_class(tmp_path, size=256).reference)[0]
    assert abs(np.corrcoef(truth[:, :-1].ravel(), truth[:, 1:].ravel())[0, 1]) < 3 / 256


def test_shuffled_classes_cannot_be_predicted(tmp_path: Path) -> None:
    plain = write_two_class(tmp_path / "plain", size=256, field=16)
    mixed = write_two_class(tmp_path / "mixed", size=256, field=16, shuffle=True)
    labels, truth = _read(mixed.labels), _read(mixed.reference)
    assert np.array_equal(_read(plain.scene), _read(mixed.scene))
    assert np.array_equal(labels[labels > 0], truth[labels > 0])
    assert np.mean(truth == 1) == np.mean(_read(plain.reference) == 1)
    majority = max(np.mean(truth == 1), np.mean(truth == 2))
    assert _accuracy(_read(mixed.scene), truth, 2.0) < majority + 3 * 0.5 / 256


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, second = (write_two_class(tmp_path / name, seed=1, size=64, bands=2) for name in "ab")
    for name in ("scene", "labels", "reference"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_senseless_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match="at least 1"):
        write_two_class(tmp_path, field=0)
