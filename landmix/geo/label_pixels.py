"""Labelled pixels of a scene, wherever they come from, and those of several files as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Key = str | int
"""A class as the labels write it: text, or a whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPixels:
    """Labelled pixels of one scene, sorted by row and column, each at most once."""

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    keys: NDArray[np.int32]
    """(N,) positions in `names`."""
    names: tuple[Key, ...]
    units: NDArray[np.int32]
    """(N,) number of the feature that a pixel belongs to; -1 in rasters."""
    disputed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Flat indices (row * width + col) of pixels left out because features of different classes claim them."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def overlapping(self) -> int:
        """How many pixels are left out because features of different classes claim them."""
        return len(self.disputed)


def unique(
    flat: NDArray[np.int64], keys: NDArray[np.int32], units: NDArray[np.int32], names: tuple[Key, ...], width: int
) -> LabelPixels:
    """Each pixel once; those claimed by different classes not at all."""
    pixels, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    agreed = np.ones(len(pixels), np.bool_)
    agreed[inverse[keys != keys[first][inverse]]] = False
    first = first[agreed]
    rows, cols = np.divmod(pixels[agreed], width)
    return LabelPixels(
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        keys=keys[first],
        names=names,
        units=units[first],
        disputed=pixels[~agreed],
    )


def merge(parts: Sequence[LabelPixels], width: int) -> LabelPixels:
    """Labels of several files on one scene; a pixel that different classes claim is left out and counted."""
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    places = {name: i for i, name in enumerate(names)}
    flats, keys = [], []
    for part in parts:
        position = np.array([places[name] for name in part.names], np.int32)
        flats.append(part.rows.astype(np.int64) * width + part.cols)
        keys.append(position[part.keys] if len(part) else part.keys)
    units = np.concatenate([part.units for part in parts])
    flat = np.concatenate(flats)
    disputed = np.unique(np.concatenate([part.disputed for part in parts]))
    clear = ~np.isin(flat, disputed)
    merged = unique(flat[clear], np.concatenate(keys)[clear], units[clear], names, width)
    return replace(merged, disputed=np.union1d(merged.disputed, disputed))


def count_keys(pixels: Sequence[LabelPixels]) -> Counter[Key]:
    """Labelled pixels a class, over all scenes."""
    counts: Counter[Key] = Counter()
    for part in pixels:
        numbers = np.bincount(part.keys, minlength=len(part.names)).tolist()
        counts.update(dict(zip(part.names, numbers, strict=True)))
    return counts
