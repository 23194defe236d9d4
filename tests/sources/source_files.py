"""Small rasters and STAC items on disk, and what a scene made of them says in physical numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine as Transform

from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries
from landmix.geo.validity import band_validity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

UTM = "EPSG:32633"
NORTH_UP = Transform(10, 0, 500_000, 0, -10, 5_400_000)
GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
DN = 1452
"""A stored number: 0.0452 with the scale 0.0001 and the offset -0.1."""


def write_tif(
    path: Path,
    array: NDArray[Any],
    *,
    transform: Transform = NORTH_UP,
    crs: str = UTM,
    names: Sequence[str] = (),
    scale: float = 1,
    offset: float = 0,
    unit: str = "",
    **profile: Any,
) -> str:
    """Write (C, H, W) or (H, W) as a GeoTIFF; gives its path."""
    array = array if array.ndim == 3 else array[None]
    count, height, width = array.shape
    size = {"count": count, "height": height, "width": width, "dtype": array.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **size, **profile) as file:
        file.write(array)
        if names:
            file.descriptions = tuple(names)
        file.scales, file.offsets, file.units = (scale,) * count, (offset,) * count, (unit,) * count
    return str(path)


def constant(path: Path, value: float = DN, dtype: str = "uint16", side: int = 4, **options: Any) -> str:
    """A raster of one number; gives its path."""
    return write_tif(path, np.full((side, side), value, dtype), **options)


def item_of(assets: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A STAC 1.0 item."""
    head: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_33UWP",
        "geometry": None,
        "links": [],
    }
    return {**head, "collection": "other", "properties": {"datetime": None}, "assets": assets, **changes}


def write_item(path: Path, item: Any) -> str:
    """Write JSON; gives its path."""
    path.write_text(json.dumps(item), encoding="utf-8")
    return str(path)


def write_assets(folder: Path, assets: dict[str, Any], **options: Any) -> None:
    """A raster of `DN` for every link that is a file name and not there yet."""
    for asset in assets.values():
        href = asset["href"]
        if href.endswith(".tif") and "/" not in href and not (folder / href).exists():
            constant(folder / href, **options)


def scenes(spec: Any, **options: Any) -> list[Scene]:
    return [open_entry(entry, ReadOptions(**options)) for entry in scene_entries(spec, "scenes")]


def scene(spec: Any, **options: Any) -> Scene:
    (found,) = scenes(spec, **options)
    return found


def open_assets(folder: Path, assets: dict[str, Any], changes: dict[str, Any] | None = None, **options: Any) -> Scene:
    """Write an item and its rasters in a folder, and open it."""
    write_assets(folder, assets)
    return scene(write_item(folder / "item.json", item_of(assets, **(changes or {}))), **options)


def physical(found: Scene) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Physical values (C, H, W), NaN where a band is invalid, and the pixels that are inside and clear (H, W)."""
    with found.open() as reader:
        stored, inside = reader.read(found.grid.window)
    values = stored.astype(np.float32)
    for i, (nodata, scale, offset) in enumerate(
        zip(found.nodata, found.scaling.scale, found.scaling.offset, strict=True)
    ):
        values[i] = np.where(band_validity(stored[i], nodata), values[i] * scale + offset, np.nan)
    return values, inside


def band(found: Scene, name: str) -> NDArray[np.float32]:
    """Physical values of one band (H, W), chosen as a user would."""
    values: NDArray[np.float32] = physical(found.take(found.bands.select([name], "the scene")))[0][0]
    return values
