"""The description in a model file, part by part: plain data become what they describe, or a sentence says why not.

Each raises `ValueError`, `KeyError`, `TypeError` or `LandmixError`, which `bundle.load` turns into one about the file.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from landmix.core.bands import Band, Formula
from landmix.core.indices import check
from landmix.core.scaling import DECODINGS, Affine
from landmix.geo.options import ReadOptions
from landmix.geo.products.definition import names, parse
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec, OwnSpec

MOST_BANDS = 10**6
"""Of all files of a scene together; a GeoTIFF has 65535 at most."""

_LARGEST_INTEGER = 10**300
"""Whole numbers that are floats too."""


def net_spec(data: dict[str, Any]) -> NetSpec:
    """The numbers of a network; what older models lack takes its default."""
    net = dict(data)
    if net.get("own") is not None:
        return NetSpec(**{**net, "own": OwnSpec(**net["own"])})
    encoder, head = dict(net.pop("encoder")), dict(net.pop("head"))
    return NetSpec(
        encoder=EncoderSpec(widths=tuple(encoder.pop("widths")), **encoder),
        head=HeadSpec(dilation=tuple(head.pop("dilation", ())), **head),
        inputs=tuple(net.pop("inputs", ())),
        **net,
    )


def band(data: dict[str, Any]) -> Band:
    """A band, with its formula checked before anything is computed by it."""
    formula = data.get("formula")
    if formula is None:
        return _checked(Band(**data))
    if any(band.get("formula") is not None for _, band in formula["inputs"]):
        msg = "a formula is computed from bands that are read"
        raise ValueError(msg)
    inputs = tuple((str(letter), _checked(Band(**band))) for letter, band in formula["inputs"])
    parsed = Formula(expression=str(formula["expression"]), inputs=inputs)
    check(parsed)
    return _checked(Band(**{**data, "formula": parsed}))


def _checked(band: Band) -> Band:
    """A band whose words are text and whose numbers are numbers."""
    words, numbers = (band.common, band.unit, band.sensor, band.role), (band.wavelength, band.width, band.number)
    if not all(isinstance(word, str | None) for word in words) or not all(
        isinstance(number, float | int | None) for number in numbers
    ):
        msg = f"its band {band.name!r} is described by something else than text and numbers"
        raise ValueError(msg)
    least = 1 if band.formula is None else 0  # what is computed has none
    if band.number is not None and not least <= band.number <= MOST_BANDS:
        msg = f"its band {band.name!r} has the number {str(band.number)[:20]}, and bands count from 1 to {MOST_BANDS}"
        raise ValueError(msg)
    return band


def band_count(count: int) -> int:
    """How many bands the training scenes had."""
    if not 1 <= int(count) <= MOST_BANDS:
        msg = f"scenes have 1 to {MOST_BANDS} bands, not {str(count)[:20]}"
        raise ValueError(msg)
    return int(count)


def plain_data(data: Any) -> Any:
    """What JSON can hold, which records of training and accuracy must be."""
    if isinstance(data, dict) and all(isinstance(key, str) for key in data):
        return {key: plain_data(part) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return [plain_data(part) for part in data]
    if isinstance(data, str | float | None) or (isinstance(data, int) and abs(data) < _LARGEST_INTEGER):
        return data
    msg = "its record of training and accuracy is no plain data, which texts, numbers and lists of them are"
    raise ValueError(msg)


def scene_options(data: dict[str, Any]) -> dict[str, Any]:
    """How training scenes were read; a product is a known name or a description, never a file of this machine."""
    options = ReadOptions(**data)
    if isinstance(options.product, dict):
        parse(options.product, "in the model")
    elif options.product is not None and options.product not in names():
        msg = f"it was trained on a product that this landmix does not know: {options.product!r}"
        raise ValueError(msg)
    return asdict(options)


def steps(data: list[Any]) -> tuple[str | None, ...]:
    """How stored values are decoded, one for each band that is read."""
    unknown = [step for step in data if step is not None and step not in DECODINGS]
    if unknown:
        msg = f"it needs a decoding that this landmix does not know: {unknown[0]!r}"
        raise ValueError(msg)
    return tuple(data)


def affine(data: dict[str, Any]) -> Affine:
    """Scale and offset, a line a band."""
    return Affine(scale=tuple(map(float, data["scale"])), offset=tuple(map(float, data["offset"])))
