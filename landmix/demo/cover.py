"""Land cover: where the river, lakes, woods, villages, roads and fields of the demo lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.demo.noise import fractal, smooth

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from landmix.demo.parcels import Parcels

WATER, BROADLEAF, NEEDLELEAF, CROP, GRASS, SOIL, BUILT = range(7)
"""Class indices in the order of the legend."""

BANK_WIDTH, BANK_TREES = 5.0, 0.2
"""Width in pixels of the strip of trees along the river, and the level of a unit field above which it grows."""
ROAD_HALF_WIDTH = 0.6
"""How far from its line a pixel still touches a road."""
FAR = 1e6
"""A distance in pixels that is longer than any scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What covers the ground, before any sensor looks at it."""

    index: NDArray[np.uint8]
    """(H, W): class index of each pixel."""
    road: NDArray[np.bool_]
    """(H, W): True where a road narrower than the pixel crosses it."""


def make_cover(rng: Generator, parcels: Parcels, scale: float) -> Cover:
    """Lay out the land; later layers cover earlier ones: fields, woods, villages, water and the trees beside it."""
    size = len(parcels.index)
    river = river_distance(rng, size, scale)
    wooded = _woodedness(rng, parcels, river, scale)
    wood = wooded > np.quantile(wooded, 0.66)
    villages = _village_sites(rng, wood, river, scale)
    index = _fields(rng, parcels, river, scale)
    index[wood] = _stands(rng, parcels, scale)[wood]
    near = _village_distance(rng, villages, size, scale)
    index[(near < 9 * scale) & ~wood] = GRASS  # gardens and orchards around the houses
    index[near < 0] = BUILT
    bank = smooth(rng, size, 18 * scale) > BANK_TREES
    index[(river < BANK_WIDTH) & bank] = BROADLEAF
    index[(river < 0) | _lakes(rng, river, scale)] = WATER
    return Cover(index=index, road=_roads(rng, villages, size) & (river > 0))


def river_distance(rng: Generator, size: int, scale: float) -> NDArray[np.float32]:
    """(size, size): distance to the river bank in pixels, negative in the river, which winds from top to bottom."""
    row, col = np.ogrid[:size, :size]
    course = size * (rng.uniform(0.35, 0.65) + rng.uniform(-0.15, 0.15) * (row / size - 0.5))
    # Bending the plane instead of the line makes meanders that turn back on themselves.
    level = (col - course + 55 * scale * smooth(rng, size, 110 * scale) + 2 * fractal(rng, size, 60)).astype(np.float32)
    down, across = np.gradient(level)
    half_width = (7.0 + 2.0 * smooth(rng, size, 90 * scale)).clip(4.5) * scale**0.5
    return np.asarray(np.abs(level) / np.hypot(down, across).clip(0.4) - half_width, np.float32)


def _woodedness(rng: Generator, parcels: Parcels, river: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """(H, W): high where woods grow: away from the river, half along parcel borders and half as the relief goes."""
    wild = fractal(rng, len(river), 190 * scale) + 0.6 * np.tanh(river / (90 * scale))
    return np.asarray(0.6 * wild + 0.4 * parcels.mean(wild), np.float32)


def _stands(rng: Generator, parcels: Parcels, scale: float) -> NDArray[np.uint8]:
    """(H, W): broadleaf or needleleaf, in planted stands with ragged, mixed edges."""
    size = len(parcels.index)
    natural = fractal(rng, size, 150 * scale)
    planted = parcels.spread(rng.standard_normal(parcels.count).astype(np.float32))
    mixed = natural + 0.45 * planted + 0.08 * smooth(rng, size, 3.0)
    return np.where(mixed > 0, NEEDLELEAF, BROADLEAF).astype(np.uint8)


def _fields(rng: Generator, parcels: Parcels, river: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    """(H, W): one use a parcel; meadows where the river floods."""
    draw = parcels.spread(rng.random(parcels.count, dtype=np.float32))
    meadow = np.where(parcels.mean(river) < 35 * scale, 0.75, 0.28)
    use = np.where(draw < meadow, GRASS, np.where(draw < meadow + 0.62 * (1 - meadow), CROP, SOIL))
    return use.astype(np.uint8)


def _village_sites(
    rng: Generator, wood: NDArray[np.bool_], river: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    """(n, 3): row, column and radius in pixels of villages in the open, apart from each other and from the river."""
    size = len(wood)
    wanted, sites = max(4, round(17 * size / 1024)), np.empty((0, 3), np.float32)
    for row, col in rng.integers(round(0.05 * size), round(0.95 * size), (4000, 2)):
        apart = np.hypot(sites[:, 0] - row, sites[:, 1] - col).min(initial=FAR)
        if apart > 110 * scale and river[row, col] > 30 * scale and not wood[row, col]:
            site = [row, col, rng.uniform(20, 46) * scale]
            sites = np.append(sites, np.asarray([site], np.float32), axis=0)
        if len(sites) == wanted:
            break
    return sites


def _village_distance(rng: Generator, villages: NDArray[np.float32], size: int, scale: float) -> NDArray[np.float32]:
    """(size, size): distance to the edge of the nearest village in pixels, negative inside."""
    row, col = np.ogrid[:size, :size]
    nearest = np.full((size, size), FAR, np.float32)
    for centre_row, centre_col, radius in villages:
        distance = np.hypot(row - centre_row, col - centre_col) - radius
        np.minimum(nearest, distance, out=nearest)
    return nearest + 10 * scale * fractal(rng, size, 30 * scale)


def _lakes(rng: Generator, river: NDArray[np.float32], scale: float) -> NDArray[np.bool_]:
    """(H, W): True in a few lakes: the lowest spots of a smooth relief that keeps away from the river."""
    relief = smooth(rng, len(river), 45 * scale) + 0.12 * fractal(rng, len(river), 40 * scale)
    relief = np.where(river > 25 * scale, relief, FAR)
    return np.asarray(relief < np.quantile(relief, 0.022))


def _roads(rng: Generator, villages: NDArray[np.float32], size: int) -> NDArray[np.bool_]:
    """(size, size): True on winding lines from each village to the nearest of those before it."""
    row, col = np.ogrid[:size, :size]
    row, col = row + 5 * smooth(rng, size, 60), col + 5 * smooth(rng, size, 60)
    road = np.zeros((size, size), np.bool_)
    for number in range(1, len(villages)):
        start, others = villages[number, :2], villages[:number, :2]
        end = others[np.hypot(*(others - start).T).argmin()]
        length = np.hypot(*(end - start))
        down, across = (end - start) / length
        along = (row - start[0]) * down + (col - start[1]) * across
        aside = (row - start[0]) * across - (col - start[1]) * down
        road |= (np.abs(aside) < ROAD_HALF_WIDTH) & (along > 0) & (along < length)
    return road
