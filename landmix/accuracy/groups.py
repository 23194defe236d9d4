"""Intervals and comparisons whose unit is a polygon or a block: its pixels are alike, and count as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, hstack
from scipy.special import betaincinv, ndtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

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


def accuracy_interval(
    right: NDArray[np.bool_], group: NDArray[np.integer], seed: int = 0, times: NDArray[np.integer] | None = None
) -> Interval:
    """Overall accuracy of pixels (N,), with the percentiles of a bootstrap over whole groups (N,).

    `times` (N,): how many pixels each stands for; None: one.
    """
    number = np.unique(group, return_inverse=True)[1]
    hits, sizes = (np.bincount(number, one).astype(np.float64) for one in (_weighted(right, times), times))
    value = float(hits.sum() / sizes.sum())
    if len(sizes) < FEWEST:
        return Interval(value=value, low=None, high=None, groups=len(sizes))
    rng, g = np.random.default_rng(seed), len(sizes)
    shares = np.empty(_DRAWS)
    for piece in _pieces(g):
        drawn = rng.integers(0, g, (piece.stop - piece.start, g))
        shares[piece] = hits[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = _limits(shares, hits, sizes)
    return Interval(value=value, low=low, high=high, groups=g)


def class_intervals(
    reference: NDArray[np.integer],
    mapped: NDArray[np.integer],
    group: NDArray[np.integer],
    classes: int,
    seed: int = 0,
    times: NDArray[np.integer] | None = None,
) -> list[dict[str, list[float] | None]]:
    """95 % intervals of each class's figures, from class indices and groups of pixels (N,), each so many `times` (N,).

    A row a class: `users_accuracy_interval`, `producers_accuracy_interval` and `f1_interval`, each [low, high], the
    percentiles of a bootstrap over whole groups. A figure has none, but null, where fewer than 6 groups hold the class
    in the map (user's), in the reference (producer's), or in one of the two (F1).
    """
    names, number = np.unique(group, return_inverse=True)
    groups, same = len(names), reference == mapped
    ones = _weighted(np.ones(len(number), np.bool_), times)
    right, held, claimed = (
        coo_array((ones[kept], (number[kept], classed[kept])), shape=(groups, classes)).tocsr()
        for kept, classed in ((same, reference), (slice(None), reference), (slice(None), mapped))
    )
    hits, support, size = np.split(_resampled(hstack([right, held, claimed], format="csr"), seed), 3, axis=1)
    right, held, claimed = right.tocsc(), held.tocsc(), claimed.tocsc()
    rows = []
    for k in range(classes):
        h, r, m = (table[:, [k]].toarray().ravel() for table in (right, held, claimed))
        few = min((r > 0).sum(), (m > 0).sum()) < FEWEST
        rows.append(
            {
                "users_accuracy_interval": _pair(hits[:, k], size[:, k], h, m),
                "producers_accuracy_interval": _pair(hits[:, k], support[:, k], h, r),
                "f1_interval": None if few else _pair(2 * hits[:, k], support[:, k] + size[:, k], 2 * h, r + m),
            }
        )
    return rows


def _pair(
    hits: NDArray[np.float64], sizes: NDArray[np.float64], own_hits: NDArray[np.float64], own_sizes: NDArray[np.float64]
) -> list[float] | None:
    """[low, high] of `hits / sizes`, a draw each (draws,), and a group each (G,); null where too few groups count."""
    counts, drawn = own_sizes > 0, sizes > 0
    if counts.sum() < FEWEST:
        return None
    return list(_limits(hits[drawn] / sizes[drawn], own_hits[counts], own_sizes[counts]))


def _resampled(table: csr_array, seed: int) -> NDArray[np.float64]:
    """Sums over groups (G, F) -> their totals (draws, F) over as many groups, drawn with replacement.

    Sparse: a polygon holds few of the classes.
    """
    groups = table.shape[0]
    if not groups:
        return np.empty((0, table.shape[1]))
    rng, totals = np.random.default_rng(seed), np.empty((_DRAWS, table.shape[1]))
    for piece in _pieces(groups):
        draws = piece.stop - piece.start
        drawn = rng.integers(0, groups, (draws, groups)) + groups * np.arange(draws)[:, None]
        times = np.bincount(drawn.ravel(), minlength=draws * groups).reshape(draws, groups)
        totals[piece] = times @ table
    return totals


def _limits(shares: NDArray[np.float64], hits: NDArray[np.float64], sizes: NDArray[np.float64]) -> tuple[float, float]:
    """The interval that resampled shares (draws,) of groups with so many hits (G,) of so many (G,) give.

    A bootstrap of few groups is too sure of itself: the percentiles are farther out, by Student's t and
    sqrt(G / (G - 1)) (Hesterberg 2015, "expanded percentile interval"). And it cannot show what it was never shown,
    which `_at_least` bounds. Of 300 simulated references each, with 8 to 100 groups of shares around 0.8 to 0.97, 0.94
    to 1 of these intervals hold the truth; of the percentiles alone it is 0.76 to 0.98.
    """
    groups = len(sizes)
    beyond = ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, 0.025))
    low, high = np.quantile(shares, [beyond, 1 - beyond]).tolist()
    return min(low, _at_least(sizes - hits, sizes)), max(high, 1 - _at_least(hits, sizes))


def _at_least(wrong: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """The share of right ones that groups with so many wrong (G,) of so many (G,) do not exclude.

    It is 1 - q e. q is the largest share of groups with errors that goes with those seen (Clopper and Pearson 1934);
    e the share of errors in such groups, if one more were wholly wrong (Laplace's rule of succession). Without any
    errors it is 0.025^(1/G).
    """
    groups, faulty = len(sizes), wrong > 0
    seen, typical = int(faulty.sum()), float(sizes.mean())
    most = 1.0 if seen == groups else float(betaincinv(seen + 1, groups - seen, 0.975))
    return 1 - most * (float(wrong.sum()) + typical) / (float(sizes[faulty].sum()) + typical)


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
        """What the first is, as far as may be said."""
        if self.p is None:
            return "too few to say"
        if self.p > 0.05:  # noqa: PLR2004 - the usual level
            return "about equal: chance explains it"
        return "better" if self.difference > 0 else "worse"


def holm(compared: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons of one classifier, each with the p that counts when the best of them is picked (Holm 1979)."""
    known = sorted((i for i, one in enumerate(compared) if one.p is not None), key=lambda i: compared[i].p or 0)
    found, least = list(compared), 0.0
    for place, i in enumerate(known):
        least = max(least, min(1.0, (len(known) - place) * (compared[i].p or 0)))
        found[i] = replace(compared[i], p=least)
    return found


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


def _weighted(values: NDArray[np.bool_], times: NDArray[np.integer] | None) -> NDArray[np.float64]:
    return values.astype(np.float64) if times is None else np.asarray(values * times, np.float64)


def _by_group(values: NDArray[np.float64], group: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums and sizes of the groups that occur."""
    _, number = np.unique(group, return_inverse=True)
    return np.bincount(number, values).astype(np.float64), np.bincount(number).astype(np.int64)
