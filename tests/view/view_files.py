"""Maps with their scenes, small and known pixel by pixel."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from landmix.core.legend import Legend, LegendClass
from landmix.geo.open import open_scene
from landmix.geo.sidecars import write_sidecars

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

NORTH_UP = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_300_000.0)
NASTY = '<img src=x onerror="alert(1)"> & Grün'
"""A class name that must stay a text."""

LEGEND = Legend(
    (
        LegendClass(value=2, name="field", color="#f2c94c"),
        LegendClass(value=7, name=NASTY, color="#2e7d32"),
        LegendClass(value=40, name="water", color="#2b6cb0"),
    )
)
SHAPE = (300, 520)
"""Rows and columns: two by three tiles."""

WAVES = {"blue": 490.0, "green": 560.0, "red": 665.0, "nir": 842.0, "swir": 1610.0}


def class_values(shape: tuple[int, int] = SHAPE, legend: Legend = LEGEND) -> NDArray[np.integer]:
    """Every pixel another class than its neighbour to the right; nodata in a corner."""
    row, col = np.indices(shape)
    values: NDArray[np.integer] = np.asarray(legend.values, legend.dtype)[(row // 3 + col) % len(legend)]
    values[:20, :10] = legend.nodata
    return values


def write_map(
    path: Path, values: NDArray[np.integer] | None = None, legend: Legend = LEGEND, **profile: Any
) -> NDArray[np.integer]:
    """A map as landmix writes it, with its tags and side files; its values."""
    values = class_values(legend=legend) if values is None else values
    options = {"crs": "EPSG:32633", "transform": NORTH_UP, "nodata": legend.nodata, **profile}
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = values.shape
    size = {"count": 1, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", **size, **options) as file:
        file.write(values, 1)
        file.update_tags(
            LANDMIX_CLASSES=json.dumps({str(c.value): c.name for c in legend}),
            LANDMIX_INPUT=json.dumps([{"name": "scene.tif", "sha256": "0" * 64}]),
        )
        if values.dtype == np.uint8:
            file.write_colormap(1, {c.value: (*c.rgb, 255) for c in legend})
    numbers, times = np.unique(values, return_counts=True)
    write_sidecars(path, legend, dict(zip(numbers.tolist(), times.tolist(), strict=True)))
    return values


def scene_values(shape: tuple[int, int] = SHAPE) -> NDArray[np.uint16]:
    """(band, H, W): stored values that know their band, row and column; 0 is nodata."""
    row, col = np.indices(shape)
    bands = [1000 * (band + 1) + 2 * row + col for band in range(len(WAVES))]
    values = np.stack(bands).astype(np.uint16)
    values[2, 30:40, 50:70] = 0
    return values


def write_scene(path: Path, values: NDArray[np.uint16] | None = None, **profile: Any) -> NDArray[np.uint16]:
    """Reflectance = stored / 10000 in five bands with names and wavelengths; the stored values."""
    values = scene_values() if values is None else values
    options = {"crs": "EPSG:32633", "transform": NORTH_UP, "nodata": 0, **profile}
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", **size, **options) as file:
        file.write(values)
        file.scales = (0.0001,) * count
        file.descriptions = tuple(WAVES)
        for number, nm in enumerate(WAVES.values(), start=1):
            file.update_tags(number, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{nm / 1000:g}", FWHM_UM="0.03")
    return values


def write_confidence(path: Path, shape: tuple[int, int] = SHAPE, **profile: Any) -> NDArray[np.uint8]:
    """Confidence as landmix writes it: 0 to 200 for 0 to 1, 255 where there is none; the stored values."""
    values: NDArray[np.uint8] = (np.indices(shape).sum(0) % 201).astype(np.uint8)
    values[:20, :10] = 255
    options = {"crs": "EPSG:32633", "transform": NORTH_UP, "nodata": 255, **profile}
    size = {"count": 1, "height": shape[0], "width": shape[1], "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **size, **options) as file:
        file.write(values, 1)
        file.scales = (0.005,)
    return values


def opened(path: Path) -> Scene:
    return open_scene([str(path)], "scene")


def pixels(png: bytes) -> NDArray[np.uint8]:
    """(4, 256, 256): red, green, blue and alpha."""
    with MemoryFile(io.BytesIO(png)) as memory, memory.open() as file:
        values: NDArray[np.uint8] = file.read()
    assert values.shape == (4, 256, 256)
    return values
