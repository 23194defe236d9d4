"""Bringing bands from one grid to another whose axes are parallel, exactly and window by window.

Every output pixel's neighbours and weights follow from its place in the whole scene, never from the window it is read
in, and sums are taken in one order: so neighbouring tiles agree to the last bit, which a general warper does not
promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.core.window import Window
    from landmix.geo.grid import Grid

Kernel = Literal["nearest", "bilinear", "cubic", "average"]

_ENOUGH = 0.5
"""A pixel on a coarser grid is valid where at least this share of it is."""

_SNAP = 2.0**20
"""Places are rounded to this part of a source pixel, so that 1e-9 of a degree does not move a pixel."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a grid over another: pixel `i` reaches from `start + i * step` to one step on, in source pixels."""

    start: float
    step: float
    size: int
    """Of the source."""

    def edges(self, first: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper end of `count` pixels from `first`, in source pixels."""
        places = np.round((self.start + np.arange(first, first + count + 1) * self.step) * _SNAP) / _SNAP
        return np.minimum(places[:-1], places[1:]), np.maximum(places[:-1], places[1:])

    def nearest(self, first: int, count: int) -> NDArray[np.intp]:
        """The source pixel under each centre; may lie outside the source."""
        low, high = self.edges(first, count)
        return np.floor((low + high) / 2).astype(np.intp)

    def taps(self, first: int, count: int, kernel: Kernel) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Source pixels (count, k) and their weights (count, k), which sum to 1; pixels outside are the outermost."""
        low, high = self.edges(first, count)
        if kernel == "nearest":
            index, weight = self.nearest(first, count)[:, None], np.ones((count, 1))
        elif kernel == "average":
            index = np.floor(low).astype(np.intp)[:, None] + np.arange(int(np.ceil(abs(self.step))) + 1)
            weight = np.minimum(high[:, None], index + 1) - np.maximum(low[:, None], index)
            weight = np.maximum(weight, 0) * ((index >= 0) & (index < self.size))
            weight /= np.maximum(weight.sum(1, keepdims=True), 1e-12)
        else:
            place = (low + high) / 2 - 0.5
            base = np.floor(place)
            share = place - base
            offsets, weight = _linear(share) if kernel == "bilinear" else _catmull_rom(share)
            index = base.astype(np.intp)[:, None] + offsets
        return index.clip(0, self.size - 1), weight.astype(np.float32)


def _linear(share: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    return np.array([0, 1]), np.stack([1 - share, share], axis=1)


def _catmull_rom(share: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Keys' cubic convolution with a = -1/2."""
    s, s2, s3 = share, share**2, share**3
    weights = [-s3 + 2 * s2 - s, 3 * s3 - 5 * s2 + 2, -3 * s3 + 4 * s2 + s, s3 - s2]
    return np.array([-1, 0, 1, 2]), np.stack(weights, axis=1) / 2


@dataclass(frozen=True, slots=True)
class Placement:
    """A source grid seen from a target grid with parallel axes."""

    rows: Axis
    cols: Axis

    @staticmethod
    def of(target: Grid, source: Grid) -> Placement | None:
        """None where the axes are not parallel or the CRSs differ, so that only a warper can do it."""
        a, b = target.transform, source.transform
        if target.crs != source.crs or target.gcps or source.gcps or any([a.b, a.d, b.b, b.d]):
            return None
        return Placement(
            rows=Axis((a.f - b.f) / b.e, a.e / b.e, source.height),
            cols=Axis((a.c - b.c) / b.a, a.a / b.a, source.width),
        )

    @property
    def coarser(self) -> bool:
        """Whether the target's pixels are larger than the source's, so that several make one."""
        return max(abs(self.rows.step), abs(self.cols.step)) > 1 + 1e-6

    def kernel(self, wanted: Kernel) -> Kernel:
        """What suits: smooth kernels would skip pixels on a coarser grid, so there all are averaged."""
        return "average" if self.coarser and wanted != "nearest" else wanted


@dataclass(frozen=True, slots=True)
class Sampling:
    """All that one window of the target needs: source rows and columns, and how they are mixed."""

    row: int
    col: int
    height: int
    width: int
    """The source window."""
    row_taps: tuple[NDArray[np.intp], NDArray[np.float32]]
    col_taps: tuple[NDArray[np.intp], NDArray[np.float32]]
    """Relative to the source window."""
    nearest: tuple[NDArray[np.intp], NDArray[np.intp]]
    """The source pixel under each centre, relative to the source window."""
    outside: NDArray[np.bool_] | None
    """(H, W) pixels whose centre lies outside the source; None if there are none."""
    coarser: bool

    @staticmethod
    def of(placement: Placement, window: Window, kernel: Kernel) -> Sampling | None:
        """None where the window does not touch the source."""
        ways = [
            (placement.rows, window.row, window.height),
            (placement.cols, window.col, window.width),
        ]
        taps, centres, off, first, length = [], [], [], [], []
        for axis, start, count in ways:
            index, weight = axis.taps(start, count, placement.kernel(kernel))
            centre = axis.nearest(start, count)
            off.append((centre < 0) | (centre >= axis.size))
            low, high = int(index.min()), int(index.max())
            taps.append((index - low, weight))
            centres.append(centre.clip(low, high) - low)
            first.append(low)
            length.append(high - low + 1)
        if off[0].all() or off[1].all():
            return None
        outside = off[0][:, None] | off[1] if off[0].any() or off[1].any() else None
        return Sampling(
            first[0], first[1], length[0], length[1], taps[0], taps[1], (centres[0], centres[1]), outside,
            placement.coarser,
        )  # fmt: skip

    def pick(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The value under each centre: (..., h, w) of the source window -> (..., H, W)."""
        rows, cols = self.nearest
        return values[..., rows, :][..., cols]

    def mix(self, values: NDArray[np.float32], valid: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Weighted means (H, W) of one band (h, w) of the source window; NaN where invalid.

        Only valid pixels are mixed. On a finer grid a pixel is valid where the source pixel under its centre is, on
        a coarser one where half of it is. `valid` None: all are.
        """
        if valid is None:
            mixed = self._weigh(values)
        else:
            mixed = self._weigh(np.where(valid, values, np.float32(0)))
            self._mend(mixed, values, valid)
        if self.outside is not None:
            mixed[self.outside] = np.nan
        return mixed

    def _weigh(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        (rows, row_weights), (cols, col_weights) = self.row_taps, self.col_taps
        tall = _sum([np.take(values, rows[:, k], axis=0) for k in range(rows.shape[1])], row_weights[:, :, None])
        return _sum([np.take(tall, cols[:, k], axis=1) for k in range(cols.shape[1])], col_weights)

    def _mend(self, mixed: NDArray[np.float32], values: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        """Divide by the weight of the valid pixels where an invalid one was among them, in place."""
        (rows, row_weights), (cols, col_weights) = self.row_taps, self.col_taps
        under_rows, under_cols = self.nearest
        row, col = self._touched(valid)
        share = np.zeros(len(row), np.float32)
        for k in range(rows.shape[1]):
            part = np.zeros(len(row), np.float32)
            for m in range(cols.shape[1]):
                part += col_weights[col, m] * valid[rows[row, k], cols[col, m]]
            share += row_weights[row, k] * part
        under = (under_rows[row], under_cols[col])
        kept = share >= _ENOUGH if self.coarser else valid[under]
        with np.errstate(divide="ignore", invalid="ignore"):
            # the weights of a cubic kernel can cancel out: there the pixel under the centre must do
            mended = np.where(share >= 0.2, mixed[row, col] / share, values[under])  # noqa: PLR2004
        mixed[row, col] = np.where(kept, mended, np.float32(np.nan))

    def _touched(self, valid: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the pixels that an invalid one is mixed into; what costs is only near holes."""
        (rows, row_weights), (cols, col_weights) = self.row_taps, self.col_taps
        holes_in_row, holes_in_col = (np.asarray(~valid.all(axis)) for axis in (1, 0))
        near_rows = np.flatnonzero((holes_in_row[rows] & (row_weights != 0)).any(1))
        near_cols = np.flatnonzero((holes_in_col[cols] & (col_weights != 0)).any(1))
        hit = np.zeros((len(near_rows), valid.shape[1]), np.bool_)
        for k in range(rows.shape[1]):
            hit |= ~valid[rows[near_rows, k]] & (row_weights[near_rows, k, None] != 0)
        touched = np.zeros((len(near_rows), len(near_cols)), np.bool_)
        for k in range(cols.shape[1]):
            touched |= hit[:, cols[near_cols, k]] & (col_weights[near_cols, k] != 0)
        row, col = np.nonzero(touched)
        return near_rows[row], near_cols[col]


def _sum(parts: list[NDArray[np.float32]], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of `parts[k] * weights[:, k]`, in order of k."""
    total = parts[0]
    total *= weights[:, 0]
    for k in range(1, len(parts)):
        parts[k] *= weights[:, k]
        total += parts[k]
    return total
