"""A scene, a model and its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import torch
from affine import Affine as Transform

from landmix.bundle import Bundle
from landmix.classify.plan import Plan, PredictSettings
from landmix.classify.prepare import plan_scene
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine
from landmix.geo.paths import Entry
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

torch.set_num_threads(1)

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
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.endswith("1.weight"):
                p.fill_(1)  # batch norms; those at the end of a bottleneck begin with 0
            elif p.ndim > 1:
                p.normal_(0, 2 * (p[0].numel()) ** -0.5)
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


def write_scene(path: Path, values: NDArray[Any] | None = None) -> str:
    array = scene_values() if values is None else values
    count, height, width = array.shape
    place = Transform(10, 0, 500_000, 0, -10, 5_400_000)
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": array.dtype, "nodata": 0}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=place, **profile) as file:
        file.write(array)
        file.descriptions = ("red", "nir")
    return str(path)


def plan_of(bundle: Bundle, scene: str, target: Path, progress: Silent | None = None, **settings: Any) -> Plan:
    target.parent.mkdir(exist_ok=True)
    entry = Entry(files=(scene,), stem="scene")
    chosen = PredictSettings(**{"tile": 32, **settings})
    return plan_scene(bundle, entry, target, chosen, progress=progress or Silent())


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        return np.asarray(file.read())
