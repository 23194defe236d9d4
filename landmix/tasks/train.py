"""landmix train: scenes and labels in, a model out."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.baselines.classic import check_installed
from landmix.engines.choose import choose_device
from landmix.files import write_json, write_text
from landmix.geo.products.definition import as_data
from landmix.geo.remote import content_hash
from landmix.progress import Silent
from landmix.tasks.parts import hashes_of, open_parts
from landmix.tasks.run import Run
from landmix.tasks.training_page import page
from landmix.training.folder import RunFolder
from landmix.training.loggers import check_logger
from landmix.training.processes import join

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.results import Results
    from landmix.tasks.settings import TrainSettings


def train(settings: TrainSettings, progress: Progress) -> float | None:
    """Train a model; returns the macro F1 of its validation part (None without one).

    Writes into `settings.out_dir`. Raises `LandmixError` for what the user can mend.
    """
    device = choose_device(settings.device).type
    processes = join(settings.trainer.devices, settings.trainer.num_nodes, device)
    progress = progress if processes.first else Silent()
    folder = RunFolder(Path(settings.out_dir), settings.limits.stale_after)
    # config.yaml and the model hold what a product file says, which is read once, and what suits the task
    settings = replace(
        settings,
        scene=replace(settings.scene, product=as_data(settings.scene.product)),
        data=replace(settings.data, augment=settings.data.augment.for_task(settings.task)),
    )
    config: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    check_logger(settings.logger.name)
    if settings.baseline:
        check_installed()
    resume, overwrite = settings.resume, settings.overwrite
    if processes.from_first(lambda: folder.finished(config, resume=resume, overwrite=overwrite)):
        progress.say(f"{folder.model} is finished already")
        return _known_figure(folder)
    training, validation = open_parts(settings, progress)
    hashes = [*hashes_of(training, validation), *([content_hash(settings.net.plugin)] if settings.net.plugin else [])]
    with folder.claimed() if processes.first else contextlib.nullcontext():
        run = Run(settings, folder, device, processes, progress)
        run.prepare(training, validation)
        processes.from_first(lambda: folder.begin(config, hashes, resume=resume))
        results = run.fit_all()
        if not processes.first:
            return None
        _write(folder, results, config, progress)
        return results.macro_f1


def _known_figure(folder: RunFolder) -> float | None:
    """Macro F1 of a run that is finished; None where somebody has taken its figures away."""
    try:
        figure = json.loads((folder.root / "metrics.json").read_text(encoding="utf-8")).get("macro_f1")
    except (OSError, ValueError):
        return None
    return None if figure is None else float(figure)


def _write(folder: RunFolder, results: Results, config: dict[str, Any], progress: Progress) -> None:
    """Model, figures and report; the model last, so that where it is everything is."""
    write_json(folder.root / "metrics.json", {**results.metrics, "network": results.cost})
    write_text(folder.root / "report.html", page(results, config))
    bundles.save(results.bundle(), folder.model)
    folder.end()
    progress.say(results.table())
    paths = ", ".join(name for name in ("model.ckpt", "metrics.json", "report.html", "train.csv"))
    progress.say(f"{paths} are in {folder.root}{os.sep}")
