"""A model as one graph: what a client feeds in, probabilities out; scaling, validity, indices and edges are inside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from landmix.core.indices import arithmetic, check
from landmix.engines.deployed import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from landmix.bundle import Bundle
    from landmix.core.bands import Band, Formula

_HIGHEST = float(np.finfo(np.float32).max)
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""How far a nodata number may be off, relative to its terms: clients round in their own way."""

_WORDS = 65536
"""Rasters with a scale hold whole numbers below this, as all products do."""


class Graph(nn.Module):
    """From pixels as a client has them to the probabilities of the classes.

    `client` generic: physical values; deepness: physical values divided by 255, with nodata as QGIS hands it on.
    Bands that are stored in a code (`bundle.decode`) are taken as they are stored. What is invalid in any band counts
    as the training mean, as in landmix, and so does what lies outside the tile.
    """

    def __init__(self, bundle: Bundle, *, client: str) -> None:
        super().__init__()
        self.valid = _Valid(bundle, as_qgis=client == "deepness")
        self.channels = _Channels(bundle)
        self.network = folded(bundle.network())
        self.margin, self.temperature = bundle.margin, bundle.temperature
        self.factor = 255.0 if client == "deepness" else None
        scale, offset = bundle.normalise.arrays
        self.scale, self.offset = nn.Buffer(_lines(scale)), nn.Buffer(_lines(offset))

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, inputs, S, S) float32 -> (N, K, S, S) probabilities, float32."""
        if self.factor is not None:
            pixels = pixels * self.factor
        valid = self.valid(pixels)  # (N, 1, S, S)
        values = self.channels(pixels)  # (N, C, S, S)
        if self.channels.formulas:
            valid = valid & _finite(values).all(1, keepdim=True)
        normalised = torch.where(valid, values * self.scale + self.offset, 0.0)
        padded = functional.pad(normalised, (self.margin,) * 4)  # (N, C, S + 2 margin, S + 2 margin)
        logits: Tensor = self.network(padded)
        return (logits / self.temperature if self.temperature != 1 else logits).softmax(1)


class _Valid(nn.Module):
    """Which pixels are valid in every band."""

    def __init__(self, bundle: Bundle, *, as_qgis: bool) -> None:
        super().__init__()
        self.marks = nn.ParameterList(_pair(line) for line in _marks(bundle, as_qgis=as_qgis))
        self.fills = nn.ParameterList(_pair(line) for line in (_fills(bundle) if as_qgis else []))

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, inputs, S, S) -> (N, 1, S, S) bool."""
        valid = _finite(pixels)
        for near, within in self.marks:
            valid = valid & ~((pixels - near).abs() <= within)
        kept = valid.all(1, keepdim=True)
        for near, within in self.fills:
            kept = kept & ~((pixels - near).abs() <= within).all(1, keepdim=True)
        return kept


def _fills(bundle: Bundle) -> list[list[tuple[float, float]]]:
    """What QGIS writes outside a raster, in all bands at once: nodata as it is stored, or 0.

    Left out where pixels of the raster may well have it: of one band alone, and 0 where that is a stored number.
    """
    nodata = [_finite_or(value, 0.0) for value in bundle.nodata]
    fills = [nodata] if any(value is not None for value in bundle.nodata) else []
    zeros = [0.0] * len(nodata)
    shifted = any(offset for offset, step in zip(bundle.scaling.offset, bundle.steps, strict=True) if step is None)
    if shifted and fills != [zeros]:
        fills.append(zeros)
    return [[(value, abs(value)) for value in fill] for fill in fills if len(fill) > 1]


