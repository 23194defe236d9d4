"""Stored pixels in, class indices out: the seam between rasters and networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.indices import compute
from landmix.core.scaling import Affine, decode
from landmix.engines.engine import STORED, Wanted
from landmix.geo.validity import band_validity, validity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.bundle import Bundle
    from landmix.core.bands import BandSet
    from landmix.engines.load import Engines


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the network says about one window."""

    index: NDArray[np.uint8 | np.uint16]
    """(H, W) class indices; 0 where not valid."""
    valid: NDArray[np.bool_]
    """(H, W) whether the pixel itself is valid in every band."""
    shares: dict[str, NDArray[np.uint8 | np.float32]]
    """What was asked for: probabilities (K, H, W), confidence and gap (1, H, W); of no meaning where not valid."""


class Predictor:
    """Classifies windows of one scene. Safe to share between threads."""

    def __init__(
        self,
        bundle: Bundle,
        engines: Engines,
        *,
        scaling: Affine,
        nodata: tuple[float | None, ...],
        bands: BandSet | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        """Read pixels through `scaling` (stored -> physical) and `nodata` of the scene, in the bundle's band order.

        `bands`: those of the bundle's that are there; None: all. The others count as the training mean everywhere.
        `wanted`: what is wanted besides classes; None: nothing.
        """
        self.margin = engines.margin
        self._engine = engines.get(wanted or Wanted())
        names = bundle.bands.names if bands is None else bands.names
        self._here = [i for i, name in enumerate(bundle.bands.names) if name in names]
        self._count = len(bundle.bands)
        self._lines = self._placed(scaling.then(bundle.normalise.take(self._here)).arrays)
        self._nodata = nodata

    def _placed(self, lines: tuple[NDArray[np.float32], NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Scale and offset with 0 for bands that are missing: 0 is the training mean."""
        every = [np.zeros(self._count, np.float32) for _ in lines]
        for whole, line in zip(every, lines, strict=True):
            whole[self._here] = line
        return every

    def __call__(self, stored: NDArray[np.generic], inside: NDArray[np.bool_]) -> Prediction:
        """Classify one window that was read with its margin.

        `stored` (C, H + 2 margin, W + 2 margin) stored values of the bands that are there, `inside` the same without
        the first axis: whether a pixel lies in the scene and its masks. Pixels that are invalid in any of them count
        as the training mean.
        """
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        valid = inside & validity(stored, self._nodata)
        if stored.dtype.name not in STORED:
            with np.errstate(over="ignore"):  # infinity is an invalid pixel
                stored = stored.astype(np.float32)
            valid &= np.isfinite(stored).all(0)
        if len(self._here) < self._count:
            every = np.zeros((self._count, *stored.shape[1:]), stored.dtype)
            every[self._here] = stored
            stored = every
        answer = self._engine(stored, valid, *self._lines)
        m = self.margin
        owned = valid[m : valid.shape[0] - m, m : valid.shape[1] - m]
        answer.index[~owned] = 0
        return Prediction(index=answer.index, valid=owned, shares=answer.shares)


def channels(
    bundle: Bundle, stored: NDArray[np.generic], scaling: Affine
) -> tuple[NDArray[np.generic], Affine, tuple[float | None, ...]]:
    """From stored values of the bands that a model reads to what a `Predictor` takes.

    `stored` (C, H, W) in the order of `bundle.bands.inputs`, with a line of `scaling` each. Returns values in the order
    of `bundle.bands`, their scaling and nodata; they are `stored` itself where nothing is decoded or computed.
    """
    inputs = bundle.bands.inputs
    if not any(bundle.steps) and bundle.bands.names == inputs.names:
        return stored, scaling, bundle.nodata
    physical: dict[str, NDArray[np.float32]] = {}
    for band, values, step, nodata, scale, offset in zip(
        inputs, stored, bundle.steps, bundle.nodata, scaling.scale, scaling.offset, strict=True
    ):
        decoded = decode(values, step).astype(np.float32) * np.float32(scale) + np.float32(offset)
        physical[band.name] = np.where(band_validity(values, nodata), decoded, np.float32(np.nan))
    shifts = dict(zip(inputs.names, scaling.offset, strict=True))
    read = [
        compute(
            band.formula.expression,
            {letter: physical[own.name] for letter, own in band.formula.inputs},
            {letter: shifts[own.name] for letter, own in band.formula.inputs},
        )
        if band.formula
        else physical[band.name]
        for band in bundle.bands
    ]
    return np.stack(read), Affine.identity(len(read)), (None,) * len(read)
