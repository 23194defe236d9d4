"""What can be set of prediction."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

from landmix.classify.share import Share
from landmix.core.matching import How  # noqa: TC001 - the settings are checked by their hints
from landmix.geo.limits import Limits
from landmix.geo.options import ReadOptions
from landmix.geo.resample import Kernel  # noqa: TC001
from landmix.tasks.settings.words import Backend, Device, NetFile, Precision, Show


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOverrides:
    """`scene.*` of predict; None: as the training scenes were read."""

    product: str | dict[str, Any] | None = None
    scale: Literal["auto", "stac", "tiff", "none"] | float | None = None
    offset: float | None = None
    resolution: float | str | None = None
    resampling: Kernel | None = None
    quality: Literal["clear", "all"] | list[str | int] | None = None
    quality_dilate: int | None = None
    match: How | None = None
    allow_vrt: bool | None = None

    def __post_init__(self) -> None:
        # what is said must be what can be said in training
        ReadOptions(**{name: value for name in self.__slots__ if (value := getattr(self, name)) is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class TilingSettings:
    """`tiling.*`."""

    core: int = 512

    def __post_init__(self) -> None:
        if not 16 <= self.core <= 16384:  # noqa: PLR2004
            msg = f"tiling.core must lie between 16 and 16384 pixels, not {self.core}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings:
    """`executor.*`."""

    kind: Literal["local", "dask"] = "local"
    workers: int | None = None
    """Threads, or with dask processes; None: as many as cores."""
    address: str | None = None
    """Of a dask scheduler that runs already; None: a cluster of processes on this machine."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            msg = f"executor.workers must be at least 1, not {self.workers}"
            raise ValueError(msg)
        if self.address is not None and self.kind != "dask":
            msg = "executor.address is that of a dask scheduler: add executor=dask"
            raise ValueError(msg)
        if self.address is not None and not re.fullmatch(r"\w+://\S+", self.address):
            msg = f"executor.address is written like tcp://10.0.0.5:8786, not {self.address}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishSettings:
    """`predict.*`: what is done to the finished map."""

    sieve: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.sieve < 2**31:
            msg = f"predict.sieve must be a number of pixels, 0 for none, not {self.sieve}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictTask:
    """`landmix predict`."""

    model: str
    scenes: Any
    out_dir: str
    net: NetFile = dataclasses.field(default_factory=NetFile)
    scene: ReadOverrides = dataclasses.field(default_factory=ReadOverrides)
    limits: Limits = dataclasses.field(default_factory=Limits)
    tiling: TilingSettings = dataclasses.field(default_factory=TilingSettings)
    executor: ExecutorSettings = dataclasses.field(default_factory=ExecutorSettings)
    outputs: list[Literal["classes", "confidence", "probabilities", "gap", "applicability", "fractions"]] | None = None
    """None: what suits the model, classes and, where it was trained for them, fractions."""
    dtype: Literal["uint8", "float32"] = "uint8"
    predict: FinishSettings = dataclasses.field(default_factory=FinishSettings)
    tta: Literal["none", "flips"] = "none"
    allow_missing: list[str] = dataclasses.field(default_factory=list)
    device: Device = "auto"
    backend: Backend = "auto"
    precision: Precision = "auto"
    shard: str | None = None
    finish: bool = False
    benchmark: bool = False
    stac: bool = False
    overwrite: bool = False
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if self.outputs is not None and "classes" not in self.outputs:
            listed = ",".join(self.outputs)
            msg = f"outputs must hold classes, beside which the others are written, not only {listed}: write"
            msg += f" outputs=[{','.join(['classes', *self.outputs])}]"
            raise ValueError(msg)
        if self.shard is not None:
            Share.parse(self.shard)
        together = [name for name, said in (("shard", self.shard), ("finish", self.finish)) if said]
        if len(together) > 1 or (together and self.executor.kind != "local"):
            msg = f"{together[0]} stands alone: shard writes a share of the parts, finish makes the map of them,"
            msg += " executor=dask does both"
            raise ValueError(msg)
