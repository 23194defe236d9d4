"""A model, scenes and maps for the tests of the STAC documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import torch
from affine import Affine as Transform

from landmix import bundle as bundles
from landmix.bundle import Bundle
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass, palette
from landmix.core.scaling import Affine
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.progress import Silent
from landmix.tasks.predict import predict
from landmix.tasks.settings import PredictTask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

torch.set_num_threads(1)

PLACE = Transform(10, 0, 500_000, 0, -10, 5_400_000)
TAKEN = "2020-06-01T10:11:12Z"


def legend_of(*names: str, first: int = 1, step: int = 1) -> Legend:
    """Classes of these names."""
    colors = palette(len(names))
    return Legend(tuple(LegendClass(value=first + step * i, name=n, color=colors[i]) for i, n in enumerate(names)))


LEGEND = legend_of("Grün & <b>", "b", "c", first=2, step=5)


def bundle_of(bands: int | BandSet = 2, blocks: int = 0, legend: Legend = LEGEND, **changes: Any) -> Bundle:
    """A model with random weights."""
    torch.manual_seed(0)
    head = HeadSpec(blocks=blocks, reduced=4, width=6)
    if isinstance(bands, int):
        bands = BandSet(tuple(Band(name=f"band {i}", number=i + 1) for i in range(bands)))
    seen, read = len(bands), len(bands.inputs)
    net = NetSpec(in_channels=seen, classes=len(legend), encoder=EncoderSpec(widths=(8,)), head=head)
    settings: dict[str, Any] = {
        "net": net,
        "bands": bands,
        "band_count": read,
        "nodata": (None,) * read,
        "normalise": Affine(scale=(0.01,) * seen, offset=(-1.0,) * seen),
        "scaling": Affine.identity(read),
        "legend": legend,
        "weights": Network(net).state_dict(),
        **changes,
    }
    return Bundle(**settings)


def write_tif(path: Path, values: NDArray[Any], tags: dict[str, str] | None = None, **profile: Any) -> Path:
    """Write (C, H, W), north up in UTM 33 unless `profile` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    where = {"crs": "EPSG:32633", "transform": PLACE, **profile}
    with rasterio.open(path, "w", driver="GTiff", **size, **{k: v for k, v in where.items() if v is not None}) as file:
        file.write(values)
        file.update_tags(**(tags or {}))
    return path


def write_scene(path: Path, seed: int = 0, **profile: Any) -> Path:
    """Two bands of noise."""
    values = np.random.default_rng(seed).integers(1, 200, (2, 40, 50), np.uint8)
    path = write_tif(path, values, **{"nodata": 0, **profile})
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("band 0", "band 1")
    return path


def write_item(path: Path, raster: str, **properties: Any) -> Path:
    """A STAC item of a scene with two bands in one raster."""
    asset = {"href": raster, "type": "image/tiff; application=geotiff", "roles": ["data"]}
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": path.stem,
        "geometry": None,
        "properties": {"datetime": TAKEN, **properties},
        "links": [],
        "assets": {"all": {**asset, "bands": [{"name": "band 0"}, {"name": "band 1"}]}},
    }
    path.write_text(json.dumps(item), encoding="utf-8")
    return path


def write_model(folder: Path, **changes: Any) -> Path:
    """A model's file."""
    path = folder / "model.ckpt"
    bundles.save(bundle_of(**changes), path)
    return path


def run(model: Path, scenes: Iterable[Path] | dict[str, str], out_dir: Path, **task: Any) -> None:
    """`landmix predict stac=true`."""
    given = scenes if isinstance(scenes, dict) else [str(scene) for scene in scenes]
    settings: dict[str, Any] = {"stac": True, "device": "cpu", "backend": "torch", "precision": "fp32", **task}
    predict(PredictTask(model=str(model), scenes=given, out_dir=str(out_dir), **settings), Silent())


def load(path: Path) -> dict[str, Any]:
    """Parse strictly: NaN and Infinity are no JSON."""

    def refuse(text: str) -> None:
        msg = f"{text} in {path}"
        raise AssertionError(msg)

    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    return data
