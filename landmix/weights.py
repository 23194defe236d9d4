"""The tensors of a model: whether they are those of its network, and what they are known by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.nn.network import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from landmix.nn.spec import NetSpec


def check_weights(spec: NetSpec, weights: dict[str, Tensor]) -> None:
    """Names, shapes, layout and finiteness of the weights of landmix's own networks, before any of it is used.

    Raises `ValueError`.
    """
    if len(spec.encoder.widths) + spec.head.blocks > len(weights):  # before a stranger's 65536 blocks are built
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
