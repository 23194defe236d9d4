"""torch on a CPU: channels-last, small tiles, one compute thread a caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from landmix.engines.deployed import Deployed
from landmix.engines.fused import fused
from landmix.engines.pieces import piecewise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from landmix.engines.engine import Answer, EngineSpec, Trust, Wanted


class _Gelu(nn.Module):
    """GELU whose last bits do not depend on where in memory a pixel lies, as those of torch's own do in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same shape."""
        return 0.5 * x * (1 + torch.erf(x * 0.5**0.5))


def _steady(network: nn.Module) -> None:
    """Put it in the place of torch's, so that a tiled map is the untiled one to the last bit."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.GELU and child.approximate == "none":
                setattr(module, name, _Gelu())


class _Graph(Deployed):
    """What torch's CPU kernels do fastest."""

    def _best(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """See `Deployed`. Comparing and counting down is three times as fast as torch's index of the maximum."""
        classes = logits.shape[1]
        dtype = torch.uint8 if classes <= 256 else torch.int32  # noqa: PLR2004
        weight = torch.arange(classes - 1, -1, -1, dtype=dtype).view(1, -1, 1, 1)
        best = logits.amax(1, keepdim=True)
        return best, (classes - 1) - ((logits == best).to(dtype) * weight).amax(1)


class TorchEngine:
    """An `Engine`. Fused convolutions are as fast as compiled ones, without ten seconds of compiling."""

    def __init__(
        self, network: nn.Module, margin: int, classes: int, spec: EngineSpec, wanted: Wanted, trust: Trust
    ) -> None:
        inner = torch.bfloat16 if spec.precision == "bf16" else torch.float32
        if spec.precision == "fp32":
            _steady(network)
        network = network.to(inner, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._graph = _Graph(fused(network), wanted, trust, margin, precision=spec.precision)
        self._margin, self._classes, self._side, self._wanted = margin, classes, spec.tile, wanted

    def __call__(
        self,
        stored: NDArray[np.generic],
        valid: NDArray[np.bool_],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> Answer:
        """See `Engine`."""
        lines = [torch.from_numpy(line.reshape(1, -1, 1, 1)) for line in (scale, offset)]
        pixels, inside = torch.from_numpy(stored), torch.from_numpy(valid)
        around = 2 * self._margin

        def run(rows: slice, cols: slice, *_: int) -> list[NDArray[np.generic]]:
            window = slice(rows.start, rows.stop + around), slice(cols.start, cols.stop + around)
            # most pieces are valid throughout, and choosing costs as much as scaling
            mask = None if valid[window].all() else inside[window][None]
            return [part.numpy() for part in self._graph(pixels[:, *window][None], mask, *lines)]

        with torch.inference_mode():
            return piecewise(valid, self._margin, self._side, self._classes, self._wanted, run)
