"""Accuracy and area from a sample of a map, with standard errors that follow from how the sample was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z95 = 1.959963984540054
"""Standard errors in half a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share from 0 to 1, or NaN where nothing says what it is."""

    value: float
    se: float
    """Standard error; NaN where a single unit stands for a larger stratum, or there is a single cluster."""
    clusters: int | None = None
    """How many it comes from, where they were drawn: few of them say little of their own spread."""

    @property
    def half(self) -> float:
        """Half the width of its 95 % interval: of the normal distribution, with clusters of Student's t."""
        return self.se * (Z95 if self.clusters is None else float(stdtrit(max(self.clusters - 1, 1), 0.975)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Units of a map whose class somebody has looked up."""

    stratum: NDArray[np.intp]
    """(N,) index into `sizes` that each unit was drawn from; all 0 for a simple random sample."""
    sizes: NDArray[np.float64]
    """(H,) units of each stratum in the whole map, sampled or not."""
    mapped: NDArray[np.intp]
    """(N,) class index that the map has there."""
    reference: NDArray[np.intp]
    """(N,) class index that is true there."""
    cluster: NDArray[np.intp] | None = None
    """(N,) the cluster that each unit was drawn with, where whole clusters were drawn at random; then one stratum."""

    def __post_init__(self) -> None:
        if self.cluster is not None and len(self.sizes) != 1:
            msg = "clusters are drawn from one stratum, the whole map"
            raise ValueError(msg)
        missing = np.flatnonzero((np.bincount(self.stratum, minlength=len(self.sizes)) == 0) & (self.sizes > 0))
        if len(missing):
            msg = f"stratum {missing[0]} has {self.sizes[missing[0]]:.0f} units, of which the sample has none"
            raise ValueError(msg)

    def overall(self) -> Estimate:
        """Overall accuracy."""
        return self.ratio(self.mapped == self.reference, np.ones(len(self.mapped), np.bool_))

    def area(self, k: int) -> Estimate:
        """The share of the map's area that truly is class `k`."""
        return self.ratio(self.reference == k, np.ones(len(self.mapped), np.bool_))

    def users(self, k: int) -> Estimate:
        """The share of what is mapped as `k` that is `k`."""
        return self.ratio((self.mapped == k) & (self.reference == k), self.mapped == k)

    def producers(self, k: int) -> Estimate:
        """The share of what is `k` that is mapped as `k`."""
        return self.ratio((self.mapped == k) & (self.reference == k), self.reference == k)

    def cell(self, i: int, j: int) -> Estimate:
        """The share of the map's area that is mapped as `i` and truly is `j`."""
        return self.ratio((self.mapped == i) & (self.reference == j), np.ones(len(self.mapped), np.bool_))

    def ratio(self, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Estimate:
        """How much of `whole` is `part`, both (N,): the combined ratio estimator of Stehman (2014).

        With the map's classes as strata it is that of Olofsson et al. (2014, equations 5 to 11). Samples are taken to
        be small against their strata: there is no finite population correction.
        """
        y, x = part.astype(np.float64), whole.astype(np.float64)
        if self.cluster is not None:
            return _of_clusters(y, x, self.cluster)
        n = np.bincount(self.stratum, minlength=len(self.sizes)).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(n > 0, self.sizes / n, 0.0)  # units that each sampled one stands for
            total = float((share[self.stratum] * x).sum())
            if not total:
                return Estimate(float("nan"), float("nan"))
            found = float((share[self.stratum] * y).sum()) / total
            residual = y - found * x
            mean = np.bincount(self.stratum, residual, len(n)) / n
            squares = np.bincount(self.stratum, (residual - mean[self.stratum]) ** 2, len(n))
            variance = self.sizes**2 * squares / (n * (n - 1))  # a single unit says nothing of its stratum
            # strata where nothing varies and one unit was drawn are not known either
            variance = np.where(n < self.sizes, variance, 0.0)
        return Estimate(found, float(np.sqrt(variance.sum())) / total)


def _of_clusters(y: NDArray[np.float64], x: NDArray[np.float64], cluster: NDArray[np.intp]) -> Estimate:
    """Whole clusters drawn at random, each counting by what it holds (Cochran 1977, chapter 9)."""
    _, number = np.unique(cluster, return_inverse=True)
    m = int(number.max()) + 1
    total = float(x.sum())
    if not total:
        return Estimate(float("nan"), float("nan"))
    found = float(y.sum()) / total
    residual = np.bincount(number, y - found * x)
    if m < 2:  # noqa: PLR2004
        return Estimate(found, float("nan"))
    return Estimate(found, float(np.sqrt(m / (m - 1) * (residual**2).sum())) / total, m)


def sample_size(weights: NDArray[np.float64], accuracies: NDArray[np.float64], se: float) -> int:
    """Units that a stratified sample needs for this standard error of the overall accuracy.

    `weights` (H,) the strata's shares of the area, `accuracies` (H,) what user's accuracy is expected of each
    (Olofsson et al. 2014, equation 13, for a large map).
    """
    spread = np.sqrt(accuracies * (1 - accuracies))
    return int(np.ceil(float((weights @ spread) / se) ** 2 - 1e-9))


def expected_se(sizes: NDArray[np.int64], accuracies: NDArray[np.float64], drawn: NDArray[np.int64]) -> float:
    """The standard error that overall accuracy will have, if strata of `sizes` (H,) are as accurate as is expected.

    `drawn` (H,) units of each (Olofsson et al. 2014, equation 6). Strata that are drawn whole are known.
    """
    part = (drawn > 0) & (drawn < sizes)
    weights = sizes[part] / sizes.sum()
    return float(np.sqrt((weights**2 * (accuracies * (1 - accuracies))[part] / drawn[part]).sum()))


def allocate(
    n: int, sizes: NDArray[np.int64], how: str, accuracies: NDArray[np.float64] | None = None, least: int = 2
) -> NDArray[np.int64]:
    """Share `n` units out to strata of `sizes` (H,), `proportional`, `equal` or `neyman` -> (H,).

    Neyman: by size and expected spread, of `accuracies` (H,) or 0.8. Each stratum gets `least` units, or all that it
    has, so that something is known of its spread; the sum is `n` where that and the sizes allow it.
    """
    expected = np.full(len(sizes), 0.8) if accuracies is None else accuracies
    weight = {
        "proportional": sizes.astype(np.float64),
        "equal": np.ones(len(sizes)),
        "neyman": sizes * np.sqrt(expected * (1 - expected)),
    }[how]
    drawn = np.minimum(least, sizes)
    while drawn.sum() < min(n, sizes.sum()):
        # one more unit to where most is missing: the strata are few, and so are the units
        lacking = np.where(drawn < sizes, (weight + 1e-9) / (2 * drawn + 1), -1.0)  # as Sainte-Lague
        drawn[lacking.argmax()] += 1
    return drawn
