"""How far fractions of classes are from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionErrors:
    """Sums over pixels of found minus true fractions, a class; they can be added."""

    n: int
    """Pixels."""
    squares: NDArray[np.float64]
    """(K,)"""
    sizes: NDArray[np.float64]
    """(K,) of the absolute differences."""
    signed: NDArray[np.float64]
    """(K,)"""

    @classmethod
    def of(cls, differences: NDArray[np.floating]) -> FractionErrors:
        """Of differences (n, K)."""
        wide = differences.astype(np.float64)
        return cls(n=len(wide), squares=(wide**2).sum(axis=0), sizes=np.abs(wide).sum(axis=0), signed=wide.sum(axis=0))

    def __add__(self, other: FractionErrors) -> FractionErrors:
        """Over the pixels of both."""
        return FractionErrors(
            n=self.n + other.n,
            squares=self.squares + other.squares,
            sizes=self.sizes + other.sizes,
            signed=self.signed + other.signed,
        )

    def to_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Root mean squared error, mean absolute error and bias (found minus true) by class; null without pixels."""
        count = max(1, self.n)
        figures = {"rmse": np.sqrt(self.squares / count), "mae": self.sizes / count, "bias": self.signed / count}
        return {"n": self.n} | {
            key: {name: float(value) if self.n else None for name, value in zip(names, values, strict=True)}
            for key, values in figures.items()
        }
