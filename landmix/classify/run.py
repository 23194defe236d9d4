"""Finish: from a model and a scene to a map under its final name."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import rasterio
import torch
from filelock import FileLock, Timeout

from landmix.classify.pipeline import Workers, classify_shard
from landmix.classify.strange import strangeness
from landmix.errors import LandmixError
from landmix.files import local_file, make_folder
from landmix.geo.opening import open_raster
from landmix.geo.sidecars import sidecar_paths, write_sidecars
from landmix.geo.writing import Mosaic, read_back, write_cog
from landmix.predictor import Predictor

if TYPE_CHECKING:
    from landmix.bundle import Bundle
    from landmix.classify.plan import Layer, Plan
    from landmix.progress import Progress

_CACHE = 256 * 2**20
"""Bytes of GDAL's block cache: aligned reads need little, and its default grows with the machine's memory."""


def classify(plan: Plan, bundle: Bundle, *, workers: int, overwrite: bool, progress: Progress) -> str:
    """Classify one scene; returns `done`, or `kept` where an earlier run had finished it.

    Raises `LandmixError` where another map lies at the target, another run works on it, or a file cannot be read or
    written; an older map is then untouched.
    """
    _check_targets(plan)
    make_folder(plan.work)
    lock = FileLock(plan.work / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        msg = f"another landmix is classifying into {plan.target}: wait for it, or choose another out_dir"
        raise LandmixError(msg) from None
    try:
        status = _classify(plan, bundle, workers, overwrite=overwrite, progress=progress)
        for part in plan.work.glob("*.tif"):
            part.unlink()
    finally:
        lock.release()
        _remove_if_empty(plan)
    return status


def _classify(plan: Plan, bundle: Bundle, workers: int, *, overwrite: bool, progress: Progress) -> str:
    missing = [layer for layer in plan.layers if not _finished(plan, layer, overwrite=overwrite)]
    if missing:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE):
            if warning := strangeness(plan.scene, bundle):
                progress.warn(warning)
            _shards(plan, bundle, workers, progress)
        for layer in missing:
            _assemble(plan, layer, bundle)
    elif "classes" in plan.settings.outputs and not all(
        sidecar_paths(plan.target)[kind].exists() for kind in ("qml", "aux", "vat")
    ):
        # a run that was killed between the map and its style
        write_sidecars(plan.target, bundle.legend, _without_nodata(read_back(plan.target), bundle))
    return "done" if missing else "kept"


def _shards(plan: Plan, bundle: Bundle, count: int, progress: Progress) -> None:
    predictor = Predictor(
        bundle,
        scaling=plan.scene.scaling,
        nodata=plan.scene.nodata,
        device=torch.device(plan.settings.device),
        precision=plan.settings.precision,
        probabilities=any(layer.name != "classes" for layer in plan.layers),
    )
    total = plan.scene.grid.window.size / 1e6
    done = 0.0

    def advance(pixels: int) -> None:
        nonlocal done
        done += pixels / 1e6
        progress.step(f"classify {plan.scene.name}", done, total, "Mpx")

    with Workers(plan, predictor, bundle.legend, count) as workers:
        for shard in plan.shards:
            if all(plan.part(layer, shard).exists() for layer in plan.layers):
                advance(shard.size)
            else:
                classify_shard(plan, workers, shard, advance)


def _check_targets(plan: Plan) -> None:
    """No output may be an input, not even through a link."""
    for layer in plan.layers:
        path = plan.path(layer)
        if path.exists() and any(path.samefile(file) for file in map(local_file, plan.scene.files) if file is not None):
            msg = f"the map {path} would replace its own input: choose another out_dir"
            raise LandmixError(msg)


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
        for key in ("model", "input", "settings", "version")
        if tags.get(f"LANDMIX_{key.upper()}") != plan.tags[f"LANDMIX_{key.upper()}"]
    ]
    what = f"another {' and '.join(differing)}" if "LANDMIX_DIGEST" in tags else "something else than landmix"
    msg = f"{path} exists and was made by {what}: choose another out_dir, or replace it with overwrite=true"
    raise LandmixError(msg)


def _assemble(plan: Plan, layer: Layer, bundle: Bundle) -> None:
    """Put the parts of a layer together under its final name, with what GIS programs look for beside it."""
    target = plan.path(layer)
    parts = [(shard, plan.part(layer, shard)) for shard in plan.shards]
    classes = layer.name == "classes"
    expected: dict[int, int] = {}
    for _, path in parts:
        for value, count in read_back(path).items():
            expected[value] = expected.get(value, 0) + count
    mosaic = Mosaic(
        parts=parts,
        grid=plan.scene.grid,
        dtype=layer.dtype,
        nodata=layer.nodata,
        bands=layer.bands,
        tags=plan.tags,
        scale=layer.scale,
        legend=bundle.legend if classes else None,
    )
    counts = write_cog(mosaic, target, expected)
    if classes:
        write_sidecars(target, bundle.legend, _without_nodata(counts, bundle))


def _without_nodata(counts: dict[int, int], bundle: Bundle) -> dict[int, int]:
    return {value: count for value, count in counts.items() if value != bundle.legend.nodata}


def _remove_if_empty(plan: Plan) -> None:
    """The folders of unfinished work go with the last part in them."""
    if any(plan.work.glob("*.tif")):
        return
    with contextlib.suppress(OSError):
        (plan.work / "lock").unlink(missing_ok=True)
        plan.work.rmdir()
        plan.work.parent.rmdir()
