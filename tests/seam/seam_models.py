"""Small scenes, labels and models for the tests of the seam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import torch
from affine import Affine as Transform
from random_weights import spread

from landmix.bundle import Bundle
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine
from landmix.geo.open import open_scene
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.samples import Labelled

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

torch.set_num_threads(1)

LEGEND = Legend(
    (
        LegendClass(value=2, name="Grün", color="#00ff00"),
        LegendClass(value=7, name="b", color="#0000ff"),
        LegendClass(value=40, name="c", color="#ff0000"),
    )
)


def scene_of(path: Path, values: NDArray[Any], *, scale: float = 1, offset: float = 0, **profile: Any) -> Scene:
    """Write (C, H, W) and open it."""
    count, height, width = values.shape
    place = Transform(10, 0, 500_000, 0, -10, 5_400_000)
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **size, **profile) as file:
        file.write(values)
        file.descriptions = tuple(f"band {i}" for i in range(count))
        file.scales, file.offsets = (scale,) * count, (offset,) * count
    return open_scene([str(path)], path.stem)


def labelled_at(
    places: list[tuple[int, int, int]], index: list[int] | None = None, units: list[int] | None = None
) -> Labelled:
    """Labels at (scene, row, col)."""
    scene, rows, cols = np.array(places, np.int32).reshape(-1, 3).T
    classes = [i % 3 for i in range(len(places))] if index is None else index
    return Labelled(
        scene=scene,
        rows=rows,
        cols=cols,
        index=np.array(classes, np.int16),
        units=np.array([-1] * len(places) if units is None else units, np.int32),
    )


def bundle_of(bands: int = 3, blocks: int = 0, seed: int = 0, legend: Legend = LEGEND, **changes: Any) -> Bundle:
    """A model with random weights, whose maps show several classes."""
    torch.manual_seed(seed)
    head = HeadSpec(blocks=blocks, reduced=4, width=6)
    net = NetSpec(in_channels=bands, classes=len(legend), encoder=EncoderSpec(widths=(8, 6)), head=head)
    network = Network(net)
    spread(network, 1.5)
    settings: dict[str, Any] = {
        "net": net,
        "bands": BandSet(tuple(Band(name=f"band {i}", number=i + 1) for i in range(bands))),
        "band_count": bands,
        "nodata": (None,) * bands,
        "normalise": Affine(scale=(0.01,) * bands, offset=(-1.0,) * bands),
        "scaling": Affine.identity(bands),
        "legend": legend,
        "weights": network.state_dict(),
        **changes,
    }
    return Bundle(**settings)


def noise(bands: int, height: int, width: int, dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    """Random values from 1 to 200."""
    return np.random.default_rng(seed).integers(1, 200, (bands, height, width)).astype(dtype)
