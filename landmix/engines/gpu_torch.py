"""torch on a GPU: stored integers go over the bus, class indices come back, each caller on a stream of its own."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from landmix.engines.deployed import Deployed
from landmix.engines.engine import Answer
from landmix.engines.pieces import cut
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from landmix.engines.engine import EngineSpec, Wanted


class GpuEngine:
    """An `Engine`. While one caller decodes, another's pixels are copied or computed: only weights are shared."""

    def __init__(self, network: nn.Module, margin: int, spec: EngineSpec, wanted: Wanted) -> None:
        inner = torch.bfloat16 if spec.precision == "bf16" else torch.float32
        self._device = torch.device(spec.device)
        network = network.to(self._device, inner, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._graph = Deployed(network, wanted, precision=spec.precision)
        self._margin, self._side, self._wanted = margin, spec.tile, wanted
        self._batch = _room(spec, self._device)
        self._local = threading.local()

    def __call__(
        self,
        stored: NDArray[np.generic],
        valid: NDArray[np.bool_],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> Answer:
        """See `Engine`."""
        with torch.inference_mode(), self._stream():
            parts = self._up("stored", stored), self._up("valid", valid)
            lines = [torch.from_numpy(line.reshape(1, -1, 1, 1)).to(self._device) for line in (scale, offset)]
            index, *shares = (self._down(i, part) for i, part in enumerate(self._window(*parts, *lines)))
            if self._device.type == "cuda":
                torch.cuda.current_stream().synchronize()
            # copies: the buffers are used again
            values = {name: part.numpy().copy() for name, part in zip(self._wanted.shares, shares, strict=True)}
            whole = index[0].numpy()
            return Answer(index=whole.astype(np.uint8 if whole.dtype == np.uint8 else np.uint16), shares=values)

    def _window(self, stored: Tensor, valid: Tensor, scale: Tensor, offset: Tensor) -> list[Tensor]:
        """What the graph says of a window, on the device: (1, H, W), and (1 or K, H, W) for each share."""
        m = self._margin
        height, width = valid.shape[0] - 2 * m, valid.shape[1] - 2 * m
        (tall, rows), (wide, cols) = cut(height, self._side), cut(width, self._side)
        more = 0, len(cols) * wide - width, 0, len(rows) * tall - height
        squares = [
            pad(part[None] if part.ndim == 2 else part, more)  # noqa: PLR2004
            .unfold(1, tall + 2 * m, tall)
            .unfold(2, wide + 2 * m, wide)
            .flatten(1, 2)
            .swapaxes(0, 1)  # (rows x cols, C, tall + 2m, wide + 2m)
            for part in (_signed(stored), valid)
        ]
        pixels = _unsigned(squares[0], stored.dtype)
        answers = self._batches(pixels, squares[1][:, 0], scale, offset)
        return [
            answer.reshape(len(rows), len(cols), *answer.shape[1:])  # (rows, cols, bands, tall, wide)
            .permute(2, 0, 3, 1, 4)
            .reshape(answer.shape[1], len(rows) * tall, len(cols) * wide)[:, :height, :width]
            for answer in answers
        ]

    def _batches(self, pixels: Tensor, valid: Tensor, scale: Tensor, offset: Tensor) -> list[Tensor]:
        """Class indices (n, 1, tall, wide) and shares of n squares; batches are halved when memory runs out."""
        while True:
            try:
                found = [
                    self._graph(pixels[i : i + self._batch], valid[i : i + self._batch], scale, offset)
                    for i in range(0, len(pixels), self._batch)
                ]
                index, *shares = (torch.cat(part) for part in zip(*found, strict=True))
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    msg = "the GPU's memory is full with a single tile: choose device=cpu, or free the GPU"
                    raise LandmixError(msg) from error
                self._batch = max(1, self._batch // 2)
                torch.cuda.empty_cache()
            else:
                return [index[:, None], *shares]

    def _stream(self) -> contextlib.AbstractContextManager[object]:
        if self._device.type != "cuda":
            return contextlib.nullcontext()
        if not hasattr(self._local, "stream"):
            self._local.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return torch.cuda.stream(self._local.stream)

    def _pinned(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """This caller's page-locked buffer, which a GPU copies from and to by itself."""
        key = f"{name} {shape} {dtype}"
        buffers: dict[str, Tensor] = self._local.__dict__.setdefault("buffers", {})
        if key not in buffers:
            buffers[key] = torch.empty(shape, dtype=dtype, pin_memory=self._device.type == "cuda")
        return buffers[key]

    def _up(self, name: str, values: NDArray[np.generic]) -> Tensor:
        source = torch.from_numpy(values)
        buffer = self._pinned(name, tuple(source.shape), source.dtype)
        return buffer.copy_(source).to(self._device, non_blocking=True)

    def _down(self, number: int, values: Tensor) -> Tensor:
        buffer = self._pinned(f"answer {number}", tuple(values.shape), values.dtype)
        return buffer.copy_(values, non_blocking=True)


_BYTES = 1024
"""Of a pixel's activations, about: the largest layers in bf16."""

_CALLERS = 4
"""That compute at once, about."""


def _room(spec: EngineSpec, device: torch.device) -> int:
    """Tiles at a time that the GPU's free memory has room for, half of it left free; at most as planned."""
    if device.type != "cuda":
        return spec.batch
    free = torch.cuda.mem_get_info(device)[0]
    return max(1, min(spec.batch, free // (2 * _CALLERS * spec.tile * spec.tile * _BYTES)))


def _signed(values: Tensor) -> Tensor:
    """uint16 as int16 with the same bits: few operations know uint16."""
    return values.view(torch.int16) if values.dtype == torch.uint16 else values


def _unsigned(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(torch.int32).bitwise_and_(0xFFFF) if dtype == torch.uint16 else values
