"""Small networks, what they say of pixels when computed plainly, and every way of computing them here."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from random_weights import shake
from torch.nn.functional import cross_entropy

from landmix.core.scaling import normalise
from landmix.engines.choose import has_bf16
from landmix.engines.engine import EngineSpec
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]
    """What an engine takes: stored values, validity, scale, offset."""

torch.set_num_threads(1)

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="this processor does not compute in bf16")

FINE = [
    pytest.param(EngineSpec(backend="torch", precision="fp32"), id="torch-fp32"),
    pytest.param(EngineSpec(backend="openvino", precision="fp32"), id="openvino-fp32", marks=needs_openvino),
]
ROUGH = [
    pytest.param(EngineSpec(backend="torch", precision="bf16"), id="torch-bf16", marks=needs_bf16),
    pytest.param(
        EngineSpec(backend="openvino", precision="bf16"), id="openvino-bf16", marks=[needs_openvino, needs_bf16]
    ),
]


def network(bands: int = 3, classes: int = 4, blocks: int = 1, seed: int = 0, *, batch_norm: bool = True) -> Network:
    """A network with random weights and batch norms that do something."""
    torch.manual_seed(seed)
    head = HeadSpec(blocks=blocks, reduced=4, width=8)
    spec = NetSpec(
        in_channels=bands, classes=classes, encoder=EncoderSpec(widths=(12, 8)), head=head, batch_norm=batch_norm
    )
    made = Network(spec).eval()
    shake(made)
    return made


@cache
def trained(bands: int = 4, classes: int = 5, blocks: int = 2) -> tuple[Network, Any]:
    """A network that was trained on land like that of `land`, and the spectra of its classes."""
    net = network(bands, classes, blocks, seed=1)
    spectra = np.random.default_rng(1).normal(0, 1, (classes, bands)).astype(np.float32)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    net.train()
    for step in range(150):
        index, pixels = land(spectra, 40, 44, seed=step)
        seen = torch.from_numpy(pixels)[None]
        inner = slice(net.margin, -net.margin)
        loss = cross_entropy(net(seen), torch.from_numpy(index)[None, inner, inner])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net.eval(), spectra


def land(spectra: Any, height: int, width: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Fields of a class each with noise: class indices (H, W) and normalised pixels (C, H, W)."""
    rng = np.random.default_rng(seed)
    fields = rng.integers(0, len(spectra), (-(-height // 9), -(-width // 9)))
    index = np.kron(fields, np.ones((9, 9), np.int64))[:height, :width]
    noise = rng.normal(0, 0.25, (spectra.shape[1], height, width))
    return index, (np.moveaxis(spectra[index], 2, 0) + noise).astype(np.float32)


def pixels(
    bands: int, height: int, width: int, dtype: str = "int16", *, middle: float = 90, spread: float = 30, seed: int = 0
) -> Pixels:
    """Random stored values around `middle`, which is the training mean; one in fifty is not valid."""
    rng = np.random.default_rng(seed)
    stored = (middle + spread * rng.normal(0, 1, (bands, height, width)).clip(-3, 3)).astype(dtype)
    valid = rng.random((height, width)) > 0.02
    scale = np.full(bands, 1 / spread, np.float32)
    return stored, valid, scale, (-middle * scale).astype(np.float32)


def logits(net: torch.nn.Module, given: Pixels) -> NDArray[np.float32]:
    """What a network says (K, H, W), computed at once in float32; invalid pixels are the training mean."""
    seen = normalise(*given)
    with torch.inference_mode():
        return np.asarray(net.eval()(torch.from_numpy(seen)[None])[0])


def shares(said: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Probabilities (K, H, W), confidence and gap (1, H, W) of logits."""
    probabilities = np.asarray(torch.from_numpy(said).softmax(0))
    best = np.sort(probabilities, axis=0)[::-1]
    second = best[1:2] if len(best) > 1 else np.zeros_like(best[:1])
    return {"probabilities": probabilities, "confidence": best[:1], "gap": best[:1] - second}
