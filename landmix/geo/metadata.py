"""Names and wavelengths of the bands of a raster file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from landmix.core.bands import Band

if TYPE_CHECKING:
    import rasterio

_NM = {
    "nanometers": 1.0,
    "nanometer": 1.0,
    "nm": 1.0,
    "micrometers": 1e3,
    "micrometer": 1e3,
    "microns": 1e3,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
}


def file_bands(dataset: rasterio.DatasetReader, indexes: list[int]) -> list[Band]:
    """The bands of a file at rasterio's `indexes` (from 1).

    A description that several bands share names none of them.
    """
    descriptions = [(dataset.descriptions[i - 1] or "").strip() for i in indexes]
    times = Counter(descriptions)
    return [
        _band(dataset, index, description if times[description] == 1 else "")
        for index, description in zip(indexes, descriptions, strict=True)
    ]


def _band(dataset: rasterio.DatasetReader, index: int, description: str) -> Band:
    wavelength, width = _wavelength(dataset, index)
    return Band(
        name=description or f"B{index}",
        wavelength=wavelength,
        width=width,
        number=index,
        named=bool(description),
    )


def _wavelength(dataset: rasterio.DatasetReader, index: int) -> tuple[float | None, float | None]:
    """Centre and full width at half maximum in nm.

    From the IMAGERY domain (GDAL >= 3.10, micrometres), or from `wavelength` with `wavelength_units` as ENVI files
    and EnMAP-Box write it.
    """
    imagery = dataset.tags(index, ns="IMAGERY")
    if "CENTRAL_WAVELENGTH_UM" in imagery:
        return _number(imagery.get("CENTRAL_WAVELENGTH_UM"), 1e3), _number(imagery.get("FWHM_UM"), 1e3)
    tags = {key.lower(): value for key, value in dataset.tags(index).items()}
    unit = tags.get("wavelength_units", tags.get("wavelength_unit", ""))
    return nanometres(tags.get("wavelength"), unit), nanometres(tags.get("fwhm"), unit)


def nanometres(text: str | None, unit: str) -> float | None:
    """A length in nm; None where it is no positive number, or its unit is unknown."""
    factor = _NM.get(unit.strip().lower())
    return None if factor is None else _number(text, factor)


def _number(text: str | None, factor: float) -> float | None:
    """A positive number in nm, rounded where binary fractions would show; None for anything else."""
    try:
        value = round(float(text or "nan") * factor, 6)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
