from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from landmix.samples import Labelled
from landmix.training.erosion import away_from_borders, emptied

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_POINTS = np.empty(0, np.int32)


def labelled_of(*maps: NDArray[np.integer], units: NDArray[np.int32] | None = None) -> Labelled:
    """The labelled pixels of maps of class indices (H, W), -1 unlabelled."""
    places = [np.nonzero(values >= 0) for values in maps]
    return Labelled(
        scene=np.concatenate([np.full(len(rows), i, np.int32) for i, (rows, _) in enumerate(places)]),
        rows=np.concatenate([rows for rows, _ in places]).astype(np.int32),
        cols=np.concatenate([cols for _, cols in places]).astype(np.int32),
        index=np.concatenate([values[values >= 0] for values in maps]).astype(np.int16),
        units=np.full(sum(len(rows) for rows, _ in places), -1, np.int32) if units is None else units,
    )


def by_hand(values: NDArray[np.integer], erode: int) -> list[bool]:
    """Every pixel's square, cut at the scene's edge, holds one class."""
    return [
        bool((values[max(r - erode, 0) : r + erode + 1, max(c - erode, 0) : c + erode + 1] == values[r, c]).all())
        for r, c in zip(*np.nonzero(values >= 0), strict=True)
    ]


@pytest.mark.parametrize("erode", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_pixel_stays_where_its_square_holds_its_class(erode: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = [np.repeat(np.repeat(rng.integers(-1, 2, (4, 3)), 6, 0), 7, 1)[: 20 - i, : 17 + i] for i in range(2)]
    maps[0][5, 5] = -1
    found = away_from_borders(labelled_of(*maps), [values.shape for values in maps], erode, NO_POINTS)
    assert found.tolist() == [kept for values in maps for kept in by_hand(values, erode)]
    assert 0 < found.sum() < len(found)


def test_the_edge_of_the_scene_is_no_border() -> None:
    whole = np.zeros((5, 4), int)
    assert away_from_borders(labelled_of(whole), [whole.shape], 9, NO_POINTS).all()


def test_points_stay_and_features_without_pixels_are_counted() -> None:
    values = np.full((9, 9), -1)
    values[1:4, 1:4], values[6, 6], values[8, 0:2] = 0, 1, 1
    units = np.array([0] * 9 + [1] + [2] * 2, np.int32)
    labelled = labelled_of(values, units=units)
    kept = away_from_borders(labelled, [values.shape], 1, np.array([1], np.int32))
    assert [(r, c) for r, c in zip(labelled.rows[kept], labelled.cols[kept], strict=True)] == [(2, 2), (6, 6)]
    assert emptied(labelled, kept) == (1, 3)
