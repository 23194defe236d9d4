"""The demo scene as files that an analyst would have: a scene, labelled polygons and a reference map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from rasterio.transform import Affine

from landmix.core.fractions import whole_numbers
from landmix.demo.landscape import make_scene
from landmix.demo.polygons import draw_polygons
from landmix.demo.spectra import BANDS, LEGEND
from landmix.files import make_folder, write_text
from landmix.geo.pam import pam_path, pam_xml
from landmix.geo.whole import write_raster, write_vector

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import rasterio
    from numpy.typing import NDArray

    from landmix.core.legend import Legend
    from landmix.demo.landscape import DemoScene
    from landmix.demo.polygons import LabelPolygon

SCALE, OFFSET = 0.0001, -0.1
"""Reflectance = stored * SCALE + OFFSET, as in Sentinel-2 products since 2022."""
NODATA = 0
"""Stored where the scene is not valid; no valid pixel is dark enough to be stored so."""
CRS = "EPSG:32633"
"""UTM zone 33 north."""
TRANSFORM = Affine(10.0, 0.0, 462_000.0, 0.0, -10.0, 5_358_000.0)
"""10 m pixels; the top left corner lies in hilly farmland north of the Danube."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFiles:
    """Where the files of a demo lie."""

    scene: Path
    """GeoTIFF with all bands."""
    labels: Path
    """Polygons with the field `class`, or a raster of class values with 0 where nobody labelled."""
    reference: Path
    """GeoTIFF with the true class value of every pixel."""
    fractions: Path | None = None
    """GeoTIFF with a band a class: the true share of each pixel that it covers; None where pixels are not mixed."""


def write_demo(folder: Path, seed: int = 0, size: int = 1024) -> DemoFiles:
    """Write `scene.tif`, `labels.gpkg`, `reference.tif` and `fractions.tif`.

    The same seed and size give rasters equal byte by byte.
    """
    scene = make_scene(seed, size)
    fractions = folder / "fractions.tif"
    files = DemoFiles(
        scene=folder / "scene.tif",
        labels=folder / "labels.gpkg",
        reference=folder / "reference.tif",
        fractions=fractions,
    )
    make_folder(folder)
    write_fractions(fractions, scene.fractions, LEGEND)
    _write_scene(files.scene, scene)
    # A stream of its own: what is drawn here does not depend on how many numbers the scene took.
    _write_polygons(files.labels, draw_polygons(np.random.default_rng((seed, 1)), scene.truth, scene.valid))
    write_classes(files.reference, scene.truth, LEGEND)
    return files


def to_stored(scene: DemoScene) -> NDArray[np.uint16]:
    """(band, H, W): reflectance as the file stores it; 0 exactly where not valid."""
    stored = np.rint((scene.reflectance - OFFSET) / SCALE).clip(1, 65535).astype(np.uint16)
    return np.where(scene.valid, stored, np.uint16(NODATA))


def _write_scene(path: Path, scene: DemoScene) -> None:
    def describe(file: rasterio.io.DatasetWriter) -> None:
        file.scales, file.offsets = (SCALE,) * len(BANDS), (OFFSET,) * len(BANDS)
        file.descriptions = BANDS.names
        for band in BANDS:
            in_um = {"CENTRAL_WAVELENGTH_UM": (band.wavelength or 0) / 1000, "FWHM_UM": (band.width or 0) / 1000}
            file.update_tags(band.number, ns="IMAGERY", **{key: f"{value:g}" for key, value in in_um.items()})

    stored = to_stored(scene)
    write_raster(path, stored, describe, predictor=2, **profile(stored, NODATA))


def _write_polygons(path: Path, polygons: Sequence[LabelPolygon]) -> None:
    shapes = [shapely.Polygon([TRANSFORM @ (col, row) for row, col in polygon.ring]) for polygon in polygons]
    write_vector(
        path,
        geometry=shapely.to_wkb(shapes),
        columns={"class": np.asarray([polygon.name for polygon in polygons], object)},
        geometry_type="Polygon",
        crs=CRS,
        layer="labels",
        driver="GPKG",
    )


def profile(values: NDArray[np.generic], nodata: float) -> dict[str, Any]:
    """How all rasters of the demo are stored; `values` is (band, H, W)."""
    count, height, width = values.shape
    return {
        "driver": "GTiff",
        "dtype": values.dtype.name,
        "count": count,
        "height": height,
        "width": width,
        "nodata": nodata,
        "crs": CRS,
        "transform": TRANSFORM,
        "interleave": "band",
        "compress": "deflate",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }


def write_fractions(path: Path, fractions: NDArray[np.float32], legend: Legend) -> None:
    """Write fractions (class, H, W) as `landmix predict` does: bands with the classes' names, 0 to 200 for 0 to 1."""
    stored = whole_numbers(fractions, _FULL)

    def describe(file: rasterio.io.DatasetWriter) -> None:
        file.scales, file.descriptions = (1 / _FULL,) * len(stored), legend.names

    write_raster(path, stored, describe, **profile(stored, 255))


_FULL = 200
"""Stored for a fraction of 1."""


def write_classes(path: Path, values: NDArray[np.uint8], legend: Legend) -> None:
    """Write a map of class values (H, W) with colours in the file and class names in the `.aux.xml` beside it."""
    colors = {entry.value: (*entry.rgb, 255) for entry in legend}
    write_text(pam_path(path), pam_xml(legend, dict(enumerate(np.bincount(values.ravel()).tolist()))))
    write_raster(
        path, values[None], lambda file: file.write_colormap(1, colors), **profile(values[None], legend.nodata)
    )
