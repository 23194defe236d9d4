"""The parts that networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.nn import functional as collective


class BatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the whole batch, however many processes share it.

    Unlike `torch.nn.SyncBatchNorm` it also runs on CPUs, and ranks may hold unequal parts of the batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W), same shape."""
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(x)
        sums = torch.stack([x.sum((0, 2, 3)), (x * x).sum((0, 2, 3))])  # (2, C)
        count = x.new_full((1, x.shape[1]), x.numel() / x.shape[1])  # (1, C)
        # all_reduce passes gradients on, unlike torch.distributed.all_reduce
        total, squares, n = collective.all_reduce(torch.cat([sums, count]))  # type: ignore[no-untyped-call]  # 3 x (C,)
        mean = total / n
        variance = squares / n - mean * mean
        with torch.no_grad():
            momentum = 0.1 if self.momentum is None else self.momentum
            assert self.running_mean is not None and self.running_var is not None  # noqa: S101, PT018 - for mypy
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * n / (n - 1), momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        normalised: Tensor = x * scale[:, None, None] + shift[:, None, None]
        return normalised


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
        together = dist.is_available() and dist.is_initialized()
        rank, world = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        drawn = torch.rand((x.shape[0] + 1) * world, x.shape[1], 1, 1, generator=generator)  # (>= whole batch, C, 1, 1)
        kept = drawn[rank::world][: x.shape[0]] >= self.share  # (B, C, 1, 1)
        return x * (kept / (1 - self.share)).to(x)


def convolution(inputs: int, outputs: int, size: int = 1, *, batch_norm: bool) -> nn.Sequential:
    """A convolution without padding, and its batch norm or its bias: (B, in, H, W) -> (B, out, H - size + 1, ...)."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, size, bias=not batch_norm)]
    if batch_norm:
        layers.append(BatchNorm(outputs))
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """1x1 reduce, 3x3, 1x1 expand, with a residual (He et al. 2016, figure 5).

    It begins as the identity (Goyal et al. 2017, section 5.1): neighbours come in where they help.
    """

    margin = 1

    def __init__(self, inputs: int, reduced: int, outputs: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.reduce = convolution(inputs, reduced, batch_norm=batch_norm)
        self.spatial = convolution(reduced, reduced, 3, batch_norm=batch_norm)
        self.expand = convolution(reduced, outputs, batch_norm=batch_norm)
        same = inputs == outputs
        self.shortcut: nn.Module = nn.Identity() if same else convolution(inputs, outputs, batch_norm=batch_norm)
        nn.init.zeros_(self.expand[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H - 2, W - 2): nothing is padded, so tiles see what the scene holds."""
        y = self.reduce(x).relu()  # (B, reduced, H, W)
        y = self.spatial(y).relu()  # (B, reduced, H - 2, W - 2)
        y = self.expand(y)  # (B, outputs, H - 2, W - 2)
        shortcut: Tensor = self.shortcut(x[:, :, 1:-1, 1:-1])
        out: Tensor = (y + shortcut).relu()
        return out
