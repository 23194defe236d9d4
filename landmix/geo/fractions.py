"""Reading rasters of fractions: a band a class, with its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rasterio.windows import Window as RasterioWindow

from landmix.errors import LandmixError
from landmix.geo.grid import Grid
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import FAILURES, cause, open_raster
from landmix.geo.validity import validity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.core.window import Window

_ABOUT = 0.01
"""How far fractions may lie outside 0 to 1: resampling overshoots."""


class FractionsReader:
    """A raster of fractions; use as a context manager."""

    def __init__(self, path: str, limits: Limits = DEFAULT) -> None:
        """Open `path`. Raises `LandmixError` where its bands have no names, or two the same."""
        self.path = path
        self._dataset = open_raster(path, limits=limits)
        self.grid = Grid.of(self._dataset)
        self.names = tuple(name or "" for name in self._dataset.descriptions)
        if "" in self.names or len(set(self.names)) < len(self.names):
            self._dataset.close()
            msg = f"a raster of fractions has a band a class with its name, but {path} has bands without one or two"
            msg += " of one name"
            raise LandmixError(msg)

    def __enter__(self) -> FractionsReader:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, *_: object) -> None:
        self._dataset.close()

    def read(self, window: Window, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Fractions (K, H, W) of the classes `names`, and where they are valid (H, W).

        Raises `LandmixError` where the file is damaged or holds something else than fractions.
        """
        bands = [self.names.index(name) for name in names]
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            stored = self._dataset.read([band + 1 for band in bands], window=place)
            inside = self._dataset.dataset_mask(window=place) > 0
        except FAILURES as error:
            msg = f"cannot read the fractions {self.path}: the file is damaged ({cause(error)})"
            raise LandmixError(msg) from error
        valid = inside & validity(stored, tuple(self._dataset.nodatavals[band] for band in bands))
        scale, offset = (np.array(line)[bands, None, None] for line in (self._dataset.scales, self._dataset.offsets))
        fractions = np.where(valid, stored * scale + offset, 0.0)
        if fractions.size and not -_ABOUT <= fractions.min() <= fractions.max() <= 1 + _ABOUT:
            msg = f"fractions lie between 0 and 1, but {self.path} holds {fractions.min():g} to {fractions.max():g}"
            raise LandmixError(msg)
        return fractions, valid


def has_bands(path: str, limits: Limits = DEFAULT) -> bool:
    """Whether a raster has several bands, as one of fractions."""
    with open_raster(path, limits=limits) as dataset:
        return int(dataset.count) > 1
