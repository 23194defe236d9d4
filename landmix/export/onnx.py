"""landmix export format=onnx: one file with a graph that takes pixels and gives probabilities."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from landmix.errors import LandmixError
from landmix.export.onnx_graph import Graph
from landmix.export.onnx_metadata import bands, metadata, overlap, pixel_size
from landmix.files import replacing
from landmix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from landmix.bundle import Bundle

OPSET = 18
IR_VERSION = 8
"""What belongs to this opset; onnxruntime 1.17, the last that Deepness takes, reads up to opset 20 and version 9."""

INPUT, OUTPUT = "pixels", "probabilities"

_DEEPNESS_CLASSES = 255
"""Deepness keeps index + 1 in a byte."""

_ALL = 100
"""Percent."""

_LARGEST = 2**31 - 2**20
"""Bytes of weights that one file without external data holds."""


def write(bundle: Bundle, target: Path, *, client: str, tile: int, resolution: float | None) -> str:
    """Write `target`; what to say to the user.

    `client` generic or deepness, `tile` rows and columns of the input, `resolution` metres a pixel (None: that of the
    training scenes). Raises `LandmixError` for a tile within the margins, a model that the client cannot take, and
    where a package is missing.
    """
    _check_packages()
    _check(bundle, client, tile)
    if resolution is None:
        resolution = _resolution(bundle, client)
    said = metadata(bundle, client=client, tile=tile, resolution=resolution)
    model = _model(Graph(bundle, client=client).eval(), len(bundle.bands.inputs), tile)
    _describe(model, said, _doc(bundle, client))
    content = _serialised(model)
    with replacing(target) as temporary:
        temporary.write_bytes(content)
    shares = "fractions" if bundle.task == "fractions" else "probabilities"
    return (
        f"ONNX graph for {_CLIENTS[client]}: {len(bands(bundle))} bands of {tile} x {tile} pixels in,"
        f" {shares} of {len(bundle.legend)} classes out ({len(content) / 1e6:.1f} MB, opset {OPSET}, float32)"
    )


_CLIENTS = {"generic": "any client", "deepness": "the QGIS plugin Deepness"}


def _check_packages() -> None:
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            msg = f"format=onnx needs the package {package}: pip install 'landmix[onnx]'"
            raise LandmixError(msg)


def _check(bundle: Bundle, client: str, tile: int) -> None:
    if tile <= 2 * bundle.margin or overlap(bundle.margin, tile) >= _ALL:
        msg = (
            f"tile={tile} must be larger than both margins of the model, {bundle.margin} pixels each: take a larger one"
        )
        raise LandmixError(msg)
    if client == "deepness" and len(bundle.legend) > _DEEPNESS_CLASSES:
        msg = (
            f"Deepness counts classes in a byte, up to {_DEEPNESS_CLASSES}, but the model has {len(bundle.legend)}:"
            " use client=generic with another program"
        )
        raise LandmixError(msg)
    if 4 * sum(tensor.numel() for tensor in bundle.weights.values()) > _LARGEST:
        msg = "one ONNX file holds 2 GB, but the weights of the model are larger: use format=safetensors"
        raise LandmixError(msg)


def _resolution(bundle: Bundle, client: str) -> float | None:
    """That of the training scenes; a client that does not resample can do without."""
    try:
        found = pixel_size(bundle)
    except LandmixError:
        if client == "deepness":
            raise
        return None
    if found is None and client == "deepness":
        msg = (
            "Deepness must be told the size of a pixel, but the model does not say where it was trained: say it with"
            " resolution=... (in metres)"
        )
        raise LandmixError(msg)
    return found


def _model(graph: Graph, inputs: int, tile: int) -> Any:
    """The graph as an ONNX model (onnx.ModelProto)."""
    # one number that is shown many times: a large tile takes no memory
    example = torch.zeros(1).expand(2, inputs, tile, tile)
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - for mypy
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells programmers of packages that it could use too."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _describe(model: Any, said: dict[str, str], doc: str) -> None:
    """Take away what the exporter says of this machine, and say what the graph is."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    del graph.value_info[:]
    del model.metadata_props[:]
    for key, value in said.items():
        model.metadata_props.add(key=key, value=value)
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "landmix", __version__
    model.doc_string, graph.name = doc, "landmix"


def _doc(bundle: Bundle, client: str) -> str:
    unit = "physical values (stored * scale + offset)"
    if any(bundle.steps):
        unit = "stored numbers for bands that metadata landmix_bands marks so, else " + unit
    return (
        f"Land cover by landmix. Input '{INPUT}': {unit}{', divided by 255' if client == 'deepness' else ''}, bands in"
        " the order of metadata landmix_bands, NaN where invalid. Scaling and spectral indices are in the graph."
        f" Output '{OUTPUT}': of each class, in the order of landmix_classes, which also says the class values of maps."
        f" The outermost {bundle.margin} pixels of a tile do not see all their neighbours: overlap tiles."
    )


def _serialised(model: Any) -> bytes:
    """The file's bytes, checked."""
    import onnx  # noqa: PLC0415 - optional

    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
