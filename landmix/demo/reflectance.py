"""What the sensor sees of the land: mixed pixels, variation and texture inside each class, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.demo.cover import BUILT, CROP, GRASS, SOIL
from landmix.demo.noise import blur, rough, smooth
from landmix.demo.spectra import BANDS, LEGEND, directions, mean_spectra

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from landmix.demo.cover import Cover
    from landmix.demo.parcels import Parcels

CAUSES = 3
"""Each class varies for three reasons: brightness and two of its own."""

TEXTURE = {
    # share of variance:  smooth, parcel, rough, rows
    "water": (0.45, 0.05, 0.50, 0.00),
    "broadleaf": (0.15, 0.05, 0.80, 0.00),
    "needleleaf": (0.80, 0.15, 0.05, 0.00),
    "crop": (0.30, 0.20, 0.05, 0.45),
    "grass": (0.70, 0.20, 0.10, 0.00),
    "bare soil": (0.80, 0.15, 0.05, 0.00),
    "built-up": (0.05, 0.05, 0.90, 0.00),
}
"""How the variance inside each class is spread over scales. The variance itself is in the spectra, so one pixel
cannot tell these patterns apart: only its neighbours can."""

ROAD_SHARE, EDGE_SHARE = 0.4, 0.15
"""Share of a pixel that a road and the grass between two parcels cover."""

READ_NOISE, PHOTON_NOISE = 0.0015, 4e-5
"""Deviation of reflectance in the dark, and the growth of its variance with reflectance."""
BLOCK = 64
"""Rows that are mixed at once: bounds memory."""


def fractions(cover: Cover, parcels: Parcels) -> NDArray[np.float32]:
    """(class, H, W): share of each class in each pixel as the sensor sees it, after the point spread; sums to 1."""
    one_hot = np.stack([cover.index == number for number in range(len(LEGEND))]).astype(np.float32)
    field = np.isin(cover.index, (CROP, GRASS, SOIL))
    _cover_partly(one_hot, GRASS, EDGE_SHARE * (parcels.border & field))
    _cover_partly(one_hot, BUILT, ROAD_SHARE * cover.road)
    return blur(one_hot)


def _cover_partly(shares: NDArray[np.float32], number: int, part: NDArray[np.floating]) -> None:
    """Give `part` of each pixel to a class and leave the rest to those that were there, in place."""
    shares *= (1 - part).astype(np.float32)
    shares[number] += part.astype(np.float32)


def reflectance(rng: Generator, shares: NDArray[np.float32], parcels: Parcels) -> NDArray[np.float32]:
    """(band, H, W): reflectance with noise, mixed linearly from the classes' spectra, each varied by its texture."""
    patterns = _patterns(rng, parcels)
    weights = np.sqrt(np.asarray([TEXTURE[name] for name in LEGEND.names], np.float32))
    means, changes = mean_spectra().T, directions()
    image = np.empty((len(BANDS), *shares.shape[1:]), np.float32)
    for top in range(0, len(parcels.index), BLOCK):
        rows = slice(top, top + BLOCK)
        image[:, rows] = _combine(means, shares[:, rows])
        for cause in range(CAUSES):
            strength = shares[:, rows] * _combine(weights, patterns[cause, :, rows])
            image[:, rows] += _combine(changes[:, cause].T, strength)
    return _add_noise(rng, image)


def _combine(weights: NDArray[np.float32], layers: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, H, W): `weights` (n, m) times `layers` (m, H, W).

    Added in a fixed order: a matrix product rounds differently with another number of threads, and the same seed
    must give the same bytes.
    """
    sums = np.zeros((len(weights), *layers.shape[1:]), np.float32)
    for number, row in enumerate(weights):
        for weight, layer in zip(row, layers, strict=True):
            if weight:
                sums[number] += weight * layer
    return sums


def _patterns(rng: Generator, parcels: Parcels) -> NDArray[np.float32]:
    """(cause, pattern, H, W): unit-variance patterns in the order of `TEXTURE`, independent for each cause."""
    size = len(parcels.index)
    patterns = np.empty((CAUSES, 4, size, size), np.float32)
    for cause in range(CAUSES):
        patterns[cause, 0] = np.sqrt(0.5) * (smooth(rng, size, 6.0) + smooth(rng, size, 18.0))
        patterns[cause, 1] = parcels.spread(rng.standard_normal(parcels.count).astype(np.float32))
        patterns[cause, 2] = rough(rng, size)
        patterns[cause, 3] = _rows(rng, parcels)
    return patterns


def _rows(rng: Generator, parcels: Parcels) -> NDArray[np.float32]:
    """(H, W): drill rows and tramlines, 24 to 36 m apart, each parcel with its own distance and phase."""
    period = parcels.spread(rng.uniform(2.4, 3.6, parcels.count).astype(np.float32))
    phase = parcels.spread(rng.uniform(0, 2 * np.pi, parcels.count).astype(np.float32))
    return np.asarray(np.sqrt(2) * np.sin(2 * np.pi * parcels.across / period + phase), np.float32)


def _add_noise(rng: Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sensor noise: a constant part (read-out) and one that grows with the signal (photons), in place."""
    for number, band in enumerate(image):  # band by band bounds memory
        deviation = np.sqrt(READ_NOISE**2 + PHOTON_NOISE * band.clip(0))
        image[number] += deviation * rng.standard_normal(band.shape, dtype=np.float32)
    return image
