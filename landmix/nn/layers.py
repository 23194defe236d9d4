"""The parts that networks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.nn import functional as collective

if TYPE_CHECKING:
    from landmix.nn.spec import Activation


class BatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the whole batch, however many processes share it.

    Unlike `torch.nn.SyncBatchNorm` it also runs on CPUs, and ranks may hold unequal parts of the batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W), same shape."""
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(x)
        values = x.float()  # sums of bf16 would have 8 bits
        sums = torch.stack([values.sum((0, 2, 3)), (values * values).sum((0, 2, 3))])  # (2, C)
        count = values.new_full((1, x.shape[1]), x.numel() / x.shape[1])  # (1, C)
        # all_reduce passes gradients on, unlike torch.distributed.all_reduce
        total, squares, n = collective.all_reduce(torch.cat([sums, count]))  # type: ignore[no-untyped-call]  # 3 x (C,)
        mean = total / n
        variance = (squares / n - mean * mean).clamp_min(0)
        with torch.no_grad():
            momentum = 0.1 if self.momentum is None else self.momentum
            assert self.running_mean is not None and self.running_var is not None  # noqa: S101, PT018 - for mypy
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * n / (n - 1), momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        normalised: Tensor = values * scale[:, None, None] + shift[:, None, None]
        return normalised.to(x.dtype)


class Dropout(nn.Module):
    """Leaves out whole channels of a crop at random while training, the same ones whatever the number of processes.

    Every process holds each `world`-th crop and begins a step with the same seed, so it draws for the whole batch and
    takes its own. A generator of its own keeps the global stream alike where parts are unequal; it draws on the CPU,
    so that nothing depends on the device either.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), same shape."""
        if not (self.training and self.share):
            return x
        kept = self._kept(len(x), x.shape[1])
        return x * (kept / (1 - self.share))[:, :, None, None].to(x)

    def _kept(self, crops: int, channels: int) -> Tensor:
        """What this process keeps (B, channels) of what all processes draw together."""
        together = dist.is_available() and dist.is_initialized()
        rank, world = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        drawn = torch.rand((crops + 1) * world, channels, generator=generator)  # (>= whole batch, channels)
        return drawn[rank::world][:crops] >= self.share


class BandDropout(Dropout):
    """Leaves out whole bands, or whole sensors, of a crop while training; the others keep their values.

    What is left out is 0, as a missing band is where prediction allows one.
    """

    def __init__(self, share: float, groups: tuple[int, ...]) -> None:
        """`groups`: how many bands are left out together, in their order."""
        super().__init__(share)
        self._groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), same shape."""
        if not (self.training and self.share):
            return x
        kept = self._kept(len(x), len(self._groups))  # (B, groups)
        kept[~kept.any(1), 0] = True  # of nothing nothing can be learned
        counts = torch.tensor(self._groups)
        return x * kept.repeat_interleave(counts, 1)[:, :, None, None].to(x)


def activation(name: Activation) -> nn.Module:
    """ReLU, or GELU (Hendrycks and Gimpel 2016)."""
    return nn.GELU() if name == "gelu" else nn.ReLU()


def cropped(x: Tensor, margin: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H - 2 margin, W - 2 margin)."""
    return x[:, :, margin:-margin, margin:-margin] if margin else x


def convolution(
    inputs: int, outputs: int, size: int = 1, *, batch_norm: bool, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution without padding, and its batch norm or its bias.

    (B, in, H, W) -> (B, out, H - dilation (size - 1), ...).
    """
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, size, bias=not batch_norm, dilation=dilation, groups=groups)]
    if batch_norm:
        layers.append(BatchNorm(outputs))
    return nn.Sequential(*layers)


class ResidualMLP(nn.Module):
    """1x1 to twice the width, activation, 1x1 back, plus what came in; it begins as the identity."""

    def __init__(self, width: int, *, batch_norm: bool, act: Activation = "relu") -> None:
        super().__init__()
        self.widen = convolution(width, 2 * width, batch_norm=batch_norm)
        self.narrow = convolution(2 * width, width, batch_norm=batch_norm)
        self.act = activation(act)
        nn.init.zeros_(self.narrow[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W), same shape."""
        return x + self.narrow(self.act(self.widen(x)))  # type: ignore[no-any-return]


class ChannelAttention(nn.Module):
    """Each pixel's channels, as `tokens` of equal width, attend to each other (Vaswani et al. 2017, equation 1).

    Queries, keys and values are 1x1 convolutions, so no pixel sees another; it begins as the identity.
    """

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self._shape = tokens, width // tokens
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W), same shape."""
        batch, width, height, columns = x.shape
        tokens, depth = self._shape
        qkv = self.qkv(x).permute(0, 2, 3, 1).reshape(batch, height, columns, 3, tokens, depth)
        query, key, value = qkv[..., 0, :, :], qkv[..., 1, :, :], qkv[..., 2, :, :]  # (B, H, W, tokens, depth)
        weights = (query @ key.transpose(-1, -2) / depth**0.5).softmax(-1)  # (B, H, W, tokens, tokens)
        y = (weights @ value).reshape(batch, height, columns, width).permute(0, 3, 1, 2)
        return x + self.out(y)  # type: ignore[no-any-return]
