"""What a user names, before any raster is opened: files, and what a product or catalogue says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landmix.core.bands import Band
    from landmix.geo.quality import QualityRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody says of a band's numbers: stored * scale + offset."""

    scale: float
    offset: float
    by: str
    """Who: a file, a product, a catalogue item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredBand:
    """One band of a delivery."""

    path: str
    number: int
    """In the file, from 1."""
    band: Band
    said: Said | None = None
    unknown_offset: float | None = None
    """The scale, where a product knows it but only its metadata could tell the offset."""
    offset_is_stored: bool = False
    """Whether the product counts its offset in stored numbers: (stored + offset) * scale."""
    nodata: float | None = None
    """Where the file declares none."""
    decode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One acquisition."""

    where: str
    """How messages call it."""
    files: tuple[str, ...] = ()
    """Rasters of which all bands are taken as their own metadata describe them; used where `bands` is empty."""
    bands: tuple[DeliveredBand, ...] = ()
    quality: tuple[str, QualityRule] | None = None
    """The quality raster and what it means."""
    reference: str | None = None
    """The band whose grid the scene gets."""
    headers: tuple[str, ...] = ()
    """Metadata files."""
    missing: tuple[str, ...] = ()
    """Bands that the product should have."""
    title: str | None = None
    """The product."""
    catalogue: bool = False
    """Whether `said` comes from a STAC item rather than from a product."""
