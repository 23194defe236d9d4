"""From what the user wants to what computes: `auto` ends here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

import torch

from landmix.core.words import either
from landmix.engines.engine import TILE, EngineSpec
from landmix.errors import LandmixError, UsageError

_GPU_TILE, _GPU_BATCH = 256, 16
"""Side of a tile on a GPU, and tiles at a time; fewer where its memory has no room for them."""


def choose(device: str = "auto", backend: str = "auto", precision: str = "auto") -> EngineSpec:
    """What computes here.

    Raises `LandmixError` where this machine cannot do what is wanted, `UsageError` for words that mean nothing.
    """
    for name, said, words in (
        ("device", device, ("auto", "cpu", "cuda")),
        ("backend", backend, ("auto", "torch", "openvino")),
        ("precision", precision, ("auto", "fp32", "bf16")),
    ):
        if said not in words:
            msg = f"{name} must be {either(words)}, not {said!r}"
            raise UsageError(msg)
    where = choose_device(device).type
    if backend == "openvino" and where != "cpu":
        msg = "backend=openvino computes on CPUs: choose device=cpu, or backend=torch"
        raise LandmixError(msg)
    if backend == "auto":
        backend = "openvino" if where == "cpu" and _installed("openvino") else "torch"
    if precision == "auto":
        precision = "bf16" if has_bf16(where) else "fp32"
    spec = EngineSpec(
        backend="openvino" if backend == "openvino" else "torch",
        device="cuda" if where == "cuda" else "cpu",
        precision="bf16" if precision == "bf16" else "fp32",
        tile=_GPU_TILE if where == "cuda" else TILE,
        batch=_GPU_BATCH if where == "cuda" else 1,
        version=importlib.metadata.version(backend) if _installed(backend) else "",
    )
    check(spec)
    return spec


def check(spec: EngineSpec) -> None:
    """Raise `LandmixError` where this machine cannot compute as `spec` says."""
    if not _installed(spec.backend):
        msg = f"backend={spec.backend} needs the package {spec.backend}, which is not installed: choose backend=torch"
        raise LandmixError(msg)
    installed = importlib.metadata.version(spec.backend)
    if spec.version not in {"", installed}:
        msg = f"{spec.backend} {spec.version} is to compute, but {installed} is installed, whose results could differ:"
        msg += f" install {spec.backend} {spec.version}"
        raise LandmixError(msg)
    choose_device(spec.device)
    if spec.precision == "bf16" and not has_bf16(spec.device):
        msg = "precision=bf16 needs a processor that computes in bf16, which this one does not: choose precision=fp32"
        raise LandmixError(msg)


def choose_device(wanted: str) -> torch.device:
    """`auto` takes a CUDA GPU where there is one. Raises `LandmixError` where a wanted GPU is missing."""
    if wanted == "cuda" and not torch.cuda.is_available():
        msg = "device=cuda needs a CUDA GPU and a CUDA build of torch, but torch finds none here: use device=auto"
        raise LandmixError(msg)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if wanted == "auto" else wanted)


def has_bf16(device: str = "cpu") -> bool:
    """Whether this processor or GPU multiplies in bf16; others only imitate it, slowly."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
