"""Labels of any kind on the pixels of a scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.enums import ColorInterp, Resampling
from rasterio.features import rasterize
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from landmix.core.tiling import Tiling
from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo.grid import Grid
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import FAILURES, cause, open_raster, raster_driver
from landmix.geo.pam import category_names
from landmix.geo.validity import band_validity
from landmix.geo.vectors import Features, read_features

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import rasterio
    from affine import Affine as Transform
    from numpy.typing import NDArray

MOST = 1000
"""Classes; more values than this are measurements."""

Key = str | int
"""A class as the labels write it: text, or a whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterLabels:
    """A label raster, not yet read."""

    path: str
    names: dict[int, str]
    """Class names by value, where the file has them."""
    colors: dict[int, str]
    """Colours `#rrggbb` by value, where the file has them."""
    limits: Limits = DEFAULT


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


def open_labels(
    path: str, field: str | None, layer: str | None = None, limits: Limits = DEFAULT
) -> Features | RasterLabels:
    """Read a vector file, or look at a raster. Raises `LandmixError` for a raster of several bands."""
    if not is_remote(path) and raster_driver(path) is None:
        return read_features(path, field, layer, limits)
    with open_raster(path, limits=limits) as dataset:
        _check_one_band(dataset, path)
        return RasterLabels(path=path, limits=limits, names=category_names(Path(path)), colors=_colormap(dataset))


def _check_one_band(dataset: rasterio.DatasetReader, path: str) -> None:
    """One band of classes, and at most an alpha band beside it."""
    seen = [n for n, kind in zip(dataset.indexes, dataset.colorinterp, strict=True) if kind != ColorInterp.alpha]
    if seen != [1]:
        msg = (
            f"label rasters have one band, of class values, but {path} has {dataset.count}: give the raster of classes,"
            " or make one of the band that holds them (gdal_translate -b)"
        )
        raise LandmixError(msg)


def _colormap(dataset: rasterio.DatasetReader) -> dict[int, str]:
    try:
        table = dataset.colormap(1)
    except ValueError:
        return {}
    return {value: f"#{r:02x}{g:02x}{b:02x}" for value, (r, g, b, _) in table.items()}


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
    return _unique(flat, position[unit - first_unit], unit, names, grid.width)


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


def _unique(
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


def sample(labels: RasterLabels, grid: Grid, ignore: frozenset[Key] | None) -> LabelPixels:
    """The labelled pixels of a raster, of which `pieces` says more."""
    parts = [(rows.astype(np.int32), cols.astype(np.int32), vs) for _, rows, cols, vs in pieces(labels, grid, ignore)]
    rows, cols, values = (np.concatenate(found) for found in zip(*parts, strict=True))
    names, keys = np.unique(values, return_inverse=True)
    order = np.lexsort((cols, rows))
    return LabelPixels(
        rows=rows[order],
        cols=cols[order],
        keys=keys[order].astype(np.int32),
        names=tuple(int(value) for value in names),
        units=np.full(len(rows), -1, np.int32),
    )


def pieces(labels: RasterLabels, grid: Grid, ignore: frozenset[Key] | None) -> Iterator[Piece]:
    """The labelled pixels of a raster of any CRS and grid, by nearest neighbour on the scene's grid, square by square.

    Each piece is a window of the grid, and of the labelled pixels in it rows and columns of the whole grid and values
    (N,). `ignore` None: the raster's nodata, and 0 where it has none. Raises `LandmixError` for fractions, and for more
    values than there are classes.
    """
    tiling, seen = Tiling(core=1024), np.empty(0, np.int64)
    with open_raster(labels.path, limits=labels.limits) as dataset:
        ignored = ignore if ignore is not None else (frozenset() if dataset.nodata is not None else frozenset([0]))
        source = _on_grid(dataset, grid, labels.path)
        try:
            for tile in tiling.tiles(grid.window):
                rows, cols, found = _labelled(source, tile.write, dataset.nodata, ignored)
                values = _whole(found, labels.path)
                seen = np.union1d(seen, values)
                if len(seen) > MOST:
                    msg = f"label rasters have {MOST} classes at most, but {labels.path} has more values: are they"
                    msg += " measured?"
                    raise LandmixError(msg)
                yield tile.write, rows, cols, values
        except FAILURES as error:
            msg = f"cannot read the labels {labels.path}: the file is damaged ({cause(error)})"
            raise LandmixError(msg) from error
        finally:
            source.close()


Piece = tuple[Window, "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]


def _whole(values: NDArray[np.float64], path: str) -> NDArray[np.int64]:
    if (values != np.round(values)).any():
        msg = f"label rasters hold whole numbers, but {path} holds fractions"
        raise LandmixError(msg)
    return values.astype(np.int64)


def _on_grid(dataset: rasterio.DatasetReader, grid: Grid, path: str) -> rasterio.DatasetReader | WarpedVRT:
    """The label raster on the scene's grid: itself, or warped by nearest neighbour."""
    own = Grid.of(dataset)
    if grid.crs is None and own.crs is not None:
        msg = f"{path} has a CRS but the scene has none: labels cannot be placed on it without georeference"
        raise LandmixError(msg)
    same_shape = (own.height, own.width) == (grid.height, grid.width)
    if own.same_as(grid) or (same_shape and not (own.georeferenced and grid.georeferenced)):
        return dataset
    if not (own.georeferenced and grid.georeferenced):
        msg = (
            f"{path} and the scene differ in size, and one has no georeference, so labels cannot be placed: give it one"
        )
        raise LandmixError(msg)
    return WarpedVRT(
        dataset,
        crs=grid.crs,
        transform=grid.transform,
        height=grid.height,
        width=grid.width,
        resampling=Resampling.nearest,
        add_alpha=dataset.nodata is None and ColorInterp.alpha not in dataset.colorinterp,
    )


def _labelled(
    source: rasterio.DatasetReader | WarpedVRT, window: Window, nodata: float | None, ignored: Iterable[Key]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows, columns and values of the labelled pixels in a window."""
    place = RasterioWindow(window.col, window.row, window.width, window.height)
    values = source.read(1, window=place)
    labelled = band_validity(values, nodata) & (source.dataset_mask(window=place) > 0)
    labelled &= ~np.isin(values, [key for key in ignored if isinstance(key, int)])
    rows, cols = np.nonzero(labelled)
    return rows + window.row, cols + window.col, values[rows, cols].astype(np.float64)


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
    merged = _unique(flat[clear], np.concatenate(keys)[clear], units[clear], names, width)
    return replace(merged, disputed=np.union1d(merged.disputed, disputed))


def count_keys(pixels: Sequence[LabelPixels]) -> Counter[Key]:
    """Labelled pixels a class, over all scenes."""
    counts: Counter[Key] = Counter()
    for part in pixels:
        numbers = np.bincount(part.keys, minlength=len(part.names)).tolist()
        counts.update(dict(zip(part.names, numbers, strict=True)))
    return counts
