"""A model in numbers and words, as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from landmix.model_file import file_format
from landmix.nn.describe import describe

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.core.bands import Band


def model_facts(bundle: Bundle, path: Path) -> dict[str, Any]:
    """Everything that is known of a model and the file that holds it; JSON can hold all of it."""
    network = _network(bundle)
    facts = {
        "kind": "model",
        "file": {"path": str(path), "format": file_format(path), "bytes": path.stat().st_size},
        "bands": [_band(bundle, i) for i in range(len(bundle.bands))],
        "inputs": [_input(bundle, i) for i in range(len(bundle.bands.inputs))],
        "band_count": bundle.band_count,
        "task": bundle.task,
        "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in bundle.legend],
        "map": {"nodata": bundle.legend.nodata, "dtype": bundle.legend.dtype.name},
        "margin": None if network["sees"] is None else bundle.margin,
        "temperature": bundle.temperature,
        "applicability": _reach(bundle),
        "parameters": network["parameters"],
        "multiply_adds": network["multiply_adds"],
        "network": network,
        "read": bundle.scene,
        "training": bundle.training,
        "accuracy": bundle.accuracy,
        "sha256": bundle.digest,
    }
    finite: dict[str, Any] = _finite(facts)
    return finite


def _network(bundle: Bundle) -> dict[str, Any]:
    settings = bundle.net.as_data()
    if bundle.net.own is None:
        return {**_described(bundle), "settings": settings}
    counted = sum(tensor.numel() for name, tensor in bundle.weights.items() if not name.endswith(_BUFFERS))
    known = {"layers": [], "parameters": counted, "multiply_adds": None, "sees": None, "settings": settings}
    if bundle.plugin is None:
        return known
    side = 2 * bundle.margin + 1
    try:
        return {**known, **_described(bundle), "sees": [side, side]}
    except ValueError:  # what is not a layer with rows and columns cannot be told layer by layer
        return {**known, "sees": [side, side]}


def _described(bundle: Bundle) -> dict[str, Any]:
    return asdict(describe(bundle.network(), channels=bundle.net.in_channels, margin=bundle.margin))


_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""Tensors of batch norms that are counted, not learnt."""


def _band(bundle: Bundle, i: int) -> dict[str, Any]:
    """A channel of the network: what it is, and the training pixels' mean and deviation that it is scaled by."""
    band: Band = bundle.bands[i]
    scale, offset = bundle.normalise.scale[i], bundle.normalise.offset[i]
    facts: dict[str, Any] = {
        "name": band.name,
        "wavelength_nm": band.wavelength,
        "width_nm": band.width,
        "common_name": band.common,
        "unit": band.unit,
        "mean": -offset / scale,
        "std": 1 / scale,
    }
    if band.formula is not None:
        letters = {letter: own.name for letter, own in band.formula.inputs}
        facts |= {"formula": band.formula.expression, "inputs": letters}
    return facts


def _input(bundle: Bundle, i: int) -> dict[str, Any]:
    """A band that is read: how the training scene stored it."""
    return {
        "name": bundle.bands.inputs[i].name,
        "decode": bundle.steps[i],
        "scale": bundle.scaling.scale[i],
        "offset": bundle.scaling.offset[i],
        "nodata": bundle.nodata[i],
    }


def _reach(bundle: Bundle) -> dict[str, Any] | None:
    """What applicability is measured against; None where it cannot be had."""
    known = bundle.reference
    if known is None:
        return None
    return {"points": len(known.points), "threshold": known.threshold, "distance": known.distance}


def _finite(data: Any) -> Any:
    """Plain data without NaN and infinity, which JSON does not have: they become text."""
    if isinstance(data, dict):
        return {key: _finite(part) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(part) for part in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data
