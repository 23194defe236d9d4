"""What can be set of each task; the command line fills these from `conf/`, anybody else by hand.

Values are checked where they are made: a setting that exists is valid.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

from landmix.classify.share import Share
from landmix.core.matching import How  # noqa: TC001 - the settings are checked by their hints
from landmix.geo.options import ReadOptions
from landmix.geo.resample import Kernel  # noqa: TC001
from landmix.nn.spec import NetShape
from landmix.training.settings import Augmentation, OptimSettings, SplitSettings

Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSettings:
    """The user's own validation part (`data.validation.*`)."""

    scenes: Any = None
    labels: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Scenes, labels, and what is taken from them (`data.*`)."""

    scenes: Any
    labels: Any = None
    field: str | None = None
    layer: str | None = None
    legend: str | None = None
    ignore: list[str | int] | str | int | None = None
    pairing: Literal["stem", "order"] = "stem"
    bands: list[str | int] | None = None
    features: list[str] | None = None
    balance: Literal["none", "quarter", "sqrt", "full"] = "quarter"
    cell: int = 1
    memory_gb: float = 4.0
    validation: ValidationSettings = dataclasses.field(default_factory=ValidationSettings)
    augment: Augmentation = dataclasses.field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.memory_gb < 0:
            msg = f"data.memory_gb cannot be below 0, but is {self.memory_gb}"
            raise ValueError(msg)
        if not 1 <= self.cell <= 64:  # noqa: PLR2004
            msg = f"data.cell must lie between 1 and 64 pixels, not {self.cell}"
            raise ValueError(msg)
        if self.bands is not None and not self.bands:
            msg = "data.bands must name at least one band"
            raise ValueError(msg)

    @property
    def ignored(self) -> frozenset[str | int] | None:
        """The values that mean unlabelled, if any are given."""
        if self.ignore is None:
            return None
        return frozenset(self.ignore if isinstance(self.ignore, list) else [self.ignore])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSettings:
    """Processes that train together (`trainer.*`)."""

    devices: int | None = None
    num_nodes: int = 1

    def __post_init__(self) -> None:
        if self.num_nodes < 1 or (self.devices is not None and self.devices < 1):
            msg = "trainer.devices and trainer.num_nodes must be at least 1"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggerSettings:
    """Where figures go besides `train.csv` (`logger.*`)."""

    name: Literal["csv", "tensorboard", "mlflow", "wandb"] = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """`landmix train`."""

    data: DataSettings
    out_dir: str
    scene: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    split: SplitSettings = dataclasses.field(default_factory=SplitSettings)
    net: NetShape = dataclasses.field(default_factory=NetShape)
    optim: OptimSettings = dataclasses.field(default_factory=OptimSettings)
    trainer: TrainerSettings = dataclasses.field(default_factory=TrainerSettings)
    logger: LoggerSettings = dataclasses.field(default_factory=LoggerSettings)
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    refit: bool = False
    baseline: bool = False
    resume: bool = False
    overwrite: bool = False
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if self.seed < 0:
            msg = f"seed must be at least 0, not {self.seed}"
            raise ValueError(msg)
        if self.resume and self.overwrite:
            msg = "resume=true goes on and overwrite=true begins anew: choose one"
            raise ValueError(msg)


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
    scene: ReadOverrides = dataclasses.field(default_factory=ReadOverrides)
    tiling: TilingSettings = dataclasses.field(default_factory=TilingSettings)
    executor: ExecutorSettings = dataclasses.field(default_factory=ExecutorSettings)
    outputs: list[Literal["classes", "confidence", "probabilities", "gap"]] = dataclasses.field(
        default_factory=lambda: ["classes"]
    )
    dtype: Literal["uint8", "float32"] = "uint8"
    predict: FinishSettings = dataclasses.field(default_factory=FinishSettings)
    tta: Literal["none", "flips"] = "none"
    device: Device = "auto"
    backend: Backend = "auto"
    precision: Precision = "auto"
    shard: str | None = None
    finish: bool = False
    benchmark: bool = False
    stac: bool = False
    overwrite: bool = False
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if "classes" not in self.outputs:
            msg = "outputs must hold classes; the others are written beside them"
            raise ValueError(msg)
        if self.shard is not None:
            Share.parse(self.shard)
        together = [name for name, said in (("shard", self.shard), ("finish", self.finish)) if said]
        if len(together) > 1 or (together and self.executor.kind != "local"):
            msg = f"{together[0]} stands alone: shard writes a share of the parts, finish makes the map of them,"
            msg += " executor=dask does both"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """`landmix evaluate`."""

    map: str
    reference: Any
    out_dir: str
    field: str | None = None
    layer: str | None = None
    ignore: list[str | int] | str | int | None = None
    legend: str | None = None
    design: Literal["stratified", "random", "cluster"] | None = None
    """How the reference was drawn; None: it is no sample, and its pixels are only counted."""
    strata: str | None = None
    """A raster of the strata that it was drawn from; None: the map's classes."""
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if self.strata is not None and self.design != "stratified":
            msg = "strata are those of a stratified sample: add design=stratified"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectSettings:
    """`landmix inspect`."""

    path: Any
    scene: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    format: Literal["table", "json"] = "table"
    quicklook: str | None = None
    progress: Literal["auto", "rich", "json", "off"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSettings:
    """`landmix sample`."""

    map: str
    out_dir: str
    n: int | None = None
    """Pixels to draw."""
    se: float | None = None
    """Or the standard error that overall accuracy is to have."""
    allocation: Literal["proportional", "equal", "neyman"] = "proportional"
    expected: float | dict[str, float] = 0.8
    """User's accuracy that is expected, of all classes or by name."""
    strata: str | None = None
    """A raster of strata on the map's grid; None: the map's classes."""
    hide: bool = False
    """Leave out what the map says, so that who interprets the sample does not know it."""
    seed: int = 0
    overwrite: bool = False
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if (self.n is None) == (self.se is None):
            msg = "either n, pixels to draw, or se, the standard error that is wanted, must be given"
            raise ValueError(msg)
        if self.n is not None and self.n < 1:
            msg = f"n must be at least 1, not {self.n}"
            raise ValueError(msg)
        if self.se is not None and not 0 < self.se < 0.5:  # noqa: PLR2004
            msg = f"se must lie between 0 and 0.5, not {self.se}"
            raise ValueError(msg)
        expected = self.expected.values() if isinstance(self.expected, dict) else [self.expected]
        if not all(0 < share < 1 for share in expected):
            msg = "expected accuracies must lie between 0 and 1"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """`landmix export`."""

    model: str
    format: Literal["onnx", "safetensors", "stac", "card"]
    out: str
    client: Literal["generic", "deepness"] = "generic"
    """Who feeds an ONNX graph: physical values, or pixels divided by 255 as the QGIS plugin Deepness does."""
    tile: int = 256
    """Rows and columns that an ONNX graph takes."""
    resolution: float | None = None
    """Pixel size in metres that an ONNX client is told; None: that of the training scenes."""
    overwrite: bool = False
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if not 16 <= self.tile <= 4096:  # noqa: PLR2004
            msg = f"tile must lie between 16 and 4096 pixels, not {self.tile}"
            raise ValueError(msg)
        if self.resolution is not None and not 0 < self.resolution < float("inf"):
            msg = f"resolution must be a pixel size in metres, not {self.resolution}"
            raise ValueError(msg)
        if self.format != "onnx" and (self.client, self.tile, self.resolution) != ("generic", 256, None):
            msg = f"client, tile and resolution are settings of format=onnx, not of format={self.format}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """`landmix view`."""

    map: str
    scene: Any = None
    port: int = 0
    """0: any that is free."""
    open: bool = True
    """Open the browser."""
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:  # noqa: PLR2004
            msg = f"port must lie between 0 and 65535, not {self.port}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class QgisSettings:
    """`landmix qgis`."""

    profile: str | None = None
    """Folder of a QGIS profile; None: the one that QGIS uses by default."""
    overwrite: bool = False
    progress: Literal["auto", "rich", "json", "off"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """`landmix demo`."""

    out_dir: str = "data/demo"
    net: NetShape = dataclasses.field(default_factory=NetShape)
    optim: OptimSettings = dataclasses.field(default_factory=OptimSettings)
    seed: int = 0
    size: int = 1024
    device: Device = "auto"
    progress: Literal["auto", "rich", "json", "off"] = "auto"

    def __post_init__(self) -> None:
        if not 256 <= self.size <= 8192:  # noqa: PLR2004
            msg = f"size must lie between 256 and 8192 pixels, not {self.size}"
            raise ValueError(msg)
