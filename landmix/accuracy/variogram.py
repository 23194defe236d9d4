"""How far pixels that resemble each other reach: the semivariogram of labelled pixels, and its range.

Labelled pixels lie in polygons of one class each. Over all pairs the variogram would reach its sill where a polygon
ends and another class begins, whatever else varies on the ground. So pairs are of one class, and each band is counted
in standard deviations of that class: what is left is how alike pixels are beyond being of one class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 4000
"""Pixels that are drawn, about: they are paired within their classes, 8 million pairs at most."""

_NEIGHBOURS = (1, 4, 16, 64)
"""With each pixel that is drawn come its neighbours of these ranks: blindly drawn pairs would all lie far apart."""

_CLASSES = 20
"""Of distance, each longer than the one before by the same factor."""

_FEWEST = 30
"""Pixels that a class needs, and pairs that a class of distance needs."""

_LEAST_RISE = 0.1
"""Share of the sill that must rise with distance; less of it is chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variogram:
    """A spherical model; the unit of semivariances is the variance within a class."""

    range_m: float | None = None
    """Metres from which on pixels are no more alike than any of their class: 0 where neighbours are not more alike
    either, None where it cannot be told, because there are too few pairs or it lies beyond half the labels' extent."""
    sill: float | None = None
    """Semivariance from the range on; where that is None, at the longest distance."""
    nugget: float | None = None
    """Semivariance of direct neighbours."""
    n: int = 0
    """Pairs of pixels."""


def drawn(xy: NDArray[np.float64], index: NDArray[np.integer]) -> NDArray[np.intp]:
    """The pixels at places (N, 2) of classes (N,) that are enough to tell: some of each class, with neighbours.

    The same for the same pixels: a range belongs to the data, not to a run.
    """
    rng = np.random.default_rng(0)
    chosen = []
    for k in np.unique(index):
        mine = np.flatnonzero(index == k)
        share = max(_FEWEST, _MOST * len(mine) // len(index))
        if len(mine) > share:
            first = rng.choice(mine, -(-share // (1 + len(_NEIGHBOURS))), replace=False)
            ranks = sorted({min(rank, len(mine) - 1) + 1 for rank in _NEIGHBOURS})  # rank 1 is the pixel itself
            near = cKDTree(xy[mine]).query(xy[first], k=ranks)[1]
            mine = np.union1d(first, mine[near.ravel()])
        chosen.append(mine)
    return np.sort(np.concatenate(chosen))


def variogram(values: NDArray[np.floating], xy: NDArray[np.float64], index: NDArray[np.integer]) -> Variogram:
    """The semivariogram of pixels with `values` (n, C) at places `xy` (n, 2) in metres, of classes `index` (n,).

    Semivariance is half the mean squared difference (Matheron 1963), here of all bands; a spherical model is fitted
    to it by least squares over classes of distance up to half the extent.
    """
    distance, half = _pairs(values, xy, index)
    if not len(distance):
        return Variogram()
    longest = float(distance.max()) / 2
    edges = np.geomspace(distance.min() * 0.999, max(longest, distance.min() * 1.001), _CLASSES + 1)
    number = np.digitize(distance, edges) - 1
    inside = number < _CLASSES
    counts = np.bincount(number[inside], minlength=_CLASSES)
    enough = counts >= _FEWEST
    if enough.sum() < 4:  # noqa: PLR2004 - a model of three numbers
        return Variogram(n=int(inside.sum()))
    apart, gamma = (
        np.bincount(number[inside], of[inside], _CLASSES)[enough] / counts[enough] for of in (distance, half)
    )
    nugget, rise, reach = _fitted(apart, gamma)
    told = reach <= apart[-1]
    noise = rise < _LEAST_RISE * (nugget + rise)
    return Variogram(
        range_m=0.0 if noise else reach if told else None,
        sill=nugget + rise if told or noise else float(gamma[-1]),
        nugget=nugget,
        n=int(inside.sum()),
    )


def _pairs(
    values: NDArray[np.floating], xy: NDArray[np.float64], index: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of all pairs of one class: metres between them, (P,) above 0, and half their squared difference, mean over bands.

    Bands that are constant in a class are left out there.
    """
    distances, halves = [np.empty(0)], [np.empty(0)]
    for k in np.unique(index):
        mine = index == k
        deviation = values[mine].std(0)
        varying = deviation > 1e-9 * np.maximum(np.abs(values[mine]).max(0), 1e-9)
        if mine.sum() >= _FEWEST and varying.any():
            scaled = values[mine][:, varying] / deviation[varying]
            distances.append(pdist(xy[mine]))
            halves.append(pdist(scaled, "sqeuclidean") / (2 * scaled.shape[1]))
    distance, half = np.concatenate(distances), np.concatenate(halves)
    return distance[distance > 0], half[distance > 0]  # several dates of one place are no neighbours


def _fitted(apart: NDArray[np.float64], gamma: NDArray[np.float64]) -> tuple[float, float, float]:
    """Nugget, rise and range of the spherical model nearest to semivariances `gamma` (n,) at distances `apart` (n,)."""

    def misses(model: NDArray[np.float64]) -> NDArray[np.float64]:
        nugget, rise, reach = model
        part = np.minimum(apart / reach, 1.0)
        return np.asarray(nugget + rise * (1.5 * part - 0.5 * part**3) - gamma)

    least, most = apart[0] / 2, 4 * apart[-1]
    start = float(gamma.min()), max(float(np.ptp(gamma)), 1e-6)
    # several beginnings, because the range can get caught between two distances
    begun = [(*start, reach) for reach in np.geomspace(apart[0], apart[-1], 8)]
    bounds = ([0.0, 0.0, least], [np.inf, np.inf, most])
    best = min((least_squares(misses, x0, bounds=bounds) for x0 in begun), key=lambda found: float(found.cost))
    nugget, rise, reach = best.x.tolist()
    return nugget, rise, reach
