"""landmix inspect: what a model or a scene is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.errors import LandmixError, UsageError
from landmix.files import is_remote
from landmix.geo.ground import pixel_size
from landmix.geo.paths import entries
from landmix.geo.scene import Scene, open_scene
from landmix.tasks.tables import accuracy_table

if TYPE_CHECKING:
    from landmix.bundle import Bundle
    from landmix.progress import Progress
    from landmix.tasks.settings import InspectSettings


def inspect(settings: InspectSettings, progress: Progress) -> dict[str, Any]:
    """Describe a model file or a scene; returns what `format=json` prints."""
    found = entries(settings.path, "path")
    if len(found) != 1:
        msg = f"path must name one model or scene, not {len(found)}"
        raise UsageError(msg)
    files = found[0].files
    if len(files) == 1 and not is_remote(files[0]) and _is_model(files[0]):
        bundle = bundles.load(files[0])
        facts, text = _model_facts(bundle), _model_text(bundle)
    else:
        scene = open_scene(files, found[0].stem, settings.scene)
        facts, text = _scene_facts(scene), _scene_text(scene)
    progress.say(json.dumps(facts, indent=1, ensure_ascii=False) if settings.format == "json" else text)
    return facts


def _is_model(path: str) -> bool:
    """Whether a file is a torch checkpoint, which is a zip archive."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path may be no local path at all
            return file.read(4) == b"PK\x03\x04"
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise LandmixError(msg) from error


def _scene_facts(scene: Scene) -> dict[str, Any]:
    grid = scene.grid
    return {
        "kind": "scene",
        "name": scene.name,
        "files": list(scene.files),
        "height": grid.height,
        "width": grid.width,
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "transform": list(grid.transform.to_gdal()),
        "pixel_m": pixel_size(grid),
        "dtype": scene.dtype.name,
        "bands": [
            {
                "number": number,
                "name": band.name,
                "wavelength_nm": band.wavelength,
                "width_nm": band.width,
                "scale": scene.scaling.scale[i],
                "offset": scene.scaling.offset[i],
                "nodata": _json_number(scene.nodata[i]),
            }
            for i, (number, band) in enumerate(enumerate(scene.bands, start=1))
        ],
    }


def _json_number(value: float | None) -> float | str | None:
    """JSON has no NaN."""
    return "nan" if value is not None and value != value else value  # noqa: PLR0124 - only NaN differs from itself


def _scene_text(scene: Scene) -> str:
    lines = [f"{scene.where}", f"  {scene.grid}, {scene.dtype.name}"]
    width = max(len(band.name) for band in scene.bands)
    lines.append(f"  {'no':>4}  {'band':{width}}  {'nm':>8}  {'scale':>10}  {'offset':>10}  nodata")
    for row in _scene_facts(scene)["bands"]:
        nm = "unknown" if row["wavelength_nm"] is None else f"{row['wavelength_nm']:g}"
        nodata = "none" if row["nodata"] is None else f"{row['nodata']}"
        lines.append(
            f"  {row['number']:>4}  {row['name']:{width}}  {nm:>8}  {row['scale']:>10g}  {row['offset']:>10g}  {nodata}"
        )
    return "\n".join(lines)


def _model_facts(bundle: Bundle) -> dict[str, Any]:
    network = bundle.network()
    return {
        "kind": "model",
        "bands": [{"name": b.name, "wavelength_nm": b.wavelength, "width_nm": b.width} for b in bundle.bands],
        "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in bundle.legend],
        "margin": network.margin,
        "parameters": sum(p.numel() for p in network.parameters()),
        "training": bundle.training,
        "accuracy": bundle.accuracy,
        "sha256": bundle.digest,
    }


def _model_text(bundle: Bundle) -> str:
    facts = _model_facts(bundle)
    seen = 2 * facts["margin"] + 1
    lines = [
        f"landmix model {facts['sha256'][:16]}: {facts['parameters']:,} parameters, sees {seen} x {seen} pixels",
        f"  bands: {bundle.bands}",
        f"  classes: {', '.join(f'{c.value} {c.name}' for c in bundle.legend)}",
        f"  trained on: {', '.join(entry['name'] for entry in bundle.training.get('scenes', []))}",
    ]
    if bundle.accuracy.get("n"):
        lines += [f"  validation ({bundle.accuracy['split']['kind']}):", accuracy_table(bundle.accuracy)]
    return "\n".join(lines)
