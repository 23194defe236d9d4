"""A reference raster against a map, pixels that are alike counted together: what it takes grows with blocks only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmix.geo.label_pixels import LabelPixels
from landmix.geo.label_rasters import RasterLabels, pieces
from landmix.labelling import LabelledScenes
from landmix.tasks.intervals import blocks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.geo.grid import Grid
    from landmix.geo.label_pixels import Key
    from landmix.geo.label_rasters import Piece
    from landmix.geo.maps import MapReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Reference pixels by block, class and map value; all arrays (N,)."""

    reference: LabelledScenes
    """An entry for each of the N; their rows and columns say nothing."""
    mapped: NDArray[np.int64]
    """Map values."""
    valid: NDArray[np.bool_]
    """Whether that is a class."""
    group: NDArray[np.int64]
    """The block, a number below 0."""
    times: NDArray[np.int64]
    """How many pixels."""


def tally(reader: MapReader, grid: Grid, labels: RasterLabels, ignore: frozenset[Key] | None) -> Tally:
    """Compare them square by square of the map's `grid`. Raises `LandmixError` as `pieces` does."""
    parts = [_alike(reader, piece) for piece in pieces(labels, grid, ignore)]
    group, values, mapped, valid, times = np.concatenate(parts, axis=1)
    names, keys = np.unique(values, return_inverse=True)
    nowhere = np.zeros(len(keys), np.int32)
    pixels = LabelPixels(
        rows=nowhere,
        cols=nowhere,
        keys=keys.astype(np.int32),
        names=tuple(names.tolist()),
        units=np.full(len(keys), -1, np.int32),
    )
    reference = LabelledScenes(pixels=(pixels,), files=(labels.path,), names=labels.names, colors=labels.colors)
    return Tally(reference=reference, mapped=mapped, valid=valid > 0, group=group, times=times)


def _alike(reader: MapReader, piece: Piece) -> NDArray[np.int64]:
    """(5, n): block, reference value, map value, whether that is a class, and how many pixels."""
    window, rows, cols, values = piece
    found = reader.read(window)[rows - window.row, cols - window.col]
    blocks, block = np.unique(blocks_of(rows, cols, reader.grid.width), return_inverse=True)
    names, name = np.unique(values, return_inverse=True)
    kinds, kind = np.unique(found, return_inverse=True)
    codes, times = np.unique((block * len(names) + name) * len(kinds) + kind, return_counts=True)
    rest, kind = np.divmod(codes, max(1, len(kinds)))
    block, name = np.divmod(rest, max(1, len(names)))
    valid = reader.valid(kinds)
    return np.stack([blocks[block], names[name], kinds[kind].astype(np.int64), valid[kind].astype(np.int64), times])
