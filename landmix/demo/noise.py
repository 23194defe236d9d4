"""Random fields: white noise shaped by a transfer function of spatial frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray


def smooth(rng: Generator, size: int, length: float) -> NDArray[np.float32]:
    """(size, size) float32: Gaussian correlation of about `length` pixels, mean 0, deviation 1."""
    return _shaped(rng, size, lambda f: np.exp(-((np.pi * length * f) ** 2)))


def fractal(rng: Generator, size: int, longest: float) -> NDArray[np.float32]:
    """(size, size) float32: detail from 6 to `longest` pixels, like relief; mean 0, deviation 1."""
    return _shaped(rng, size, lambda f: (f**2 + (1.0 / longest) ** 2) ** -1.0 * np.exp(-((np.pi * 6.0 * f) ** 2)))


def rough(rng: Generator, size: int) -> NDArray[np.float32]:
    """(size, size) float32: alternates from pixel to pixel (neighbours differ in sign), mean 0, deviation 1."""
    return _shaped(rng, size, lambda f: 1.0 - np.exp(-((f / 0.45) ** 2)))


def blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur the last two axes by a Gaussian point spread of 0.6 pixels; edges repeat, sums of fractions stay 1."""
    side = np.float32(np.exp(-0.5 / 0.6**2))
    side /= 1 + 2 * side
    for axis in (-2, -1):
        edge = [(1, 1) if image.ndim + axis == a else (0, 0) for a in range(image.ndim)]
        wide = np.swapaxes(np.pad(image, edge, mode="edge"), axis, -1)
        mixed = (1 - 2 * side) * wide[..., 1:-1] + side * (wide[..., :-2] + wide[..., 2:])
        image = np.swapaxes(mixed, axis, -1)
    return image


def _shaped(
    rng: Generator, size: int, transfer: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """White noise filtered by `transfer` (of frequency in cycles a pixel), then standardised."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    down, across = np.fft.fftfreq(size).astype(np.float32), np.fft.rfftfreq(size).astype(np.float32)
    gain = transfer(np.hypot(down[:, None], across[None, :]))
    gain[0, 0] = 0.0  # no mean
    field = np.fft.irfft2(spectrum * gain, s=(size, size)).astype(np.float32)
    return np.asarray(field / field.std(), np.float32)
