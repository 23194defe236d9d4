"""A small model with bands that are computed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from landmix.bundle import Bundle
from landmix.core.bands import Band, BandSet, Formula
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine
from landmix.geo.options import ReadOptions
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

torch.set_num_threads(1)

RED = Band(name="red", wavelength=665.0, number=1, common="red", unit="reflectance")
NIR = Band(name="nir", wavelength=842.0, number=2, common="nir", unit="reflectance")
NDVI = Band(name="ndvi", unit="index", formula=Formula(expression="(N - R) / (N + R)", inputs=(("N", NIR), ("R", RED))))
LEGEND = Legend((LegendClass(value=1, name="a", color="#00ff00"), LegendClass(value=2, name="b", color="#0000ff")))


def bundle_with(bands: tuple[Band, ...], **changes: Any) -> Bundle:
    """A model with random weights that sees `bands`."""
    torch.manual_seed(0)
    count, seen = len(BandSet(bands).inputs), len(bands)
    head = HeadSpec(blocks=0, reduced=4, width=6)
    net = NetSpec(in_channels=seen, classes=2, encoder=EncoderSpec(widths=(8, 6)), head=head)
    settings: dict[str, Any] = {
        "net": net,
        "bands": BandSet(bands),
        "band_count": count,
        "nodata": (None,) * count,
        "normalise": Affine.identity(seen),
        "scaling": Affine.identity(count),
        "legend": LEGEND,
        "scene": asdict(ReadOptions()),
        "weights": Network(net).state_dict(),
        **changes,
    }
    return Bundle(**settings)
