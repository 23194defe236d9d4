from __future__ import annotations

import torch
from torch import Tensor, nn

from landmix.engines.deployed import folded
from landmix.nn.layers import BatchNorm
from landmix.nn.network import Network
from landmix.nn.spec import NetSpec


class Walks(nn.Module):
    """Somebody's network that goes through a block layer by layer, as a folded one would not let it."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 4, 1), BatchNorm(4))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 4, H, W)."""
        for layer in self.block:
            x = layer(x)
        return x


def test_somebody_s_own_network_is_deployed_as_it_is() -> None:
    network, pixels = Walks().eval(), torch.rand(1, 3, 4, 4)
    assert torch.equal(folded(network)(pixels), network(pixels))


def test_landmix_s_own_networks_are_folded() -> None:
    network = folded(Network(NetSpec(in_channels=3, classes=2)))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
