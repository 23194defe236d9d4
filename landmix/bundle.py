"""One model file: the weights and everything that prediction needs, as plain data."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landmix.core.bands import Band, BandSet, Formula
from landmix.core.indices import check
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import DECODINGS, Affine
from landmix.errors import LandmixError
from landmix.files import replacing
from landmix.geo.options import ReadOptions
from landmix.geo.products.definition import names, parse
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

FORMAT = "landmix-model"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All that one model file holds."""

    net: NetSpec
    bands: BandSet
    """What the network sees, in channel order: bands that are read, and bands that are computed from such."""
    band_count: int
    """How many bands the training scenes had; matching by position needs as many."""
    nodata: tuple[float | None, ...]
    """For each of `bands.inputs`, as tagged in the training scenes; used where a scene has no tag of its own."""
    normalise: Affine
    """Physical value -> network input, a line a band."""
    legend: Legend
    scaling: Affine
    """Stored -> physical value in the (first) training scene, a line for each of `bands.inputs`; a scene that is read
    from a file brings its own."""
    decode: tuple[str | None, ...] = ()
    """The step before it, for each of `bands.inputs` (`core.scaling.decode`); empty: none."""
    weights: dict[str, Tensor]
    """State of `Network(net)`, on the CPU."""
    scene: dict[str, Any] = field(default_factory=dict)
    """How the training scenes were read (`scene.*`); prediction reads the same way unless told otherwise."""
    training: dict[str, Any] = field(default_factory=dict)
    """Names and hashes of the training data, settings, versions."""
    accuracy: dict[str, Any] = field(default_factory=dict)
    """`metrics.json`: split and figures of the validation part."""

    def __post_init__(self) -> None:
        inputs = len(self.bands.inputs)
        read = {len(self.nodata), len(self.scaling.scale), len(self.decode) or inputs}
        seen = {len(self.bands), self.net.in_channels, len(self.normalise.scale)}
        if read != {inputs} or len(seen) != 1 or len(self.legend) != self.net.classes:
            msg = "bands, nodata values, scaling, legend and network of a model must agree in number"
            raise ValueError(msg)

    @property
    def steps(self) -> tuple[str | None, ...]:
        """`decode`, one for each input."""
        return self.decode or (None,) * len(self.nodata)

    def network(self) -> Network:
        """The network with its weights, ready to predict."""
        with torch.device("meta"):
            network = Network(self.net)
        network.load_state_dict(self.weights, assign=True)
        return network.eval().requires_grad_(requires_grad=False)

    @property
    def margin(self) -> int:
        """Context in pixels that the network needs on each side."""
        return _margin(self.net)

    @property
    def digest(self) -> str:
        """sha256 of everything that decides what a map looks like (not of how the model was made)."""
        described = _describe(self)
        keys = ("net", "bands", "nodata", "normalise", "legend", "scene", "weights", "decode")
        kept = {key: described[key] for key in keys}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


@functools.lru_cache(maxsize=64)
def _margin(spec: NetSpec) -> int:
    with torch.device("meta"):
        return Network(spec).margin


def save(bundle: Bundle, path: Path) -> None:
    """Write a model file, whole or not at all."""
    content = {"format": FORMAT, "version": VERSION, "bundle": _describe(bundle), "weights": bundle.weights}
    save_tensors(content, path)


