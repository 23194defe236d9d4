"""Labelled pixels with their surroundings, decoded once: the seam between rasters and training."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.scaling import Affine, normalise
from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.files import unwritable
from landmix.geo.validity import band_validity, validity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.core.bands import BandSet
    from landmix.geo.scene import Scene

Lines = tuple["NDArray[np.float32]", "NDArray[np.float32]"]
"""Scale and offset of the bands in each scene, (scenes, C) each."""

_TILE_BYTES = 64 * 2**20
"""How much of a scene is read at once."""

_CHUNK = 8192
"""Crops that are looked at together where all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Labelled pixels of all scenes, sorted by scene, row and column; all arrays (N,)."""

    scene: NDArray[np.int32]
    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    index: NDArray[np.int16]
    """Class index in the legend; -1 for a class that the legend lacks."""
    units: NDArray[np.int32]
    """Feature that the pixel belongs to, unique over all label files; -1 in rasters."""
    trains: NDArray[np.bool_] | None = None
    """Whether the pixel may train; None: each may."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Labelled:
        """Some of them."""
        return Labelled(
            scene=self.scene[chosen],
            rows=self.rows[chosen],
            cols=self.cols[chosen],
            index=self.index[chosen],
            units=self.units[chosen],
            trains=None if self.trains is None else self.trains[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Crops of stored values around labelled pixels.

    The scenes are cut into cells of `side` x `side` pixels; each cell that holds a labelled pixel is one crop, with
    `margin` more pixels on each side. With side 1 every labelled pixel is the centre of a crop of its own, and with
    margin 0 the crops are a plain pixel table. Larger cells compute less for each label of dense labels, but the
    labels of a crop are alike, which costs accuracy where there are few.
    """

    labelled: Labelled
    crop: NDArray[np.int64]
    """(N,) the crop that a labelled pixel lies in."""
    place: NDArray[np.int64]
    """(N, 2) its row and column in the cell, without the margin."""
    stored: NDArray[np.generic]
    """(M, C, S, S), S = side + 2 margin: stored values of all bands; in memory or mapped from disk."""
    valid: NDArray[np.bool_]
    """(M, S, S): inside the scene, not masked, and (after `without_empty_bands`) no nodata in any band."""
    scene: NDArray[np.int32]
    """(M,) the scene of a crop."""
    side: int
    margin: int
    bands: BandSet
    scalings: tuple[Affine, ...]
    """Stored -> physical value, for each scene."""
    nodata: tuple[tuple[float | None, ...], ...]
    """A band, for each scene."""
    cache: Path | None = None
    """The file that `stored` is mapped from."""

    def __len__(self) -> int:
        return len(self.stored)

    def pixels(self, chosen: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.generic]]]:
        """Stored values of the labelled pixels `chosen`, in pieces: their numbers (n,), values (n, C)."""
        for start in range(0, len(chosen), _CHUNK):
            piece = chosen[start : start + _CHUNK]
            rows, cols = (self.place[piece] + self.margin).T
            yield piece, self.stored[self.crop[piece], :, rows, cols]

    def physical(self, chosen: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        """Physical values of the labelled pixels `chosen`, in pieces of (n, C)."""
        scale = np.array([scaling.scale for scaling in self.scalings])
        offset = np.array([scaling.offset for scaling in self.scalings])
        for piece, values in self.pixels(chosen):
            scenes = self.labelled.scene[piece]
            yield values * scale[scenes] + offset[scenes]

    def lines(self, channels: NDArray[np.intp], after: Affine) -> Lines:
        """From stored values of `channels` to what the network sees; `after` goes there from physical values."""
        lines = [scaling.take(channels.tolist()).then(after).arrays for scaling in self.scalings]
        scale, offset = zip(*lines, strict=True)
        return np.stack(scale), np.stack(offset)

    def seen(self, crops: NDArray[np.intp], channels: NDArray[np.intp], lines: Lines) -> NDArray[np.float32]:
        """What the network sees of some crops, (B, len(channels), S, S)."""
        # `take` copies a crop at once where an index copies value by value
        stored = self.stored.take(crops, axis=0)
        if not np.array_equal(channels, np.arange(stored.shape[1])):
            stored = stored.take(channels, axis=1)
        scale, offset = (part.take(self.scene[crops], axis=0) for part in lines)
        return normalise(stored, self.valid.take(crops, axis=0), scale, offset)

    def normalised(self, crops: NDArray[np.intp], channels: NDArray[np.intp], after: Affine) -> NDArray[np.float32]:
        """The same for a single time, (B, len(channels), S, S); a loop keeps the `lines`."""
        return self.seen(crops, channels, self.lines(channels, after))

    def labels(self, chosen: NDArray[np.bool_]) -> NDArray[np.int16]:
        """Class indices by cell, (M, side, side), of the labelled pixels `chosen` (N,); -1 elsewhere."""
        labels = np.full((len(self), self.side, self.side), -1, np.int16)
        rows, cols = self.place[chosen].T
        labels[self.crop[chosen], rows, cols] = self.labelled.index[chosen]
        return labels

    def without_empty_bands(self, where: str, training_scenes: int | None = None) -> tuple[Samples, list[int]]:
        """Leave out bands that are nodata at every training pixel, and pixels that are invalid in another band.

        Training pixels are those of the first `training_scenes` scenes (None: of all).

        Returns the rest, and the indices of the bands left out. Raises `LandmixError` that names `where` (the label
        files) if no valid pixel is left.
        """
        last = len(self.scalings) if training_scenes is None else training_scenes
        empty = [i for i in range(len(self.bands)) if not self._any_valid(i, last)]
        kept = [i for i in range(len(self.bands)) if i not in empty]
        if not kept:
            msg = f"all pixels labelled in {where} are nodata or masked in every band: are these the right labels?"
            raise LandmixError(msg)
        samples = (
            self
            if not empty
            else replace(
                self,
                stored=self.stored.take(kept, axis=1),  # an index would put bands first in memory, crops in pieces
                bands=self.bands.take(kept),
                scalings=tuple(scaling.take(kept) for scaling in self.scalings),
                nodata=tuple(tuple(values[i] for i in kept) for values in self.nodata),
            )
        )
        return samples.judged(where), empty

    def _any_valid(self, band: int, training_scenes: int) -> bool:
        rows, cols = (self.place + self.margin).T
        inside = self.valid[self.crop, rows, cols] & (self.labelled.scene < training_scenes)
        for start in range(0, len(self.crop), _CHUNK):
            part = slice(start, start + _CHUNK)
            values = self.stored[self.crop[part], band, rows[part], cols[part]]
            scenes = self.labelled.scene[part]
            for scene in np.unique(scenes):
                fits = band_validity(values, self.nodata[scene][band]) & inside[part]
                if fits[scenes == scene].any():
                    return True
        return False

    def judged(self, where: str) -> Samples:
        """With nodata counted as invalid, and only the labelled pixels that are valid."""
        valid = self.valid.copy()
        for scene, nodata in enumerate(self.nodata):
            crops = np.flatnonzero(self.scene == scene)
            for start in range(0, len(crops), _CHUNK):
                piece = crops[start : start + _CHUNK]
                valid[piece] &= validity(self.stored[piece], nodata)
        rows, cols = (self.place + self.margin).T
        chosen = valid[self.crop, rows, cols]
        if not chosen.any():
            msg = f"every pixel labelled in {where} is nodata or masked in some band: leave it out with data.bands"
            raise LandmixError(msg)
        return replace(
            self, valid=valid, labelled=self.labelled.take(chosen), crop=self.crop[chosen], place=self.place[chosen]
        )


def collect(
    scenes: Sequence[Scene],
    labelled: Labelled,
    *,
    margin: int,
    side: int = 1,
    memory: int,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """Decode all crops around labelled pixels, each part of a scene at most once.

    `scenes` have the same bands. Crops that need more than `memory` bytes are mapped from the file `cache`.
    `progress` is called with the number of crops decoded and their total.
    """
    size = side + 2 * margin
    cells = np.stack([labelled.scene, labelled.rows // side, labelled.cols // side], axis=1)
    cells, crop = np.unique(cells, axis=0, return_inverse=True)
    dtype = np.result_type(*[scene.dtype for scene in scenes])
    shape = (len(cells), len(scenes[0].bands), size, size)
    mapped = int(np.prod(shape)) * dtype.itemsize > memory
    stored = _mapped(cache, dtype, shape) if mapped else np.empty(shape, dtype)
    valid = np.empty((len(cells), size, size), np.bool_)
    done = 0
    for number, scene in enumerate(scenes):
        own = np.flatnonzero(cells[:, 0] == number)
        for piece, values, inside in _read(scene, own, cells[own, 1:] * side, side, margin):
            stored[piece], valid[piece] = values, inside
            done += len(piece)
            if progress:
                progress(done, len(cells))
    return Samples(
        labelled=labelled,
        crop=crop.ravel(),
        place=np.stack([labelled.rows % side, labelled.cols % side], axis=1).astype(np.int64),
        stored=stored,
        valid=valid,
        scene=cells[:, 0].astype(np.int32),
        side=side,
        margin=margin,
        bands=scenes[0].bands,
        scalings=tuple(scene.scaling for scene in scenes),
        nodata=tuple(scene.nodata for scene in scenes),
        cache=cache if mapped else None,
    )


def _mapped(cache: Path, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """An array in a file; its space is taken at once, because a mapping of a full disk would end the process."""
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        with cache.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        return np.memmap(cache, dtype, "r+", shape=shape)
    except OSError as error:
        raise unwritable(cache, error) from error


def _read(
    scene: Scene, numbers: NDArray[np.intp], corners: NDArray[np.integer], side: int, margin: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.generic], NDArray[np.bool_]]]:
    """Read the crops `numbers` whose cells begin at `corners` (n, 2), tile by tile of the scene."""
    core = min(scene.block, max(scene.grid.height, scene.grid.width))
    while core > 64 and core * core * len(scene.bands) * scene.dtype.itemsize > _TILE_BYTES:  # noqa: PLR2004
        core //= 2
    core = -(-core // side) * side  # a cell never lies in two tiles
    tiles, tile_of = np.unique(corners // core, axis=0, return_inverse=True)
    size = side + 2 * margin
    with scene.open() as reader:
        for i, (row, col) in enumerate((tiles * core).tolist()):
            here = np.flatnonzero(tile_of.ravel() == i)
            window = Window(row=row, col=col, height=core, width=core).grow(margin)
            stored, inside = reader.read(window)
            rows, cols = (corners[here] - (row, col)).T
            crops = np.lib.stride_tricks.sliding_window_view(stored, (size, size), axis=(1, 2))
            masks = np.lib.stride_tricks.sliding_window_view(inside, (size, size))
            yield numbers[here], crops[:, rows, cols].swapaxes(0, 1), masks[rows, cols]
