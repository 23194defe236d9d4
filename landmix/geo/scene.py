"""A scene: one band stack on one grid, whatever files it came from."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.geo.ground import pixel_size
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import open_raster
from landmix.geo.options import ReadOptions
from landmix.geo.reader import SceneReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from landmix.core.bands import BandSet
    from landmix.geo.grid import Grid
    from landmix.geo.quality import QualityRule


_SUPPORT = {"nearest": 1.0, "average": 1.0, "bilinear": 1.5, "cubic": 2.5}
"""How many of its own pixels a kernel looks away from a place, to the far edge of the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFile:
    """One raster that a scene reads from."""

    path: str
    grid: Grid
    masked: bool
    """Whether it has a mask or alpha band beside or instead of nodata values."""
    blocks: tuple[int, int]
    """Rows and columns that are decoded together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One band as it lies in a file."""

    file: int
    """Position in the scene's files."""
    number: int
    """Of the band in the file, from 1."""
    dtype: np.dtype[np.generic]
    nodata: float | None
    """NaN is invalid whatever this says."""
    scale: float = 1.0
    offset: float = 0.0
    """Stored (and decoded) value -> physical value."""
    decode: str | None = None
    """A named step before the scale (`core.scaling.decode`)."""
    known: bool = False
    """Whether somebody said what the numbers mean."""
    silenced: bool = False
    """Whether `scene.scale=none` overrides what somebody said."""
    fill: float | None = None
    """A product's own nodata value, where the file's tag names another: both are invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLayer:
    """The quality raster of one acquisition."""

    file: int
    rule: QualityRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known of a scene before a pixel is read. Holds no handle, so it can be sent to a worker."""

    name: str
    """The stem: what its map is called."""
    where: str
    """How messages call it."""
    rasters: tuple[SceneFile, ...]
    stored: tuple[Stored, ...]
    """The bands that are read."""
    bands: BandSet
    """The bands that a reader gives: some of those, and some that are computed from them."""
    origins: tuple[tuple[int, ...], ...]
    """For each band the positions in `stored`: its own, or those that its formula names, in that order."""
    grid: Grid
    quality: tuple[QualityLayer, ...] = ()
    options: ReadOptions = field(default_factory=ReadOptions)
    headers: tuple[str, ...] = ()
    """Metadata files that were read: they decide the values too."""
    missing: tuple[str, ...] = ()
    """Bands that the product should have, but this delivery lacks."""
    notes: tuple[str, ...] = ()
    """What a user of the scene should hear."""
    unknown: str | None = None
    """Why its physical values cannot be known, and the way out."""
    product: str | None = None
    """What it was recognised as."""
    limits: Limits = DEFAULT
    """What its files may declare."""
    overview: bool = False
    """Read through the files' overviews, where pixels are large: for pictures only."""

    @property
    def files(self) -> tuple[str, ...]:
        """Everything that is read from, each once."""
        return tuple(dict.fromkeys([*(raster.path for raster in self.rasters), *self.headers]))

    @property
    def blocks(self) -> tuple[int, int]:
        """Rows and columns of the largest blocks of files that are read as they are; 512 x 512 if none is."""
        used = {s.file for s in self.stored}
        sizes = [
            r.blocks
            for i, (r, moved) in enumerate(zip(self.rasters, self.resampled, strict=True))
            if i in used and not moved
        ]
        return (max(rows for rows, _ in sizes), max(columns for _, columns in sizes)) if sizes else (512, 512)

    @property
    def block(self) -> int:
        """Side in pixels of square windows that suit the files' blocks; 512 where those are no squares."""
        height, width = self.blocks
        return height if height == width and 128 <= height <= 1024 else 512  # noqa: PLR2004

    @property
    def resampled(self) -> tuple[bool, ...]:
        """Whether the values of a file's bands are mixed or moved; one a file."""
        return tuple(not self.grid.same_as(raster.grid) for raster in self.rasters)

    @property
    def reach(self) -> int:
        """How far in pixels a value can come from beyond its own pixel, because a band has larger ones."""
        own = pixel_size(self.grid)
        used = {s.file for s in self.stored}
        moved = [raster for i, raster in enumerate(self.rasters) if i in used and self.resampled[i]]
        sizes = [pixel_size(raster.grid) for raster in moved]
        ratio = max([max(size) / min(own) for size in sizes if size and own], default=0.0)
        return math.ceil(ratio * _SUPPORT[self.options.resampling] - 1e-6) if ratio else 0

    @property
    def plain(self) -> bool:
        """Whether stored values come through as they are: one grid, no decoding, no formula."""
        moved = self.resampled
        return not any(moved[s.file] or s.decode for s in self.stored) and all(b.formula is None for b in self.bands)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of what a reader gives: the files' own where nothing is computed, else float32."""
        if not self.plain:
            return np.dtype(np.float32)
        return np.result_type(*[s.dtype for s in self.stored])

    @property
    def nodata(self) -> tuple[float | None, ...]:
        """A band; None where invalid pixels come as NaN."""
        moved = self.resampled
        return tuple(
            None if band.formula or moved[s.file] or s.decode else s.nodata
            for band, s in zip(self.bands, self._first, strict=True)
        )

    @property
    def scaling(self) -> Affine:
        """What a reader gives -> physical value, a line a band."""
        lines = [
            (1.0, 0.0) if band.formula else (s.scale, s.offset) for band, s in zip(self.bands, self._first, strict=True)
        ]
        return Affine(scale=tuple(scale for scale, _ in lines), offset=tuple(offset for _, offset in lines))

    @property
    def _first(self) -> list[Stored]:
        return [self.stored[origin[0]] for origin in self.origins]

    def take(self, indices: Sequence[int]) -> Scene:
        """The scene with only the bands at `indices`, in that order; what they do not need is not read."""
        origins = [self.origins[i] for i in indices]
        kept = sorted({position for origin in origins for position in origin})
        used = sorted({self.stored[i].file for i in kept} | {layer.file for layer in self.quality})
        return replace(
            self,
            rasters=tuple(self.rasters[i] for i in used),
            stored=tuple(replace(self.stored[i], file=used.index(self.stored[i].file)) for i in kept),
            bands=self.bands.take(indices),
            origins=tuple(tuple(kept.index(i) for i in origin) for origin in origins),
            quality=tuple(replace(layer, file=used.index(layer.file)) for layer in self.quality),
        )

    def compose(self, bands: BandSet) -> Scene:
        """The scene with `bands`, which are its own by name or computed from its own.

        Raises `LandmixError` for one that it lacks.
        """
        places = {band.name: origin for band, origin in zip(self.bands, self.origins, strict=True)}
        needed = [band.name for band in bands.inputs if band.name not in places]
        if needed:
            msg = f"{self.where} has no band {', '.join(needed)}: it has {self.bands}"
            raise LandmixError(msg)
        origins = [
            places[band.name] if band.formula is None else tuple(places[own.name][0] for _, own in band.formula.inputs)
            for band in bands
        ]
        return replace(self, bands=bands, origins=tuple(origins)).take(range(len(bands)))

    def with_nodata(self, values: Mapping[str, float | None]) -> Scene:
        """The scene with nodata values by name of input band, where it has none itself."""
        stored = list(self.stored)
        for name, i in self._places.items():
            if stored[i].nodata is None:
                stored[i] = replace(stored[i], nodata=values[name])
        return replace(self, stored=tuple(stored))

    def read_as(self, inputs: BandSet) -> Scene:
        """The scene with its bands called like `inputs`, one by one."""
        return replace(self, bands=inputs)

    @property
    def readings(self) -> dict[str, Stored]:
        """How each input band is read, by name."""
        return {name: self.stored[i] for name, i in self._places.items()}

    @property
    def _places(self) -> dict[str, int]:
        """Where in `stored` each input band is, by name."""
        found: dict[str, int] = {}
        for band, origin in zip(self.bands, self.origins, strict=True):
            names = [band.name] if band.formula is None else [own.name for _, own in band.formula.inputs]
            found |= dict(zip(names, origin, strict=True))
        return found

    def check_known(self) -> None:
        """Raise `LandmixError` where physical values cannot be known or places cannot be right."""
        if self.unknown:
            raise LandmixError(self.unknown)
        self.grid.check(self.where)

    @contextlib.contextmanager
    def open(self) -> Iterator[SceneReader]:
        """A reader with its own handles; one a thread."""
        with contextlib.ExitStack() as stack:
            # closing, not the dataset's own context: that one must end in the thread in which it began
            handles = [
                stack.enter_context(
                    contextlib.closing(open_raster(raster.path, allow_vrt=self.options.allow_vrt, limits=self.limits))
                )
                for raster in self.rasters
            ]
            yield SceneReader(self, handles, stack)
