"""A first look at a scene: how much of it is valid, and a small picture's worth of pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine as Transform

from landmix.core.tiling import Tiling
from landmix.geo.validity import band_validity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene


_SIDE = 256
"""Of the tiles that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Shares of valid pixels, from 0 to 1."""

    valid: float
    """In every band, and clear."""
    clear: float
    """In the scene, not masked, and let through by the quality rule."""
    bands: tuple[float, ...]
    """Of each band alone."""
    pixels: int
    """How many were looked at."""
    total: int


def survey(scene: Scene, *, most: int = 2**27, progress: Callable[[int, int], None] | None = None) -> Survey:
    """Look at a scene's pixels: all of them, or small tiles drawn by chance, the same every time, of `most` values."""
    tiles = list(Tiling(core=_SIDE).tiles(scene.grid.window))
    count = max(1, round(len(tiles) * min(1.0, most / (scene.grid.window.size * len(scene.stored)))))
    chosen = [tiles[i] for i in sorted(np.random.default_rng(0).choice(len(tiles), count, replace=False))]
    every, clear, seen = 0, 0, 0
    bands = np.zeros(len(scene.bands), np.int64)
    with scene.open() as reader:
        for done, tile in enumerate(chosen, start=1):
            values, inside = reader.read(tile.write)
            valid = inside.copy()
            for i, nodata in enumerate(scene.nodata):
                own = band_validity(values[i], nodata)
                bands[i] += own.sum()
                valid &= own
            every, clear, seen = every + int(valid.sum()), clear + int(inside.sum()), seen + inside.size
            if progress:
                progress(done, len(chosen))
    return Survey(
        valid=every / seen,
        clear=clear / seen,
        bands=tuple((bands / seen).tolist()),
        pixels=seen,
        total=scene.grid.window.size,
    )


def preview(scene: Scene, longest: int = 900) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Physical values (C, h, w) of every n-th pixel, NaN where invalid, and where the scene is clear (h, w).

    The longer side has at most `longest` pixels. Reads overviews where the files have them: a picture, not data.
    """
    small = coarse(scene, -(-max(scene.grid.height, scene.grid.width) // longest))
    with small.open() as reader:
        values, inside = reader.read(small.grid.window)
    scale, offset = small.scaling.arrays
    physical = values.astype(np.float32) * scale[:, None, None] + offset[:, None, None]
    for i, nodata in enumerate(small.nodata):
        physical[i][~band_validity(values[i], nodata)] = np.nan
    return physical, inside


def coarse(scene: Scene, step: int) -> Scene:
    """The scene on a grid of every `step`-th pixel, read through overviews where there are any: for pictures only."""
    if step == 1:
        return scene
    grid = scene.grid
    pixels = Transform.identity() if grid.gcps else grid.transform
    height, width = max(1, grid.height // step), max(1, grid.width // step)
    rasters = [
        replace(raster, grid=replace(raster.grid, gcps=(), transform=pixels)) if grid.gcps else raster
        for raster in scene.rasters
    ]
    return replace(
        scene,
        grid=replace(grid, gcps=(), transform=pixels @ Transform.scale(step), height=height, width=width),
        rasters=tuple(rasters),
        options=replace(scene.options, resampling="nearest"),
        overview=grid.georeferenced,
    )
