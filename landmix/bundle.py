"""One model file: the weights and everything that prediction needs, as plain data."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from landmix import bundle_parts as parts
from landmix.core.bands import BandSet
from landmix.core.legend import Legend, LegendClass
from landmix.engines.engine import Trust
from landmix.errors import LandmixError
from landmix.model_file import FORMAT, VERSION, check_intact, read_model, save_tensors
from landmix.nn.network import Network
from landmix.nn.own import OwnNetwork, margin_of
from landmix.nn.plugin import Plugin, needed
from landmix.safetensors_file import write_safetensors
from landmix.weights import (
    check_fit,
    check_sound,
    check_weights,
    describe_reference,
    hash_weights,
    parse_reference,
    with_reference,
    without_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from landmix.core.scaling import Affine
    from landmix.nn.build import AnyNetwork
    from landmix.nn.reference import Reference
    from landmix.nn.spec import NetSpec

TASKS = ("classes", "fractions")

LOWEST, HIGHEST = 0.05, 20.0
"""Between which a temperature lies."""


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
    task: str = "classes"
    """What the shares of a pixel are: probabilities of its `classes`, or the `fractions` of them that it holds."""
    decode: tuple[str | None, ...] = ()
    """The step before it, for each of `bands.inputs` (`core.scaling.decode`); empty: none."""
    weights: dict[str, Tensor]
    """State of `Network(net)`, on the CPU."""
    temperature: float = 1.0
    """What its logits are divided by, so that its probabilities are true (Guo et al. 2017)."""
    reference: Reference | None = None
    """What applicability is measured against; None in models that were made without."""
    scene: dict[str, Any] = field(default_factory=dict)
    """How the training scenes were read (`scene.*`); prediction reads the same way unless told otherwise."""
    training: dict[str, Any] = field(default_factory=dict)
    """Names and hashes of the training data, settings, versions."""
    accuracy: dict[str, Any] = field(default_factory=dict)
    """`metrics.json`: split and figures of the validation part."""
    plugin: Plugin | None = None
    """The user's own file that the network is built from, where it is one's own; never saved."""

    def __post_init__(self) -> None:
        inputs = len(self.bands.inputs)
        read = {len(self.nodata), len(self.scaling.scale), len(self.decode) or inputs}
        seen = {len(self.bands), self.net.in_channels, len(self.normalise.scale)}
        if read != {inputs} or len(seen) != 1 or len(self.legend) != self.net.classes:
            msg = "bands, nodata values, scaling, legend and network of a model must agree in number"
            raise ValueError(msg)
        if self.task not in TASKS:
            msg = f"it was trained for a task that this landmix does not know: {self.task!r}"
            raise ValueError(msg)
        if not LOWEST <= self.temperature <= HIGHEST:
            msg = f"the temperature of a model must lie between {LOWEST:g} and {HIGHEST:g}, not {self.temperature:g}"
            raise ValueError(msg)

    @property
    def trust(self) -> Trust:
        """What an engine needs to know besides the weights."""
        return Trust(temperature=self.temperature, reference=self.reference)

    @property
    def steps(self) -> tuple[str | None, ...]:
        """`decode`, one for each input."""
        return self.decode or (None,) * len(self.nodata)

    def network(self) -> AnyNetwork:
        """The network with its weights, ready to predict. Raises `LandmixError` where its code is missing."""
        network: AnyNetwork
        if self.net.own is None:
            with torch.device("meta"):
                network = Network(self.net)
        else:
            network = OwnNetwork(self.net, self._code())
        network.load_state_dict(self.weights, assign=True)
        return network.eval().requires_grad_(requires_grad=False)

    @property
    def margin(self) -> int:
        """Context in pixels that the network needs on each side. Raises `LandmixError` where its code is missing."""
        if self.net.own is not None:
            return margin_of(self._code(), self.net.in_channels, self.net.classes)
        return _margin(self.net)

    def _code(self) -> Plugin:
        if self.plugin is None:
            raise needed(self.net, "the model")
        return self.plugin

    @property
    def digest(self) -> str:
        """sha256 of everything that decides what a map looks like (not of how the model was made)."""
        described = _describe(self)
        keys = ("net", "bands", "nodata", "normalise", "legend", "scene", "weights", "decode")
        kept = {key: described[key] for key in (*keys, *_NEW) if key in described}
        if self.task != "classes":  # older models keep their digests
            kept["task"] = self.task
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


@functools.lru_cache(maxsize=64)
def _margin(spec: NetSpec) -> int:
    with torch.device("meta"):
        return Network(spec).margin


def save(bundle: Bundle, path: Path) -> None:
    """Write a model file, whole or not at all."""
    save_tensors(_content(bundle), path)


def save_safetensors(bundle: Bundle, path: Path) -> None:
    """Write it as safetensors, whole or not at all; `load` reads either."""
    write_safetensors(_content(bundle), path)


def load(
    path: str | Path,
    plugin: str | Path | None = None,
    *,
    warn: Callable[[str], None] = lambda _: None,
    runs: bool = True,
) -> Bundle:
    """Read a model file of either format; runs no code from it.

    `plugin`: the user's file with the network's code, where it is one's own; `warn` hears where that is another file
    than the one that was trained with. `runs=False`: the model is only looked at, so that it can do without.

    Raises `LandmixError` for a file that is no landmix model, is damaged, or comes from a newer landmix, and where the
    network's code is missing or does not fit.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"there is no model file {path}"
        raise LandmixError(msg)
    content = read_model(path)
    try:
        bundle = _parse(content["bundle"], content["weights"])
    except RecursionError as error:
        msg = f"the model {path} is damaged: its data are nested too deeply"
        raise LandmixError(msg) from error
    except (LandmixError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = str(error) if isinstance(error, ValueError | LandmixError) else "it is not described as landmix does it"
        what = f"its description lacks {error}" if isinstance(error, KeyError) else what
        msg = f"the model {path} is damaged: {what}"
        raise LandmixError(msg) from error
    check_intact(path, content)
    return _with_code(bundle, path, plugin, warn) if plugin is not None or (runs and bundle.net.own) else bundle


def _with_code(bundle: Bundle, path: Path, plugin: str | Path | None, warn: Callable[[str], None]) -> Bundle:
    """A model with the code of its network, as which it is known from here on."""
    own = bundle.net.own
    if own is None:
        msg = f"the network of {path} is one of landmix's own: leave out net.plugin={plugin}"
        raise LandmixError(msg)
    if plugin is None:
        raise needed(bundle.net, str(path))
    code = Plugin.read(plugin, own.name)
    if code.own != own:
        warn(f"{code.path} is not the file that {path} was trained with: its weights may mean something else there")
    net = replace(bundle.net, own=code.own)
    try:
        check_fit(OwnNetwork(net, code).state_dict(), bundle.weights)
    except ValueError as error:
        msg = f"the weights of {path} do not fit the network {own.name!r} of net.plugin={plugin}: take the file that it"
        msg += " was trained with"
        raise LandmixError(msg) from error
    return replace(bundle, net=net, plugin=code)


_NEW = ("temperature", "reference")
"""What models of version 1 lack; left out where it says nothing, so that their digests stand."""


def _content(bundle: Bundle) -> dict[str, Any]:
    described = _describe(bundle)
    version = VERSION if set(_NEW) & set(described) else 1
    tensors = with_reference(bundle.weights, bundle.reference)
    return {"format": FORMAT, "version": version, "bundle": described, "weights": tensors}


def _describe(bundle: Bundle) -> dict[str, Any]:
    """Everything but the tensors as plain data, with a hash of the tensors."""
    return {
        "net": bundle.net.as_data(),
        "bands": [asdict(band) for band in bundle.bands],
        "band_count": bundle.band_count,
        "nodata": list(bundle.nodata),
        "normalise": asdict(bundle.normalise),
        "scaling": asdict(bundle.scaling),
        "decode": list(bundle.decode),
        "task": bundle.task,
        "legend": [asdict(c) for c in bundle.legend],
        "scene": bundle.scene,
        "training": bundle.training,
        "accuracy": bundle.accuracy,
        "weights": hash_weights(bundle.weights),
        **({"temperature": bundle.temperature} if bundle.temperature != 1 else {}),
        **({"reference": describe_reference(bundle.reference)} if bundle.reference else {}),
    }


def _parse(data: dict[str, Any], tensors: dict[str, Tensor]) -> Bundle:
    spec = parts.net_spec(data["net"])
    weights, others = without_reference(tensors)
    if spec.own is None:
        check_weights(spec, weights)
    else:  # whether they fit is known when there is code
        check_sound(weights)
    if hash_weights(weights) != data["weights"]:
        msg = "its weights are not those that were saved"
        raise ValueError(msg)
    return Bundle(
        net=spec,
        bands=BandSet(tuple(parts.band(described) for described in data["bands"])),
        band_count=parts.band_count(data["band_count"]),
        nodata=tuple(None if value is None else float(value) for value in data["nodata"]),
        normalise=parts.affine(data["normalise"]),
        scaling=parts.affine(data["scaling"]),
        decode=parts.steps(data.get("decode", [])),
        task=data.get("task", "classes"),
        legend=Legend(tuple(LegendClass(**c) for c in data["legend"])),
        weights=weights,
        temperature=float(data.get("temperature", 1.0)),
        reference=parse_reference(data.get("reference"), others, 0 if spec.own else spec.encoder.widths[-1]),
        scene=parts.scene_options(data["scene"]),
        training=dict(parts.plain_data(data["training"])),
        accuracy=dict(parts.plain_data(data["accuracy"])),
    )
