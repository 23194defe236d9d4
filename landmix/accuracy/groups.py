"""Intervals and comparisons whose unit is a polygon or a block: its pixels are alike, and count as one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 6
"""Groups below which nothing can be said: all signs of 5 groups alike happen by chance in 1 of 16 cases."""

_DRAWS = 4000
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
    """Overall accuracy of pixels (N,), with the percentiles of a bootstrap over whole groups (N,)."""
    hits, sizes = _by_group(right.astype(np.float64), group)
    value = float(hits.sum() / sizes.sum())
    if len(sizes) < FEWEST:
        return Interval(value=value, low=None, high=None, groups=len(sizes))
    drawn = np.random.default_rng(seed).integers(0, len(sizes), (_DRAWS, len(sizes)))
    shares = hits[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(shares, [0.025, 0.975])
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
        signs = np.random.default_rng(seed).choice((-1.0, 1.0), (_DRAWS, len(sizes)))
        at_least, draws = (np.abs(signs @ gained) >= abs(observed) - 1e-9).sum() + 1, _DRAWS + 1
    return Comparison(difference=difference, p=float(at_least / draws), groups=len(sizes))


def _by_group(values: NDArray[np.float64], group: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums and sizes of the groups that occur."""
    _, number = np.unique(group, return_inverse=True)
    return np.bincount(number, values).astype(np.float64), np.bincount(number).astype(np.int64)
