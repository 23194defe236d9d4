"""torch on a GPU: stored integers go over the bus, class indices come back, each caller on a stream of its own."""

from __future__ import annotations

import contextlib
import queue
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

    from landmix.engines.engine import EngineSpec, Trust, Wanted


class GpuEngine:
    """An `Engine`. While one caller decodes, another's pixels are copied or computed: only weights are shared."""

    def __init__(self, network: nn.Module, margin: int, spec: EngineSpec, wanted: Wanted, trust: Trust) -> None:
        inner = torch.bfloat16 if spec.precision == "bf16" else torch.float32
        self._device = torch.device(spec.device)
        if spec.precision == "fp32":
            torch.backends.cudnn.allow_tf32 = False  # else convolutions are rounded to 10 bits
        network = network.to(self._device, inner, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._graph = Deployed(network, wanted, trust, margin, precision=spec.precision).to(self._device)
        self._margin, self._side, self._wanted = margin, spec.tile, wanted
        self._batch = _room(spec, self._device)
        self._lock = threading.Lock()
        self._callers = threading.Semaphore(_CALLERS)
        self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)  # other streams would not wait for the weights

    def __call__(
        self,
        stored: NDArray[np.generic],
        valid: NDArray[np.bool_],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> Answer:
        """See `Engine`."""
        with self._callers:
            while True:
                batch = self._batch
                try:
                    return self._answer(batch, stored, valid, scale, offset)
                except torch.OutOfMemoryError:
                    pass
                # after the exception, which holds on to what was computed
                self._halve(batch)

    def _halve(self, failed: int) -> None:
        """Make batches smaller, once for all callers that ran out of memory with the same."""
        with self._lock:
            if self._batch == failed == 1:
                msg = "the GPU's memory is full with a single tile: choose device=cpu, or free the GPU"
                raise LandmixError(msg)
            if self._batch == failed:
                self._batch = failed // 2
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _answer(
        self,
        batch: int,
        stored: NDArray[np.generic],
        valid: NDArray[np.bool_],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> Answer:
        slot = self._slot()
        try:
            with torch.inference_mode(), slot.use():
                parts = [slot.up(name, values, self._device) for name, values in (("stored", stored), ("valid", valid))]
                lines = [torch.from_numpy(line.reshape(1, -1, 1, 1)).to(self._device) for line in (scale, offset)]
                found = self._window(batch, *parts, *lines)
                index, *shares = [slot.down(number, part) for number, part in enumerate(found)]
                slot.wait()
            # copies: the buffers are used again
            values = {name: part.numpy().copy() for name, part in zip(self._wanted.shares, shares, strict=True)}
            whole = index[0].numpy()
            return Answer(index=whole.astype(np.uint8 if whole.dtype == np.uint8 else np.uint16), shares=values)
        finally:
            slot.wait()  # after an error copies may still be under way
            self._slots.put(slot)

    def _slot(self) -> _Slot:
        """A stream with its buffers that nobody uses: threads come and go with scenes, these stay."""
        try:
            return self._slots.get_nowait()
        except queue.Empty:
            return _Slot(self._device)

    def _window(self, batch: int, stored: Tensor, valid: Tensor, scale: Tensor, offset: Tensor) -> list[Tensor]:
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
        answers = self._batches(batch, pixels, squares[1][:, 0], scale, offset)
        return [
            answer.reshape(len(rows), len(cols), *answer.shape[1:])  # (rows, cols, bands, tall, wide)
            .permute(2, 0, 3, 1, 4)
            .reshape(answer.shape[1], len(rows) * tall, len(cols) * wide)[:, :height, :width]
            for answer in answers
        ]

    def _batches(self, batch: int, pixels: Tensor, valid: Tensor, scale: Tensor, offset: Tensor) -> list[Tensor]:
        """Class indices (n, 1, tall, wide) and shares of n squares."""
        found = [
            self._graph(pixels[i : i + batch], valid[i : i + batch], scale, offset)
            for i in range(0, len(pixels), batch)
        ]
        index, *shares = (torch.cat(part) for part in zip(*found, strict=True))
        return [index[:, None], *shares]


class _Slot:
    """A stream, and page-locked buffers that a GPU copies from and to by itself."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._buffers: dict[str, Tensor] = {}

    def use(self) -> contextlib.AbstractContextManager[object]:
        """Queue work on the stream."""
        return torch.cuda.stream(self._stream) if self._stream else contextlib.nullcontext()

    def wait(self) -> None:
        """Until all queued work is done."""
        if self._stream:
            self._stream.synchronize()

    def up(self, name: str, values: NDArray[np.generic], device: torch.device) -> Tensor:
        """Copy to the device."""
        source = torch.from_numpy(values)
        return self._buffer(name, source).copy_(source).to(device, non_blocking=True)

    def down(self, number: int, values: Tensor) -> Tensor:
        """Copy from the device; there after `wait`."""
        return self._buffer(f"answer {number}", values).copy_(values, non_blocking=True)

    def _buffer(self, name: str, like: Tensor) -> Tensor:
        """One buffer a name, large enough for the largest so far."""
        known = self._buffers.get(name)
        if known is None or known.dtype != like.dtype or known.numel() < like.numel():
            known = torch.empty(like.numel(), dtype=like.dtype, pin_memory=self._stream is not None)
            self._buffers[name] = known
        return known[: like.numel()].view(like.shape)


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
