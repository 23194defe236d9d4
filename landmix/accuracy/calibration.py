"""Whether confidence means what it says: expected calibration error and temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often the map is right where it is how sure."""

    edges: NDArray[np.float64]
    """(bins + 1,) of confidence, from 0 to 1 in equal steps; a value on an edge belongs to the bin below."""
    counts: NDArray[np.int64]
    """(bins,) pixels."""
    confidence: NDArray[np.float64]
    """(bins,) mean confidence of the pixels in a bin; NaN where there are none."""
    accuracy: NDArray[np.float64]
    """(bins,) share of them that are right."""

    def error(self, norm: str = "l1") -> float:
        """Expected calibration error (Naeini et al. 2015): of the gaps `l1` the mean, `l2` the root mean square, `max`.

        NaN without pixels.
        """
        seen = self.counts > 0
        if not seen.any():
            return float("nan")
        gap = np.abs(self.accuracy - self.confidence)[seen]
        weight = self.counts[seen] / self.counts.sum()
        figures = {"l1": weight @ gap, "l2": np.sqrt(weight @ gap**2), "max": gap.max()}
        return float(figures[norm])


def reliability(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Sort pixels by confidence (N,), 0 to 1, and whether they are right (N,)."""
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges=edges,
            counts=counts,
            confidence=np.bincount(bin_of, confidence, bins) / counts,
            accuracy=np.bincount(bin_of, right, bins) / counts,
        )


def temperature(logits: NDArray[np.floating], index: NDArray[np.integer]) -> float:
    """What to divide logits (N, K) by, so that their softmax is likeliest for the true classes (N,).

    Guo et al. (2017, section 4.2). The best class of a pixel stays the best. Between 0.05 and 20; 1 without pixels.
    """
    if not len(index):
        return 1.0
    logits = logits.astype(np.float64)
    rows = np.arange(len(index))

    def loss(log_t: float) -> float:
        return -float(log_softmax(logits / np.exp(log_t), axis=1)[rows, index].mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def confidence(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """The highest softmax probability (N,) of logits (N, K)."""
    return np.asarray(softmax(logits.astype(np.float64) / temperature, axis=1).max(1))
