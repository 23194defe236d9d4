"""torch on a CPU: channels-last, small tiles, one compute thread a caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from landmix.engines.deployed import Deployed
from landmix.engines.pieces import piecewise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from landmix.engines.engine import Answer, EngineSpec, Wanted


class TorchEngine:
    """An `Engine`. It runs eager: compiling takes longer than most scenes (docs/performance.md)."""

    def __init__(self, network: nn.Module, margin: int, classes: int, spec: EngineSpec, wanted: Wanted) -> None:
        inner = torch.bfloat16 if spec.precision == "bf16" else torch.float32
        network = network.to(inner, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._graph = Deployed(network, wanted, precision=spec.precision)
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
            return [part.numpy() for part in self._graph(pixels[:, *window][None], inside[window][None], *lines)]

        with torch.inference_mode():
            return piecewise(valid, self._margin, self._side, self._classes, self._wanted, run)
