"""Bands: their names and wavelengths, and how those of a model are found in a scene."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """Position in the scene that it comes from, counted from 1."""
    named: bool = True
    """False where the name only says the position."""

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
        return ", ".join(map(str, self.bands))

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(band.name for band in self.bands)

    def take(self, indices: Sequence[int]) -> BandSet:
        """The bands at `indices`, in that order."""
        return BandSet(tuple(self.bands[i] for i in indices))

    def select(self, wanted: Sequence[str | int], where: str) -> list[int]:
        """Indices of the bands that a user asks for: an int is a number from 1, `665nm` a wavelength, else a name.

        Raises `LandmixError` for one that `where` (a file) does not have, or that is asked for twice.
        """
        indices = [self._one(item, where) for item in wanted]
        for position, index in enumerate(indices):
            if index in indices[:position]:
                msg = f"data.bands must name each band once, but {self[index]} of {where} is named twice"
                raise LandmixError(msg)
        return indices

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
        nm = _wavelength(item)
        if nm is not None:
            found = self._nearest(Band(name=item, wavelength=nm))
            if found is not None:
                return found
        near = difflib.get_close_matches(item, self.names, 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        msg = f"no band '{item}' in {where}: it has {self}{hint}"
        raise LandmixError(msg)

    def _nearest(self, wanted: Band) -> int | None:
        """Index of the band whose wavelength is nearest to the wanted one's, if they agree at all."""
        agreeing = [i for i, band in enumerate(self) if wanted.near(band)]
        return min(agreeing, key=lambda i: abs((self[i].wavelength or 0) - (wanted.wavelength or 0)), default=None)

    def match(self, wanted: BandSet, where: str, *, trained_count: int) -> Match:
        """Find the bands of a model (`wanted`) among those of a scene (`self`).

        By name where the wavelengths, if both are known, agree; then by wavelength; by position only where the
        scene names no bands and has `trained_count` of them, as many as the training scene had. Raises
        `LandmixError` for a band that is missing and for a name whose wavelengths differ.
        """
        if not any(band.named or band.wavelength is not None for band in self):
            return self._by_position(wanted, where, trained_count)
        indices: list[int] = []
        for band in wanted:
            index = self._by_name(band, where)
            if index is None:
                index = self._nearest(band)
            if index is None:
                msg = f"the model needs band {band}, but {where} has {self}"
                raise LandmixError(msg)
            if index in indices:
                other = wanted[indices.index(index)]
                msg = f"the model's bands {other} and {band} both fit {self[index]} of {where}"
                raise LandmixError(msg)
            indices.append(index)
        return Match(indices=tuple(indices))

    def _by_name(self, band: Band, where: str) -> int | None:
        same = [i for i, own in enumerate(self) if own.named and own.name.casefold() == band.name.casefold()]
        if not same or not band.named:
            return None
        agreeing = [i for i in same if self[i].near(band) is not False]
        if not agreeing:
            msg = (
                f"band names must mean the same wavelengths, but {band} of the model is {self[same[0]]} in {where}:"
                " is this another sensor?"
            )
            raise LandmixError(msg)
        return agreeing[0]

    def _by_position(self, wanted: BandSet, where: str, trained_count: int) -> Match:
        if len(self) != trained_count:
            msg = (
                f"the model needs {wanted}, but {where} names no bands and has {len(self)} where the"
                f" training scene had {trained_count}"
            )
            raise LandmixError(msg)
        return Match(indices=tuple(band.number - 1 for band in wanted), by_position=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where the bands of a model lie in a scene."""

    indices: tuple[int, ...]
    """Scene band index for each model band, in the model's order."""
    by_position: bool = False
    """True where neither names nor wavelengths could confirm it: worth a warning."""


def _wavelength(item: str) -> float | None:
    """`665nm` -> 665.0; None for anything else."""
    text = item.strip().lower()
    try:
        return float(text.removesuffix("nm")) if text.endswith("nm") else None
    except ValueError:
        return None
