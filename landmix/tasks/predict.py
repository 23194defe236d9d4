"""landmix predict: a model and scenes in, a map a scene out."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.classify.plan import PredictSettings
from landmix.classify.prepare import as_trained, plan_scene
from landmix.classify.run import classify
from landmix.errors import LandmixError, UsageError
from landmix.files import is_remote, make_folder, write_json
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries
from landmix.geo.products.definition import as_data
from landmix.geo.remote import shown
from landmix.predictor import choose_device
from landmix.progress import Heard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.bundle import Bundle
    from landmix.geo.paths import Entry
    from landmix.progress import Progress
    from landmix.tasks.settings import PredictTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of `predict.json`."""

    scene: str
    map: str
    status: str
    """`done`, `kept` (it was finished already) or `failed`."""
    seconds: float
    megapixels: float | None
    warnings: list[str]
    error: str | None


def predict(task: PredictTask, progress: Progress) -> None:
    """Classify scenes into `task.out_dir`; one bad scene does not stop the others.

    Raises `LandmixError` at the end if any scene failed, `UsageError` before any work where names collide.
    """
    bundle = bundles.load(task.model)
    found = scene_entries(task.scenes, "scenes")
    folder = Path(task.out_dir)
    _check_names(found, folder, task.outputs)
    settings = _settings(task)
    make_folder(folder)
    rows: list[Row] = []
    for number, entry in enumerate(found, start=1):
        rows.append(_one(bundle, entry, folder, task, settings, progress))
        # after each scene: a run that is killed has said what it did
        write_json(folder / "predict.json", [*_earlier(folder, found), *(asdict(row) for row in rows)])
        _say(rows[-1], number, len(found), progress)
    failed = [row for row in rows if row.status == "failed"]
    if failed:
        more = f"{len(failed)} of {len(rows)} scenes failed (see {folder / 'predict.json'}): " if len(rows) > 1 else ""
        raise LandmixError(more + str(failed[0].error))


def _earlier(folder: Path, found: list[Entry]) -> list[dict[str, Any]]:
    """Rows of earlier runs into the same folder, about other scenes."""
    now = {str(folder / f"{entry.stem}.tif") for entry in found}
    try:
        rows = json.loads((folder / "predict.json").read_text(encoding="utf-8"))
        return [row for row in rows if row["map"] not in now]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _check_names(found: list[Entry], folder: Path, outputs: Sequence[str]) -> None:
    """Every output needs a name of its own, and none may be an input of any scene."""
    suffixes = ["" if output == "classes" else f"_{output}" for output in outputs]
    targets = [folder / f"{entry.stem}{suffix}.tif" for entry in found for suffix in suffixes]
    names = [target.name.casefold() for target in targets]  # Windows and macOS do not tell case apart
    doubled = next((target for target, name in zip(targets, names, strict=True) if names.count(name) > 1), None)
    if doubled is not None:
        msg = f"two scenes would write {doubled.name}: give one another name with {{name: ..., path: ...}}"
        raise UsageError(msg)
    inputs = {Path(path).resolve() for entry in found for path in entry.files if not is_remote(path)}
    for target in targets:
        if target.resolve() in inputs:
            msg = f"the map {target} would replace an input: choose another out_dir"
            raise UsageError(msg)


def _settings(task: PredictTask) -> PredictSettings:
    device = choose_device(task.device).type
    bf16 = task.precision == "bf16" or (task.precision == "auto" and device == "cuda")
    return PredictSettings(
        outputs=tuple(task.outputs),
        dtype=task.dtype,
        precision="bf16" if bf16 else "fp32",
        device=device,
        tile=task.tiling.core,
    )


def _read_options(bundle: Bundle, task: PredictTask) -> tuple[ReadOptions, bool]:
    """As the training scenes were read, unless the user says otherwise; and whether the scale is inherited so."""
    said = {key: value for key, value in asdict(task.scene).items() if value is not None}
    if "product" in said:
        said["product"] = as_data(said["product"])  # read once: it decides the map, and its tags hold it
    if "scale" in said:
        said.setdefault("offset", None)  # the other half of what the user says
    return ReadOptions(**{**as_trained(bundle), **said}), not {"scale", "offset"} & set(said)


def _one(
    bundle: Bundle, entry: Entry, folder: Path, task: PredictTask, settings: PredictSettings, progress: Progress
) -> Row:
    start = time.monotonic()
    heard = Heard(progress)
    target = folder / f"{entry.stem}.tif"
    megapixels, status, error = None, "failed", None
    try:
        options, inherited = _read_options(bundle, task)
        plan = plan_scene(bundle, entry, target, settings, options=options, inherited=inherited, progress=heard)
        megapixels = plan.scene.grid.window.size / 1e6
        workers = task.executor.workers or (os.cpu_count() or 1)
        status = classify(plan, bundle, workers=workers, overwrite=task.overwrite, progress=heard)
    except LandmixError as problem:
        error = str(problem)
    except Exception as problem:  # noqa: BLE001 - one bad scene does not stop the others
        error = f"{entry.files[0]} could not be classified ({type(problem).__name__}: {problem})"
    return Row(
        scene=", ".join(map(shown, entry.files)),
        map=str(target),
        status=status,
        seconds=round(time.monotonic() - start, 3),
        megapixels=megapixels,
        warnings=heard.warnings,
        error=error,
    )


def _say(row: Row, number: int, total: int, progress: Progress) -> None:
    what: dict[str, Any] = {
        "done": f"{row.map}: {row.megapixels or 0:.2f} Mpx in {row.seconds:.1f} s",
        "kept": f"{row.map} is done already",
        "failed": f"{row.scene}: failed: {row.error}",
    }
    progress.say((f"[{number}/{total}] " if total > 1 else "") + what[row.status])
