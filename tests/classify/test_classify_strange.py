from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from classify_files import model, write_scene

from landmix.classify.strange import strangeness
from landmix.geo.open import open_scene

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.geo.scene import Scene


def scene(tmp_path: Path, values: np.ndarray) -> Scene:
    """A scene of the model's two bands; 100 and 0.01 make a value of 100 the training mean of both."""
    path = write_scene(tmp_path / "a.tif", values.astype(np.int16))
    found = open_scene([str(path)], "a")
    return found.take([found.bands.names.index(name) for name in ("nir", "red")])


def land(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 40, (2, 300, 400))


def test_a_scene_like_the_training_pixels_is_no_surprise(tmp_path: Path) -> None:
    assert strangeness(scene(tmp_path, land()), model()) is None


def test_another_scale_is_told_with_the_band(tmp_path: Path) -> None:
    values = land()
    values[0] *= 10
    told = strangeness(scene(tmp_path, values), model())
    assert told is not None
    assert "is not like the training pixels" in told


def test_clouds_are_told_with_their_share(tmp_path: Path) -> None:
    values = land()
    values[:, :60] = 9000
    told = strangeness(scene(tmp_path, values), model())
    assert told is not None
    assert "20 % of the pixels" in told


def test_nodata_is_no_surprise(tmp_path: Path) -> None:
    values = land()
    values[:, :200] = 0
    assert strangeness(scene(tmp_path, values), model()) is None


def test_a_scene_without_a_valid_pixel_is_no_surprise(tmp_path: Path) -> None:
    assert strangeness(scene(tmp_path, np.zeros((2, 30, 40))), model()) is None
