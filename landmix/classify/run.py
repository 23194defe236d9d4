"""From a plan to a map under its final name, or to the parts of it that are asked for."""

from __future__ import annotations

import contextlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from landmix.classify.cut import cache_for, workers_for
from landmix.classify.finish import assemble, check_sieve, style, styled
from landmix.classify.pipeline import Workers
from landmix.classify.settle import claim, held
from landmix.classify.stages import Stages
from landmix.classify.strange import strangeness
from landmix.errors import LandmixError
from landmix.files import STALE, TEMPORARY, check_no_link, local_file, make_folder
from landmix.geo.opening import limit_cache, open_raster
from landmix.geo.sidecars import sidecar_paths
from landmix.geo.writing import read_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from landmix.classify.loaded import Loaded
    from landmix.classify.plan import Layer, Plan
    from landmix.core.window import Window
    from landmix.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much of a scene is done here, and how."""

    workers: int = 1
    overwrite: bool = False
    """Replace a map of another model, input or settings."""
    stale_after: float = STALE
    """Seconds after which unfinished files of other hosts are removed."""
    shards: Sequence[Window] | None = None
    """Write the parts of these and no map; None: of all, and the map."""
    only_finish: bool = False
    """Make the map of parts that other runs wrote."""
    lock: str = "lock"
    """Two runs that take the same lock of a scene exclude each other."""
    patience: float = 0.0
    """Seconds to wait for it."""
    stages: Stages = field(default_factory=Stages)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end soon, with `Stopped`."""


def classify(plan: Plan, model: Loaded, work: Work, progress: Progress) -> str:
    """Classify one scene; returns `done`, `kept` where an earlier run had finished it, or `parts`.

    Raises `LandmixError` where another map lies at the target, another run works on it, or a file cannot be read or
    written; an older map is then untouched. Raises `Stopped` when it was told to stop.
    """
    _check_targets(plan)
    check_sieve(plan)
    if work.shards is not None and not work.shards:
        return "parts"
    limit_cache(cache_for(plan.scene, workers_for(plan.scene, model.threads)))
    with _locked(plan, work):
        missing = _missing_layers(plan, overwrite=work.overwrite)
        if missing:
            _mind_others(plan, work, progress)
        counted: dict[Path, dict[int, int]] = {}
        if missing and not work.only_finish:
            counted = _write_shards(plan, model, work, progress)
        if work.shards is not None:
            return "parts" if missing else "kept"
        _finish(plan, model, work, missing, counted)
        _remove_parts(plan, alone=not held(plan.work, work.lock))
    return "done" if missing else "kept"


