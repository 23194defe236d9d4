"""How unlike the training pixels a pixel is: the dissimilarity index as part of a network's graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

MOST = 4096
"""Points of a reference."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """Training pixels as points in the space of an encoder's D features (Meyer and Pebesma 2021).

    All tensors are float32. `accuracy.applicability` learns them.
    """

    mean: Tensor
    """(D,) of the training pixels."""
    scale: Tensor
    """(D,) weight of a feature / its standard deviation; 0 where it says nothing."""
    points: Tensor
    """(P, D) training pixels, less the mean and times the scale."""
    distance: float
    """Mean distance between two training pixels."""
    threshold: float
    """Distance to the nearest point, in mean distances, above which a pixel lies outside the area of applicability."""

    def __post_init__(self) -> None:
        count, width = self.points.shape
        if self.mean.shape != (width,) or self.scale.shape != (width,) or not 1 <= count <= MOST:
            msg = f"a reference has one mean and scale a feature and 1 to {MOST} points"
            raise ValueError(msg)
        if not (0 < self.distance < float("inf") and 0 < self.threshold < float("inf")):
            msg = f"distance and threshold of a reference are above 0, not {self.distance} and {self.threshold}"
            raise ValueError(msg)


class Dissimilarity(nn.Module):
    """Distance of features to the nearest point of a reference, in thresholds: up to 1 is inside."""

    def __init__(self, reference: Reference) -> None:
        super().__init__()
        unit = reference.distance * reference.threshold
        points = reference.points / unit
        self.mean: Tensor
        self.scale: Tensor
        self.twice: Tensor
        self.squares: Tensor
        self.register_buffer("mean", reference.mean[None, :, None, None])
        self.register_buffer("scale", reference.scale[None, :, None, None] / unit)
        self.register_buffer("twice", -2 * points)  # (P, D)
        self.register_buffer("squares", (points * points).sum(1)[None, :, None])  # (1, P, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, 1, H, W), in float32 whatever the features are.

        |x - p|^2 = |x|^2 - 2 x p + |p|^2: a product of matrices instead of P differences a pixel. The terms nearly
        cancel, so they must see the same x, which OpenVINO may round where it is flattened, and the product needs all
        bits: a 1x1 convolution would lose them in OpenVINO and cuDNN.
        """
        x = ((features.to(torch.float32) - self.mean) * self.scale).flatten(2)  # (B, D, HW)
        products = torch.matmul(self.twice, x) + self.squares  # (B, P, HW)
        nearest = products.amin(1) + (x * x).sum(1)  # (B, HW)
        return nearest.clamp(min=0).sqrt().reshape(features[:, :1].shape)


class WithFeatures(nn.Module):
    """A network that also gives the features that its encoder finds, margin and all."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.encoder: nn.Module = network.encoder  # type: ignore[assignment]
        self.head: nn.Module = network.head  # type: ignore[assignment]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> logits (B, K, H - 2 margin, W - 2 margin), features (B, D, H, W)."""
        features = self.encoder(pixels)
        return self.head(features), features
