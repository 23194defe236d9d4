"""From a scene that the user named to a plan: find the model's bands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.classify.plan import Plan, PredictSettings, layers, provenance, stamp
from landmix.files import WORK
from landmix.geo.fitting import fit_to
from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.remote import content_hash
from landmix.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.engines.engine import EngineSpec
    from landmix.geo.paths import Entry
    from landmix.progress import Progress


def as_trained(bundle: Bundle) -> dict[str, Any]:
    """How the training scenes were read, less what only the user of this machine can allow."""
    return {**bundle.scene, "allow_vrt": False}


def plan_scene(
    bundle: Bundle,
    entry: Entry,
    target: Path,
    settings: PredictSettings,
    engine: EngineSpec,
    *,
    options: ReadOptions | None = None,
    inherited: bool = True,
    progress: Progress,
) -> Plan:
    """Look at a scene and plan its map.

    `options` None: read as the training scenes were; `inherited`: their scale and offset are those of the training
    scenes, so they count only where this scene says nothing. Raises `LandmixError` where the scene is unreadable or
    lacks a band of the model.
    """
    scene = open_entry(entry, options or ReadOptions(**as_trained(bundle)), inherited=inherited)
    scene.check_known()
    for note in scene.notes:
        progress.warn(note)
    if not scene.grid.georeferenced and not scene.grid.gcps:
        progress.warn(f"{scene.where} has no georeference, so its map has none either")
    chosen = fit_to(
        scene,
        bundle.bands,
        trained_count=bundle.band_count,
        nodata=bundle.nodata,
        warn=progress.warn,
        say=progress.say,
    )
    wanted = layers(bundle.legend, settings)
    stamps = tuple(found for path in chosen.files if (found := stamp(path)))
    hashes = [content_hash(path) for path in chosen.files]
    return Plan(
        scene=chosen,
        target=target,
        work=target.parent / WORK / target.stem,
        layers=wanted,
        settings=settings,
        engine=engine,
        margin=bundle.margin,
        stamps=stamps,
        provenance=provenance(bundle, chosen, settings, engine, hashes, __version__),
    )
