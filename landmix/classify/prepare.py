"""From a scene that the user named to a plan: find the model's bands in it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from landmix.classify.fitted import fitted
from landmix.classify.plan import Plan, PredictSettings, check_outputs, layers, provenance, stamp
from landmix.errors import UsageError
from landmix.files import WORK
from landmix.geo.georeference import check_holds
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.remote import content_hash
from landmix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.engines.engine import EngineSpec
    from landmix.geo.paths import Entry
    from landmix.progress import Progress


def as_trained(bundle: Bundle) -> dict[str, Any]:
    """How the training scenes were read, less what only the user of this machine can allow."""
    return {**bundle.scene, "allow_vrt": False}


def reading(bundle: Bundle, said: Mapping[str, Any]) -> tuple[ReadOptions, bool]:
    """As the training scenes were read, unless the user says otherwise; and whether the scale is inherited so.

    `said` are settings of `scene.*`. Raises `UsageError` for one that cannot be.
    """
    said = dict(said)
    unknown = set(said) - {field.name for field in fields(ReadOptions)}
    if unknown:
        msg = f"there is no setting scene.{min(unknown)}: there are {', '.join(f.name for f in fields(ReadOptions))}"
        raise UsageError(msg)
    if "scale" in said:
        said.setdefault("offset", None)  # the other half of what the user says
    try:
        options = ReadOptions(**{**as_trained(bundle), **said})
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    return options, not {"scale", "offset"} & set(said)


def plan_scene(
    bundle: Bundle,
    entry: Entry,
    target: Path,
    settings: PredictSettings,
    engine: EngineSpec,
    *,
    options: ReadOptions | None = None,
    inherited: bool = True,
    bands: Sequence[str | int] | None = None,
    places: Mapping[str, Path] | None = None,
    limits: Limits = DEFAULT,
    progress: Progress,
) -> Plan:
    """Look at a scene and plan its map.

    `options` None: read as the training scenes were; `inherited`: their scale and offset are those of the training
    scenes, so they count only where this scene says nothing. `bands`: those of the scene that the model's bands are,
    where the user says so; `places`: where layers are to lie that are not called after the map. Raises `LandmixError`
    where the scene is unreadable or lacks a band of the model.
    """
    check_outputs(bundle, settings)
    scene = open_entry(entry, options or ReadOptions(**as_trained(bundle)), inherited=inherited, limits=limits)
    scene.check_known()
    for note in scene.notes:
        progress.warn(note)
    check_holds(scene.grid, scene.where)
    if lacking := scene.grid.lacking:
        progress.warn(f"{scene.where} has no {lacking}, so its map has none either")
    chosen = fitted(bundle, scene, bands=bands, allow_missing=settings.allow_missing, progress=progress)
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
        places=tuple((places or {}).items()),
        provenance=provenance(bundle, chosen, settings, engine, hashes, __version__),
    )
