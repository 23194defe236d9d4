"""Two classes whose best possible accuracy is known exactly: a scene in which a leak or a broken network shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.legend import Legend, LegendClass
from landmix.demo.files import DemoFiles, profile, write_classes
from landmix.errors import LandmixError
from landmix.files import make_folder
from landmix.geo.whole import write_raster

if TYPE_CHECKING:
    from pathlib import Path

    import rasterio
    from numpy.random import Generator
    from numpy.typing import NDArray

TWO_CLASSES = Legend(
    (LegendClass(value=1, name="low", color="#2b6cb0"), LegendClass(value=2, name="high", color="#f2c94c"))
)
LABEL_BLOCK = 32
"""Side in pixels of the blocks that are labelled, like the white squares of a chess board."""


def best_accuracy(separation: float, bands: int, pixels: int = 1) -> float:
    """Give the best that any rule can reach: Phi(separation * sqrt(bands * pixels) / 2).

    For means `separation` deviations apart in each of `bands` independent bands, where the rule sees `pixels`
    pixels that are known to be of one class.

    >>> round(best_accuracy(2.0, 1), 6), round(best_accuracy(2.0, 1, pixels=9), 6)
    (0.841345, 0.99865)
    """
    return 0.5 * math.erfc(-separation * math.sqrt(bands * pixels) / 2 / math.sqrt(2))


def write_two_class(
    folder: Path,
    *,
    seed: int = 0,
    size: int = 512,
    separation: float = 2.0,
    bands: int = 1,
    field: int = 1,
    shuffle: bool = False,
) -> DemoFiles:
    """Write a float32 scene of independent bands with unit variance, means 0 and `separation`, and its labels.

    Fields are squares of `field` pixels; with 1, neighbours tell nothing. `labels.tif` has the class values on half
    of the scene and 0 elsewhere. `shuffle` permutes the classes of all pixels after the scene is drawn: labels and
    reference then agree with each other, and nothing can predict them.
    """
    if min(size, bands, field) < 1:
        msg = f"a two-class scene needs size, bands and field of at least 1, not {size}, {bands} and {field}"
        raise LandmixError(msg)
    rng = np.random.default_rng(seed)
    truth = _fields(rng, size, field)
    means = np.float32(separation) * (truth == TWO_CLASSES[1].value)
    scene = rng.standard_normal((bands, size, size), dtype=np.float32) + means
    if shuffle:
        truth = rng.permutation(truth.ravel()).reshape(truth.shape)
    files = DemoFiles(scene=folder / "scene.tif", labels=folder / "labels.tif", reference=folder / "reference.tif")
    make_folder(folder)
    _write_scene(files.scene, scene)
    write_classes(files.labels, truth * _labelled(size), TWO_CLASSES)
    write_classes(files.reference, truth, TWO_CLASSES)
    return files


def _fields(rng: Generator, size: int, field: int) -> NDArray[np.uint8]:
    """(size, size): class values, both equally likely, one draw a field."""
    count = -(-size // field)
    draw = rng.integers(1, 3, (count, count), dtype=np.uint8)
    return np.kron(draw, np.ones((field, field), np.uint8))[:size, :size]


def _labelled(size: int) -> NDArray[np.bool_]:
    """(size, size): True on every other block."""
    row, col = np.ogrid[:size, :size]
    return np.asarray((row // LABEL_BLOCK + col // LABEL_BLOCK) % 2 == 0)


def _write_scene(path: Path, scene: NDArray[np.float32]) -> None:
    def describe(file: rasterio.io.DatasetWriter) -> None:
        file.descriptions = [f"noise {number}" for number in range(1, len(scene) + 1)]

    write_raster(path, scene, describe, **profile(scene, np.nan))
