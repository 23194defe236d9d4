"""Which stored values are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def validity(stored: NDArray[np.generic], nodata: Sequence[float | None]) -> NDArray[np.bool_]:
    """Which pixels are valid in every band: no nodata value of the band, no NaN, no infinity.

    `stored` is (..., C, H, W) with a nodata value or None a band; the result is (..., H, W).
    """
    valid = np.ones((*stored.shape[:-3], *stored.shape[-2:]), np.bool_)
    for i, value in enumerate(nodata):
        if value is not None or stored.dtype.kind == "f":  # else every value is valid
            valid &= band_validity(stored[..., i, :, :], value)
    return valid


def band_validity(band: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_]:
    """Which values of one band are valid, same shape."""
    valid = np.isfinite(band) if band.dtype.kind == "f" else np.ones(band.shape, np.bool_)
    if nodata is not None and not np.isnan(nodata) and _holds(band.dtype, nodata):
        valid &= band != band.dtype.type(nodata)
    return valid


def _holds(dtype: np.dtype[np.generic], value: float) -> bool:
    """Whether a data type can hold a nodata value at all (-9999 in a uint8 file marks nothing)."""
    if dtype.kind == "f":
        return not np.isfinite(value) or abs(value) <= float(np.finfo(np.dtype(dtype.name)).max)
    info = np.iinfo(np.dtype(dtype.name))
    return value == int(value) and info.min <= value <= info.max if np.isfinite(value) else False
