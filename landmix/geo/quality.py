"""Clouds and the like: which pixels a product's own quality raster lets through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import distance_transform_edt

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from landmix.core.window import Window

MISSING = ("nodata", "fill")
"""Names of values that mean no picture at all: never valid, and never widened by `dilate`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule:
    """What the values of a quality raster mean, and which are accepted."""

    kind: Literal["classes", "bits", "bands"]
    """A class a value, flags in the bits of a value, or a flag a band."""
    values: tuple[tuple[str, tuple[int, ...]], ...]
    """Name -> class value; numbers of bits that are all set; number of the band."""
    accepted: tuple[str, ...]
    """Classes: a pixel's must be among these. Bits: all its flags must be. Bands: one of these must be set."""
    fill: int | None = None
    """A value that is never valid."""
    dilate: int = 0
    """Pixels of the scene's grid around a rejected one that are rejected too."""

    @property
    def numbers(self) -> list[int]:
        """The bands to read."""
        return [numbers[0] for _, numbers in self.values] if self.kind == "bands" else [1]

    def judge(self, values: NDArray[np.generic]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Accepted and missing pixels, both (H, W), of a quality raster's `numbers` (n, H, W)."""
        missing = np.zeros(values.shape[1:], np.bool_)
        if self.fill is not None:
            missing |= values[0] == self.fill
        if self.kind == "classes":
            accepted = np.isin(values[0], self._numbers(self.accepted))
            missing |= np.isin(values[0], self._numbers(MISSING))
        elif self.kind == "bits":
            accepted = np.ones(missing.shape, np.bool_)
            for name, bits in self.values:
                mask = sum(1 << bit for bit in bits)
                flagged = (values[0].astype(np.int64) & mask) == mask
                if name in MISSING:
                    missing |= flagged
                elif name not in self.accepted:
                    accepted &= ~flagged
        else:
            accepted = np.zeros(missing.shape, np.bool_)
            missing |= ~(values != 0).any(0)  # no flag at all: no picture
            for (name, _), band in zip(self.values, values, strict=True):
                if name in self.accepted:
                    accepted |= band != 0
        return accepted & ~missing, missing

    def _numbers(self, names: Sequence[str]) -> list[int]:
        return [number for name, numbers in self.values if name in names for number in numbers]

    def widened(self, accepted: NDArray[np.bool_], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Accepted pixels without those within `dilate` pixels of a rejected one (distance of centres)."""
        rejected = ~accepted & ~missing
        if not self.dilate or not rejected.any():
            return accepted
        near: NDArray[np.bool_] = distance_transform_edt(~rejected) <= self.dilate
        return accepted & ~near

    def around(self, window: Window) -> Window:
        """What must be judged to know all of `window`."""
        return window.grow(self.dilate)


def accept(
    wanted: Literal["clear", "all"] | Sequence[str | int],
    values: Mapping[str, tuple[int, ...]],
    clear: Sequence[str],
    where: str,
) -> tuple[str, ...] | None:
    """The names that `scene.quality` accepts; None for `all`.

    Raises `LandmixError` for a name or number that the quality raster `where` does not have.
    """
    if wanted == "all":
        return None
    if wanted == "clear":
        return tuple(clear)
    by_number = {str(numbers[0]): name for name, numbers in values.items() if len(numbers) == 1}
    chosen = [str(item) if str(item) in values else by_number.get(str(item), "") for item in wanted]
    for item, name in zip(wanted, chosen, strict=True):
        if not name:
            msg = f"scene.quality names '{item}', but {where} has {', '.join(values)}"
            raise LandmixError(msg)
    return tuple(chosen)
