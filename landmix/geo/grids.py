"""One grid for bands that lie on several."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from affine import Affine as Transform
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from landmix.errors import LandmixError
from landmix.geo.ground import pixel_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.core.bands import BandSet
    from landmix.geo.grid import Grid
    from landmix.geo.scene import SceneFile


def choose_grid(
    bands: BandSet,
    files: Sequence[SceneFile],
    others: Sequence[SceneFile],
    resolution: float | str | None,
    reference: str | None,
) -> Grid:
    """The grid of a scene.

    `files` hold the bands, one for each; `others` (quality rasters) must only fit. `resolution` None: the grid of the
    band `reference`, if there is one, else the finest. Raises `LandmixError` where grids cannot be brought together.
    """
    known = next((file for band, file in zip(bands, files, strict=True) if band.name == reference), None)
    finest = min(files, key=lambda file: _area(file.grid))
    standard = known or finest
    if resolution is None:
        chosen = standard
    elif resolution == "finest":
        chosen = finest
    elif resolution == "coarsest":
        chosen = max(files, key=lambda file: _area(file.grid))
    elif isinstance(resolution, str):
        chosen = files[bands.select([resolution], standard.path)[0]]
    else:
        fitting = [file for file in [standard, *files] if _has_pixel(file.grid, float(resolution))]
        chosen = fitting[0] if fitting else replace(standard, grid=_cut(standard, float(resolution)))
    for file in [*files, *others]:
        _check_fit(chosen, file)
    return chosen.grid


def _area(grid: Grid) -> float:
    """Square metres of a pixel, or square units without georeference."""
    size = pixel_size(grid)
    return size[0] * size[1] if size else abs(grid.transform.determinant)


def _has_pixel(grid: Grid, size: float) -> bool:
    t = grid.transform
    return all(math.isclose(math.hypot(*side), size, rel_tol=1e-6) for side in ((t.a, t.d), (t.b, t.e)))


def _cut(file: SceneFile, size: float) -> Grid:
    """A file's area in pixels of another size, from the same corner."""
    t, grid = file.grid.transform, file.grid
    if grid.gcps or not grid.georeferenced:
        msg = f"scene.resolution needs a georeference, but {file.path} has none"
        raise LandmixError(msg)
    across, down = size / math.hypot(t.a, t.d), size / math.hypot(t.b, t.e)
    height, width = (math.ceil(n / step - 1e-6) for n, step in ((grid.height, down), (grid.width, across)))
    if height * width <= 1 < grid.height * grid.width:
        msg = f"scene.resolution={size:g} is larger than all of {file.path} ({grid}): it counts in CRS units"
        raise LandmixError(msg)
    if height * width > 1e11:  # noqa: PLR2004 - a slip of the pen, not a scene
        msg = f"scene.resolution={size:g} would cut {file.path} into {height} x {width} pixels: it counts in CRS units"
        raise LandmixError(msg)
    return replace(grid, transform=t @ Transform.scale(across, down), height=height, width=width)


def _check_fit(chosen: SceneFile, file: SceneFile) -> None:
    """Whether a file can be brought onto the chosen grid and touches it."""
    ours, theirs = chosen.grid, file.grid
    if ours.same_as(theirs):
        return
    if not (ours.georeferenced and theirs.georeferenced) or ours.gcps or theirs.gcps:
        msg = (
            f"the files of a scene lie on different grids, but {chosen.path} ({ours}) and {file.path} ({theirs}) have"
            " not both a CRS and a transform, so that one cannot be placed on the other"
        )
        raise LandmixError(msg)
    if not _overlap(ours, theirs):
        msg = f"the bands of a scene must overlap, but {chosen.path} ({ours}) and {file.path} ({theirs}) do not"
        raise LandmixError(msg)


def _overlap(ours: Grid, theirs: Grid) -> bool:
    left, bottom, right, top = _bounds(ours)
    try:
        other = _bounds(theirs) if ours.crs == theirs.crs else transform_bounds(theirs.crs, ours.crs, *_bounds(theirs))
    except RasterioError:  # nothing of it can be reached
        return False
    return other[0] < right and left < other[2] and other[1] < top and bottom < other[3]


def _bounds(grid: Grid) -> tuple[float, float, float, float]:
    """Left, bottom, right and top in CRS units."""
    corners = [grid.transform @ (col, row) for col in (0, grid.width) for row in (0, grid.height)]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
