"""Label files of any kind, and what vector files claim of the pixels of a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.features import rasterize

from landmix.core.window import Window
from landmix.files import is_remote
from landmix.geo.label_pixels import unique
from landmix.geo.label_rasters import look
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import raster_driver
from landmix.geo.vectors import read_features

if TYPE_CHECKING:
    from affine import Affine as Transform
    from numpy.typing import NDArray

    from landmix.geo.grid import Grid
    from landmix.geo.label_pixels import Key, LabelPixels
    from landmix.geo.label_rasters import RasterLabels
    from landmix.geo.vectors import Features


def open_labels(
    path: str, field: str | None, layer: str | None = None, limits: Limits = DEFAULT
) -> Features | RasterLabels:
    """Read a vector file, or look at a raster. Raises `LandmixError` for a raster of several bands."""
    if not is_remote(path) and raster_driver(path) is None:
        return read_features(path, field, layer, limits)
    return look(path, limits)


def burn(features: Features, grid: Grid, ignore: frozenset[Key], first_unit: int = 0) -> LabelPixels:
    """The pixels whose centres lie in polygons, or that hold points.

    A pixel that features of different classes claim is left out and counted; one that features of the same class
    claim belongs to the first. `units` are feature numbers in file order, counted from `first_unit`, so that a
    feature keeps its number on every scene that it touches.
    """
    kept = [i for i, key in enumerate(features.keys) if key not in ignore]
    names = tuple(sorted({features.keys[i] for i in kept}, key=_by_kind))
    geometries = features.on(grid.crs)
    flats, units = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for i in kept:
        flat = _pixels(geometries[i], grid)
        flats.append(flat)
        units.append(np.full(len(flat), first_unit + i, np.int32))
    places = {name: i for i, name in enumerate(names)}
    position = np.array([places.get(key, -1) for key in features.keys], np.int32)
    flat, unit = np.concatenate(flats), np.concatenate(units)
    return unique(flat, position[unit - first_unit], unit, names, grid.width)


def _by_kind(key: Key) -> tuple[bool, Key]:
    """Sorts numbers before texts."""
    return isinstance(key, str), key


def _pixels(geometry: shapely.Geometry, grid: Grid) -> NDArray[np.int64]:
    """Flat indices (row * width + col) of the pixels that a geometry claims."""
    inverse = ~grid.transform
    if "Point" in geometry.geom_type:
        places = np.stack(_to_pixels(geometry, inverse))
        x, y = places
        with np.errstate(invalid="ignore"):
            inside = (y >= 0) & (y < grid.height) & (x >= 0) & (x < grid.width)
        cols, rows = np.floor(places[:, inside]).astype(np.int64)
        return np.unique(rows * grid.width + cols)
    window = _bounds(geometry, inverse, grid)
    if window is None:
        return np.empty(0, np.int64)
    burnt = rasterize(
        [geometry],
        out_shape=(window.height, window.width),
        transform=grid.transform @ _shift(window, grid.transform),
        dtype="uint8",
    )
    rows, cols = np.nonzero(burnt)
    return (rows + window.row) * grid.width + cols + window.col


def _to_pixels(geometry: shapely.Geometry, inverse: Transform) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns and rows of a geometry's vertices."""
    x, y = shapely.get_coordinates(geometry).T
    with np.errstate(invalid="ignore"):  # a vertex that the projection cannot place is infinite
        cols, rows = inverse @ (x, y)
    return np.asarray(cols), np.asarray(rows)


def _shift(window: Window, transform: Transform) -> Transform:
    return type(transform).translation(window.col, window.row)


def _bounds(geometry: shapely.Geometry, inverse: Transform, grid: Grid) -> Window | None:
    """The pixels that a geometry can touch, inside the grid; None if there are none."""
    cols, rows = _to_pixels(geometry, inverse)
    if not (np.isfinite(rows).all() and np.isfinite(cols).all()):
        return None
    row, col = max(int(np.floor(rows.min())), 0), max(int(np.floor(cols.min())), 0)
    row_end, col_end = min(int(rows.max()) + 1, grid.height), min(int(cols.max()) + 1, grid.width)
    if row >= row_end or col >= col_end:
        return None
    return Window(row=row, col=col, height=row_end - row, width=col_end - col)