def _finish(
    plan: Plan, model: Loaded, work: Work, missing: Sequence[Layer], counted: Mapping[Path, dict[int, int]]
) -> None:
    """Make the `missing` rasters of their parts, and styles where a killed run left them out."""
    absent = [shard for shard in plan.shards if not _has_parts(plan, shard)] if missing else []
    if absent:
        named = ", ".join(f"row {shard.row} col {shard.col}" for shard in absent[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""  # noqa: PLR2004
        msg = f"{plan.target} lacks {len(absent)} of its {len(plan.shards)} parts ({named}{more}): run their"
        msg += " shards with shard=... first"
        raise LandmixError(msg)
    if missing:
        plan.check_unchanged()
    with work.stages.timed("finish"):
        assemble(plan, missing, model.bundle, counted, work.stop)
        for layer in plan.layers:
            if not styled(plan, layer):
                style(plan, layer, model.bundle, read_back(plan.path(layer)) if layer.name == "classes" else {})


def _write_shards(plan: Plan, model: Loaded, work: Work, progress: Progress) -> dict[Path, dict[int, int]]:
    """Write the parts that are not there yet; returns what `Workers.run` does."""
    shards = plan.shards if work.shards is None else work.shards
    left = [shard for shard in shards if not _has_parts(plan, shard)]
    total = sum(shard.size for shard in shards) / 1e6
    done = total - sum(shard.size for shard in left) / 1e6
    if not left:
        return {}
    claim(plan, work.lock, overwrite=work.overwrite)
    with ThreadPoolExecutor(1) as aside:
        # one small shard takes less time than GDAL needs for another thread
        looking = aside.submit(strangeness, plan.scene, model.bundle) if len(plan.shards) > 1 else None
        if looking is None:
            _warn(strangeness(plan.scene, model.bundle), progress)

        def advance(pixels: int) -> None:
            nonlocal done, looking
            done += pixels / 1e6
            progress.step(f"classify {plan.scene.name}", done, total, "Mpx")
            if looking and (looking.done() or done >= total):
                _warn(looking.result(), progress)
                looking = None

        advance(0)
        predictor = model.predictor(plan)
        count = workers_for(plan.scene, work.workers)
        with Workers(plan, predictor, model.bundle.legend, count, work.stages, work.stop) as workers:
            return workers.run(left, advance)


def _warn(warning: str | None, progress: Progress) -> None:
    if warning:
        progress.warn(warning)


def _has_parts(plan: Plan, shard: Window) -> bool:
    return all(plan.part(layer, shard).exists() for layer in plan.layers)


@contextlib.contextmanager
def _locked(plan: Plan, work: Work) -> Iterator[None]:
    """Hold a lock of a scene's folder of unfinished work, which exists as long as there is something in it."""
    for folder in (plan.work.parent, plan.work):
        check_no_link(folder)
    make_folder(plan.work, work.stale_after)
    lock = FileLock(plan.work / work.lock, timeout=work.patience)
    try:
        lock.acquire()
    except Timeout:
        msg = f"another landmix is classifying into {plan.target}: wait for it, or choose another out_dir"
        raise LandmixError(msg) from None
    try:
        yield
    finally:
        lock.release()
        if work.shards is None and not held(plan.work):
            _remove_if_empty(plan)


def _check_targets(plan: Plan) -> None:
    """No output may be an input, not even through a link, nor may its style be that of another file."""
    styles = [sidecar_paths(plan.path(layer))["qml"] for layer in plan.layers]
    if len(set(styles)) < len(styles):
        msg = f"two rasters would share the style {max(styles, key=styles.count)}: call them differently"
        raise LandmixError(msg)
    inputs = [Path(file) for file in map(local_file, plan.scene.files) if file is not None]
    for layer in plan.layers:
        path = plan.path(layer)
        if path.exists() and any(path.samefile(file) for file in inputs):
            msg = f"the map {path} would replace its own input: choose another out_dir"
            raise LandmixError(msg)
        check_no_link(path)
        style = sidecar_paths(path)["qml"]
        shared = [file for file in inputs if file.with_suffix(".qml").resolve() == style.resolve()]
        if shared and style.exists() and not path.exists():
            msg = f"{style} is the style of {shared[0]}, and the map would replace it: choose another out_dir"
            raise LandmixError(msg)


def _missing_layers(plan: Plan, *, overwrite: bool) -> list[Layer]:
    """The layers that no earlier run has finished, with the same model, input and settings.

    Raises `LandmixError` where another raster has the name of one, unless `overwrite`.
    """
    return [layer for layer in plan.layers if not _finished(plan, layer, overwrite=overwrite)]


def _finished(plan: Plan, layer: Layer, *, overwrite: bool) -> bool:
    """Whether a layer is there, made by the same model from the same input with the same settings.

    Raises `LandmixError` where another raster has its name, unless `overwrite`.
    """
    path = plan.path(layer)
    if not path.exists():
        return False
    try:
        with open_raster(str(path)) as dataset:
            tags = dataset.tags()
    except LandmixError:
        tags = {}
    if tags.get("LANDMIX_DIGEST") == plan.digest:
        return True
    if overwrite:
        return False
    differing = [
        key
        for key in ("model", "input", "bands", "settings", "engine", "version")
        if tags.get(f"LANDMIX_{key.upper()}") != plan.tags[f"LANDMIX_{key.upper()}"]
    ]
    words = [f"{'other' if key in {'bands', 'settings'} else 'another'} {key}" for key in differing]
    what = f"with {' and '.join(words)}" if "LANDMIX_DIGEST" in tags else "by something else than landmix"
    msg = f"{path} exists and was made {what}: choose another out_dir, or replace it with overwrite=true"
    raise LandmixError(msg)


def _mind_others(plan: Plan, work: Work, progress: Progress) -> None:
    """Name the parts of another digest, which are never used; remove them where the user begins anew, alone."""
    mine = f"{plan.digest[:16]}-"
    others = [path for path in _parts(plan) if not path.name.startswith(mine)]
    if work.overwrite and not held(plan.work, work.lock):
        for path in others:
            path.unlink(missing_ok=True)
    elif others:
        digests = ", ".join(sorted({path.name.partition("-")[0] for path in others}))
        progress.warn(
            f"{plan.work} holds parts of another model, input, settings or engine ({digests}; this map's begin with"
            f" {mine[:-1]}): they are not used, and go when {plan.target} is finished or with overwrite=true"
        )


def _remove_parts(plan: Plan, *, alone: bool) -> None:
    """Remove the parts of a finished map; what other maps and dead runs left there only if nobody works on them."""
    own = [plan.part(layer, shard) for layer in plan.layers for shard in plan.shards]
    for path in _parts(plan) if alone else own:
        path.unlink(missing_ok=True)


def _parts(plan: Plan) -> list[Path]:
    """The parts of this map and of others in the folder of unfinished work; whose any other file is, nobody knows."""
    return [path for path in plan.work.glob("*.tif") if _PART.fullmatch(path.name)]


_PART = re.compile(r"[0-9a-f]{16}-.+\.tif")
_OWN = re.compile(rf"{_PART.pattern}(\..+)?|plan\.(json|lock)|lock.*|{re.escape(TEMPORARY)}.*")
"""What landmix writes into the folder of unfinished work."""


def _remove_if_empty(plan: Plan) -> None:
    """The folders of unfinished work go with the last part in them."""
    if _parts(plan):
        return
    with contextlib.suppress(OSError):
        # with what runs that were killed left there
        for path in plan.work.iterdir():
            if _OWN.fullmatch(path.name):
                path.unlink()
        plan.work.rmdir()
        plan.work.parent.rmdir()
