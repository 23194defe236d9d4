"""Confusion matrices and the accuracies that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from landmix.core.legend import LegendClass


def count_pairs(
    reference: NDArray[np.integer],
    mapped: NDArray[np.integer],
    classes: int,
    times: NDArray[np.integer] | None = None,
) -> NDArray[np.int64]:
    """Count pairs of class indices (both of shape (N,), 0 to `classes` - 1), each so many `times` (N,), or once.

    Returns (classes, classes), int64: rows reference, columns map.
    """
    flat = reference.astype(np.int64) * classes + mapped
    # as numbers of float64, whole ones up to 2^53 are exact
    return np.bincount(flat, times, minlength=classes * classes).astype(np.int64).reshape(classes, classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of reference against map classes."""

    classes: tuple[LegendClass, ...]
    """Rows and columns in order; a reference class that the map lacks is one of them, with an empty column."""
    counts: NDArray[np.int64]
    """(K, K): rows reference, columns map, in pixels."""
    unmapped: int = 0
    """Reference pixels without a map value; they are in no other figure."""

    def __post_init__(self) -> None:
        if self.counts.shape != (len(self.classes),) * 2:
            msg = f"{len(self.classes)} classes need a square confusion matrix, not {self.counts.shape}"
            raise ValueError(msg)

    @property
    def n(self) -> int:
        """Pixels compared."""
        return int(self.counts.sum())

    @property
    def support(self) -> NDArray[np.int64]:
        """Reference pixels a class, (K,)."""
        return np.asarray(self.counts.sum(1))

    @property
    def mapped(self) -> NDArray[np.int64]:
        """Mapped pixels a class, (K,)."""
        return np.asarray(self.counts.sum(0))

    @property
    def producers_accuracy(self) -> NDArray[np.float64]:
        """Share of a class's reference pixels that the map has right (recall), (K,); NaN without support."""
        return _ratio(np.diag(self.counts), self.support)

    @property
    def users_accuracy(self) -> NDArray[np.float64]:
        """Share of a class's mapped pixels that are right (precision), (K,); NaN where nothing is mapped."""
        return _ratio(np.diag(self.counts), self.mapped)

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 TP / (2 TP + FP + FN), (K,)."""
        return _ratio(2 * np.diag(self.counts), self.support + self.mapped)

    @property
    def iou(self) -> NDArray[np.float64]:
        """TP / (TP + FP + FN), (K,)."""
        return _ratio(np.diag(self.counts), self.support + self.mapped - np.diag(self.counts))

    @property
    def overall_accuracy(self) -> float:
        """Share of right pixels; NaN where n is 0."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def kappa(self) -> float:
        """Cohen's kappa (p_o - p_e) / (1 - p_e) (Cohen 1960); NaN where chance alone explains all."""
        total = float(self.n)
        if not total:
            return float("nan")
        chance = float((self.support / total) @ (self.mapped / total))
        return float(_ratio(self.overall_accuracy - chance, 1 - chance))

    @property
    def balanced_accuracy(self) -> float:
        """Mean producer's accuracy over the classes with support."""
        return self._macro(self.producers_accuracy)

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes with support."""
        return self._macro(self.f1)

    @property
    def mean_iou(self) -> float:
        """Mean intersection over union over the classes with support."""
        return self._macro(self.iou)

    def _macro(self, figures: NDArray[np.float64]) -> float:
        supported = self.support > 0
        return float(figures[supported].mean()) if supported.any() else float("nan")

    def to_json(self) -> dict[str, Any]:
        """All figures as plain data, fractions from 0 to 1, null where a denominator is 0."""
        overall = ("overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou")
        per_class = ("users_accuracy", "producers_accuracy", "f1", "iou")
        columns = {name: getattr(self, name) for name in per_class}
        return {
            **{name: _null(getattr(self, name)) for name in overall},
            "n": self.n,
            "unmapped": self.unmapped,
            "classes": [
                {
                    "value": c.value,
                    "name": c.name,
                    **{name: _null(float(column[i])) for name, column in columns.items()},
                    "support": int(self.support[i]),
                    "mapped": int(self.mapped[i]),
                }
                for i, c in enumerate(self.classes)
            ],
            "confusion": self.counts.tolist(),
        }


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """`part / whole`, NaN where the denominator is 0."""
    whole = np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0))


def _null(figure: float) -> float | None:
    return None if np.isnan(figure) else float(figure)
