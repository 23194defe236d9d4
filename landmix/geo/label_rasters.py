"""Label rasters: what they are, and their pixels on the grid of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from landmix.core.tiling import Tiling
from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo.grid import Grid
from landmix.geo.label_pixels import LabelPixels
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import FAILURES, cause, open_raster
from landmix.geo.pam import category_names
from landmix.geo.validity import band_validity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import rasterio
    from numpy.typing import NDArray

    from landmix.geo.label_pixels import Key

MOST_CLASSES = 1000
"""Classes; more values than this are measurements."""

Piece = tuple[Window, "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]
"""A window, and rows, columns and values (N,) of the labelled pixels in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterLabels:
    """A label raster, not yet read."""

    path: str
    names: dict[int, str]
    """Class names by value, where the file has them."""
    colors: dict[int, str]
    """Colours `#rrggbb` by value, where the file has them."""
    limits: Limits = DEFAULT


def look(path: str, limits: Limits = DEFAULT) -> RasterLabels:
    """What a label raster says of itself. Raises `LandmixError` for one of several bands."""
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
                if len(seen) > MOST_CLASSES:
                    msg = f"label rasters have {MOST_CLASSES} classes at most, but {labels.path} has more values:"
                    msg += " are they measured?"
                    raise LandmixError(msg)
                yield tile.write, rows, cols, values
        except FAILURES as error:
            msg = f"cannot read the labels {labels.path}: the file is damaged ({cause(error)})"
            raise LandmixError(msg) from error
        finally:
            source.close()


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
