"""The bands of a model as STAC describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landmix.bundle import Bundle
    from landmix.core.bands import Band

_COMMON = {
    "pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075", "rededge078",
    "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12",
}  # fmt: skip
"""The names of parts of the spectrum that the eo extension knows."""


def described(bundle: Bundle) -> list[dict[str, Any]]:
    """What the model reads and computes: `bands` of STAC 1.1, those of the network first and in its order."""
    inputs = {band.name: i for i, band in enumerate(bundle.bands.inputs)}
    every = [*bundle.bands, *(band for band in bundle.bands.inputs if band.name not in bundle.bands.names)]
    return [_band(band) | (_stored(bundle, inputs[band.name]) if band.formula is None else {}) for band in every]


def references(bundle: Bundle) -> list[str | dict[str, Any]]:
    """The network's input by names of bands, with the formula of those that are computed."""
    return [band.name if band.formula is None else {"name": band.name, **_formula(band)} for band in bundle.bands]


def _formula(band: Band) -> dict[str, Any]:
    assert band.formula is not None  # noqa: S101 - the caller looked
    letters = {letter: own.name for letter, own in band.formula.inputs}
    return {"format": "gdal-calc", "expression": {"calc": band.formula.expression, "inputs": letters}}


def _band(band: Band) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": band.name}
    if band.formula is not None:
        letters = ", ".join(f"{letter} = {own.name}" for letter, own in band.formula.inputs)
        fields["description"] = f"{band.formula.expression} with {letters}"
    if band.unit is not None:
        fields["unit"] = band.unit
    if band.common in _COMMON:
        fields["eo:common_name"] = band.common
    if band.wavelength:
        fields["eo:center_wavelength"] = round(band.wavelength / 1000, 9)
    if band.width:
        fields["eo:full_width_half_max"] = round(band.width / 1000, 9)
    return fields


def _stored(bundle: Bundle, position: int) -> dict[str, Any]:
    """How the training scene stored a band."""
    fields: dict[str, Any] = {}
    nodata, scale, offset = (part[position] for part in (bundle.nodata, bundle.scaling.scale, bundle.scaling.offset))
    if nodata is not None:
        fields["nodata"] = number(nodata)
    if (scale, offset) != (1.0, 0.0):
        fields |= {"raster:scale": scale, "raster:offset": offset}
    return fields


def number(value: float) -> float | int | str:
    """A nodata value as STAC writes it."""
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "nan"
    if value in {float("inf"), float("-inf")}:
        return "inf" if value > 0 else "-inf"
    return int(value) if value == int(value) else value
