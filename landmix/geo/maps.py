"""Reading finished class maps."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.windows import Window as RasterioWindow

from landmix.core.tiling import Tiling
from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo.grid import Grid
from landmix.geo.label_rasters import MOST_CLASSES
from landmix.geo.legends import make_legend
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import FAILURES, cause, open_raster
from landmix.geo.pam import category_colors, category_names
from landmix.geo.validity import band_validity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from landmix.core.legend import Legend

_TILE = 1024


class MapReader:
    """A class map of one integer band; use as a context manager."""

    def __init__(self, path: str, limits: Limits = DEFAULT) -> None:
        """Open the map `path`. Raises `LandmixError` where it is no class map."""
        self.path = path
        self._dataset = open_raster(path, limits=limits)
        self.grid = Grid.of(self._dataset)
        self.tags: dict[str, str] = self._dataset.tags()
        self.names = category_names(Path(path))
        self.colors = self._colors()
        if self._dataset.count != 1 or np.dtype(self._dataset.dtypes[0]).kind not in "ui":
            msg = f"a class map has one band of whole numbers, but {path} has {self._dataset.count} of type"
            msg += f" {self._dataset.dtypes[0]}"
            self._dataset.close()
            raise LandmixError(msg)

        if (self._dataset.scales[0], self._dataset.offsets[0]) != (1.0, 0.0):
            self._dataset.close()
            msg = f"{path} is no class map: its numbers have a scale, as those of a confidence raster"
            raise LandmixError(msg)

    def __enter__(self) -> MapReader:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    def _colors(self) -> dict[int, str]:
        try:
            table = self._dataset.colormap(1)
        except ValueError:
            return category_colors(Path(self.path))
        return {value: f"#{r:02x}{g:02x}{b:02x}" for value, (r, g, b, _) in table.items()}

    def valid(self, values: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which values are a class, same shape."""
        return band_validity(values, self._dataset.nodata)

    def read(self, window: Window) -> NDArray[np.integer]:
        """The values of a window of the map (H, W). Raises `LandmixError` for a damaged file."""
        try:
            place = RasterioWindow(window.col, window.row, window.width, window.height)
            values: NDArray[np.integer] = self._dataset.read(1, window=place)
        except FAILURES as error:
            msg = f"cannot read the map {self.path}: the file is damaged ({cause(error)})"
            raise LandmixError(msg) from error
        return values

    def pieces(self, side: int = _TILE) -> Iterator[tuple[Window, NDArray[np.integer]]]:
        """All values, square by square of `side` pixels, (H, W) each."""
        for tile in Tiling(core=side).tiles(self.grid.window):
            yield tile.write, self.read(tile.write)

    @cached_property
    def counts(self) -> dict[int, int]:
        """Pixels of the whole map by class value, without nodata."""
        counts: dict[int, int] = {}
        for _, found in self.counted():
            for value, number in found.items():
                counts[value] = counts.get(value, 0) + number
        return counts

    def counted(self, side: int = _TILE) -> Iterator[tuple[Window, dict[int, int]]]:
        """In each square of `side` pixels of the map: its pixels by class value, without nodata."""
        for w, values in self.pieces(side):
            found, times = np.unique(values[self.valid(values)], return_counts=True)
            yield w, dict(zip(found.tolist(), times.tolist(), strict=True))

    @cached_property
    def legend(self) -> Legend:
        """The classes that landmix wrote into the tags; of another map its names and the values that it holds.

        Raises `LandmixError` where there are none, or too many for classes.
        """
        said = self._tagged()
        names = said or self.names
        values = set(said) or set(names) | set(self.counts)
        if not 1 <= len(values) <= MOST_CLASSES:
            msg = f"a class map has 1 to {MOST_CLASSES} classes, but {self.path} holds {len(values)} values"
            msg += " besides nodata"
            raise LandmixError(msg)
        try:
            return make_legend([(v, names.get(v, str(v)), self.colors.get(v)) for v in values])
        except ValueError as error:
            msg = f"the map {self.path} has no legend that can be used: {error}"
            raise LandmixError(msg) from error

    def _tagged(self) -> dict[int, str]:
        """Names by class value as the tags have them; empty where they have none."""
        try:
            found = json.loads(self.tags.get("LANDMIX_CLASSES", "{}"))
            return {int(value): str(name) for value, name in found.items()}
        except (ValueError, AttributeError):
            return {}

    def values_at(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.integer]:
        """Map values (N,) at pixels (N,), (N,); each part of the map is read once."""
        values = np.empty(len(rows), self._dataset.dtypes[0])
        across = -(-self.grid.width // _TILE)
        tile_of = rows // _TILE * across + cols // _TILE
        order = np.argsort(tile_of, kind="stable")
        for piece in np.split(order, np.flatnonzero(np.diff(tile_of[order])) + 1):
            if not len(piece):
                continue
            row, col = (int(first) // _TILE * _TILE for first in (rows[piece[0]], cols[piece[0]]))
            height, width = min(_TILE, self.grid.height - row), min(_TILE, self.grid.width - col)
            window = Window(row=row, col=col, height=height, width=width)
            values[piece] = self.read(window)[rows[piece] - row, cols[piece] - col]
        return values
