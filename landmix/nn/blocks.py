"""Blocks of a head: each looks at neighbours in its own way, and none pads, so tiles see what the scene holds.

Squeeze-and-excite is not among them: it weighs channels by their mean over the tile, so a pixel's class would depend on
how the scene was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from landmix.nn.layers import activation, convolution, cropped

if TYPE_CHECKING:
    from landmix.nn.spec import Activation


class Pointwise(nn.Module):
    """A 1x1 convolution: no neighbours."""

    def __init__(
        self,
        inputs: int,
        reduced: int,  # noqa: ARG002
        outputs: int,
        *,
        batch_norm: bool,
        dilation: int = 1,  # noqa: ARG002 - blocks are made alike
        act: Activation = "relu",
    ) -> None:
        super().__init__()
        self.margin = 0
        self.mix = convolution(inputs, outputs, batch_norm=batch_norm)
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        return self.act(self.mix(x))  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1 reduce, 3x3, 1x1 expand, with a residual (He et al. 2016, figure 5).

    It begins as the identity (Goyal et al. 2017, section 5.1): neighbours come in where they help.
    """

    def __init__(
        self, inputs: int, reduced: int, outputs: int, *, batch_norm: bool, dilation: int = 1, act: Activation = "relu"
    ) -> None:
        super().__init__()
        self.margin = dilation
        self.reduce = convolution(inputs, reduced, batch_norm=batch_norm)
        self.spatial = convolution(reduced, reduced, 3, batch_norm=batch_norm, dilation=dilation)
        self.expand = convolution(reduced, outputs, batch_norm=batch_norm)
        same = inputs == outputs
        self.shortcut: nn.Module = nn.Identity() if same else convolution(inputs, outputs, batch_norm=batch_norm)
        self.act = activation(act)
        nn.init.zeros_(self.expand[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H - 2 margin, W - 2 margin)."""
        y = self.act(self.reduce(x))  # (B, reduced, H, W)
        y = self.act(self.spatial(y))  # (B, reduced, H - 2 margin, W - 2 margin)
        y = self.expand(y)  # (B, outputs, H - 2 margin, W - 2 margin)
        return self.act(y + self.shortcut(cropped(x, self.margin)))  # type: ignore[no-any-return]


class Depthwise(nn.Module):
    """3x3 in each channel alone, then 1x1 over the channels (Howard et al. 2017, MobileNet).

    Where the width stays, with a residual (Sandler et al. 2018), and it begins as the identity.
    """

    def __init__(
        self,
        inputs: int,
        reduced: int,  # noqa: ARG002 - blocks are made alike
        outputs: int,
        *,
        batch_norm: bool,
        dilation: int = 1,
        act: Activation = "relu",
    ) -> None:
        super().__init__()
        self.margin = dilation
        self.spatial = convolution(inputs, inputs, 3, batch_norm=batch_norm, dilation=dilation, groups=inputs)
        self.mix = convolution(inputs, outputs, batch_norm=batch_norm)
        self.same = inputs == outputs
        self.act = activation(act)
        if self.same:
            nn.init.zeros_(self.mix[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H - 2 margin, W - 2 margin)."""
        y = self.mix(self.act(self.spatial(x)))
        if self.same:
            y = y + cropped(x, self.margin)
        return self.act(y)  # type: ignore[no-any-return]


class Inception(nn.Module):
    """1x1, 3x3, 5x5 and pooling side by side, each large one behind a 1x1 (Szegedy et al. 2015, figure 2b)."""

    def __init__(
        self, inputs: int, reduced: int, outputs: int, *, batch_norm: bool, dilation: int = 1, act: Activation = "relu"
    ) -> None:
        """The shares of `outputs` are those of the paper's first block, 1/4, 1/2, 1/8 and 1/8."""
        super().__init__()
        eighth = outputs // 8
        widths = (2 * eighth, outputs - 4 * eighth, eighth, eighth)
        self._build(inputs, widths, (reduced, max(1, reduced // 4)), batch_norm=batch_norm, dilation=dilation, act=act)

    def _build(
        self,
        inputs: int,
        widths: tuple[int, int, int, int],
        reduced: tuple[int, int],
        *,
        batch_norm: bool,
        dilation: int = 1,
        act: Activation = "relu",
    ) -> None:
        one, three, five, pooled = widths
        self.margin = 2 * dilation
        self._dilation = dilation
        self.one = convolution(inputs, one, batch_norm=batch_norm)
        self.reduce3 = convolution(inputs, reduced[0], batch_norm=batch_norm)
        self.three = convolution(reduced[0], three, 3, batch_norm=batch_norm, dilation=dilation)
        self.reduce5 = convolution(inputs, reduced[1], batch_norm=batch_norm)
        self.five = convolution(reduced[1], five, 5, batch_norm=batch_norm, dilation=dilation)
        self.pool = nn.MaxPool2d(3, stride=1, dilation=dilation)
        self.pooled = convolution(inputs, pooled, batch_norm=batch_norm)
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H - 2 margin, W - 2 margin)."""
        near = cropped(x, self._dilation)  # a 3x3 there reaches as far as a 5x5 on x
        branches = (
            self.one(cropped(x, self.margin)),
            self.three(self.act(self.reduce3(near))),
            self.five(self.act(self.reduce5(x))),
            self.pooled(self.pool(near)),
        )
        return self.act(torch.cat(branches, 1))  # type: ignore[no-any-return]


BLOCKS: dict[str, type[nn.Module]] = {
    "pointwise": Pointwise,
    "bottleneck": Bottleneck,
    "depthwise": Depthwise,
    "inception": Inception,
}
"""By `HeadSpec.kind`."""
