"""Labels as an analyst draws them: small polygons inside areas that look uniform, spread over the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.demo.spectra import LEGEND

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

RADII = (15, 13, 11, 9, 8, 7, 6, 5, 4)
"""Half of the polygons' sizes in pixels; the first that fits is drawn."""
FEWEST, ALL = 7, 63
"""Polygons of each class, and of the whole scene where there is room."""
PURE, CORE = 0.96, 0.8
"""Share of its class that the middle of a polygon must have, and how far the middle reaches as a share of the radius.
Outside it the analyst's hand slips over the border here and there."""
CANDIDATES = 1500
"""Places of each class at which the analyst looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPolygon:
    """One polygon with its class."""

    name: str
    """The class name of the legend."""
    ring: NDArray[np.float64]
    """(n, 2): corner rows and columns in pixels, the first not repeated; (0, 0) is the scene's top left corner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spots:
    """Places where a polygon of one class fits."""

    centre: NDArray[np.int64]
    """(n, 2): row and column."""
    radius: NDArray[np.int64]
    """(n,): the largest of `RADII` that is pure there, in pixels."""


def draw_polygons(rng: Generator, truth: NDArray[np.uint8], valid: NDArray[np.bool_]) -> list[LabelPolygon]:
    """Draw about `ALL` polygons that never touch each other or a pixel that is not valid, by class.

    `truth` (H, W) holds legend values. A class without room gets fewer (seen in scenes below 256
    pixels), the large classes get more than `FEWEST`.
    """
    shares = np.asarray([np.mean(truth[valid] == value) for value in LEGEND.values])
    wanted = FEWEST + np.round((ALL - FEWEST * len(LEGEND)) * shares).astype(int)
    taken = np.empty((0, 3), np.int64)
    chosen: dict[int, NDArray[np.int64]] = {}
    for number in np.argsort(shares):  # the rare classes first: they have the fewest places
        spots = _find_spots(rng, truth == LEGEND[number].value, valid)
        chosen[number] = _choose_with_room(spots, taken, int(wanted[number]))
        taken = np.concatenate([taken, chosen[number]])
    return [
        LabelPolygon(name=entry.name, ring=_ring(rng, spot))
        for number, entry in enumerate(LEGEND)
        for spot in chosen[number]
    ]


def _find_spots(rng: Generator, of_class: NDArray[np.bool_], valid: NDArray[np.bool_]) -> _Spots:
    """Random places of a class with the largest polygon that fits each."""
    places = np.argwhere(of_class & valid)
    centre = places[rng.permutation(len(places))[:CANDIDATES]]
    radius = np.zeros(len(centre), np.int64)
    sums, invalid = _integral(of_class), _integral(~valid)
    for reach in sorted(RADII):
        inside = ((centre >= reach) & (centre < np.asarray(of_class.shape) - reach)).all(axis=1)
        within = centre[inside]
        core = round(CORE * reach)
        pure = _box_sum(sums, within, core) >= PURE * (2 * core + 1) ** 2
        fits = pure & (_box_sum(invalid, within, reach) == 0)
        radius[np.flatnonzero(inside)[fits]] = reach
    return _Spots(centre=centre[radius > 0], radius=radius[radius > 0])


def _integral(image: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(H + 1, W + 1): sum of all pixels above and left of each corner."""
    return np.pad(image.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))


def _box_sum(integral: NDArray[np.int32], centre: NDArray[np.int64], reach: int) -> NDArray[np.int32]:
    """(n,): sum over the square of `reach` pixels on each side of each centre."""
    top, left = (centre - reach).T
    bottom, right = (centre + reach + 1).T
    low = integral[bottom, right] - integral[bottom, left]
    return np.asarray(low - integral[top, right] + integral[top, left], np.int32)


def _choose_with_room(spots: _Spots, taken: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """(n, 3): row, column and radius of up to `wanted` spots: with smaller polygons where large ones are too few."""
    best = np.empty((0, 3), np.int64)
    for largest in RADII:
        found = _choose(_Spots(centre=spots.centre, radius=spots.radius.clip(max=largest)), taken, wanted)
        best = max(best, found, key=len)
        if len(best) == wanted:
            break
    return best


def _choose(spots: _Spots, taken: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """(n, 3): row, column and radius of up to `wanted` spots, each far from the others of its class and roomy."""
    found = np.empty((0, 3), np.int64)
    apart = np.full(len(spots.centre), 40.0)
    for _ in range(wanted):
        others = np.concatenate([taken, found])
        gap = np.hypot(*(spots.centre[:, None] - others[None, :, :2]).transpose(2, 0, 1))
        free = (gap > spots.radius[:, None] + others[None, :, 2] + 2).all(axis=1)
        if not free.any():
            break
        best = int(np.where(free, np.minimum(apart, 200.0) * np.sqrt(spots.radius), -1.0).argmax())
        found = np.append(found, [[*spots.centre[best], spots.radius[best]]], axis=0)
        apart = np.hypot(*(spots.centre[:, None] - found[None, :, :2]).transpose(2, 0, 1)).min(axis=1)
    return found


def _ring(rng: Generator, spot: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 2): corners at a hand's distance around a spot, all inside its circle."""
    row, col, radius = spot
    count = int(rng.integers(6, 10))
    angle = 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
    reach = (radius + 0.5) * rng.uniform(0.78, 1.0, count)
    return np.stack([row + 0.5 + reach * np.sin(angle), col + 0.5 + reach * np.cos(angle)], axis=1)