def _marks(bundle: Bundle, *, as_qgis: bool) -> list[list[tuple[float, float]]]:
    """Numbers that mean nodata wherever a band has them, a list of them a line, each with the size of its terms.

    NaN, which is near nothing, where a band has none.
    """
    none = (math.nan, 0.0)
    physical, stored = [], []
    for value, step, scale, offset in zip(
        bundle.nodata, bundle.steps, bundle.scaling.scale, bundle.scaling.offset, strict=True
    ):
        number = _finite_or(value, math.nan)
        if step is not None:
            scale, offset = 1.0, 0.0  # noqa: PLW2901 - it arrives as it is stored
        scaled = _finite_or(number * scale + offset, math.nan)
        physical.append((scaled, abs(number * scale) + abs(offset)) if math.isfinite(scaled) else none)
        # QGIS scales all but nodata; a number that a valid pixel may have too only counts in all bands at once
        apart = abs((number - offset) / scale) >= _WORDS and scaled != number
        stored.append((number, abs(number)) if as_qgis and apart else none)
    return [line for line in (physical, stored) if any(math.isfinite(mark) for mark, _ in line)]


class _Channels(nn.Module):
    """What the network sees, in physical values: codes undone, indices computed."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        inputs = bundle.bands.inputs.names
        self._steps = tuple(dict.fromkeys(step for step in bundle.steps if step is not None))
        for name in self._steps:
            self.register_buffer(name, _lines(np.array([step == name for step in bundle.steps])))
        scale, offset = bundle.scaling.arrays
        self.scale, self.offset = nn.Buffer(_lines(scale)), nn.Buffer(_lines(offset))
        self._bands = bundle.bands
        self._place = {name: i for i, name in enumerate(inputs)}
        self._shifts = bundle.scaling.offset
        self._same = bundle.bands.names == inputs
        self.formulas = not self._same and any(band.formula for band in bundle.bands)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, inputs, S, S) -> (N, C, S, S); of no meaning where not valid."""
        for name in self._steps:
            decoded = DECODERS[name](pixels) * self.scale + self.offset
            pixels = torch.where(self.get_buffer(name), decoded, pixels)
        return pixels if self._same else torch.cat([self._one(pixels, band) for band in self._bands], 1)

    def _one(self, pixels: Tensor, band: Band) -> Tensor:
        if band.formula is None:
            return self._read(pixels, band)
        letters = band.formula.inputs
        return computed(
            band.formula,
            {letter: self._read(pixels, own) for letter, own in letters},
            {letter: self._shifts[self._place[own.name]] for letter, own in letters},
        )

    def _read(self, pixels: Tensor, band: Band) -> Tensor:
        place = self._place[band.name]
        return pixels[:, place : place + 1]


def _alphaearth(stored: Tensor) -> Tensor:
    share = stored / 127.5
    return share * share.abs()


DECODERS: dict[str, Callable[[Tensor], Tensor]] = {"alphaearth": _alphaearth}
"""`core.scaling.decode` in torch."""


def computed(formula: Formula, values: Mapping[str, Tensor], offsets: Mapping[str, float] | None = None) -> Tensor:
    """`core.indices.compute` in torch; what is not defined is infinite or NaN. `values` by letter, of one shape."""
    check(formula)
    result: Tensor = arithmetic(formula.expression, values, offsets or {}, torch.tensor)
    return result


def _finite(values: Tensor) -> Tensor:
    """Neither NaN nor infinite, same shape."""
    return values.abs() <= _HIGHEST


def _finite_or(value: float | None, other: float) -> float:
    """A number that float32 holds, or the other one."""
    return other if value is None or not abs(value) <= _HIGHEST else value


def _pair(marks: Sequence[tuple[float, float]]) -> nn.Parameter:
    """The numbers and how near to them counts, (2, 1, inputs, 1, 1)."""
    near, size = np.array(marks, np.float64).T
    lines = torch.tensor(np.array([near, _ROUNDING * size]), dtype=torch.float32)
    return nn.Parameter(lines[:, None, :, None, None], requires_grad=False)


def _lines(values: Any) -> Tensor:
    """One number a band, (1, C, 1, 1)."""
    return torch.as_tensor(values)[None, :, None, None]
