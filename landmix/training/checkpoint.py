"""Checkpoints to go on from, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from landmix.model_file import save_tensors

if TYPE_CHECKING:
    from lightning.fabric.utilities.types import _PATH


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's own save is not atomic where the temporary folder is on another file system; this one is."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:  # noqa: ARG002
        """Write beside the target, then rename."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(checkpoint, target)

    def load_checkpoint(
        self,
        path: _PATH,
        map_location: Any = None,
        weights_only: bool | None = None,  # noqa: ARG002, FBT001
    ) -> dict[str, Any]:
        """Read without running code from it."""
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)  # type: ignore[no-any-return]


def to_go_on_from(path: Path, every: int) -> ModelCheckpoint:
    """Save the state to go on from after each `every` epochs."""
    return ModelCheckpoint(
        dirpath=path.parent,
        filename=path.stem,
        save_top_k=1,
        monitor=None,
        every_n_epochs=every,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
