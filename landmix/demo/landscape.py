"""The demo scene with its truth: a river valley with woods, fields and villages, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.demo.cover import make_cover
from landmix.demo.noise import fractal
from landmix.demo.parcels import make_parcels
from landmix.demo.reflectance import fractions, reflectance
from landmix.demo.spectra import LEGEND
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

MIN_SIZE = 192
"""Smallest side in pixels that holds all classes with room to draw polygons in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoScene:
    """A scene and what is true about it."""

    reflectance: NDArray[np.float32]
    """(band, H, W): surface reflectance in the order of `BANDS`, also where not valid."""
    valid: NDArray[np.bool_]
    """(H, W): False under clouds and outside the swath."""
    truth: NDArray[np.uint8]
    """(H, W): the legend value of the class that covers most of each pixel, everywhere."""
    fractions: NDArray[np.float32]
    """(class, H, W): what the sensor mixes into each pixel, in the order of `LEGEND`; sums to 1."""


def make_scene(seed: int, size: int = 1024) -> DemoScene:
    """Draw a scene of `size` x `size` pixels of 10 m; the same seed and size give the same scene."""
    if size < MIN_SIZE:
        msg = f"a demo scene has at least {MIN_SIZE} x {MIN_SIZE} pixels, not {size} x {size}"
        raise LandmixError(msg)
    rng = np.random.default_rng(seed)
    # Small scenes get smaller fields and villages, so that they hold enough of each.
    scale = float(np.clip((size / 1024) ** 0.4, 0.5, 1.0))
    parcels = make_parcels(rng, size, scale)
    cover = make_cover(rng, parcels, scale)
    shares = fractions(cover, parcels)
    return DemoScene(
        reflectance=reflectance(rng, shares, parcels),
        valid=_swath(rng, size) & ~_clouds(rng, size, scale),
        truth=np.asarray(LEGEND.values, np.uint8)[cover.index],
        fractions=shares,
    )


def _swath(rng: Generator, size: int) -> NDArray[np.bool_]:
    """(size, size): False right of the slanted edge of the swath, which no pass of the satellite covered."""
    row, col = np.ogrid[:size, :size]
    edge = size * rng.uniform(0.955, 0.98) - 0.05 * row  # a descending orbit leans to the left
    return np.asarray(col < edge)


def _clouds(rng: Generator, size: int, scale: float) -> NDArray[np.bool_]:
    """(size, size): True in the few clouds that a cloud detector took out."""
    row, col = np.ogrid[:size, :size]
    billow = 0.22 * fractal(rng, size, 60 * scale)
    cloud = np.zeros((size, size), np.bool_)
    for centre_row, centre_col in rng.uniform(0.05 * size, 0.9 * size, (max(2, round(5 * size / 1024)), 2)):
        radius = rng.uniform(18, 45) * scale
        cloud |= np.hypot(row - centre_row, (col - centre_col) / 1.4) / radius + billow < 1
    return cloud
