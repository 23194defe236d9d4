"""What the bands of an xarray DataArray are called, and their wavelengths."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.core.bands import Band
from landmix.geo.metadata import nanometres

if TYPE_CHECKING:
    import xarray as xr

_NAMES = ("long_name", "band_name", "name", "description", "common_name")
"""Coordinates beside the band axis that may name the bands, and the attribute in which rioxarray keeps names."""


def bands_of(array: xr.DataArray, dim: str) -> list[Band]:
    """The bands along the axis `dim`, numbered from 1. A name that several bands share names none of them."""
    names, (centres, widths) = names_of(array, dim), _waves(array, dim)
    times = Counter(names)
    common = _beside(array, dim, "common_name")
    return [
        Band(
            name=name if name and times[name] == 1 else f"B{i}",
            wavelength=centres[i - 1],
            width=widths[i - 1],
            number=i,
            named=bool(name) and times[name] == 1,
            common=None if common is None else str(common[i - 1]),
        )
        for i, name in enumerate(names, start=1)
    ]


def names_of(array: xr.DataArray, dim: str) -> list[str]:
    """What the bands are called, from the first source that names them; empty where none does."""
    count = array.sizes[dim]
    own = _beside(array, dim, dim)
    if own is not None and own.dtype.kind in "UTOS":
        return [_printable(name) for name in own]
    listed = array.attrs.get("long_name")
    listed = [listed] if isinstance(listed, str) else listed
    if isinstance(listed, list | tuple | np.ndarray) and len(listed):
        # rioxarray's attribute still names all bands of the file where some were selected
        numbers = numbers_of(array, dim)
        if all(0 < number <= len(listed) for number in numbers):
            return [_printable(listed[number - 1] or "") for number in numbers]
    for key in _NAMES:
        found = _beside(array, dim, key)
        if found is not None and found.dtype.kind in "UTOS":
            return [_printable(name) for name in found]
    return [""] * count


def numbers_of(array: xr.DataArray, dim: str) -> list[int]:
    """The bands' numbers from 1 in the file that they come from; their places where the axis has none."""
    own = _beside(array, dim, dim)
    if own is None or own.dtype.kind not in "iu":
        return list(range(1, array.sizes[dim] + 1))
    return [int(number) for number in own]


def in_file_order(array: xr.DataArray, dim: str) -> bool:
    """Whether bands stand in the order of their numbers, with none left out."""
    numbers = numbers_of(array, dim)
    return numbers in (list(range(1, len(numbers) + 1)), list(range(len(numbers))))


def _printable(name: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(name)).strip()


def _beside(array: xr.DataArray, dim: str, key: str) -> Any:
    """A coordinate with a value a band, as numpy array; None where there is none."""
    if key not in array.coords or array.coords[key].dims != (dim,):
        return None
    return np.asarray(array.coords[key].values)


def _waves(array: xr.DataArray, dim: str) -> tuple[list[float | None], list[float | None]]:
    """Centres and full widths at half maximum in nm, from coordinates whose unit is known."""
    found: list[list[float | None]] = []
    for keys in (("wavelength", "wavelengths", "center_wavelength"), ("fwhm", "full_width_half_max")):
        found.append([None] * array.sizes[dim])
        for key in (dim, *keys) if dim in keys else keys:
            values = _beside(array, dim, key)
            if values is None or values.dtype.kind not in "iuf":
                continue
            said = array.coords[key].attrs.get("units", array.attrs.get("wavelength_units", ""))
            # STAC, from which stackstac takes this name, means micrometres
            said = said or ("um" if key in {"center_wavelength", "full_width_half_max"} else "")
            found[-1] = [nanometres(str(value), str(said)) for value in values]
            break
    return found[0], found[1]
