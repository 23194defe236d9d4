"""Small models, and clients that feed an ONNX graph as programs do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch
from random_weights import shake

from landmix.bundle import Bundle
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass, palette
from landmix.core.scaling import Affine
from landmix.export.onnx import write
from landmix.model import Model
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

torch.set_num_threads(1)

GRID = {
    "name": "scene",
    "crs": "EPSG:32633",
    "transform": [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0],
    "height": 80,
    "width": 90,
    "pixel_m": [10.0, 10.0],
}
TIE = 1e-4
"""How near the two best probabilities are where a map may differ, on another processor."""


def legend_of(classes: int, first: int = 1) -> Legend:
    """Values that are no indices."""
    return Legend(
        tuple(LegendClass(value=first + 3 * i, name=f"class {i}", color=c) for i, c in enumerate(palette(classes)))
    )


def model(bands: int | tuple[Band, ...] = 3, blocks: int = 2, classes: int = 5, **changes: Any) -> Bundle:
    """A model with random weights and batch norms that do something."""
    torch.manual_seed(0)
    named = tuple(Band(name=f"band {i}", number=i + 1) for i in range(bands)) if isinstance(bands, int) else bands
    seen, read = len(named), len(BandSet(named).inputs)
    head = HeadSpec(blocks=blocks, reduced=6, width=10)
    net = NetSpec(in_channels=seen, classes=classes, encoder=EncoderSpec(widths=(12, 10)), head=head)
    network = Network(net)
    shake(network)
    settings: dict[str, Any] = {
        "net": net,
        "bands": BandSet(named),
        "band_count": read,
        "nodata": (None,) * read,
        "normalise": Affine(scale=(4.0,) * seen, offset=(-1.2,) * seen),
        "scaling": Affine(scale=(1e-4,) * read, offset=(-0.1,) * read),
        "legend": legend_of(classes),
        "weights": network.state_dict(),
        "training": {"grids": [GRID]},
        **changes,
    }
    return Bundle(**settings)


def stored_pixels(bands: int, height: int = 61, width: int = 53, seed: int = 0) -> NDArray[np.int16]:
    """Reflectance as Sentinel-2 stores it, (C, H, W)."""
    return np.random.default_rng(seed).integers(1001, 9000, (bands, height, width)).astype(np.int16)


def exported(
    bundle: Bundle, folder: Path, client: str = "generic", tile: int = 32, resolution: float | None = None
) -> Path:
    """The graph's file."""
    target = folder / f"{client}.onnx"
    write(bundle, target, client=client, tile=tile, resolution=resolution)
    return target


def told(path: Path) -> dict[str, Any]:
    """The metadata as a client reads them."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}


def probabilities(path: Path, pixels: NDArray[np.float32], outside: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, H, W) of (C, H, W), tile by tile; each gives away what lies half the overlap inside.

    As Deepness does it: `outside` (C,) stands to the right and below, the first tiles begin at the raster's own edge.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[-1]
    overlap = int(size * told(path)["tiles_overlap"] / 100 * 2) // 2
    stride, half = size - overlap, overlap // 2
    _, height, width = pixels.shape
    rows, cols = -(-max(height - overlap, 1) // stride), -(-max(width - overlap, 1) // stride)
    full = np.broadcast_to(outside[:, None, None], (len(outside), rows * stride + overlap, cols * stride + overlap))
    full = np.array(full)
    full[:, :height, :width] = pixels
    result = np.zeros((session.get_outputs()[0].shape[1], *full.shape[1:]), np.float32)
    for row in range(rows):
        for col in range(cols):
            y, x = row * stride, col * stride
            (answer,) = session.run(None, {"pixels": full[None, :, y : y + size, x : x + size]})
            top, left = half * (row > 0), half * (col > 0)
            result[:, y + top : y + size, x + left : x + size] = answer[0, :, top:, left:]
    return result[:, :height, :width]


def as_generic(bundle: Bundle, stored: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Physical values as rioxarray makes them, and what stands outside."""
    scale, offset = (line[:, None, None] for line in _own_lines(bundle))
    return (stored * scale + offset).astype(np.float32), np.full(len(stored), np.nan, np.float32)


def as_deepness(bundle: Bundle, stored: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What QGIS reads of a raster with tags, divided as Deepness does: nodata is not scaled, it also stands outside."""
    scale, offset = (line[:, None, None] for line in _own_lines(bundle))
    nodata = np.array([0 if value is None else value for value in bundle.nodata])
    tagged = np.array([value is not None for value in bundle.nodata])[:, None, None]
    qgis = np.where(tagged & (stored == nodata[:, None, None]), stored, stored * scale + offset).astype(np.float32)
    with np.errstate(over="ignore"):
        outside = nodata.astype(np.float32)
    return (qgis * 1.0 / 255.0).astype(np.float32), (outside * 1.0 / 255.0).astype(np.float32)


CLIENTS = {"generic": as_generic, "deepness": as_deepness}


def _own_lines(bundle: Bundle) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The tags of a raster, in float64; numbers in a code have none."""
    coded = np.array([step is not None for step in bundle.steps])
    return np.where(coded, 1.0, bundle.scaling.scale), np.where(coded, 0.0, bundle.scaling.offset)


def landmix_map(bundle: Bundle, stored: NDArray[Any]) -> NDArray[np.integer]:
    """landmix's own map (H, W), in float32."""
    return Model(bundle, device="cpu", backend="torch", precision="fp32").classify(stored)


def differing(bundle: Bundle, path: Path, client: str, stored: NDArray[Any]) -> int:
    """Valid pixels where a client's class is not landmix's, anywhere in the raster; ties aside.

    Where nothing is nodata, Deepness feeds zeros beyond the right and lower edge, which are not told from pixels unless
    several bands have an offset.
    """
    expected = landmix_map(bundle, stored)
    valid = expected != bundle.legend.nodata
    told_apart = len(stored) > 1 and any(bundle.scaling.offset)
    if client == "deepness" and not told_apart and all(value is None for value in bundle.nodata):
        valid[len(valid) - bundle.margin :] = False
        valid[:, valid.shape[1] - bundle.margin :] = False
    assert valid.any()
    assert len(np.unique(expected[valid])) > 1 or len(bundle.legend) == 1
    shares = probabilities(path, *CLIENTS[client](bundle, stored))
    best = np.sort(shares, 0)
    tied = best[-1] - best[-2] < TIE if len(shares) > 1 else np.zeros_like(valid)
    assert tied.mean() < 0.01
    found = bundle.legend.decode(shares.argmax(0), valid)
    return int(((found != expected) & valid & ~tied).sum())
