"""Fractions as whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def whole_numbers(fractions: NDArray[np.floating], total: int) -> NDArray[np.uint8]:
    """Fractions (K, ...) that sum to about 1 -> whole numbers (K, ...) that sum to exactly `total`, at most 255.

    By largest remainders (Hamilton): none is off by a whole step, and a larger fraction never gets the smaller number.
    """
    wanted = fractions.reshape(len(fractions), -1) * np.float32(total)
    found = np.rint(wanted)  # rounding is the same wherever it happens to come out right: in nearly all pixels
    off = np.flatnonzero(found.sum(0) != total)
    if len(off):
        some = wanted[:, off]
        found[:, off] = np.floor(some)
        missing = total - found[:, off].sum(0)
        rank = np.argsort(np.argsort(found[:, off] - some, axis=0, kind="stable"), axis=0)
        found[:, off] += rank < missing
    return np.asarray(found.reshape(fractions.shape), np.uint8)
