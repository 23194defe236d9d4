"""From a scene that the user named to a plan: find the model's bands in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from landmix.classify.plan import Plan, PredictSettings, layers, provenance
from landmix.files import WORK, file_hash
from landmix.geo.scene import ReadOptions, open_scene
from landmix.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.geo.paths import Entry
    from landmix.geo.scene import Scene
    from landmix.progress import Progress


def plan_scene(
    bundle: Bundle,
    entry: Entry,
    target: Path,
    settings: PredictSettings,
    *,
    options: ReadOptions | None = None,
    progress: Progress,
) -> Plan:
    """Look at a scene and plan its map.

    `options` None: read as the training scenes were. Raises `LandmixError` where the scene is unreadable or lacks a
    band of the model.
    """
    scene = open_scene(entry.files, entry.stem, options or ReadOptions(**bundle.scene))
    if not scene.grid.georeferenced and not scene.grid.gcps:
        progress.warn(f"{scene.where} has no georeference, so its map has none either")
    chosen = _choose(bundle, scene, progress)
    return Plan(
        scene=chosen,
        nodata=_nodata(bundle, chosen),
        target=target,
        work=target.parent / WORK / target.stem,
        layers=layers(bundle.legend, settings),
        settings=settings,
        margin=bundle.network().margin,
        provenance=provenance(bundle, chosen, settings, [file_hash(path) for path in scene.files], __version__),
    )


def _choose(bundle: Bundle, scene: Scene, progress: Progress) -> Scene:
    """The scene with the model's bands in the model's order."""
    match = scene.bands.match(bundle.bands, scene.where, trained_count=bundle.band_count)
    if match.by_position:
        progress.warn(f"{scene.where} names no bands: they are taken by position, as in the training scene")
    chosen = scene.take(match.indices)
    return replace(chosen, bands=bundle.bands)


def _nodata(bundle: Bundle, scene: Scene) -> tuple[float | None, ...]:
    """The scene's own nodata values, or the training scenes' where it has none."""
    return tuple(own if own is not None else trained for own, trained in zip(scene.nodata, bundle.nodata, strict=True))
