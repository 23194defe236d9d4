"""landmix predict: a model and scenes in, a map a scene out."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.classify.batch import Batch, Row
from landmix.classify.loaded import cores
from landmix.classify.plan import PredictSettings, check_outputs, outputs_for
from landmix.classify.prepare import reading
from landmix.classify.settle import Wish
from landmix.classify.share import Share
from landmix.classify.stages import Stages
from landmix.core.matching import may_miss
from landmix.engines.choose import choose
from landmix.errors import LandmixError, UsageError
from landmix.export.stac_catalogue import Catalogue
from landmix.files import is_remote, make_folder, write_json
from landmix.geo.paths import scene_entries
from landmix.geo.products.definition import as_data
from landmix.tasks.tables import batch_table

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from landmix.bundle import Bundle
    from landmix.geo.options import ReadOptions
    from landmix.geo.paths import Entry
    from landmix.progress import Progress
    from landmix.tasks.settings import PredictTask


def predict(task: PredictTask, progress: Progress) -> None:
    """Classify scenes into `task.out_dir`; one bad scene does not stop the others.

    Raises `LandmixError` at the end if any scene failed, `UsageError` before any work where names collide.
    """
    bundle = bundles.load(task.model, task.net.plugin, warn=progress.warn)
    may_miss(bundle.bands.inputs, task.allow_missing)  # what means no band is said before any work
    found = scene_entries(task.scenes, "scenes")
    folder = Path(task.out_dir)
    if task.executor.address is not None:  # other machines stand elsewhere
        folder, found = folder.absolute(), [entry.absolute() for entry in found]
    catalogue = Catalogue(folder, bundle, Path(task.model), wanted=task.stac and task.shard is None)
    batch = _batch(task, bundle, found, folder)
    check_outputs(bundle, batch.settings)
    _check_names(found, folder, batch.settings.outputs, catalogue)
    if task.executor.address is None:  # else the machines that compute are others
        choose(task.device, task.backend, task.precision)  # what cannot be had is said before any work
    make_folder(folder, task.limits.stale_after)
    rows: dict[int, Row] = {}
    stages = Stages()
    earlier, written = _earlier(folder, found), 0.0
    with contextlib.closing(_run(batch, task, stages, progress)) as ended:
        for number, classified in ended:
            row = rows[number] = _catalogued(catalogue, found[number], classified, batch)
            # while it goes on: a run that is killed has said what it did
            if batch.share is None and (time.monotonic() - written > 1 or len(rows) == len(found)):
                write_json(folder / "predict.json", [*earlier, *(asdict(rows[i]) for i in sorted(rows))])
                written = time.monotonic()
            _say(row, len(rows), len(found), progress)
    catalogue.close()
    if task.executor.kind == "dask":
        progress.say(batch_table([rows[i] for i in sorted(rows)]))
    if task.benchmark:
        progress.say(f"time of {batch.workers} workers: {stages}")
    failed = [rows[i] for i in sorted(rows) if rows[i].status == "failed"]
    if failed:
        where = f" (see {folder / 'predict.json'})" if batch.share is None else ""
        more = f"{len(failed)} of {len(rows)} scenes failed{where}: " if len(rows) > 1 else ""
        raise LandmixError(more + str(failed[0].error))


def _catalogued(catalogue: Catalogue, entry: Entry, row: Row, batch: Batch) -> Row:
    """A row, once a finished map has its item in the catalogue; a share of a map has none."""
    try:
        if row.status in {"done", "kept"} and batch.share is None:
            catalogue.add(entry, Path(row.map))
    except LandmixError as error:
        return replace(row, status="failed", error=str(error))
    return row


def _run(batch: Batch, task: PredictTask, stages: Stages, progress: Progress) -> Generator[tuple[int, Row]]:
    if task.executor.kind == "local":
        return batch.run(stages, progress)
    from landmix.classify.cluster import run_on_cluster  # noqa: PLC0415 - an optional dependency

    return run_on_cluster(batch, task.executor.address, stages, progress)


def _batch(task: PredictTask, bundle: Bundle, found: list[Entry], folder: Path) -> Batch:
    options, inherited = _read_options(bundle, task)
    return Batch(
        bundle=bundle,
        entries=found,
        folder=folder,
        settings=PredictSettings(
            outputs=outputs_for(bundle, task.outputs),
            dtype=task.dtype,
            tile=task.tiling.core,
            tta=task.tta,
            allow_missing=tuple(task.allow_missing),
            sieve=task.predict.sieve,
        ),
        wish=Wish(device=task.device, backend=task.backend, precision=task.precision),
        options=options,
        inherited=inherited,
        workers=task.executor.workers or cores(),
        limits=task.limits,
        overwrite=task.overwrite,
        stale_after=task.limits.stale_after,
        share=Share.parse(task.shard) if task.shard else None,
        only_finish=task.finish,
    )


def _earlier(folder: Path, found: list[Entry]) -> list[dict[str, Any]]:
    """Rows of earlier runs into the same folder, about other scenes."""
    now = {str(folder / f"{entry.stem}.tif") for entry in found}
    try:
        rows = json.loads((folder / "predict.json").read_text(encoding="utf-8"))
        return [row for row in rows if row["map"] not in now]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _check_names(found: list[Entry], folder: Path, outputs: Sequence[str], catalogue: Catalogue) -> None:
    """Every output needs a name of its own, and none may be an input of any scene, or what others put there."""
    maps = [folder / f"{entry.stem}.tif" for entry in found]
    suffixes = ["" if output == "classes" else f"_{output}" for output in outputs]
    targets = [folder / f"{entry.stem}{suffix}.tif" for entry in found for suffix in suffixes]
    documents = catalogue.targets(maps)
    seen: set[str] = set()
    # not Path.resolve: a link that leads to itself is an error there
    inputs = {os.path.realpath(path) for entry in found for path in entry.files if not is_remote(path)}
    for target in [*targets, *documents]:
        name = target.name.casefold()  # Windows and macOS do not tell case apart
        if name in seen:
            msg = f"two scenes would write {target.name}: give one another name with {{name: ..., path: ...}}"
            raise UsageError(msg)
        seen.add(name)
        if os.path.realpath(target) in inputs:
            what = "STAC item" if target in documents else "map"
            msg = f"the {what} {target} would replace an input: choose another out_dir"
            raise UsageError(msg)
    catalogue.check(maps)


def _read_options(bundle: Bundle, task: PredictTask) -> tuple[ReadOptions, bool]:
    """As the training scenes were read, unless the user says otherwise; and whether the scale is inherited so."""
    said = {key: value for key, value in asdict(task.scene).items() if value is not None}
    if "product" in said:
        said["product"] = as_data(said["product"])  # read once: it decides the map, and its tags hold it
    return reading(bundle, said)


def _say(row: Row, number: int, total: int, progress: Progress) -> None:
    what: dict[str, Any] = {
        "done": f"{row.map}: {row.megapixels or 0:.2f} Mpx in {row.seconds:.1f} s",
        "kept": f"{row.map} is done already",
        "parts": f"{row.map}: this share of its parts is done",
        "failed": f"{row.scene}: failed: {row.error}",
    }
    progress.say((f"[{number}/{total}] " if total > 1 else "") + what[row.status])
