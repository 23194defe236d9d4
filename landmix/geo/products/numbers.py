"""Scales and offsets of a product: numbers of its file, or looked up in its metadata."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from landmix.errors import LandmixError
from landmix.geo.products.definition import FromHeader

if TYPE_CHECKING:
    from landmix.geo.products.definition import BandEntry, Number


def number(
    value: Number, entry: BandEntry, header: dict[str, str] | None, where: str | None, *, scales: bool
) -> float | None:
    """A scale (which cannot be 0) or an offset; None where it is unknown."""
    if not isinstance(value, FromHeader):
        return None if value == "unknown" else float(value)
    if header is None:
        return None if value.otherwise == "unknown" else float(value.otherwise)
    keys = [key.replace("{id}", str(entry.id)) for key in ([value.key] if isinstance(value.key, str) else value.key)]
    text = next((header[key] for key in keys if key in header), None)
    if text is None:
        return _absent(value, keys, header, where)
    found = _parse(text, keys[0], where)
    if value.inverse:
        found = 1 / found if found else math.nan
    if value.divide_by_sine is not None:
        angle = _parse(header.get(value.divide_by_sine, ""), value.divide_by_sine, where)
        found /= math.sin(math.radians(angle)) if angle > 0 else math.nan
    if not math.isfinite(found) or (found == 0 and scales):
        msg = f"{keys[0]} of {where} gives no number that pixels can be scaled with: {text}"
        raise LandmixError(msg)
    return found


def _absent(value: FromHeader, keys: list[str], header: dict[str, str], where: str | None) -> float | None:
    """The number that stands for a missing key; None if it is unknown.

    Raises `LandmixError` where the metadata have the key for other bands: then it is not an older product.
    """
    if value.absent == "unknown":
        return None
    family = keys[0].rpartition("/")[0]
    if family and any(key.rpartition("/")[0] == family for key in header):
        msg = f"{where} lacks {keys[0]}, which it has for other bands: is the file whole?"
        raise LandmixError(msg)
    return float(value.absent)


def _parse(text: str, key: str, where: str | None) -> float:
    try:
        return float(text)
    except ValueError:
        msg = f"{key} in {where} must be a number, but is {text[:40]!r}"
        raise LandmixError(msg) from None
