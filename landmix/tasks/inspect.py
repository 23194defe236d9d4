"""landmix inspect: what a model or a scene is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.core.bands import BandSet
from landmix.core.composite import composites
from landmix.errors import LandmixError, UsageError
from landmix.files import is_remote, local_file, replacing, unwritable
from landmix.geo.open import open_entry
from landmix.geo.paths import scene_entries
from landmix.geo.survey import preview, survey
from landmix.tasks.scenes import scene_facts, scene_text
from landmix.tasks.tables import accuracy_table

if TYPE_CHECKING:
    from landmix.bundle import Bundle
    from landmix.core.bands import Band
    from landmix.geo.scene import Scene
    from landmix.progress import Progress
    from landmix.tasks.settings import InspectSettings


def inspect(settings: InspectSettings, progress: Progress) -> dict[str, Any]:
    """Describe a model file or a scene; returns what `format=json` prints."""
    if settings.quicklook is not None:
        _check_target(Path(settings.quicklook))
    found = scene_entries(settings.path, "path")
    if len(found) != 1:
        msg = f"path must name one model or scene, not {len(found)}"
        raise UsageError(msg)
    files = found[0].files
    if len(files) == 1 and not is_remote(files[0]) and not found[0].item and _is_model(files[0]):
        if settings.quicklook is not None:
            msg = f"quicklook draws scenes, but {files[0]} is a model"
            raise UsageError(msg)
        bundle = bundles.load(files[0])
        facts, text = _model_facts(bundle), _model_text(bundle)
    else:
        scene = open_entry(found[0], settings.scene)
        facts = scene_facts(
            scene, survey(scene, progress=lambda done, all_: progress.step("look at pixels", done, all_))
        )
        text = scene_text(scene, facts)
        if settings.quicklook is not None:
            _draw(scene, facts, Path(settings.quicklook))
            text += f"\n  quicklook: {settings.quicklook}"
    progress.say(json.dumps(facts, indent=1, ensure_ascii=False) if settings.format == "json" else text)
    return facts


def _is_model(path: str) -> bool:
    """Whether a file is a torch checkpoint, which is a zip archive with a pickle in it."""
    if Path(path).is_dir():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise LandmixError(msg) from error


def _check_target(target: Path) -> None:
    """A picture takes the place of a picture at most."""
    try:
        foreign = target.exists() and target.read_bytes()[:8] != b"\x89PNG\r\n\x1a\n"
    except OSError as error:
        raise unwritable(target, error) from error
    if foreign or target.suffix.lower() != ".png":
        msg = f"quicklook={target} must be a PNG file, not one of another kind"
        raise UsageError(msg)


def _draw(scene: Scene, facts: dict[str, Any], target: Path) -> None:
    """The scene in true colour, and in false colour where it has a near infrared band."""
    if target.exists() and any(target.samefile(file) for file in map(local_file, scene.files) if file is not None):
        msg = f"quicklook={target} would replace the scene itself"
        raise UsageError(msg)
    from landmix.report.quicklook import quicklook  # noqa: PLC0415 - matplotlib takes longer than the rest

    wanted = composites(scene.bands)
    needed = list(dict.fromkeys(band.name for bands in wanted.values() for band in bands))
    values, clear = preview(scene.compose(BandSet(tuple(b for b in scene.bands if b.name in needed))))
    place = {name: i for i, name in enumerate(name for name in scene.bands.names if name in needed)}
    panels = [(title, values[[place[band.name] for band in bands]]) for title, bands in wanted.items()]
    if scene.grid.georeferenced and scene.grid.transform.e > 0:  # stored south-up, drawn north-up
        panels, clear = [(title, picture[:, ::-1]) for title, picture in panels], clear[::-1]
    about = "" if facts["pixels_looked_at"] == scene.grid.window.size else "about "
    share = f"{about}{100 * facts['share_valid']:.1f} % of the pixels valid in all bands (pale pink: not valid)"
    caption = f"{scene.grid}\n{share}"
    with replacing(target) as temporary:
        temporary.write_bytes(quicklook(scene.name, panels, clear, caption))


def _model_facts(bundle: Bundle) -> dict[str, Any]:
    network = bundle.network()
    return {
        "kind": "model",
        "bands": [_band_facts(band) for band in bundle.bands],
        "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in bundle.legend],
        "margin": network.margin,
        "parameters": sum(p.numel() for p in network.parameters()),
        "training": bundle.training,
        "accuracy": bundle.accuracy,
        "sha256": bundle.digest,
    }


def _band_facts(band: Band) -> dict[str, Any]:
    """What a model knows of a band."""
    facts: dict[str, Any] = {
        "name": band.name,
        "wavelength_nm": band.wavelength,
        "width_nm": band.width,
        "common_name": band.common,
        "unit": band.unit,
    }
    if band.formula is not None:
        letters = {letter: own.name for letter, own in band.formula.inputs}
        facts |= {"formula": band.formula.expression, "inputs": letters}
    return facts


def _units(bands: BandSet) -> str:
    """The units that are known."""
    units = list(dict.fromkeys(band.unit for band in bands if band.unit))
    return f"; {', '.join(units)}" if units else ""


def _model_text(bundle: Bundle) -> str:
    facts = _model_facts(bundle)
    seen = 2 * facts["margin"] + 1
    lines = [
        f"landmix model {facts['sha256'][:16]}: {facts['parameters']:,} parameters, sees {seen} x {seen} pixels",
        f"  bands: {bundle.bands}{_units(bundle.bands)}",
        f"  classes: {', '.join(f'{c.value} {c.name}' for c in bundle.legend)}",
        f"  trained on: {', '.join(entry['name'] for entry in bundle.training.get('scenes', []))}",
    ]
    if bundle.accuracy.get("n"):
        lines += [f"  validation ({bundle.accuracy['split']['kind']}):", accuracy_table(bundle.accuracy)]
    return "\n".join(lines)
