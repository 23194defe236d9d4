"""Rasters that cannot be read as one band stack on one grid, or that do not fit a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from commands import BANDS, TINY, WAVELENGTHS, reflectance, world, write_scene
from deliveries import sentinel_folder
from provoking import Case, Group, good_files
from rasterio.transform import Affine as Transform
from seam_models import bundle_of

from landmix import bundle as bundles
from landmix.core.bands import Band, BandSet
from landmix.core.scaling import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PREDICT = ("predict", "device=cpu", "out_dir=new")
FITTING = (*PREDICT, "model=model.ckpt")
TRAIN = ("train", "data.labels=labels.gpkg", "data.field=class", "out_dir=new", "device=cpu")
LIBRARY = r"(?<=as a raster: ).*|(?<=the file is damaged \().*(?=\))"


def model(path: Path, bands: Sequence[Band], scale: float = 1.0, **changes: Any) -> None:
    """A model with random weights, of these bands."""
    count = len(bands)
    scaling = Affine(scale=(scale,) * count, offset=(0.0,) * count)
    bundles.save(replace(bundle_of(count), bands=BandSet(tuple(bands)), scaling=scaling, **changes), path)


def _prepare(folder: Path) -> None:
    good_files(folder)
    (folder / "other").mkdir()
    (folder / "text.tif").write_text("this is no raster\n", encoding="utf-8")
    whole = world().scene.read_bytes()
    (folder / "cut.tif").write_bytes(whole[:3000])
    write_scene(folder / "half.tif", reflectance(), names=None, wavelengths=None, scaled=False)
    (folder / "half.tif").write_bytes((folder / "half.tif").read_bytes()[:60_000])
    (folder / "header.tif").write_bytes(whole[:20])
    (folder / "scene.vrt").write_text("<VRTDataset/>", encoding="utf-8")
    physical = reflectance()
    plain: dict[str, Any] = {"wavelengths": None, "scaled": False}
    write_scene(folder / "complex.tif", np.ones((1, 4, 4), np.complex64), names=None, wavelengths=None, scaled=False)
    write_scene(folder / "blue.tif", physical[:1], names=["blue"], **plain)
    write_scene(folder / "blue again.tif", physical[:1], names=["blue"], **plain)
    far = Transform.translation(9e5, 5e6) @ Transform.scale(10, -10)
    write_scene(folder / "far.tif", physical[1:2], names=["red"], transform=far, **plain)
    write_scene(folder / "nowhere.tif", physical[1:2, :50], names=["red"], georeferenced=False, **plain)
    write_scene(folder / "alpha.tif", np.ones((1, 4, 4), np.uint8), names=None, **plain)
    with rasterio.open(folder / "alpha.tif", "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp.alpha]
    write_scene(folder / "three.tif", physical[:3], names=BANDS[:3], wavelengths=WAVELENGTHS[:3], scaled=False)
    write_scene(folder / "nameless.tif", physical[:3], names=None, **plain)
    write_scene(folder / "edge.tif", wavelengths=(490.0, 665.0, 705.0, 1610.0))
    write_scene(folder / "twins.tif", wavelengths=(490.0, 665.0, 842.0, 842.0), names=("a", "b", "c", "d"))
    write_scene(folder / "stored.tif", np.ones((4, 8, 8), np.uint16), scaled=False)
    write_scene(folder / "index.tif", names=("ndvi", "red", "nir", "swir"))
    write_scene(folder / "other unit.tif")
    write_scene(folder / "no place.tif", georeferenced=False)
    write_scene(folder / "odd.tif", (physical * 0 + 1).astype("float32"), scaled=False)
    for end in ("msk", "ovr", "aux"):
        write_scene(folder / f"beside {end}.tif")
    (folder / "beside msk.tif.msk").write_text("<VRTDataset/>", encoding="utf-8")
    (folder / "beside ovr.tif.ovr").write_bytes(b"II*\0 and no more")
    text = '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">a</MDI></Metadata></PAMDataset>'
    (folder / "beside aux.tif.aux.xml").write_text(text, encoding="utf-8")
    write_scene(folder / "zero scale.tif")
    with rasterio.open(folder / "zero scale.tif", "r+") as file:
        file.scales = (0.0,) * 4
    with rasterio.open(folder / "other unit.tif", "r+") as file:
        file.units = ("kelvin",) * 4
    ours = [
        Band(name=n, number=i + 1, wavelength=w, named=True)
        for i, (n, w) in enumerate(zip(BANDS, WAVELENGTHS, strict=True))
    ]
    model(folder / "reflectance.ckpt", [Band(**{**_fields(band), "unit": "reflectance"}) for band in ours])
    write_scene(folder / "blue as x.tif", physical[:1], names=["x"], **plain)
    write_scene(folder / "plain.tif", physical, scaled=False)
    sentinel_folder(folder / "bare", bands=("B02",), scl=False)
    model(folder / "sensor.ckpt", [Band(name="B02", number=1, named=True, sensor="Landsat 8 OLI")])
    model(folder / "scaled.ckpt", ours, 0.0001)
    model(folder / "roles.ckpt", [Band(**{**_fields(b), "name": f"jan.{b.name}", "role": "jan"}) for b in ours])
    model(folder / "position.ckpt", [Band(name=f"B{i}", number=i, role="jan") for i in (1, 2, 3)], band_count=3)
    model(
        folder / "near.ckpt", [Band(name="x", number=1, wavelength=840.0), Band(name="y", number=2, wavelength=845.0)]
    )


def _fields(band: Band) -> dict[str, Any]:
    return {name: getattr(band, name) for name in ("name", "number", "wavelength", "named")}


GROUPS = [
    Group(
        "Rasters",
        {
            "text": ("inspect", "path=text.tif"),
            "only its first bytes": Case(("inspect", "path=header.tif"), hides=LIBRARY),
            "cut short": Case((*FITTING, "scenes=cut.tif"), hides=LIBRARY),
            "cut short in its pixels": Case((*FITTING, "scenes=half.tif"), hides=LIBRARY),
            "virtual raster": ("inspect", "path=scene.vrt"),
            "virtual raster that is allowed": Case(
                ("inspect", "path=scene.vrt", "scene.allow_vrt=true"), hides=LIBRARY
            ),
            "mask beside it that is no raster": ("inspect", "path=beside msk.tif"),
            "overviews beside it that are damaged": ("inspect", "path=beside ovr.tif"),
            "overviews elsewhere": ("inspect", "path=beside aux.tif"),
            "complex numbers": ("inspect", "path=complex.tif"),
            "nothing but alpha": ("inspect", "path=alpha.tif"),
            "equal band names": ("inspect", "path=[[blue.tif,blue again.tif]]"),
            "files that do not overlap": ("inspect", "path=[[blue.tif,far.tif]]"),
            "files on grids that nobody knows": ("inspect", "path=[[blue.tif,nowhere.tif]]"),
            "resolution without georeference": ("inspect", "path=nowhere.tif", "scene.resolution=20"),
            "resolution above all of it": ("inspect", "path=scene.tif", "scene.resolution=100000"),
            "resolution in other units": ("inspect", "path=scene.tif", "scene.resolution=1e-5"),
            "resolution of a band that is not there": ("inspect", "path=scene.tif", "scene.resolution=rde"),
            "scale of 0": ("inspect", "path=zero scale.tif"),
            "scale of a catalogue": ("inspect", "path=scene.tif", "scene.scale=stac"),
            "classes of a quality band": ("inspect", "path=scene.tif", "scene.quality=[cloud]"),
            "widened quality": (*FITTING, "scenes=scene.tif", "scene.quality_dilate=3"),
            "scale without its offset": ("inspect", "path=scene.tif", "scene.scale=0.001"),
            "product that is not known": ("inspect", "path=scene.tif", "scene.product=sentinel"),
            "product that the file is not": ("inspect", "path=scene.tif", "scene.product=sentinel2_l2a"),
            "folder that is no product": ("inspect", "path=other"),
        },
        _prepare,
    ),
    Group(
        "Bands",
        {
            "number that is not there": (*TRAIN, "data.scenes=scene.tif", "data.bands=[1,9]"),
            "name that is not there": (*TRAIN, "data.scenes=scene.tif", "data.bands=[blue,nri]"),
            "wavelength that is not there": (*TRAIN, "data.scenes=scene.tif", "data.bands=[blue,2200nm]"),
            "band that is named twice": (*TRAIN, "data.scenes=scene.tif", "data.bands=[red,2]"),
            "index that is not known": (*TRAIN, "data.scenes=scene.tif", "data.features=[ndvy]"),
            "index that is named twice": (*TRAIN, "data.scenes=scene.tif", "data.features=[ndvi,ndvi]"),
            "index of a band that is not there": (*TRAIN, "data.scenes=three.tif", "data.features=[ndmi]"),
            "index that is a band already": (*TRAIN, "data.scenes=index.tif", "data.features=[ndvi]"),
            "index of numbers that are no reflectance": (*TRAIN, "data.scenes=odd.tif", "data.features=[ndvi]"),
            "index of numbers of no unit": (*TRAIN, *TINY, "data.scenes=plain.tif", "data.features=[evi]"),
            "another sensor": (*PREDICT, "model=sensor.ckpt", "scenes=bare", "scene.scale=none"),
            "model's band that the scene lacks": (*FITTING, "scenes=three.tif"),
            "model's band that the scene may lack": (*FITTING, "scenes=three.tif", "allow_missing=[swir]"),
            "all of the model's bands lacking": (
                *FITTING,
                "scenes=blue as x.tif",
                "allow_missing=[blue,red,nir,swir]",
            ),
            "model's band with another wavelength": (*FITTING, "scenes=edge.tif"),
            "nameless bands of another number": (*FITTING, "scenes=nameless.tif"),
            "named bands taken by their position": (*FITTING, "scenes=three.tif", "scene.match=position"),
            "two bands that one fits": (*PREDICT, "model=near.ckpt", "scenes=twins.tif"),
            "roles that the scene lacks": (*PREDICT, "model=roles.ckpt", "scenes=scene.tif"),
            "roles by position": (*PREDICT, "model=position.ckpt", "scenes=nameless.tif"),
            "whole numbers that nobody explains": (*PREDICT, "model=scaled.ckpt", "scenes=stored.tif"),
            "numbers of no unit": (*PREDICT, "model=reflectance.ckpt", "scenes=stored.tif"),
            "numbers of another unit": (*PREDICT, "model=reflectance.ckpt", "scenes=other unit.tif"),
            "unit that training did not know": (*PREDICT, "model=scaled.ckpt", "scenes=other unit.tif"),
            "scene without georeference": (*FITTING, "scenes=no place.tif"),
            "scene unlike training": (*FITTING, "scenes=odd.tif"),
        },
        _prepare,
    ),
]
