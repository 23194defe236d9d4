"""The Lightning module: loss and optimiser around a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning
import torch

from landmix.training.losses import pixel_loss

if TYPE_CHECKING:
    from torch import Tensor

    from landmix.nn.build import AnyNetwork
    from landmix.training.batches import Batch
    from landmix.training.settings import OptimSettings


class PixelTask(lightning.LightningModule):
    """Fits a network to labelled pixels."""

    def __init__(self, network: AnyNetwork, weights: Tensor, settings: OptimSettings, *, seed: int, total: int) -> None:
        """`weights` (K,) a class; `total` optimiser steps in all."""
        super().__init__()
        self.network = network
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)
        self._settings, self._seed, self._total = settings, seed, total

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Dropout draws from the CPU's global stream: set it by the step, so that a restart draws the same."""
        # torch.manual_seed also writes down the call stack for each device that is not in use yet: 0.3 ms a step
        torch.default_generator.manual_seed((self._seed * 1_000_003 + self.global_step) % 2**63)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Sum of the loss over labelled pixels by their number over all processes.

        Lightning averages gradients over processes, hence the factor.
        """
        logits = self.network(batch.pixels)  # (B, K, side, side)
        loss = pixel_loss(logits, batch.labels, self.weights, self._settings)
        return loss / max(1, batch.labelled) * self.trainer.world_size

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle, or a constant rate."""
        s = self._settings
        # weight decay on biases and batch norms only pulls them from where the data puts them
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": s.weight_decay}, {"params": others, "weight_decay": 0.0}]
        # The usual 1e-8 blows rounding up to whole steps where gradients begin at 0, as behind a bottleneck.
        optimizer = torch.optim.AdamW(groups, lr=s.lr, eps=1e-5)
        if s.schedule == "constant":
            return optimizer
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=s.lr, total_steps=self._total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}