def save_tensors(content: dict[str, Any], path: Path) -> None:
    """Write plain data and tensors, whole or not at all.

    By way of the memory, because torch's own writer has errors of its own for a full disk.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(path: str | Path) -> Bundle:
    """Read a model file; runs no code from it.

    Raises `LandmixError` for a file that is no landmix model, is damaged, or comes from a newer landmix.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"there is no model file {path}"
        raise LandmixError(msg)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load raises almost anything on foreign bytes; whatever it was, this is no model.
        msg = f"{path} is no landmix model: it cannot be read as a checkpoint of plain data"
        raise LandmixError(msg) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        hint = " (an unfinished training run goes on with resume=true)" if _is_lightning(content) else ""
        msg = f"{path} is a checkpoint, but no landmix model{hint}"
        raise LandmixError(msg)
    if content.get("version") != VERSION:
        msg = f"{path} was written by a newer landmix (model format {content.get('version')!r}): update landmix"
        raise LandmixError(msg)
    try:
        return _parse(content["bundle"], content["weights"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        msg = f"the model {path} is damaged: {error}"
        raise LandmixError(msg) from error


def _is_lightning(content: Any) -> bool:
    return isinstance(content, dict) and "pytorch-lightning_version" in content


def _describe(bundle: Bundle) -> dict[str, Any]:
    """Everything but the tensors as plain data, with a hash of the tensors."""
    return {
        "net": asdict(bundle.net),
        "bands": [asdict(band) for band in bundle.bands],
        "band_count": bundle.band_count,
        "nodata": list(bundle.nodata),
        "normalise": asdict(bundle.normalise),
        "scaling": asdict(bundle.scaling),
        "decode": list(bundle.decode),
        "legend": [asdict(c) for c in bundle.legend],
        "scene": bundle.scene,
        "training": bundle.training,
        "accuracy": bundle.accuracy,
        "weights": _hash(bundle.weights),
    }


def _parse(data: dict[str, Any], weights: dict[str, Tensor]) -> Bundle:
    net = dict(data["net"])
    encoder = EncoderSpec(widths=tuple(net.pop("encoder")["widths"]))
    spec = NetSpec(encoder=encoder, head=HeadSpec(**net.pop("head")), **net)
    _check_weights(spec, weights)
    if _hash(weights) != data["weights"]:
        msg = "its weights are not those that were saved"
        raise ValueError(msg)
    return Bundle(
        net=spec,
        bands=BandSet(tuple(_band(band) for band in data["bands"])),
        band_count=int(data["band_count"]),
        nodata=tuple(None if value is None else float(value) for value in data["nodata"]),
        normalise=_affine(data["normalise"]),
        scaling=_affine(data["scaling"]),
        decode=_steps(data.get("decode", [])),
        legend=Legend(tuple(LegendClass(**c) for c in data["legend"])),
        weights=weights,
        scene=_scene(data["scene"]),
        training=dict(data["training"]),
        accuracy=dict(data["accuracy"]),
    )


def _band(data: dict[str, Any]) -> Band:
    """A band, with its formula checked before anything is computed by it."""
    formula = data.get("formula")
    if formula is None:
        return Band(**data)
    if any(band.get("formula") is not None for _, band in formula["inputs"]):
        msg = "a formula is computed from bands that are read"
        raise ValueError(msg)
    inputs = tuple((str(letter), Band(**band)) for letter, band in formula["inputs"])
    parsed = Formula(expression=str(formula["expression"]), inputs=inputs)
    check(parsed)
    return Band(**{**data, "formula": parsed})


def _scene(data: dict[str, Any]) -> dict[str, Any]:
    """How training scenes were read; a product is a known name or a description, never a file of this machine."""
    options = ReadOptions(**data)
    if isinstance(options.product, dict):
        parse(options.product, "in the model")
    elif options.product is not None and options.product not in names():
        msg = f"it was trained on a product that this landmix does not know: {options.product!r}"
        raise ValueError(msg)
    return asdict(options)


def _steps(data: list[Any]) -> tuple[str | None, ...]:
    unknown = [step for step in data if step is not None and step not in DECODINGS]
    if unknown:
        msg = f"it needs a decoding that this landmix does not know: {unknown[0]!r}"
        raise ValueError(msg)
    return tuple(data)


def _affine(data: dict[str, Any]) -> Affine:
    return Affine(scale=tuple(map(float, data["scale"])), offset=tuple(map(float, data["offset"])))


def _check_weights(spec: NetSpec, weights: dict[str, Tensor]) -> None:
    """Names, shapes, layout and finiteness, before any of it is used.

    A file may claim tensors that are larger than its bytes (stride 0) or unchecked sparse ones.
    """
    with torch.device("meta"):
        expected = Network(spec).state_dict()
    if set(weights) != set(expected):
        msg = "its weights are not those of its network"
        raise ValueError(msg)
    for name, tensor in weights.items():
        plain = (
            isinstance(tensor, torch.Tensor)
            and tensor.layout == torch.strided
            and tensor.device.type == "cpu"
            and not tensor.is_quantized
        )
        if not plain or tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            msg = f"its weight {name} has not the shape of its network"
            raise ValueError(msg)
        if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            msg = f"its weight {name} claims more numbers than the file holds"
            raise ValueError(msg)
        if not torch.isfinite(tensor).all():
            msg = f"its weight {name} is not finite"
            raise ValueError(msg)


def _hash(weights: dict[str, Tensor]) -> str:
    """sha256 over names, shapes and bytes, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name].detach().numpy())
        digest.update(f"{name} {array.shape} {array.dtype}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
