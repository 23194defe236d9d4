"""What happens after each epoch: a row of train.csv, progress, and early stopping."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any

import lightning
import torch

from landmix.files import write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from landmix.progress import Progress
    from landmix.training.task import PixelTask

Figures = dict[str, float]


class History(lightning.Callback):
    """Keeps loss, learning rate and figures of every epoch, writes them to `train.csv` and shows them.

    The rows travel in the checkpoint, so that a run that goes on has exactly the rows of the epochs behind it.
    """

    def __init__(self, path: Path | None, measure: Callable[[], Figures] | None, progress: Progress, name: str) -> None:
        """`measure` gives figures on the validation part; they are shown and never used to choose anything."""
        self.rows: list[Figures] = []
        self._path, self._measure, self._progress, self._name = path, measure, progress, name
        self._losses: list[torch.Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from them."""
        self.rows = list(state_dict["rows"])

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the loss."""
        self._losses.append(outputs["loss"].detach())

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Add a row. The loss is the mean over steps of the whole batches' losses."""
        loss = trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean")
        self._losses.clear()
        if not trainer.is_global_zero:
            return
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "loss": float(loss),
        }
        epoch, total = trainer.current_epoch + 1, trainer.max_epochs or 1
        due = epoch == total or epoch % often(total) == 0
        if self._measure is not None and due:
            row |= self._measure()
        self.rows.append(row)
        if trainer.loggers:
            trainer.loggers[0].log_metrics({k: v for k, v in row.items() if k != "step"}, step=trainer.global_step)
        if self._path is not None and due:
            write_text(self._path, as_csv(self.rows))
        note = f"loss {row['loss']:.3f}"
        latest = next((r for r in reversed(self.rows) if "val_macro_f1" in r), None)
        if latest is not None:
            note += f", macro F1 {latest['val_macro_f1']:.3f}"
        self._progress.step(self._name, epoch, total, note)


def often(epochs: int) -> int:
    """Every how many epochs to save, measure and write: about fifteen times a run, however short its epochs are."""
    return max(1, epochs // 15)


def as_csv(rows: list[Figures]) -> str:
    """Rows as CSV, with every column that occurs; a figure that was not measured is empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


class StopEarly(lightning.Callback):
    """With a constant rate: stop when the loss on a part cut from the training data no longer falls, keep the best.

    The best weights travel in the checkpoint.
    """

    def __init__(self, measure: Callable[[], float], patience: int) -> None:
        self._measure, self._patience = measure, patience
        self._best, self._since = math.inf, 0
        self._weights: dict[str, torch.Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """Best loss, epochs since, and best weights."""
        return {"best": self._best, "since": self._since, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from them."""
        self._best, self._since, self._weights = state_dict["best"], state_dict["since"], state_dict["weights"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: PixelTask) -> None:  # type: ignore[override]  # noqa: ARG002
        """A run that goes on after it had stopped trains no further epoch."""
        trainer.should_stop = self._since >= self._patience

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: PixelTask) -> None:  # type: ignore[override]
        """Every process measures the same, so all stop together."""
        loss = self._measure()
        self._since += 1
        if loss < self._best:
            self._best, self._since = loss, 0
            self._weights = {k: v.detach().cpu().clone() for k, v in pl_module.network.state_dict().items()}
        trainer.should_stop = self._since >= self._patience

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: PixelTask) -> None:  # type: ignore[override]  # noqa: ARG002
        """Put the best weights back."""
        if self._weights:
            pl_module.network.load_state_dict(self._weights)
