"""Bands: their names, wavelengths and units."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHOWN = 30
"""Bands that a message names."""

NEAR_NM = 15.0
"""Two wavelengths this close are the same band, whatever its width is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One spectral band."""

    name: str
    """As the file or the user calls it; `B1`, `B2`, ... by position where nobody does."""
    wavelength: float | None = None
    """Centre in nm, if known."""
    width: float | None = None
    """Full width at half maximum in nm, if known."""
    number: int = 0
    """Position in the scene that it comes from, or in its role of that scene, counted from 1."""
    named: bool = True
    """False where the name only says the position."""
    common: str | None = None
    """What STAC calls this part of the spectrum (`red`, `nir08`, ...), if known."""
    unit: str | None = None
    """Of the physical values; None where nobody says."""
    role: str = ""
    """The acquisition it belongs to, where a scene is made of several; its name then begins with `role.`."""
    sensor: str | None = None
    """The instrument, where a product says it."""
    formula: Formula | None = None
    """How it is computed from other bands; None for a band that is read from a file."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            msg = f"a band needs a name, not {self.name!r}"
            raise ValueError(msg)

    def near(self, other: Band) -> bool | None:
        """Whether the wavelengths agree, within half the band's width or 15 nm; None where one is unknown."""
        if self.wavelength is None or other.wavelength is None:
            return None
        within = max(NEAR_NM, (self.width or 0.0) / 2, (other.width or 0.0) / 2)
        return abs(self.wavelength - other.wavelength) <= within

    def __str__(self) -> str:
        return self.name if self.wavelength is None else f"{self.name} ({self.wavelength:g} nm)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A band that is computed from others, as a spectral index is."""

    expression: str
    """In the letters of `inputs`, with + - * / ** and numbers."""
    inputs: tuple[tuple[str, Band], ...]
    """What each letter stands for: physical values of a band that is read from a file."""


@dataclass(frozen=True, slots=True)
class BandSet:
    """Ordered bands; the order is the channel axis of every array from here on."""

    bands: tuple[Band, ...]

    def __len__(self) -> int:
        return len(self.bands)

    def __iter__(self) -> Iterator[Band]:
        return iter(self.bands)

    def __getitem__(self, index: int) -> Band:
        return self.bands[index]

    def __str__(self) -> str:
        more = f" and {len(self) - _SHOWN} more" if len(self) > _SHOWN else ""
        return ", ".join(map(str, self.bands[:_SHOWN])) + more

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(band.name for band in self.bands)

    @property
    def runs(self) -> tuple[int, ...]:
        """How many bands in a row have one role: the bands of each sensor or date."""
        return tuple(len(list(run)) for _, run in groupby(band.role for band in self))

    def take(self, indices: Sequence[int]) -> BandSet:
        """The bands at `indices`, in that order."""
        return BandSet(tuple(self.bands[i] for i in indices))

    def select(self, wanted: Sequence[str | int], where: str, key: str = "data.bands") -> list[int]:
        """Indices of the bands that a user asks for: an int is a number from 1, `665nm` a wavelength, else a name.

        `key` is how messages call the setting. Raises `LandmixError` for one that `where` (a file) does not have, or
        that is asked for twice.
        """
        indices = [self._one(item, where) for item in wanted]
        for position, index in enumerate(indices):
            if index in indices[:position]:
                msg = f"{key} must name each band once, but {self[index]} of {where} is named twice"
                raise LandmixError(msg)
        return indices

    @property
    def inputs(self) -> BandSet:
        """The bands that must be read: these, and those that formulas are computed from."""
        read = [band for band in self if band.formula is None]
        read += [band for own in self if own.formula for _, band in own.formula.inputs]
        once: dict[str, Band] = {}
        for band in read:
            once.setdefault(band.name, band)
        return BandSet(tuple(once.values()))

    def _one(self, item: str | int, where: str) -> int:
        if isinstance(item, int):
            if 1 <= item <= len(self):
                return item - 1
            msg = f"band number {item} does not exist in {where}: it has bands 1 to {len(self)}"
            raise LandmixError(msg)
        exact = [i for i, band in enumerate(self) if band.name == item]
        same = exact or [i for i, band in enumerate(self) if band.name.casefold() == item.casefold()]
        if len(same) == 1:
            return same[0]
        if len(same) > 1:
            msg = f"the band name '{item}' stands {len(same)} times in {where}: choose by number"
            raise LandmixError(msg)
        common = [i for i, band in enumerate(self) if _common(band) == item.casefold()]
        if len(common) == 1:
            return common[0]
        role, _, wavelength = item.rpartition(".") if any(band.role for band in self) else ("", "", item)
        nm = _wavelength(wavelength)
        if nm is not None:
            found = self.nearest(Band(name=item, wavelength=nm, role=role))
            if found is not None:
                return found
        near = difflib.get_close_matches(item, self.names, 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        msg = f"no band '{item}' in {where}: it has {self}{hint}"
        raise LandmixError(msg)

    def nearest(self, wanted: Band) -> int | None:
        """Index of the band whose wavelength is nearest to the wanted one's, if they agree at all."""
        agreeing = [i for i, band in enumerate(self) if band.role == wanted.role and wanted.near(band)]
        return min(agreeing, key=lambda i: abs((self[i].wavelength or 0) - (wanted.wavelength or 0)), default=None)


def _common(band: Band) -> str | None:
    """How a user may call a band by its common name: `red`, or `jan.red` where it has a role."""
    if band.common is None:
        return None
    return f"{band.role}.{band.common}".removeprefix(".").casefold()


def _wavelength(item: str) -> float | None:
    """`665nm` -> 665.0; None for anything else."""
    text = item.strip().lower()
    try:
        return float(text.removesuffix("nm")) if text.endswith("nm") else None
    except ValueError:
        return None
