"""What can be set of tasks that describe a model or a scene, or hand a model on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from landmix.geo.limits import Limits
from landmix.geo.options import ReadOptions
from landmix.tasks.settings.words import NetFile, Show


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectSettings:
    """`landmix inspect`."""

    path: Any
    net: NetFile = dataclasses.field(default_factory=NetFile)
    scene: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    limits: Limits = dataclasses.field(default_factory=Limits)
    format: Literal["table", "json"] = "table"
    quicklook: str | None = None
    progress: Show = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySettings:
    """`landmix verify`."""

    path: str
    format: Literal["table", "json"] = "table"
    progress: Show = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """`landmix export`."""

    model: str
    format: Literal["onnx", "safetensors", "stac", "card"]
    out: str
    net: NetFile = dataclasses.field(default_factory=NetFile)
    client: Literal["generic", "deepness"] = "generic"
    """Who feeds an ONNX graph: physical values, or pixels divided by 255 as the QGIS plugin Deepness does."""
    tile: int = 256
    """Rows and columns that an ONNX graph takes."""
    resolution: float | None = None
    """Pixel size in metres that an ONNX client is told; None: that of the training scenes."""
    overwrite: bool = False
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if not 16 <= self.tile <= 4096:  # noqa: PLR2004
            msg = f"tile must lie between 16 and 4096 pixels, not {self.tile}"
            raise ValueError(msg)
        if self.resolution is not None and not 0 < self.resolution < float("inf"):
            msg = f"resolution must be a pixel size in metres, not {self.resolution:g}"
            raise ValueError(msg)
        if self.format != "onnx" and (self.client, self.tile, self.resolution) != ("generic", 256, None):
            msg = f"client, tile and resolution are settings of format=onnx, not of format={self.format}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class QgisSettings:
    """`landmix qgis`."""

    profile: str | None = None
    """Folder of a QGIS profile; None: the one that QGIS uses by default."""
    overwrite: bool = False
    progress: Show = "auto"
