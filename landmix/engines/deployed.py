"""A trained network as it is deployed: scaling before it, class and shares behind it, batch norms folded."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from landmix.engines.engine import FULL, INSIDE, SHARES
from landmix.nn.layers import BatchNorm, cropped
from landmix.nn.network import Network
from landmix.nn.reference import Dissimilarity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from landmix.engines.engine import Trust, Wanted

N = TypeVar("N", bound=nn.Module)


class Deployed(nn.Module):
    """Everything between stored pixels and class indices as one graph.

    The scaling is not folded into the first layer: stored numbers around 3000 have 8 bits in bf16, and invalid pixels
    must become 0 after it.
    """

    def __init__(
        self, network: nn.Module, wanted: Wanted, trust: Trust, margin: int, *, precision: str = "fp32"
    ) -> None:
        """`network` gives features too (`WithFeatures`) where applicability is wanted; `margin` is its own."""
        super().__init__()
        self.network = network
        reference = trust.reference if "applicability" in wanted.shares else None
        self.dissimilarity = Dissimilarity(reference) if reference else None
        self._wanted, self._temperature, self._margin = wanted, trust.temperature, margin
        self._inner = torch.bfloat16 if precision == "bf16" else torch.float32

    def forward(self, stored: Tensor, valid: Tensor | None, scale: Tensor, offset: Tensor) -> tuple[Tensor, ...]:
        """Class indices (B, H, W) and the shares that are wanted, (B, 1 or K, H, W).

        `stored` (B, C, H + 2m, W + 2m), `valid` (B, H + 2m, W + 2m) 0 or 1, or None where all are 1, `scale` and
        `offset` (1, C, 1, 1).
        """
        pixels = stored.to(torch.float32) * scale + offset
        if valid is not None:
            # not a product: NaN times 0 is NaN
            pixels = torch.where(valid[:, None] != 0, pixels, 0.0)
        # in two steps: about twice as fast as both at once
        pixels = pixels.to(self._inner).contiguous(memory_format=torch.channels_last)
        logits, features = self._computed(pixels)
        logits = logits.to(torch.float32, memory_format=torch.contiguous_format)  # (B, K, H, W)
        best, index = self._best(logits)
        found = self._shares(logits, best)
        if self.dissimilarity is not None:
            # cropped last: OpenVINO takes ten times as long to reorder features that are part of a larger array
            found["applicability"] = cropped(self.dissimilarity(features), self._margin)
        shares = [self._coded(name, found[name]) for name in self._wanted.shares]
        return index.to(torch.uint8 if logits.shape[1] <= 256 else torch.int32), *shares  # noqa: PLR2004

    def _computed(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits, and the features behind them where they are needed."""
        return self.network(pixels) if self.dissimilarity is not None else (self.network(pixels), None)

    def _best(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The highest logit (B, 1, H, W) and the first class that has it (B, H, W)."""
        best, index = logits.max(1, keepdim=True)  # several times faster than argmax
        return best, index[:, 0]

    def _shares(self, logits: Tensor, best: Tensor) -> dict[str, Tensor]:
        """What is wanted of `SHARES`. The temperature changes nothing else: classes stay what they are."""
        wanted = [name for name in self._wanted.shares if name in SHARES]
        if not wanted:
            return {}
        powers = ((logits - best) / self._temperature).exp()  # (B, K, H, W), the best is 1
        total = powers.sum(1, keepdim=True)
        found = {"confidence": total.reciprocal()}
        if "probabilities" in wanted:
            found["probabilities"] = powers / total
        if "gap" in wanted:
            one = logits.shape[1] == 1
            two = powers.topk(1 if one else 2, dim=1).values
            found["gap"] = (two[:, :1] if one else two[:, :1] - two[:, 1:]) / total
        return found

    def _coded(self, name: str, values: Tensor) -> Tensor:
        if not self._wanted.coded:
            return values
        if name == "applicability":
            return (values * INSIDE).clamp(max=FULL).round().to(torch.uint8)
        return (values * FULL).round().to(torch.uint8)


def folded(network: N) -> N:
    """A copy whose batch norms are part of the convolutions before them, where it is plain that they follow them.

    Somebody's own network is only copied: its code may look into what would be folded.
    """
    network = copy.deepcopy(network).eval()
    if not isinstance(network, Network):
        return network.requires_grad_(requires_grad=False)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Sequential and [type(part) for part in child] in _PAIRS:
                fused = fuse_conv_bn_eval(child[0], child[1])  # type: ignore[type-var, arg-type]
                setattr(module, name, fused)
    return network.requires_grad_(requires_grad=False)


_PAIRS = [[nn.Conv2d, BatchNorm]]
"""Exactly these: somebody's own kinds of them may do other things."""


class Flips(nn.Module):
    """The mean of the logits over the 8 flips and turns of the surroundings.

    Turning the kernels of the head gives the same as turning the picture there and back, moves no pixel, and lets all
    eight share the encoder, which looks at single pixels.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.head = _Mean(_turned(network.head, turn) for turn in (range(8) if network.margin else range(1)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, C, H, W) -> logits (B, K, H - 2 margin, W - 2 margin)."""
        return self.head(self.encoder(pixels))  # type: ignore[no-any-return]


class _Mean(nn.Module):
    """The mean of what several heads say."""

    def __init__(self, heads: Iterable[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, H, W) -> logits (B, K, H - 2 margin, W - 2 margin)."""
        return torch.stack([head(features) for head in self.heads]).mean(0)


class TurnedPictures(nn.Module):
    """The same for any network, by turning the picture there and the logits back."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, C, H, W) -> logits (B, K, H - 2 margin, W - 2 margin)."""
        found = []
        for turn in range(8):
            axes = [axis for bit, axis in ((1, 2), (2, 3)) if turn & bit]
            picture = pixels.transpose(2, 3) if turn & 4 else pixels
            logits = self.network(picture.flip(axes) if axes else picture)
            logits = logits.flip(axes) if axes else logits
            found.append(logits.transpose(2, 3) if turn & 4 else logits)
        return torch.stack(found).mean(0)


def _turned(head: nn.Module, turn: int) -> nn.Module:
    """A copy with its kernels mirrored and transposed; bits 1, 2 and 4 say up-down, left-right, transpose."""
    head = copy.deepcopy(head)
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            kernel = module.weight.data  # (out, in, rows, columns)
            kernel = kernel.flip([axis for bit, axis in ((1, -2), (2, -1)) if turn & bit])
            module.weight.data = (kernel.transpose(-1, -2) if turn & 4 else kernel).contiguous()
    return head
