"""The networks: a perceptron at every pixel, then bottlenecks that look at the neighbours."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from landmix.nn.layers import Bottleneck, Dropout, convolution

if TYPE_CHECKING:
    from landmix.nn.spec import NetSpec


class SpectralMLP(nn.Module):
    """Stacked 1x1 convolutions with ReLU: the same small perceptron at every pixel."""

    margin = 0

    def __init__(self, inputs: int, widths: tuple[int, ...], *, batch_norm: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(convolution(a, b, batch_norm=batch_norm) for a, b in pairwise((inputs, *widths)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, widths[-1], H, W)."""
        for layer in self.layers:
            x = layer(x).relu()  # (B, width, H, W)
        return x


class BottleneckHead(nn.Module):
    """Bottlenecks and a 1x1 classifier."""

    def __init__(self, inputs: int, spec: NetSpec) -> None:
        super().__init__()
        head = spec.head
        widths = (inputs, *[head.width] * head.blocks)
        self.blocks = nn.ModuleList(
            Bottleneck(a, head.reduced, b, batch_norm=spec.batch_norm) for a, b in pairwise(widths)
        )
        self.dropout = Dropout(head.dropout)
        self.classifier = nn.Conv2d(widths[-1], spec.classes, 1)
        self.margin = Bottleneck.margin * head.blocks

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> logits (B, classes, H - 2 margin, W - 2 margin)."""
        for block in self.blocks:
            x = block(x)  # (B, width, H - 2, W - 2)
        return self.classifier(self.dropout(x))  # type: ignore[no-any-return]


class Network(nn.Module):
    """Encoder and head."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = SpectralMLP(spec.in_channels, spec.encoder.widths, batch_norm=spec.batch_norm)
        self.head = BottleneckHead(spec.encoder.widths[-1], spec)

    @property
    def margin(self) -> int:
        """Receptive radius in pixels: how much context an output pixel needs on each side."""
        return self.encoder.margin + self.head.margin

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pixels (B, C, H, W) -> logits (B, K, H - 2 margin, W - 2 margin), float32."""
        return self.head(self.encoder(x))  # type: ignore[no-any-return]
