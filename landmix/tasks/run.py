"""One training run: its folds, what calibrates it, and the fit that becomes the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from landmix.errors import LandmixError
from landmix.files import make_folder, replacing
from landmix.nn.build import build
from landmix.tasks.apart import likeness, never_validated, too_near
from landmix.tasks.flattery import random_facts, random_parts, random_words
from landmix.tasks.results import Results
from landmix.tasks.trust import calibrate, hold_back, notes, refer
from landmix.tasks.worth import judge_folds
from landmix.training.fit import FitSettings, Fitted, fit
from landmix.training.loggers import make_logger
from landmix.training.prepare import Part, Prepared, prepare
from landmix.training.split import default_side, stopping_part

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.accuracy.variogram import Variogram
    from landmix.progress import Progress
    from landmix.tasks.settings import TrainSettings
    from landmix.training.folder import RunFolder
    from landmix.training.processes import Processes


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
