"""landmix train: scenes and labels in, a model out."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from landmix import bundle as bundles
from landmix.baselines.classic import check_installed
from landmix.engines.choose import choose_device
from landmix.errors import LandmixError
from landmix.files import make_folder, replacing, write_json, write_text
from landmix.geo.products.definition import as_data
from landmix.geo.remote import content_hash
from landmix.nn.build import build
from landmix.progress import Silent
from landmix.tasks.apart import likeness, never_validated, too_near
from landmix.tasks.flattery import random_facts, random_parts, random_words
from landmix.tasks.parts import hashes_of, open_parts
from landmix.tasks.results import Results
from landmix.tasks.training_page import page
from landmix.tasks.trust import calibrate, hold_back, notes, refer
from landmix.tasks.worth import judge_folds
from landmix.training.fit import FitSettings, Fitted, fit
from landmix.training.folder import RunFolder
from landmix.training.loggers import check_logger, make_logger
from landmix.training.prepare import Part, Prepared, prepare
from landmix.training.processes import Processes, join
from landmix.training.split import default_side, stopping_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.accuracy.variogram import Variogram
    from landmix.progress import Progress
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


class Held(NamedTuple):
    """What a network says of pixels that it was not trained on."""

    logits: NDArray[np.float32]
    """(V, K)."""
    mixtures: NDArray[np.float64]
    """(n, K) errors of the fractions in mixtures of them; no rows but with task=fractions."""


class Run:
    """One training run: fits of the folds, and the fit that becomes the model."""

    def __init__(
        self, settings: TrainSettings, folder: RunFolder, device: str, processes: Processes, progress: Progress
    ) -> None:
        self.settings, self.folder, self.device = settings, folder, device
        self.processes, self.progress = processes, progress
        self.data: Prepared
        self.logits: NDArray[np.float32]
        """(N, K) of the labelled pixels that were validated; NaN for the others."""
        self.variogram: Variogram
        self.mixtures: list[NDArray[np.float64]] = []
        """A fold that was validated: errors of the fractions in mixtures (n, K), with task=fractions."""

    def prepare(self, training: Part, validation: Part | None) -> None:
        """Decode the labelled pixels and split them."""
        settings = self.settings
        bands = training.scenes[0].bands
        self.folder.work.mkdir(parents=True, exist_ok=True)
        self.data = prepare(
            training,
            validation,
            legend_file=settings.data.legend,
            split=settings.split,
            margin=build(settings.net, len(bands), 2, bands.runs).margin,
            side=settings.data.cell,
            erode=settings.data.erode,
            memory=int(settings.data.memory_gb * 2**30),
            cache=self.folder.work / f"samples-{self.processes.rank}",
            seed=settings.seed,
            progress=self.progress,
            once=self.processes.from_first,
        )
        self.logits = np.full((len(self.data.samples.labelled), self.data.classes), np.nan, np.float32)
        for fold in range(self.data.split.folds):
            self._check_classes(self.data.split.training(fold))
        self.variogram = self.processes.from_first(lambda: likeness(self.data))
        for text in self.notes():
            self.progress.warn(text)

    def _check_classes(self, training: NDArray[np.bool_]) -> None:
        if len(np.unique(self.data.samples.labelled.index[training])) < 2:  # noqa: PLR2004
            msg = (
                "fewer than two classes are left to train on, because the validation part and its buffer take the"
                " others: choose smaller blocks with split.side_m, or split.kind=polygons"
            )
            raise LandmixError(msg)

    def notes(self) -> list[str]:
        """What a user should know of the data and the split; said at once and kept in the report."""
        notes = []
        if self.data.left_out:
            notes.append(f"bands left out because they are nodata at every label: {', '.join(self.data.left_out)}")
        if self.settings.split.kind == "random" and self.data.own_validation is None:
            notes.append(
                "split.kind=random flatters: validation pixels lie beside training pixels and are nearly their copies;"
                " split.kind=blocks tells how the model does elsewhere"
            )
        if 0 < self.data.split.folds < self.settings.split.folds:
            wanted, got = self.settings.split.folds, self.data.split.folds
            notes.append(f"split.folds={wanted} is more than the groups of the labels allow: there are {got} folds")
        return [*notes, *too_near(self.data, self.settings, self.variogram), *never_validated(self.data)]

    def fit_all(self) -> Results:
        """Fit the folds, or inner ones where there are none, then the model itself.

        After cross-validation, and with `refit` or without validation, the model is trained on all labels; after a
        single split it is the one that was validated.
        """
        split, folds = self.data.split, range(self.data.split.folds)
        every = split.trainable
        if self.data.own_validation is not None:
            every = split.training(0)
        again = len(folds) != 1 or self.settings.refit
        wanted = self.settings.calibration.folds > 0 and self.settings.task == "classes"
        held = hold_back(self) if wanted and len(folds) < 2 else None  # noqa: PLR2004
        if again:
            for fold in folds:
                self._validate(fold)
            fitted = self._fit(every, None, self.folder.root, "train the model on all labels" if folds else "train")
        else:
            fitted = self._fit(split.training(0), split.validation(0), self.folder.root, "train")
            self._keep(0, self._held(fitted, split.validation(0)))
        trained = every if again else split.training(0)
        if (stopping := self.stopping(trained)) is not None:
            trained = trained & ~stopping
        calibration = calibrate(self, held) if wanted else None
        reference = refer(self, fitted, trained) if self.processes.first else None
        trust = notes(calibration, reference, own=self.settings.net.plugin is not None)
        for text in trust:
            self.progress.warn(text)
        random = self._random() if self.settings.split.compare_random else None
        baseline = self.settings.baseline and self.processes.first
        return Results(
            settings=self.settings,
            data=self.data,
            fitted=fitted,
            trained=trained,
            logits=self.logits,
            mixtures=np.concatenate(self.mixtures) if self.mixtures else None,
            calibration=calibration,
            reference=reference,
            baselines=judge_folds(self.data, self.settings.seed, self.progress.say) if baseline else [],
            variogram=self.variogram,
            random=random,
            notes=[
                *self.notes(),
                *([random_words(random)] if random else []),
                *trust,
            ],
            device=self.device,
        )

    def _validate(self, fold: int) -> None:
        split = self.data.split
        name = f"fold {fold + 1} of {split.folds}"
        self._keep(fold, self.fit_held(f"fold-{fold + 1}", name, split.training(fold), split.validation(fold)))

    def _random(self) -> dict[str, Any]:
        """Fit once more, with validation pixels drawn at random; what that says is only a warning."""
        parts = random_parts(self.data, self.settings)
        held = self.fit_held("fold-random", "random split", parts.training, parts.validation)
        here = np.isfinite(self.logits[:, 0])
        honest = float((self.logits[here].argmax(1) == self.data.samples.labelled.index[here]).mean())
        facts = random_facts(self.data, parts, held.logits.argmax(1).astype(np.int16), honest)
        self.progress.warn(random_words(facts))
        return facts

    def fit_held(self, key: str, name: str, training: NDArray[np.bool_], validation: NDArray[np.bool_]) -> Held:
        """What a network fitted to `training` (N,) says of `validation` (N,).

        It is kept in the file `key`, so that a run that goes on does not fit it again.
        """
        known = self.folder.work / f"{key}.npz"
        if known.exists():
            with np.load(known) as kept:
                return Held(**kept)
        held = self._held(self._fit(training, validation, self.folder.work / key, name), validation)
        if self.processes.first:
            with replacing(known) as temporary:
                np.savez(temporary, **held._asdict())
        return held

    def _held(self, fitted: Fitted, validation: NDArray[np.bool_]) -> Held:
        samples = self.data.samples
        mixed = validation if self.settings.task == "fractions" else np.zeros_like(validation)
        return Held(fitted.logits(samples, validation), fitted.mixture_errors(samples, mixed, self.settings.seed))

    def _keep(self, fold: int, held: Held) -> None:
        self.logits[self.data.split.validation(fold)] = held.logits
        self.mixtures.append(held.mixtures)

    def _fit(
        self, training: NDArray[np.bool_], validation: NDArray[np.bool_] | None, folder: Path, name: str
    ) -> Fitted:
        settings, data = self.settings, self.data
        make_folder(folder, settings.limits.stale_after)
        stopping = self.stopping(training)
        if stopping is not None:
            training = training & ~stopping
        return fit(
            data.samples,
            training,
            validation,
            self._fit_settings(),
            data.legend,
            classes=data.classes,
            folder=folder,
            name=name,
            processes=self.processes,
            progress=self.progress,
            stopping=stopping,
            logger=make_logger(settings.logger.name, folder) if self.processes.first else None,
            resume=settings.resume,
        )

    def stopping(self, training: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """What of the pixels `training` (N,) decides when to stop, where that is wanted."""
        settings, data = self.settings, self.data
        if settings.optim.schedule != "constant":
            return None
        side = data.split.side or default_side(data.samples.margin + data.reach, data.pixel, data.split.xy)
        return stopping_part(data.samples.labelled, data.split, training, side=side, seed=settings.seed)

    def _fit_settings(self) -> FitSettings:
        settings = self.settings
        bf16 = settings.precision == "bf16" or (settings.precision == "auto" and self.device == "cuda")
        return FitSettings(
            task=settings.task,
            net=settings.net,
            optim=settings.optim,
            augmentation=settings.data.augment,
            balance=settings.data.balance,
            seed=settings.seed,
            device=self.device,
            precision="bf16" if bf16 else "fp32",
        )


def _write(folder: RunFolder, results: Results, config: dict[str, Any], progress: Progress) -> None:
    """Model, figures and report; the model last, so that where it is everything is."""
    write_json(folder.root / "metrics.json", {**results.metrics, "network": results.cost})
    write_text(folder.root / "report.html", page(results, config))
    bundles.save(results.bundle(), folder.model)
    folder.end()
    progress.say(results.table())
    paths = ", ".join(name for name in ("model.ckpt", "metrics.json", "report.html", "train.csv"))
    progress.say(f"{paths} are in {folder.root}{os.sep}")
