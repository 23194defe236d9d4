"""landmix inspect: what a model or a scene is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.core.bands import BandSet
from landmix.core.composite import composites
from landmix.errors import UsageError
from landmix.files import is_remote, local_file, replacing, unwritable
from landmix.geo.open import open_entry
from landmix.geo.paths import scene_entries
from landmix.geo.survey import preview, survey
from landmix.model_file import is_model
from landmix.tasks.columns import as_json
from landmix.tasks.model_facts import model_facts
from landmix.tasks.model_text import model_text
from landmix.tasks.scenes import scene_facts, scene_text

if TYPE_CHECKING:
    from collections.abc import Callable

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
    if len(files) == 1 and not is_remote(files[0]) and not found[0].item and is_model(Path(files[0])):
        if settings.quicklook is not None:
            msg = f"quicklook draws scenes, but {files[0]} is a model"
            raise UsageError(msg)
        bundle = bundles.load(files[0], settings.net.plugin, warn=progress.warn, runs=False)
        facts = model_facts(bundle, Path(files[0]))
        text = model_text(facts, _painter(settings))
    else:
        scene = open_entry(found[0], settings.scene, limits=settings.limits)
        facts = scene_facts(
            scene, survey(scene, progress=lambda done, all_: progress.step("look at pixels", done, all_))
        )
        text = scene_text(scene, facts)
        if settings.quicklook is not None:
            _draw(scene, facts, Path(settings.quicklook))
            text += f"\n  quicklook: {settings.quicklook}"
    progress.say(as_json(facts) if settings.format == "json" else text)
    return facts


def _painter(settings: InspectSettings) -> Callable[[str], str]:
    """What makes a patch of a colour where the console shows colours, and nothing elsewhere."""
    if settings.progress == "json" or not sys.stdout.isatty():
        return lambda _: ""
    from rich.console import Console  # noqa: PLC0415 - only wanted on a terminal

    console = Console()

    def patch(color: str) -> str:
        with console.capture() as captured:
            console.print("    ", style=f"on {color}", end="")
        return captured.get() if console.color_system else ""

    return patch


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
