"""Intervals and comparisons whose unit is a polygon or a block: its pixels are alike, and count as one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FEWEST = 6
"""Groups below which nothing can be said: all signs of 5 groups alike happen by chance in 1 of 16 cases."""

_DRAWS = 4000
_NUMBERS = 4_000_000
"""Drawn at a time."""

_EVERY = 12
"""Up to so many groups all 2^n signs are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval; null where there are too few groups to say."""

    value: float
    low: float | None
    high: float | None
    groups: int


def accuracy_interval(right: NDArray[np.bool_], group: NDArray[np.integer], seed: int = 0) -> Interval:
    """Overall accuracy of pixels (N,), with the percentiles of a bootstrap over whole groups (N,).

    A bootstrap of few groups is too sure of itself: the percentiles are farther out, by Student's t and
    sqrt(G / (G - 1)) (Hesterberg 2015, "expanded percentile interval").
    """
    hits, sizes = _by_group(right.astype(np.float64), group)
    value = float(hits.sum() / sizes.sum())
    if len(sizes) < FEWEST:
        return Interval(value=value, low=None, high=None, groups=len(sizes))
    rng, g = np.random.default_rng(seed), len(sizes)
    shares = np.empty(_DRAWS)
    for piece in _pieces(g):
        drawn = rng.integers(0, g, (piece.stop - piece.start, g))
        shares[piece] = hits[drawn].sum(1) / sizes[drawn].sum(1)
    beyond = ndtr(np.sqrt(g / (g - 1)) * stdtrit(g - 1, 0.025))
    low, high = np.quantile(shares, [beyond, 1 - beyond])
    return Interval(value=value, low=float(low), high=float(high), groups=len(sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two classifiers differ on the same pixels."""

    difference: float
    """Overall accuracy of the first less that of the second."""
    p: float | None
    """How often chance alone gives as large a difference; null where there are too few groups to say."""
    groups: int

    @property
    def words(self) -> str:
        """What may be said of it."""
        if self.p is None:
            return "too few groups to say"
        if self.p > 0.05:  # noqa: PLR2004 - the usual level
            return "no difference that chance does not explain"
        return "better" if self.difference > 0 else "worse"


def compare(
    first: NDArray[np.bool_], second: NDArray[np.bool_], group: NDArray[np.integer], seed: int = 0
) -> Comparison:
    """Whether two classifiers, right or not at pixels (N,), differ: a paired permutation test over groups (N,).

    Under the null hypothesis the two are exchangeable in each group as a whole.
    """
    gained, sizes = _by_group(first.astype(np.float64) - second, group)
    observed = gained.sum()
    difference = float(observed / sizes.sum())
    if len(sizes) < FEWEST:
        return Comparison(difference=difference, p=None, groups=len(sizes))
    if len(sizes) <= _EVERY:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(sizes))))
        at_least, draws = (np.abs(signs @ gained) >= abs(observed) - 1e-9).sum(), len(signs)
    else:
        rng, at_least, draws = np.random.default_rng(seed), 1, _DRAWS + 1
        for piece in _pieces(len(sizes)):
            signs = rng.choice((-1.0, 1.0), (piece.stop - piece.start, len(sizes)))
            at_least += (np.abs(signs @ gained) >= abs(observed) - 1e-9).sum()
    return Comparison(difference=difference, p=float(at_least / draws), groups=len(sizes))


def _pieces(groups: int) -> Iterator[slice]:
    """So many draws at a time as fit into the memory, where every polygon of a country is a group."""
    step = max(1, _NUMBERS // groups)
    for start in range(0, _DRAWS, step):
        yield slice(start, min(start + step, _DRAWS))


def _by_group(values: NDArray[np.float64], group: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums and sizes of the groups that occur."""
    _, number = np.unique(group, return_inverse=True)
    return np.bincount(number, values).astype(np.float64), np.bincount(number).astype(np.int64)
