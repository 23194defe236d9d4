"""A model as a STAC item with the MLM extension, so that a catalogue can tell what it wants and what it gives."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from landmix.errors import LandmixError
from landmix.export.stac_bands import described, references
from landmix.export.stac_ground import place
from landmix.export.stac_training import grids, times
from landmix.export.stac_words import VERSION, classes, href, plain, used_extensions
from landmix.files import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle

_SIDE = 256
"""Rows and columns of the example shape's result; the network takes any size."""

_TASKS = ["semantic-segmentation"]

_KINDS = {
    ".safetensors": ("application/octet-stream; framework=safetensors", "safetensors.torch.save_file"),
    ".onnx": ("application/octet-stream; framework=onnx", "torch.onnx.export"),
}
_TORCH = ("application/octet-stream; framework=pytorch", "torch.save")

_RELEASE = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(\+[0-9A-Za-z.-]+)?")

_FIGURES = ("overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou", "n", "distance_m")


def write(bundle: Bundle, target: Path, model: Path) -> str:
    """Write the item of the model file `model` to `target`; the same file gives the same bytes. Returns what it is.

    Raises `LandmixError` where `model` cannot be read or `target` cannot be written.
    """
    write_json(target, model_item(bundle, target.absolute().parent, model))
    return f"a STAC item of {model} with {len(bundle.bands)} bands and {len(bundle.legend)} classes"


def model_item(bundle: Bundle, folder: Path, model: Path) -> dict[str, Any]:
    """The item as it stands in `folder`."""
    bands = described(bundle)
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": f"landmix-{bundle.digest[:16]}",
        **place(grids(bundle)),
        "properties": {
            "title": f"Land-cover model of {len(bundle.bands)} bands and {len(bundle.legend)} classes",
            "description": _description(bundle),
            **times(bundle),
            **_network(bundle),
            "mlm:input": [_input(bundle)],
            "mlm:output": [_output(bundle)],
            "mlm:hyperparameters": _hyperparameters(bundle),
            "bands": bands,
            "landmix:model": bundle.digest,
            "landmix:accuracy": _accuracy(bundle),
        },
        "links": [],
        "assets": {"model": _asset(folder, model) | {"bands": [{"name": band["name"]} for band in bands]}},
    }
    return item | {"stac_extensions": used_extensions(item)}


def _description(bundle: Bundle) -> str:
    return (
        f"A landmix model that gives each pixel one of {len(bundle.legend)} classes from {len(bundle.bands)} bands of"
        f" physical values; a pixel's class depends on the {bundle.margin} pixels around it. Place and time are those"
        " of its training scenes, where they are known."
    )


def _network(bundle: Bundle) -> dict[str, Any]:
    learnt = [tensor for name, tensor in bundle.weights.items() if name.rpartition(".")[2] not in _BUFFERS]
    fields: dict[str, Any] = {
        "mlm:name": f"landmix-{len(bundle.bands)}-bands-{len(bundle.legend)}-classes-{bundle.digest[:8]}",
        "mlm:architecture": _architecture(bundle),
        "mlm:tasks": _TASKS,
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": sum(tensor.numel() for tensor in learnt),
        "mlm:memory_size": sum(tensor.numel() * tensor.element_size() for tensor in bundle.weights.values()),
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:batch_size_suggestion": 1,
        "mlm:accelerator": None,
        "mlm:accelerator_constrained": False,
        "mlm:accelerator_summary": "Any CPU; an NVIDIA GPU where there is one",
    }
    versions = bundle.training.get("versions")
    version = str(versions.get("torch")) if isinstance(versions, dict) else ""
    return fields | ({"mlm:framework_version": version} if _RELEASE.fullmatch(version) else {})


def _architecture(bundle: Bundle) -> str:
    if bundle.net.own is not None:
        return bundle.net.own.name
    return "Spectral MLP with residual bottlenecks" if bundle.net.head.blocks else "Spectral MLP"


_BUFFERS = {"running_mean", "running_var", "num_batches_tracked"}
"""Tensors of batch norms that are counted, not learnt."""


def _input(bundle: Bundle) -> dict[str, Any]:
    """Physical values, and how the network sees them."""
    side = _SIDE + 2 * bundle.margin
    scale, offset = bundle.normalise.scale, bundle.normalise.offset
    return {
        "name": "pixels",
        "description": (
            f"Physical values in this order of bands, then scaled. The network takes any height and width; its result"
            f" is {bundle.margin} pixels smaller on each side. Beyond a scene's edge and where any band is invalid,"
            " scaled values are 0 in all bands."
        ),
        "bands": references(bundle),
        "input": {
            "shape": [-1, len(bundle.bands), side, side],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [
            {"type": "z-score", "mean": -o / s, "stddev": 1 / s} for s, o in zip(scale, offset, strict=True)
        ],
        "resize_type": None,
        "pre_processing_function": {
            "format": "text",
            "expression": _to_physical(bundle),
            "description": "From stored to physical values",
        },
    }


def _to_physical(bundle: Bundle) -> str:
    coded = [name for name, step in zip(bundle.bands.inputs.names, bundle.steps, strict=True) if step == "alphaearth"]
    first = f"first v -> sign(v) * (v / 127.5)^2 for {', '.join(coded)}; then " if coded else ""
    return (
        f"{first}stored * scale + offset, a band, as the scene to be classified says itself: raster:scale and"
        " raster:offset under bands are those of the training scene. Formulas of bands take physical values."
    )


def _output(bundle: Bundle) -> dict[str, Any]:
    shares = "fractions of the pixel" if bundle.task == "fractions" else "probabilities"
    return {
        "name": "classes",
        "description": "Logits; their class axis is in the order of classification:classes",
        "tasks": _TASKS,
        "result": {
            "shape": [-1, len(bundle.legend), _SIDE, _SIDE],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": classes(bundle.legend, nodata=False),
        "post_processing_function": {
            "format": "text",
            "expression": f"softmax over the class axis gives {shares}; the class is the value of the largest",
        },
    }


def _hyperparameters(bundle: Bundle) -> dict[str, Any]:
    """The network's numbers and how it was trained."""
    net = bundle.net
    own = {"network": net.own.name, "network_sha256": net.own.sha256} if net.own else {}
    found: dict[str, Any] = own or {
        "encoder_widths": list(net.encoder.widths),
        "bottlenecks": net.head.blocks,
        "bottleneck_reduced": net.head.reduced,
        "bottleneck_width": net.head.width,
        "dropout": net.head.dropout,
        "batch_norm": net.batch_norm,
    }
    known = {key: bundle.training[key] for key in ("seed", "epochs", "settings") if key in bundle.training}
    return found | dict(plain(known))


def _accuracy(bundle: Bundle) -> dict[str, Any]:
    """The figures of the validation part, and how it was chosen."""
    return dict(plain({key: bundle.accuracy[key] for key in (*_FIGURES, "split") if key in bundle.accuracy}))


def _asset(folder: Path, model: Path) -> dict[str, Any]:
    media, artifact = _KINDS.get(model.suffix.lower(), _TORCH)
    size, digest = _checked(model)
    return {
        "href": href(model, folder),
        "title": model.name,
        "type": media,
        "roles": ["mlm:model", "mlm:weights", "model", "weights", "data"],
        "mlm:artifact_type": artifact,
        "file:size": size,
        "file:checksum": f"1220{digest}",
    }


def _checked(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise LandmixError(msg) from error
