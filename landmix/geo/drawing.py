"""Drawing pixels at random from the strata of a map that may be larger than the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from landmix.geo.strata import Strata


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Pixels of a sample, in random order."""

    rows: NDArray[np.int64]
    """(N,)"""
    cols: NDArray[np.int64]
    """(N,)"""
    values: NDArray[np.int64]
    """(N,) the stratum of each."""


def draw(strata: Strata, wanted: Mapping[int, int], seed: int) -> Drawn:
    """Draw `wanted` pixels of each value, without replacement, each set of that size as likely as any other.

    The strata are read once more, piece by piece: a pixel's number among those of its value says whether it was drawn.
    """
    rng = np.random.default_rng(seed)
    left = {
        value: np.sort(rng.choice(strata.counts[value], number, replace=False))
        for value, number in sorted(wanted.items())
        if number
    }
    seen = dict.fromkeys(left, 0)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    for window, values, valid in strata.pieces():
        for value, numbers in left.items():
            places = np.flatnonzero((values == value) & valid)
            first, last = np.searchsorted(numbers, [seen[value], seen[value] + len(places)])
            rows, cols = np.divmod(places[numbers[first:last] - seen[value]], window.width)
            found.append((rows + window.row, cols + window.col, np.full(len(rows), value, np.int64)))
            seen[value] += len(places)
    rows, cols, values = np.concatenate(
        [np.stack(part) for part in found] or [np.empty((3, 0), np.int64)], axis=1
    ).astype(np.int64)
    order = rng.permutation(len(rows))  # who interprets them should not know the stratum from the place in the list
    return Drawn(rows=rows[order], cols=cols[order], values=values[order])
