"""landmix verify: whether a map or a model is whole, and what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.errors import LandmixError, UsageError
from landmix.files import is_remote
from landmix.geo.opening import raster_driver
from landmix.geo.verifying import verified_tags
from landmix.model_file import file_format, is_model
from landmix.seal import is_intact
from landmix.tasks.columns import as_json, harmless, said, some

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import VerifySettings

_RECORDS = ("input", "bands", "settings", "engine", "classes", "training_labels")
"""Tags that hold JSON."""

_SHOWN = 800
"""Letters of one thing on the console."""


def verify(settings: VerifySettings, progress: Progress) -> dict[str, Any]:
    """Compare a file with the digest that it carries; returns what `format=json` prints.

    Raises `LandmixError` for a file that is damaged or changed, or that landmix did not write.
    """
    if is_remote(settings.path):
        msg = f"path={settings.path} must be a file of this machine: copy it here first"
        raise UsageError(msg)
    path = Path(settings.path)
    if path.is_dir():
        msg = f"path={path} is a folder: name the map or the model in it{_example(path)}"
        raise LandmixError(msg)
    if not is_model(path) and raster_driver(str(path)) is None:
        msg = f"{path} is neither a map nor a model: what landmix verifies are GeoTIFFs and model files that it wrote"
        raise LandmixError(msg)
    facts = _model(path) if is_model(path) else _map(path)
    progress.say(as_json(facts) if settings.format == "json" else _text(facts))
    return facts


def _example(folder: Path) -> str:
    """A file in it that is meant, perhaps."""
    found = [folder / "model.ckpt", *sorted(folder.glob("*.tif"))[:1]]
    return next((f", such as {path}" for path in found if path.is_file()), "")


def _map(path: Path) -> dict[str, Any]:
    tags = verified_tags(path)
    made = {key.removeprefix("LANDMIX_").lower(): value for key, value in tags.items() if key.startswith("LANDMIX_")}
    records = {key: _record(made[key]) for key in _RECORDS if key in made}
    return {"kind": "map", "path": str(path), "whole": True, "bytes": path.stat().st_size, **made, **records}


def _record(text: str) -> Any:
    """What a tag says; whoever made a file with landmix's tags may have written anything."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _model(path: Path) -> dict[str, Any]:
    bundle = bundles.load(path, runs=False)
    training = bundle.training
    return {
        "kind": "model",
        "path": str(path),
        "whole": True,
        "sealed": bool(is_intact(path)),
        "bytes": path.stat().st_size,
        "format": file_format(path),
        "model": bundle.digest,
        "bands": list(bundle.bands.names),
        "classes": {str(c.value): c.name for c in bundle.legend},
        "scenes": training.get("scenes", []),
        "labels": training.get("labels", []),
        "settings": training.get("settings", {}),
        "versions": training.get("versions", {}),
    }


def _text(facts: dict[str, Any]) -> str:
    """At most 80 columns; nothing in it can speak to a terminal."""
    lines = [f"{facts['path']} is whole: a {facts['kind']} of {facts['bytes']:,} bytes"]
    if facts["kind"] == "map":
        lines += _said("model", facts.get("model", "")) + _said("input", _input(facts.get("input")))
        keys = ("settings", "engine", "classes", "version", "sha256")
    else:
        if not facts["sealed"]:
            lines += said(
                "note",
                "it was written before models carried the sha256 of their bytes, so only its weights"
                " and the checksums of its zip file could be compared",
            )
        lines += _said("model", facts["model"]) + _said("bands", some(facts["bands"], 12))
        keys = ("classes", "scenes", "labels", "settings", "versions")
    for key in keys:
        lines += _said(key, _plain(facts.get(key)))
    return "\n  ".join(lines)


def _said(what: str, text: str) -> list[str]:
    return said(what, harmless(text, _SHOWN)) if text else []


def _input(files: Any) -> str:
    """Names of the files that a map was made of, and how their sha256 begin."""
    try:
        return ", ".join(f"{file['name']} ({file['sha256'][:16]})" for file in files)
    except (TypeError, KeyError):
        return _plain(files)


def _plain(data: Any) -> str:
    """Plain data in words: `1 water, 2 forest`."""
    if isinstance(data, dict):
        return ", ".join(f"{key} {_plain(value)}" for key, value in data.items() if value not in (None, [], {}))
    if isinstance(data, list):
        return ", ".join(map(_plain, data))
    return "" if data is None else str(data)
