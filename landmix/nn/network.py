"""The networks: a perceptron at every pixel, then blocks that look at the neighbours."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from landmix.nn.blocks import BLOCKS
from landmix.nn.layers import BandDropout, ChannelAttention, Dropout, ResidualMLP, activation, convolution

if TYPE_CHECKING:
    from landmix.nn.spec import NetSpec


class SpectralMLP(nn.Module):
    """Stacked 1x1 convolutions with activations: the same small perceptron at every pixel."""

    margin = 0

    def __init__(self, inputs: int, spec: NetSpec) -> None:
        super().__init__()
        encoder, norm = spec.encoder, spec.batch_norm
        width = encoder.widths[-1]
        self.layers = nn.ModuleList(convolution(a, b, batch_norm=norm) for a, b in pairwise((inputs, *encoder.widths)))
        self.attention = ChannelAttention(width, encoder.attention) if encoder.attention else nn.Identity()
        blocks = (ResidualMLP(width, batch_norm=norm, act=spec.activation) for _ in range(encoder.residual))
        self.residual = nn.Sequential(*blocks)
        self.act = activation(spec.activation)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, widths[-1], H, W)."""
        for layer in self.layers:
            x = self.act(layer(x))  # (B, width, H, W)
        return self.residual(self.attention(x))  # type: ignore[no-any-return]


class Fusion(nn.Module):
    """A perceptron for each sensor or date; a 1x1 mixes what they find."""

    margin = 0

    def __init__(self, inputs: tuple[int, ...], spec: NetSpec) -> None:
        super().__init__()
        self._inputs = list(inputs)
        width = spec.encoder.widths[-1]
        self.encoders = nn.ModuleList(SpectralMLP(n, spec) for n in inputs)
        self.mix = convolution(len(inputs) * width, width, batch_norm=spec.batch_norm)
        self.act = activation(spec.activation)

    def forward(self, x: Tensor) -> Tensor:
        """(B, all inputs, H, W) -> (B, widths[-1], H, W)."""
        ends = accumulate(self._inputs)
        parts = zip(self.encoders, self._inputs, ends, strict=True)
        features = [encoder(x[:, end - count : end]) for encoder, count, end in parts]
        return self.act(self.mix(torch.cat(features, 1)))  # type: ignore[no-any-return]


class Head(nn.Module):
    """Blocks that look at neighbours, and a 1x1 classifier."""

    def __init__(self, inputs: int, spec: NetSpec) -> None:
        super().__init__()
        head = spec.head
        widths = (inputs, *[head.width] * head.blocks)
        make = BLOCKS[head.kind]
        self.blocks = nn.ModuleList(
            make(a, head.reduced, b, batch_norm=spec.batch_norm, dilation=dilation, act=spec.activation)
            for (a, b), dilation in zip(pairwise(widths), head.dilation or (1,) * head.blocks, strict=True)
        )
        self.dropout = Dropout(head.dropout)
        self.classifier = nn.Conv2d(widths[-1], spec.classes, 1)
        self.margin: int = sum(block.margin for block in self.blocks)  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> logits (B, classes, H - 2 margin, W - 2 margin)."""
        for block in self.blocks:
            x = block(x)  # (B, width, H - 2, W - 2) and less
        return self.classifier(self.dropout(x))  # type: ignore[no-any-return]


class Network(nn.Module):
    """Encoder and head."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.bands = BandDropout(spec.encoder.band_dropout, spec.inputs or (1,) * spec.in_channels)
        self.encoder = Fusion(spec.inputs, spec) if spec.inputs else SpectralMLP(spec.in_channels, spec)
        self.head = Head(spec.encoder.widths[-1], spec)

    @property
    def margin(self) -> int:
        """Receptive radius in pixels: how much context an output pixel needs on each side."""
        return self.encoder.margin + self.head.margin

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pixels (B, C, H, W) -> logits (B, K, H - 2 margin, W - 2 margin), float32."""
        return self.head(self.encoder(self.bands(x)))  # type: ignore[no-any-return]
