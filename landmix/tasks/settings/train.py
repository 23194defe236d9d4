"""What can be set of training, and of the demo."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from landmix.geo.limits import Limits
from landmix.geo.options import ReadOptions
from landmix.nn.spec import NetShape
from landmix.tasks.settings.words import Device, Precision, Show  # noqa: TC001 - the settings are checked by their hints
from landmix.training.settings import Augmentation, CalibrationSettings, OptimSettings, SplitSettings


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
    erode: int = 0
    """Pixels from the border of a labelled area inwards that do not train."""
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
        if not 0 <= self.erode <= 64:  # noqa: PLR2004
            msg = f"data.erode must lie between 0 and 64 pixels, not {self.erode}"
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
    limits: Limits = dataclasses.field(default_factory=Limits)
    split: SplitSettings = dataclasses.field(default_factory=SplitSettings)
    calibration: CalibrationSettings = dataclasses.field(default_factory=CalibrationSettings)
    net: NetShape = dataclasses.field(default_factory=NetShape)
    optim: OptimSettings = dataclasses.field(default_factory=OptimSettings)
    trainer: TrainerSettings = dataclasses.field(default_factory=TrainerSettings)
    logger: LoggerSettings = dataclasses.field(default_factory=LoggerSettings)
    task: Literal["classes", "fractions"] = "classes"
    """What the model says of a pixel: its class, or how much of each class it holds."""
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    refit: bool = False
    baseline: bool = False
    resume: bool = False
    overwrite: bool = False
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if self.seed < 0:
            msg = f"seed must be at least 0, not {self.seed}"
            raise ValueError(msg)
        if self.resume and self.overwrite:
            msg = "resume=true goes on and overwrite=true begins anew: choose one"
            raise ValueError(msg)
        if self.task == "fractions":
            self._check_mixtures()

    def _check_mixtures(self) -> None:
        """What cannot be learnt from linear mixtures of single labelled pixels."""
        if self.data.features:
            msg = "task=fractions mixes bands, and the index of a mixture is no mixture of indices: leave out"
            msg += " data.features"
            raise ValueError(msg)
        if self.data.cell != 1:
            msg = f"task=fractions mixes crops that label one pixel each: set data.cell=1, not {self.data.cell}"
            raise ValueError(msg)
        if self.optim.loss != "cross_entropy" or self.optim.label_smoothing:
            msg = "task=fractions learns fractions by plain cross entropy: leave optim.loss and optim.label_smoothing"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """`landmix demo`."""

    out_dir: str = "data/demo"
    net: NetShape = dataclasses.field(default_factory=NetShape)
    optim: OptimSettings = dataclasses.field(default_factory=OptimSettings)
    seed: int = 0
    size: int = 1024
    device: Device = "auto"
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if not 256 <= self.size <= 8192:  # noqa: PLR2004
            msg = f"size must lie between 256 and 8192 pixels, not {self.size}"
            raise ValueError(msg)
