"""Networks that say something without having been trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from landmix.nn.network import Network


@torch.no_grad()
def shake(network: Network) -> None:
    """Random weights that say much of every neighbour, and batch norms that do something."""
    for name, values in network.state_dict().items():
        if name.endswith("running_var"):
            values.uniform_(0.5, 2)
        elif values.ndim > 1:
            values.normal_(0, 1.5 * values[0].numel() ** -0.5)
        elif values.is_floating_point():
            values.normal_(1 if name.endswith("1.weight") else 0, 0.3)


@torch.no_grad()
def spread(network: Network, gain: float) -> None:
    """Random weights, `gain` times the usual ones, so that maps show several classes; batch norms do nothing."""
    for name, weights in network.named_parameters():
        if name.endswith("1.weight"):
            weights.fill_(1)  # batch norms; those at the end of a bottleneck begin with 0
        elif weights.ndim > 1:
            weights.normal_(0, gain * weights[0].numel() ** -0.5)
