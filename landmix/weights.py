"""The tensors of a model: whether they are those of its network, and what they are known by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from landmix.nn.network import Network
from landmix.nn.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from landmix.nn.spec import NetSpec


def check_weights(spec: NetSpec, weights: dict[str, Tensor]) -> None:
    """Names, shapes, layout and finiteness of the weights of landmix's own networks, before any of it is used.

    Raises `ValueError`.
    """
    encoder = max(1, len(spec.inputs)) * (len(spec.encoder.widths) + spec.encoder.residual)
    if encoder + spec.head.blocks > len(weights):  # before a stranger's 65536 blocks are built
        msg = "its weights are not those of its network"
        raise ValueError(msg)
    with torch.device("meta"):
        expected = Network(spec).state_dict()
    check_fit(expected, weights)
    check_sound(weights)


def check_fit(expected: Mapping[str, Tensor], weights: dict[str, Tensor]) -> None:
    """Raise `ValueError` where names, shapes or data types are not those that a network expects."""
    if set(weights) != set(expected):
        msg = "its weights are not those of its network"
        raise ValueError(msg)
    for name, tensor in weights.items():
        if not _plain(tensor) or tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            msg = f"its weight {name} has not the shape of its network"
            raise ValueError(msg)


def check_sound(weights: dict[str, Tensor]) -> None:
    """Raise `ValueError` for what is no ordinary tensor of finite numbers.

    A file may claim tensors that are larger than its bytes (stride 0) or unchecked sparse ones.
    """
    for name, tensor in weights.items():
        if not isinstance(name, str) or not _plain(tensor):
            msg = f"its weight {name} is no plain tensor"
            raise ValueError(msg)
        if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            msg = f"its weight {name} claims more numbers than the file holds"
            raise ValueError(msg)
        if not torch.isfinite(tensor).all():
            msg = f"its weight {name} is not finite"
            raise ValueError(msg)
        if name.endswith("running_var") and (tensor < 0).any():
            msg = f"its weight {name} is a variance below 0"
            raise ValueError(msg)


_REFERENCE = "landmix/reference."
"""Before the names of what is no weight: no network has such."""


def with_reference(weights: dict[str, Tensor], reference: Reference | None) -> dict[str, Tensor]:
    """The tensors of a model file: those of the network, and of what applicability is measured against."""
    if reference is None:
        return weights
    return {**weights, **{f"{_REFERENCE}{name}": getattr(reference, name) for name in ("mean", "scale", "points")}}


def without_reference(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The other way round, not yet checked: the network's tensors, and the others by their own names."""
    named = {str(name): value for name, value in tensors.items()}
    others = {name.removeprefix(_REFERENCE): value for name, value in named.items() if name.startswith(_REFERENCE)}
    return {name: value for name, value in tensors.items() if not str(name).startswith(_REFERENCE)}, others


def parse_reference(data: Any, tensors: dict[str, Tensor], width: int) -> Reference | None:
    """What applicability is measured against, if a file has it: `data` beside the tensors, `width` features.

    Raises `ValueError` or `KeyError` where the two do not fit each other or the network.
    """
    if data is None and not tensors:
        return None
    if set(tensors) != {"mean", "scale", "points"}:
        msg = "it lacks a part of what applicability is measured against"
        raise ValueError(msg)
    check_sound(tensors)
    for name, tensor in tensors.items():
        axes = 2 if name == "points" else 1
        if tensor.ndim != axes or tensor.dtype != torch.float32 or tensor.shape[-1] != width:
            msg = f"the {name} that applicability is measured against has not the shape of its network"
            raise ValueError(msg)
    if hash_weights(tensors) != data["sha256"]:
        msg = "what applicability is measured against is not what was saved"
        raise ValueError(msg)
    return Reference(**tensors, distance=float(data["distance"]), threshold=float(data["threshold"]))


def describe_reference(reference: Reference) -> dict[str, Any]:
    """What `parse_reference` wants beside the tensors."""
    return {
        "distance": reference.distance,
        "threshold": reference.threshold,
        "sha256": hash_weights(without_reference(with_reference({}, reference))[1]),
    }


def _plain(tensor: object) -> bool:
    return (
        isinstance(tensor, torch.Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
    )


def hash_weights(weights: dict[str, Tensor]) -> str:
    """sha256 over names, shapes and bytes, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name].detach().numpy())
        digest.update(f"{name} {array.shape} {array.dtype}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
