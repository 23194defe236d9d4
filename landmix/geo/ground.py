"""Distances on the ground: pixels of many scenes in one plane, in metres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyproj
from pyproj.exceptions import ProjError

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from landmix.core.window import Window
    from landmix.geo.grid import Grid


def pixel_size(grid: Grid) -> tuple[float, float] | None:
    """Height and width in metres of the pixel in the middle; None without a place on earth.

    Geodesic on geographic and Web Mercator grids, else by the CRS's own unit.
    """
    return _pixel_size(grid, grid.height // 2, grid.width // 2)


def pixels_differ(grid: Grid) -> float:
    """How many times the ground of its smallest pixel the largest one covers, of those at the middle and the corners.

    1 without a place on earth, and where the CRS's own unit is the metre that is counted with.
    """
    rows, cols = (0, grid.height // 2, grid.height - 1), (0, grid.width // 2, grid.width - 1)
    sizes = [size for row in rows for col in cols if (size := _pixel_size(grid, row, col)) is not None]
    areas = [height * width for height, width in sizes if np.isfinite(height * width) and height * width > 0]
    return max(areas) / min(areas) if areas else 1.0


def _pixel_size(grid: Grid, row: int, col: int) -> tuple[float, float] | None:
    if not grid.georeferenced:
        return None
    rows, cols = np.array([0, 1, 0]) + row, np.array([0, 0, 1]) + col
    try:
        xy = plane([grid], np.zeros(3, np.int32), rows, cols)
    except (ProjError, LandmixError):  # degrees that do not exist, other planets
        return None
    return float(np.hypot(*(xy[1] - xy[0]))), float(np.hypot(*(xy[2] - xy[0])))


def covered(target: Grid, window: Window, source: Grid) -> NDArray[np.bool_]:
    """Which pixels of a window of `target` have their centres in `source`, of whatever CRS (H, W)."""
    rows, cols = np.mgrid[window.row : window.row_end, window.col : window.col_end]
    xy = target.centres(rows.ravel(), cols.ravel())
    if target.crs != source.crs:
        move = pyproj.Transformer.from_crs(target.crs.to_wkt(), source.crs.to_wkt(), always_xy=True)  # type: ignore[union-attr]
        xy = np.column_stack(move.transform(xy[:, 0], xy[:, 1]))
    with np.errstate(invalid="ignore"):  # a place that the projection cannot reach is infinite
        col, row = ~source.transform @ (xy[:, 0], xy[:, 1])
        inside = (row >= 0) & (row < source.height) & (col >= 0) & (col < source.width)
    return np.asarray(inside).reshape(window.height, window.width)


def plane(
    grids: Sequence[Grid], scene: NDArray[np.integer], rows: NDArray[np.integer], cols: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Metres (N, 2) of pixel centres of several scenes in one plane.

    Projected CRSs that all scenes share are kept. Otherwise, and for degrees and Web Mercator, whose units are no
    lengths, the plane is the azimuthal equidistant projection around the middle of the pixels. Scenes without
    georeference count in pixels, each far away from the others.
    """
    xy = np.empty((len(rows), 2))
    placed = [i for i, grid in enumerate(grids) if grid.georeferenced]
    crs = [pyproj.CRS.from_user_input(grids[i].crs) for i in placed]
    factor = _unit(crs[0]) if crs and all(other == crs[0] for other in crs) else None
    for i, grid in enumerate(grids):
        here = scene == i
        if not grid.georeferenced:
            xy[here] = np.stack([cols[here], rows[here]], axis=1) + (i + 1) * 1e9
        else:
            xy[here] = grid.centres(rows[here], cols[here]) * (factor or 1.0)
    if factor is None and placed:
        _equidistant(xy, [(scene == i, c) for i, c in zip(placed, crs, strict=True)])
    return xy


def _unit(crs: pyproj.CRS) -> float | None:
    """Metres in a unit of a projected or local CRS; None where its units are no lengths on the ground."""
    if not (crs.is_projected or crs.is_engineering) or _is_mercator(crs):
        return None
    return float(crs.axis_info[0].unit_conversion_factor)


def _is_mercator(crs: pyproj.CRS) -> bool:
    """Whether the CRS is a Mercator projection of the whole earth, where a metre at 60 degrees is two."""
    operation = crs.coordinate_operation
    return operation is not None and "Mercator" in operation.method_name and "Transverse" not in operation.method_name


def _equidistant(xy: NDArray[np.float64], parts: list[tuple[NDArray[np.bool_], pyproj.CRS]]) -> None:
    """Replace CRS coordinates by metres around their common middle, in place."""
    for here, crs in parts:
        try:
            to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        except ProjError as error:
            msg = f"the CRS {crs.name} has no place on earth, so distances there are not known: remove it first"
            raise LandmixError(msg) from error
        xy[here] = np.column_stack(to_degrees.transform(xy[here, 0], xy[here, 1]))
    every = np.logical_or.reduce([here for here, _ in parts])
    if not every.any():
        return
    lon, lat = np.median(xy[every], axis=0)
    around = pyproj.CRS.from_dict({"proj": "aeqd", "lon_0": float(lon), "lat_0": float(lat), "ellps": "WGS84"})
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", around, always_xy=True)
    xy[every] = np.column_stack(to_metres.transform(xy[every, 0], xy[every, 1]))
