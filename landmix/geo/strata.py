"""The parts of a map that a sample is drawn from."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from landmix.errors import LandmixError
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.maps import MapReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from landmix.core.window import Window


class Strata:
    """The map's own classes, or the values of a raster on its grid; only where the map has a class too."""

    def __init__(self, reader: MapReader, path: str | None, limits: Limits = DEFAULT) -> None:
        """Of the open map `reader`, with the raster `path`; None: the map's classes.

        Raises `LandmixError` where the raster is on another grid.
        """
        self._map = reader
        self._raster = reader if path is None else MapReader(path, limits)
        self.path, self.names = self._raster.path, self._raster.names
        if not self._raster.grid.same_as(reader.grid):
            self._raster.close()
            ours, theirs = reader.grid, self._raster.grid
            msg = (
                f"the strata {path} ({theirs}) must lie on the grid of the map {reader.path} ({ours}): warp them first"
            )
            raise LandmixError(msg)

    def __enter__(self) -> Strata:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, *_: object) -> None:
        if self._raster is not self._map:
            self._raster.close()

    @cached_property
    def counts(self) -> dict[int, int]:
        """Pixels by value of the stratum."""
        if self._raster is self._map:
            return self._map.counts
        counts: dict[int, int] = {}
        for _, values, valid in self.pieces():
            found, times = np.unique(values[valid], return_counts=True)
            for value, number in zip(found.tolist(), times.tolist(), strict=True):
                counts[value] = counts.get(value, 0) + number
        return counts

    def pieces(self) -> Iterator[tuple[Window, NDArray[np.integer], NDArray[np.bool_]]]:
        """Square by square the strata (H, W), and which pixels belong to one (H, W)."""
        for window, values in self._raster.pieces():
            valid = self._raster.valid(values)
            if self._raster is not self._map:
                valid = valid & self._map.valid(self._map.read(window))
            yield window, values, valid

    def values_at(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.integer]:
        """The value at pixels (N,), (N,) that the map has a class for; what is no key of `counts` is no stratum."""
        return self._raster.values_at(rows, cols)
