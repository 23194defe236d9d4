"""What is learnt from training pixels before any fitting: band statistics and class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.samples import Samples

BALANCE = {"none": 0.0, "quarter": -0.25, "sqrt": -0.5, "full": -1.0}
"""`data.balance`: the power of a class's pixel count that is its weight in the loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandStatistics:
    """Mean and deviation of physical values; all (C,) float64."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @property
    def varying(self) -> NDArray[np.intp]:
        """Bands that are not constant."""
        # A constant band's deviation is not exactly 0 after sums of floats.
        return np.flatnonzero(self.std > 1e-9 * np.maximum(np.abs(self.mean), 1e-9))


def band_statistics(samples: Samples, chosen: NDArray[np.bool_]) -> BandStatistics:
    """Over the labelled pixels `chosen` (N,), of all bands. Two passes, so that large offsets cost no digits."""
    numbers = np.flatnonzero(chosen)
    mean = sum(values.sum(0) for values in samples.physical(numbers)) / len(numbers)
    squares = sum(((values - mean) ** 2).sum(0) for values in samples.physical(numbers))
    return BandStatistics(mean=np.asarray(mean), std=np.sqrt(squares / len(numbers)))


def class_statistics(samples: Samples, chosen: NDArray[np.bool_], classes: int) -> BandStatistics:
    """The same a class, (K, C); NaN for a class without pixels."""
    index = samples.labelled.index
    parts = [chosen & (index == k) for k in range(classes)]
    none = BandStatistics(mean=np.full(len(samples.bands), np.nan), std=np.full(len(samples.bands), np.nan))
    each = [band_statistics(samples, part) if part.any() else none for part in parts]
    return BandStatistics(mean=np.stack([s.mean for s in each]), std=np.stack([s.std for s in each]))


def class_weights(counts: NDArray[np.int64], balance: str) -> NDArray[np.float32]:
    """Weights (K,) of the classes in the loss, 1 on average over training pixels; 0 for a class without any."""
    weights = np.zeros(len(counts))
    present = counts > 0
    weights[present] = counts[present].astype(np.float64) ** BALANCE[balance]
    return np.asarray(weights * counts.sum() / (weights @ counts), np.float32)
