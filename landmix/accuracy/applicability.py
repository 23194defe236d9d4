"""Where a model was taught anything at all: the dissimilarity index and its threshold (Meyer and Pebesma 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAIRS = 3000
"""Training points whose pairwise distances are averaged: 4.5 million pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicability:
    """What the training points say about how far away is too far."""

    mean: NDArray[np.float64]
    """(D,) of the training points."""
    scale: NDArray[np.float64]
    """(D,) weight / standard deviation (n - 1); 0 for a feature that does not vary."""
    points: NDArray[np.float64]
    """(P, D) the training points that others are compared with, standardised and weighted."""
    distance: float
    """Mean distance between two training points."""
    threshold: float
    """Dissimilarity from which on a point is outside the area of applicability."""

    def dissimilarity(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Distance (M,) of points (M, D) to the nearest training point, in mean distances between training points."""
        moved = (features - self.mean) * self.scale
        return np.asarray(KDTree(self.points).query(moved)[0]) / self.distance


def applicability(
    features: NDArray[np.floating],
    fold: NDArray[np.integer],
    weights: NDArray[np.floating] | None = None,
    kept: NDArray[np.intp] | None = None,
) -> Applicability:
    """Learn it from training points (N, D), their folds (N,), and how much each feature counts (D,).

    `kept` (P,): the points that others are compared with; None: all. The threshold is the outlier limit of the
    distances of points to those that are kept of other folds: the third quartile and 1.5 times the range between the
    quartiles, or the largest where that is less. Points of a fold below 0 count for no threshold. Raises `ValueError`
    for points that are all alike, or that lie in one fold.
    """
    features = np.asarray(features, np.float64)
    deviation = features.std(0, ddof=1)
    count = np.ones(features.shape[1]) if weights is None else np.asarray(weights, np.float64)
    scale = np.divide(count, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    mean = features.mean(0)
    points = (features - mean) * scale
    chosen = points
    if len(points) > _PAIRS:
        chosen = points[np.random.default_rng(0).choice(len(points), _PAIRS, replace=False)]
    distance = float(pdist(chosen).mean()) if len(points) > 1 else 0.0
    if distance <= 0:
        msg = "the training points are all alike: there is no distance to compare with"
        raise ValueError(msg)
    kept = np.arange(len(points)) if kept is None else kept
    nearest = _nearest(points, fold, kept) / distance
    low, high = np.quantile(nearest, [0.25, 0.75])
    threshold = float(min(high + 1.5 * (high - low), nearest.max()))
    return Applicability(mean=mean, scale=scale, points=points[kept], distance=distance, threshold=threshold)


def _nearest(points: NDArray[np.float64], fold: NDArray[np.integer], kept: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance of each point that has a fold to the nearest of those that are kept of other folds."""
    found = []
    for number in np.unique(fold[fold >= 0]):
        others = kept[fold[kept] != number]
        if len(others):
            found.append(KDTree(points[others]).query(points[fold == number])[0])
    if not found:
        msg = "the training points lie in one fold: how far new places are from them is not known"
        raise ValueError(msg)
    return np.concatenate(found)
