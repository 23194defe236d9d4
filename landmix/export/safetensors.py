"""A model as safetensors, which landmix reads like a checkpoint and others read without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.bundle import save_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle


def write(bundle: Bundle, target: Path) -> str:
    """Write weights and bundle to `target`; says what it holds. Raises `LandmixError` where it cannot be written."""
    save_safetensors(bundle, target)
    count = sum(tensor.numel() for tensor in bundle.weights.values())
    return f"{len(bundle.weights)} tensors with {count:,} numbers; bands, legend and record of training in the header"
