"""Small rasters and vectors on disk whose pixels know their own coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from affine import Affine as Transform

from landmix.core.window import Window
from landmix.geo.grid import Grid
from landmix.geo.validity import validity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

UTM = "EPSG:32633"
NORTH_UP = Transform(10, 0, 500_000, 0, -10, 5_400_000)
SOUTH_UP = Transform(10, 0, 500_000, 0, 10, 5_300_000)
ROTATED = NORTH_UP @ Transform.rotation(30)


def coordinates(bands: int, height: int, width: int, dtype: str = "uint16") -> NDArray[Any]:
    """(C, H, W): the value is band * 1000 + row * 30 + col, wrapped into the type."""
    band, row, col = np.indices((bands, height, width))
    values = (band + 1) * 1000 + row * 30 + col
    wrapped: NDArray[Any] = (values % 127 if np.dtype(dtype).itemsize == 1 else values).astype(dtype)
    return wrapped


def ground(transform: Any, rows: Any, cols: Any) -> tuple[Any, Any]:
    """x and y of pixel corners; `transform` is Any because affine types its operator for single points only."""
    x, y = transform @ (cols, rows)
    return x, y


def write_tif(
    path: Path,
    array: NDArray[Any],
    *,
    transform: Transform | None = NORTH_UP,
    crs: str | None = UTM,
    names: Sequence[str | None] = (),
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
    tags: Sequence[dict[str, str]] = (),
    namespace: str | None = None,
    colormap: dict[int, tuple[int, int, int]] | None = None,
    **profile: Any,
) -> str:
    """Write (C, H, W) or (H, W) as a GeoTIFF; gives its path."""
    array = array if array.ndim == 3 else array[None]
    profile = {"driver": "GTiff", **profile}
    if transform is not None:
        profile["transform"] = transform
    if crs is not None:
        profile["crs"] = crs
    count, height, width = array.shape
    with rasterio.open(path, "w", height=height, width=width, count=count, dtype=array.dtype, **profile) as file:
        file.write(array)
        if names:
            file.descriptions = tuple(names)
        if scales:
            file.scales = tuple(scales)
        if offsets:
            file.offsets = tuple(offsets)
        for i, items in enumerate(tags, start=1):
            file.update_tags(i, ns=namespace, **items)
        if colormap:
            file.write_colormap(1, colormap)
    return str(path)


def grid_of(path: str) -> Grid:
    with rasterio.open(path) as file:
        return Grid.of(file)


def grid(height: int, width: int, transform: Transform = NORTH_UP, crs: str | None = UTM) -> Grid:
    found = None if crs is None else rasterio.crs.CRS.from_string(crs)
    return Grid(crs=found, transform=transform, height=height, width=width)


def write_vector(
    path: Path,
    geometries: Sequence[shapely.Geometry | None],
    classes: Sequence[Any],
    *,
    crs: str | None = UTM,
    field: str = "class",
    **options: Any,
) -> str:
    """Write features with one attribute; gives the path."""
    column = np.array(classes, object if any(isinstance(c, str) or c is None for c in classes) else None)
    pyogrio.raw.write(
        path,
        geometry=np.array([None if g is None else shapely.to_wkb(g) for g in geometries], object),
        field_data=[column],
        fields=[field],
        geometry_type=options.pop("geometry_type", "Unknown"),
        crs=crs,
        **options,
    )
    return str(path)


def read_all(scene: Scene) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Stored values and validity of a whole scene."""
    with scene.open() as reader:
        stored, inside = reader.read(scene.grid.window)
    return stored, inside & validity(stored, scene.nodata)


def window(row: int, col: int, height: int, width: int) -> Window:
    return Window(row=row, col=col, height=height, width=width)
