"""From Python, through xarray, and through rasterio's command line."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from commands import BANDS, reflectance, world, write_scene
from provoking import Case, Group, good_files, without

import landmix
from landmix.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray

RIO = ("rio", "scene.tif", "new/map.tif", "-m", "model.ckpt", "--device", "cpu")


@cache
def _model() -> Any:
    return landmix.load(world().model, device="cpu", backend="torch", precision="fp32")


def _array(values: Any = None, dims: tuple[str, ...] = ("band", "y", "x"), **attrs: Any) -> xarray.DataArray:
    import rioxarray  # noqa: F401, PLC0415
    import xarray  # noqa: PLC0415

    values = reflectance()[:, :8, :8] if values is None else values
    coordinates = {"band": list(BANDS)} if "band" in dims and len(values) == len(BANDS) else {}
    return xarray.DataArray(values, dims=dims, coords=coordinates, attrs=attrs, name="scene")


def _classified(*given: Any, **more: Any) -> Callable[[], object]:
    def call() -> object:
        array = more.pop("array", None) or (lambda: _array(*given))
        return _model().classify_xarray(array(), **more)

    return call


def _stored() -> object:
    """A model of stored numbers meets an array that somebody has scaled."""
    array = _array()
    array.encoding = {"scale_factor": 0.1, "add_offset": 0.0}
    trained = replace(_model().bundle, scene={**_model().bundle.scene, "scale": "none"})
    return Model(trained, device="cpu", backend="torch", precision="fp32").classify_xarray(array)


def _turned() -> Any:
    return _array(np.ones((4, 8, 8)), ("number", "y", "x")).rename(number="band").assign_coords(band=[4, 3, 2, 1])


def _dataset() -> Any:
    return _array().to_dataset(name="a")


def _prepare(folder: Path) -> None:
    good_files(folder)
    (folder / "there.tif").write_text("mine", encoding="utf-8")
    (folder / "model.vrt").write_text("<VRTDataset/>", encoding="utf-8")
    (folder / "named.tif").write_bytes((folder / "scene.tif").read_bytes())
    (folder / "named.qml").write_text("<qgis/>", encoding="utf-8")
    write_scene(folder / "plain.tif", (reflectance() * 1e4).astype(np.uint16), scaled=False)


GROUPS = [
    Group(
        "From Python",
        {
            "model that is not there": lambda: landmix.load("gone.ckpt"),
            "device that does not exist": lambda: landmix.load("model.ckpt", device="gpu"),
            "pixels of another shape": lambda: _model().classify(np.zeros((3, 8, 8))),
            "turns that do not exist": _classified(tta="flip"),
            "setting of a scene that does not exist": lambda: _model().classify_scene(
                "scene.tif", "new.tif", read={"sclae": 1}
            ),
            "scale of no kind": lambda: _model().classify_scene("scene.tif", "new.tif", read={"scale": [1]}),
            "scale of 0": _classified(scale=0),
            "confidence under the map's name": lambda: _model().classify_scene(
                "scene.tif", "new.tif", confidence="./new.tif"
            ),
            "confidence under the map's stem": lambda: _model().classify_scene(
                "scene.tif", "new.tif", confidence="new.tiff"
            ),
            "bands of another number": lambda: _model().classify_scene("scene.tif", "new.tif", bands=[1, 2]),
            "array of text": _classified(np.full((4, 8, 8), "a")),
            "array that is a Dataset": _classified(array=_dataset),
            "array that is none": _classified(array=lambda: np.zeros((4, 8, 8))),
            "array without rows": _classified(np.zeros((4, 8)), ("band", "x")),
            "array with two more axes": _classified(np.zeros((4, 2, 8, 8)), ("band", "time", "y", "x")),
            "array without names": _classified(array=lambda: _array(np.zeros((4, 8, 8)), ("number", "y", "x"))),
            "array that lacks a band": _classified(array=lambda: _array()[:3]),
            "array that is scaled, for stored numbers": _stored,
            "array in an order of its own": _classified(array=_turned),
            "map that would replace its scene": lambda: _model().classify_scene("scene.tif", "scene.tif"),
            "map beside a style": lambda: _model().classify_scene("named.tif", "named.tiff"),
            "array of whole numbers": _classified(np.ones((4, 8, 8), np.uint16)),
            "array that may be scaled": _classified(array=lambda: _array(scale_factor=0.1, add_offset=0.0)),
            "outputs that do not exist": _classified(outputs=["classes", "sureness"]),
            "xarray that is not installed": Case(_classified(array=lambda: None), partial(without, "rioxarray")),
        },
        _prepare,
    ),
    Group(
        "rio landmix",
        {
            "scene that is not there": ("rio", "gone.tif", *RIO[2:]),
            "model that is not there": (*RIO[:3], "-m", "gone.ckpt"),
            "map that is there": ("rio", "scene.tif", "there.tif", *RIO[3:]),
            "map that is the scene": ("rio", "scene.tif", "scene.tif", *RIO[3:]),
            "map that is no GeoTIFF": ("rio", "scene.tif", "new.png", *RIO[3:]),
            "one file for two": (*RIO, "--confidence", "new/map.tif"),
            "option of GDAL that moves pixels": (*RIO, "--co", "TILING_SCHEME=GoogleMapsCompatible"),
            "value that GDAL does not know": (*RIO, "--co", "COMPRESS=ZIP"),
            "numbers that nobody explains": ("rio", "plain.tif", *RIO[2:]),
            "band that is not there": (*RIO, "--bands", "1,2,3,rde"),
            "scale that is a word": (*RIO, "--scale", "big"),
            "offset alone": (*RIO, "--scale", "0.1"),
            "virtual raster": ("rio", "model.vrt", *RIO[2:]),
        },
        _prepare,
    ),
]
