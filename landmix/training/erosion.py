"""Labels away from the borders of their areas: there analysts slip, and pixels are mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from landmix.samples import Labelled


def away_from_borders(
    labelled: Labelled, shapes: Sequence[tuple[int, int]], erode: int, points: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """(N,) True where all pixels up to `erode` rows and columns away are labelled with the pixel's own class.

    `shapes` are rows and columns of each scene; what lies outside is no border. Two polygons of one class that touch
    are one area. Pixels of the features `points`, numbers as in `labelled.units`, have no area and are always True.
    """
    kept = np.isin(labelled.units, points)
    for scene, shape in enumerate(shapes):
        here = np.flatnonzero(labelled.scene == scene)
        place = np.stack([labelled.rows[here], labelled.cols[here]], axis=1).astype(np.int64)
        kept[here] |= _away(place, labelled.index[here], shape, erode)
    return kept


def _away(place: NDArray[np.int64], index: NDArray[np.int16], shape: tuple[int, int], erode: int) -> NDArray[np.bool_]:
    """The same in one scene; `place` (n, 2) is sorted by row and column.

    A square is looked at along one axis, then the other, and only where there are labels: whole scenes are large.
    """
    flat = place[:, 0] * shape[1] + place[:, 1]
    kept = np.ones(len(flat), np.bool_)
    for axis in (0, 1):
        before = kept.copy()
        for step in (*range(-erode, 0), *range(1, erode + 1)):
            beside = place.copy()
            beside[:, axis] += step
            inside = (beside[:, axis] >= 0) & (beside[:, axis] < shape[axis])
            wanted = beside[:, 0] * shape[1] + beside[:, 1]
            found = np.searchsorted(flat, wanted).clip(max=len(flat) - 1)
            same = (flat[found] == wanted) & (index[found] == index) & before[found]
            kept &= same | ~inside
    return kept


def emptied(labelled: Labelled, kept: NDArray[np.bool_]) -> tuple[int, int]:
    """How many labelled features keep no pixel, and how many there are; rasters have none."""
    features = np.unique(labelled.units[labelled.units >= 0])
    return len(features) - len(np.unique(labelled.units[kept & (labelled.units >= 0)])), len(features)
