"""Field parcels: strips inside townships, each township with its own direction, as farmed land looks from the air."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.demo.noise import smooth

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcels:
    """A cut of the land into parcels."""

    index: NDArray[np.int32]
    """(H, W): the parcel of each pixel, 0 to count - 1."""
    across: NDArray[np.float32]
    """(H, W): position across the drill rows of the parcel in pixels, from any origin."""
    count: int
    """How many parcels there are."""

    def mean(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W): `image` averaged over each parcel."""
        sums = np.bincount(self.index.ravel(), image.ravel(), self.count)
        areas = np.bincount(self.index.ravel(), minlength=self.count)
        return self.spread((sums / areas).astype(np.float32))

    def spread(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(count,) one value a parcel -> (H, W)."""
        return values[self.index]

    @property
    def border(self) -> NDArray[np.bool_]:
        """(H, W): True where the pixel below or to the right belongs to another parcel."""
        found = np.zeros(self.index.shape, np.bool_)
        found[:-1] |= self.index[:-1] != self.index[1:]
        found[:, :-1] |= self.index[:, :-1] != self.index[:, 1:]
        return found


def make_parcels(rng: Generator, size: int, scale: float) -> Parcels:
    """Parcels of about 45 x 70 pixels times `scale`."""
    town = _townships(rng, size, 180.0 * scale)
    count = int(town.max()) + 1
    angle = rng.uniform(0.0, np.pi, count).astype(np.float32)[town]
    row, col = _coordinates(size)
    along, across = row * np.sin(angle) + col * np.cos(angle), row * np.cos(angle) - col * np.sin(angle)
    block = _blocks(along, rng.uniform(50.0, 95.0, count).astype(np.float32)[town] * scale)
    widths = rng.uniform(26.0, 60.0, (count, int(block.max()) + 1)).astype(np.float32) * scale
    width = widths[town, block]
    # The block number shifts the cuts, so that strips of neighbouring blocks do not line up.
    strip = _blocks(across + 0.37 * width * block, width)
    key = (town * (int(block.max()) + 1) + block) * (int(strip.max()) + 1) + strip
    used, index = np.unique(key, return_inverse=True)
    return Parcels(index=index.reshape(size, size).astype(np.int32), across=across, count=len(used))


def _coordinates(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    row, col = np.ogrid[:size, :size]
    return row.astype(np.float32), col.astype(np.float32)


def _townships(rng: Generator, size: int, spacing: float) -> NDArray[np.int64]:
    """(size, size): which of some random seeds is nearest; the borders wind a little, as old ones do."""
    seeds = rng.uniform(0, size, (max(4, round((size / spacing) ** 2)), 2)).astype(np.float32)
    row, col = _coordinates(size)
    row, col = row + 6 * smooth(rng, size, 40.0), col + 6 * smooth(rng, size, 40.0)
    nearest = np.full((size, size), np.inf, np.float32)
    town = np.zeros((size, size), np.int64)
    for number, (seed_row, seed_col) in enumerate(seeds):
        distance = (row - seed_row) ** 2 + (col - seed_col) ** 2
        town[distance < nearest] = number
        np.minimum(nearest, distance, out=nearest)
    return town


def _blocks(position: NDArray[np.float32], width: NDArray[np.float32]) -> NDArray[np.int64]:
    """(H, W): the number, from 0, of the piece of `width` pixels in which each position lies."""
    number = np.floor(position / width).astype(np.int64)
    return np.asarray(number - number.min(), np.int64)
