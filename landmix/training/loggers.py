"""Where figures go besides `train.csv`: Lightning's loggers, each behind an extra."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch.loggers import Logger


def check_logger(name: str) -> None:
    """Raises `LandmixError` where the package of a logger is missing."""
    if name != "csv" and find_spec(name) is None:
        msg = f"logger={name} needs the package {name}: install it with pip install 'landmix[{name}]'"
        raise LandmixError(msg)


def make_logger(name: str, folder: Path) -> Logger | None:
    """The logger that the user asked for, writing into `folder`; None for `csv`, which is always written."""
    from lightning.pytorch import loggers  # noqa: PLC0415 - slow, and only wanted for training

    if name == "tensorboard":
        return loggers.TensorBoardLogger(folder, name="tensorboard", version="")
    if name == "mlflow":
        return loggers.MLFlowLogger("landmix", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    if name == "wandb":
        return loggers.WandbLogger(project="landmix", save_dir=folder)
    return None
