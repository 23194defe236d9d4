"""Whether confidence means what it says: expected calibration error and temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15

_MOST = 200_000
"""Pixels that a temperature is fitted on."""


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

    def to_json(self) -> dict[str, list[float | int | None]]:
        """Plain data; null where a bin is empty."""
        seen = self.counts > 0
        means = {"confidence": self.confidence, "accuracy": self.accuracy}
        return {
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
            **{
                name: [float(v) if s else None for v, s in zip(values, seen, strict=True)]
                for name, values in means.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A temperature, where it comes from, and what it does to pixels that it was not fitted on."""

    temperature: float
    folds: int
    """Held back one after the other; 0 where there were too few groups."""
    n: int
    """Held back pixels that it was fitted on."""
    before: Reliability | None = None
    after: Reliability | None = None
    """Of the validation part; None without one."""

    def to_json(self) -> dict[str, Any]:
        """As in `metrics.json`."""
        before, after = self.before, self.after
        return {
            "temperature": self.temperature,
            "folds": self.folds,
            "n": self.n,
            "ece_before": before.error() if before else None,
            "ece_after": after.error() if after else None,
            "reliability": after.to_json() if after else None,
            "reliability_before": before.to_json() if before else None,
        }


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

    Guo et al. (2017, section 4.2). The best class of a pixel stays the best. Between 0.05 and 20; 1 without pixels. Of
    more than 200,000 pixels as many are drawn, always the same.
    """
    if not len(index):
        return 1.0
    if len(index) > _MOST:
        drawn = np.random.default_rng(0).choice(len(index), _MOST, replace=False)
        logits, index = logits[drawn], index[drawn]
    logits = logits.astype(np.float64)
    rows = np.arange(len(index))

    def loss(log_t: float) -> float:
        return -float(log_softmax(logits / np.exp(log_t), axis=1)[rows, index].mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def confidence(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """The highest softmax probability (N,) of logits (N, K)."""
    return np.asarray(softmax(logits.astype(np.float64) / temperature, axis=1).max(1))
