"""OpenVINO on a CPU: the network converted when it is loaded, in about a second."""

from __future__ import annotations

import sys
import threading
import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from landmix.engines.deployed import Deployed
from landmix.engines.pieces import piecewise
from landmix.errors import LandmixError

# OpenVINO tells its makers of every import, and writes into the home folder for it, where it finds this package
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino.frontend import FrontEndManager  # noqa: E402
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

    from landmix.engines.engine import Answer, EngineSpec, Trust, Wanted

T = TypeVar("T")


class OpenVinoEngine:
    """An `Engine` with one compiled graph for each size of tile; each thread has an infer request of its own."""

    def __init__(
        self,
        network: nn.Module,
        bands: int,
        margin: int,
        classes: int,
        spec: EngineSpec,
        wanted: Wanted,
        threads: int,
        trust: Trust,
    ) -> None:
        """Up to `threads` callers compute at once, each in one thread."""
        self._plain = Deployed(network, wanted, trust, margin)
        self._model = _converted(self._plain, bands, margin)
        self._bands, self._margin, self._classes, self._side, self._wanted = bands, margin, classes, spec.tile, wanted
        self._options = {
            "INFERENCE_PRECISION_HINT": "bf16" if spec.precision == "bf16" else "f32",
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # else several processes share one core
        }
        self._core = ov.Core()
        self._compiled: OrderedDict[tuple[int, int], ov.CompiledModel] = OrderedDict()
        self._lock = threading.Lock()
        self._local = threading.local()

    def check(self) -> None:
        """Raise `LandmixError` where OpenVINO does not do what the network does: its code was followed on one tile.

        For networks of somebody's own, in which a number of rows may have become a constant.
        """
        height, width = 24 + 2 * self._margin, 16 + 2 * self._margin
        generator = torch.Generator().manual_seed(0)
        given = (
            torch.randn(1, self._bands, height, width, generator=generator),
            torch.ones(1, height, width, dtype=torch.uint8),
            torch.ones(1, self._bands, 1, 1),
            torch.zeros(1, self._bands, 1, 1),
        )
        try:
            compiled = self._core.compile_model(self._shaped((24, 16)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            found = compiled([part.numpy() for part in given])[0]
            with torch.inference_mode():
                expected = self._plain(*given)[0].numpy()
            same = found.shape == expected.shape and float((found == expected).mean()) > _ALIKE
        except RuntimeError as error:
            raise LandmixError(_CANNOT) from error
        if not same:
            raise LandmixError(_CANNOT)

    def __call__(
        self,
        stored: NDArray[np.generic],
        valid: NDArray[np.bool_],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> Answer:
        """See `Engine`."""

        def run(rows: slice, cols: slice, height: int, width: int) -> list[NDArray[np.generic]]:
            request = self._request(height, width)
            around = 2 * self._margin
            tall, wide = rows.stop - rows.start + around, cols.stop - cols.start + around
            if tall < request.valid.shape[1] or wide < request.valid.shape[2]:
                request.valid.fill(0)
            window = slice(rows.start, rows.start + tall), slice(cols.start, cols.start + wide)
            # to float32 here: at bf16 OpenVINO would turn integers into bf16 at once, and 3001 into 3008
            np.copyto(request.stored[0, :, :tall, :wide], stored[:, *window], casting="unsafe")
            np.copyto(request.valid[0, :tall, :wide], valid[window], casting="unsafe")
            request.scale[0, :, 0, 0], request.offset[0, :, 0, 0] = scale, offset
            return request.infer()

        return piecewise(valid, self._margin, self._side, self._classes, self._wanted, run)

    def _request(self, height: int, width: int) -> _Request:
        """This thread's request for a size of tile."""
        requests: OrderedDict[tuple[int, int], _Request] | None = getattr(self._local, "requests", None)
        if requests is None:
            requests = self._local.requests = OrderedDict()
        size = -(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP
        return _kept(requests, size, _REQUESTS, lambda: _Request(self._compile(size)))

    def _compile(self, size: tuple[int, int]) -> ov.CompiledModel:
        with self._lock:
            return _kept(
                self._compiled,
                size,
                _GRAPHS,
                lambda: self._core.compile_model(self._shaped(size), "CPU", self._options),
            )

    def _shaped(self, size: tuple[int, int]) -> ov.Model:
        """The graph for one size of tile: fixed sizes compute up to a tenth faster."""
        height, width = (side + 2 * self._margin for side in size)
        model = self._model.clone()
        model.reshape({0: [1, self._bands, height, width], 1: [1, height, width]})
        return model


_CANNOT = "OpenVINO cannot compute this network of your own: choose backend=torch"
_ALIKE = 0.98
"""Share of pixels of the same class; ties are rounded in either way."""

_STEP = 8
"""Sizes of tiles are multiples of this, so that there are few of them."""

_REQUESTS, _GRAPHS = 4, 16
"""How many sizes a thread keeps buffers for, and how many stay compiled: those that were used last."""


def _kept(known: OrderedDict[tuple[int, int], T], size: tuple[int, int], most: int, make: Callable[[], T]) -> T:
    """What is known of a size, made where it is not; what was not used for longest goes."""
    if size not in known:
        known[size] = make()
    known.move_to_end(size)
    while len(known) > most:
        known.popitem(last=False)
    return known[size]


class _Request:
    """An infer request with its own inputs, which it reads in place."""

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        inputs = [ov.Tensor(port.get_element_type(), port.get_shape()) for port in compiled.inputs]
        for number, tensor in enumerate(inputs):
            self._request.set_input_tensor(number, tensor)
            tensor.data.fill(0)
        self.stored, self.valid, self.scale, self.offset = (tensor.data for tensor in inputs)
        self._inputs = inputs
        self._outputs = [self._request.get_output_tensor(number) for number in range(len(compiled.outputs))]

    def infer(self) -> list[NDArray[np.generic]]:
        """Compute; what is returned holds until the next call."""
        self._request.infer()
        return [tensor.data for tensor in self._outputs]


# for good too: what a thread silences while it works, another thread's end of such a block can undo
warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]


def _converted(graph: Deployed, bands: int, margin: int) -> ov.Model:
    """The graph as OpenVINO's own, with free height and width.

    By way of its front end: `openvino.convert_model` does the same, but tells its makers and writes into the home
    folder.
    """
    side = 8 + 2 * margin
    lines = torch.zeros(1, bands, 1, 1)
    example = (torch.zeros(1, bands, side, side), torch.zeros(1, side, side, dtype=torch.uint8), lines, lines)
    front_end: Any = FrontEndManager().load_by_framework("pytorch")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of itself
        # tracing would check itself by tracing again, and import half a second of libraries for it
        decoder = TorchScriptPythonDecoder(graph, example_input=example, trace_kwargs={"check_trace": False})
        try:
            model: ov.Model = front_end.convert(front_end.load(decoder))
        except RuntimeError as error:
            raise LandmixError(_CANNOT) from error
    types = ov.Type.f32, ov.Type.u8, ov.Type.f32, ov.Type.f32
    shapes = [1, bands, -1, -1], [1, -1, -1], [1, bands, 1, 1], [1, bands, 1, 1]
    for port, kind, shape in zip(model.inputs, types, shapes, strict=True):
        port.get_node().set_element_type(kind)
        port.get_node().set_partial_shape(ov.PartialShape(shape))
    model.validate_nodes_and_infer_types()
    return model
