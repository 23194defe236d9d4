"""A scene, a model and its plan."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine as Transform
from random_weights import spread

from landmix.bundle import Bundle
from landmix.classify.loaded import Loaded
from landmix.classify.plan import Layer, Plan, PredictSettings
from landmix.classify.prepare import plan_scene
from landmix.classify.run import Work, classify
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine
from landmix.engines.choose import has_bf16
from landmix.engines.engine import EngineSpec
from landmix.geo.paths import Entry
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

torch.set_num_threads(1)

EXACT = EngineSpec(backend="torch", precision="fp32")
"""What computes as the plain network does."""

_NO_OPENVINO = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
_NO_BF16 = pytest.mark.skipif(not has_bf16(), reason="this processor does not compute in bf16")

ENGINES = [
    pytest.param(EXACT, id="torch-fp32"),
    pytest.param(EngineSpec(backend="torch", precision="bf16"), id="torch-bf16", marks=_NO_BF16),
    pytest.param(EngineSpec(backend="openvino", precision="fp32"), id="openvino-fp32", marks=_NO_OPENVINO),
    pytest.param(EngineSpec(backend="openvino", precision="bf16"), id="openvino-bf16", marks=[_NO_OPENVINO, _NO_BF16]),
]
"""Every way of computing on a CPU."""

TIE = {"fp32": 1e-4, "bf16": 0.05}
"""How near the two best probabilities are where a map may differ from the plain network in float32."""

CUT = 1e-3
"""The same for two maps by one engine that were cut differently: then only last bits differ."""


LEGEND = Legend(
    (
        LegendClass(value=2, name='Grün & <b> "x"', color="#00ff00"),
        LegendClass(value=7, name="b", color="#0000ff"),
        LegendClass(value=40, name="c", color="#ff0000"),
    )
)


def model(blocks: int = 1, seed: int = 0, **changes: Any) -> Bundle:
    torch.manual_seed(seed)
    head = HeadSpec(blocks=blocks, reduced=4, width=6)
    net = NetSpec(in_channels=2, classes=3, encoder=EncoderSpec(widths=(8,)), head=head)
    network = Network(net)
    spread(network, 2)
    settings: dict[str, Any] = {
        "net": net,
        "bands": BandSet((Band(name="nir", number=2), Band(name="red", number=1))),
        "band_count": 2,
        "nodata": (None, None),
        "normalise": Affine(scale=(0.01, 0.02), offset=(-1.0, -2.0)),
        "scaling": Affine.identity(2),
        "legend": LEGEND,
        "weights": network.state_dict(),
        **changes,
    }
    return Bundle(**settings)


def scene_values(height: int = 70, width: int = 90) -> NDArray[np.uint8]:
    """Two bands of noise from 1 to 199 with holes of 0."""
    values = np.random.default_rng(0).integers(1, 200, (2, height, width), np.uint8)
    values[0, 10:14, 20:33] = 0
    values[1, -3:, -2:] = 0
    return values


def write_scene(path: Path, values: NDArray[Any] | None = None, **profile: Any) -> str:
    """Write (C, H, W) in blocks of 16 x 16 pixels, so that tiles can be small."""
    array = scene_values() if values is None else values
    count, height, width = array.shape
    place = Transform(10, 0, 500_000, 0, -10, 5_400_000)
    size = {"count": count, "height": height, "width": width, "dtype": array.dtype, "nodata": 0}
    blocks = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **{**size, **blocks, **profile}
    ) as file:
        file.write(array)
        file.descriptions = ("red", "nir")
    return str(path)


def plan_of(
    bundle: Bundle,
    scene: str,
    target: Path,
    progress: Silent | None = None,
    engine: EngineSpec = EXACT,
    **settings: Any,
) -> Plan:
    target.parent.mkdir(exist_ok=True)
    entry = Entry(files=(scene,), stem="scene")
    chosen = PredictSettings(**{"tile": 32, **settings})
    return plan_scene(bundle, entry, target, chosen, engine, progress=progress or Silent())


def run(plan: Plan, bundle: Bundle, progress: Silent | None = None, workers: int = 1, **work: Any) -> str:
    """Classify; what became of it."""
    return classify(plan, Loaded(bundle, workers), Work(workers=workers, **work), progress or Silent())


def layer(plan: Plan, name: str) -> Layer:
    """One of the rasters that a plan makes."""
    return next(found for found in plan.layers if found.name == name)


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        return np.asarray(file.read())
