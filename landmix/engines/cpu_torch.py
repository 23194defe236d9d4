"""torch on a CPU: channels-last, small tiles, one compute thread a caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from landmix.engines.deployed import Deployed
from landmix.engines.fused import fused
from landmix.engines.pieces import piecewise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from landmix.engines.engine import Answer, EngineSpec, Wanted


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

    def __init__(self, network: nn.Module, margin: int, classes: int, spec: EngineSpec, wanted: Wanted) -> None:
        inner = torch.bfloat16 if spec.precision == "bf16" else torch.float32
        network = network.to(inner, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._graph = _Graph(fused(network), wanted, precision=spec.precision)
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
