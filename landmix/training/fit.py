"""Fitting one network to one part of the samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightning
import numpy as np
import torch

from landmix.accuracy.confusion import Confusion
from landmix.core.scaling import Affine, standardise
from landmix.errors import LandmixError
from landmix.nn.build import AnyNetwork, build
from landmix.nn.network import Network
from landmix.training.batches import TrainingCrops
from landmix.training.callbacks import Figures, History, StopEarly, often
from landmix.training.checkpoint import WholeCheckpointIO, to_go_on_from
from landmix.training.scoring import judged, mixture_errors, score
from landmix.training.statistics import band_statistics, class_weights
from landmix.training.task import PixelTask
from landmix.training.whitening import whiten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lightning.pytorch.loggers import Logger
    from numpy.typing import NDArray

    from landmix.core.legend import Legend
    from landmix.nn.spec import NetShape
    from landmix.progress import Progress
    from landmix.samples import Samples
    from landmix.training.processes import Processes
    from landmix.training.settings import Augmentation, OptimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Everything that decides what a fit gives, beside the samples."""

    task: str = "classes"
    """`classes`, or `fractions`: trained on mixtures of the labelled pixels."""
    net: NetShape
    optim: OptimSettings
    augmentation: Augmentation
    balance: str
    seed: int
    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`fp32` or `bf16`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A network and what it takes to feed it."""

    network: AnyNetwork
    """On the CPU, ready to predict."""
    channels: NDArray[np.intp]
    """The bands of the samples that it sees: those that vary in its training pixels."""
    normalise: Affine
    """Physical values of those bands -> network input."""
    history: list[Figures]
    """A row an epoch."""

    def logits(self, samples: Samples, chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
        """What it says of the labelled pixels `chosen` (N,), in their order: (V, K)."""
        place = np.cumsum(chosen) - 1
        found = np.empty((int(chosen.sum()), self.network.spec.classes), np.float32)
        for numbers, logits in self.judged(samples, chosen):
            found[place[numbers]] = logits
        return found

    def judged(
        self, samples: Samples, chosen: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Logits of the labelled pixels `chosen` (N,), in pieces: their numbers (n,), logits (n, K)."""
        return judged(self.network, samples, chosen, channels=self.channels, normalise=self.normalise)

    def mixture_errors(self, samples: Samples, chosen: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
        """Fractions that it finds in mixtures of the labelled pixels `chosen` (N,), less the truth: (n, K)."""
        return mixture_errors(
            self.network,
            samples,
            chosen,
            channels=self.channels,
            normalise=self.normalise,
            classes=self.network.spec.classes,
            seed=seed,
        )

    def confusion(self, samples: Samples, chosen: NDArray[np.bool_], legend: Legend) -> Confusion:
        """How it does on the labelled pixels `chosen` (N,)."""
        counts = score(
            self.network, samples, chosen, channels=self.channels, normalise=self.normalise, classes=len(legend)
        )
        return Confusion(classes=legend.classes, counts=counts)


def fit(
    samples: Samples,
    training: NDArray[np.bool_],
    validation: NDArray[np.bool_] | None,
    settings: FitSettings,
    legend: Legend,
    *,
    classes: int,
    folder: Path,
    name: str,
    processes: Processes,
    progress: Progress,
    stopping: NDArray[np.bool_] | None = None,
    logger: Logger | None = None,
    resume: bool = False,
) -> Fitted:
    """Fit a network to the labelled pixels `training` (N,).

    The network learns the first `classes` of the legend. `validation` is only watched; `stopping` (with a constant
    rate) decides when to stop. The state to go on from and the table of epochs lie in `folder` as `last.ckpt` and
    `train.csv`; `resume` goes on from there. Raises `LandmixError` where all bands are constant.
    """
    statistics = band_statistics(samples, training)
    channels = statistics.varying
    if not len(channels):
        msg = "every band is constant over the training pixels of this part: nothing can be learnt"
        raise LandmixError(msg)
    normalise = standardise(statistics.mean[channels], statistics.std[channels])
    crops = TrainingCrops(
        samples,
        training,
        channels=channels,
        normalise=normalise,
        augmentation=settings.augmentation,
        seed=settings.seed,
        rank=processes.rank,
        world=processes.world,
        mixed=classes if settings.task == "fractions" else None,
    )
    loader = crops.loader(settings.optim.batch, pinned=settings.device == "cuda")
    steps = len(loader)  # an epoch
    epochs = settings.optim.epochs or max(1, math.ceil(settings.optim.steps / steps))
    counts = np.bincount(samples.labelled.index[training], minlength=classes)
    weights = torch.from_numpy(class_weights(counts, settings.balance))
    torch.manual_seed(settings.seed)
    bands = samples.bands.take(channels.tolist())
    if settings.net.fusion and len(bands.runs) < 2:  # noqa: PLR2004
        msg = "net.fusion=true needs bands of several sensors or dates, with roles: data.scenes=[{jan: A, jul: B}]"
        raise LandmixError(msg)
    network = build(settings.net, len(bands), classes, bands.runs)
    if network.margin != samples.margin:
        msg = f"the margin of net.plugin={settings.net.plugin} must not depend on the number of bands"
        raise LandmixError(msg)
    if settings.optim.whiten and isinstance(network, Network):
        whiten(network, samples, training, channels, normalise, settings.optim.whiten)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = PixelTask(network, weights, settings.optim, seed=settings.seed, total=steps * epochs)

    def counted(chosen: NDArray[np.bool_]) -> Confusion:
        matrix = score(network, samples, chosen, channels=channels, normalise=normalise, classes=len(legend))
        return Confusion(classes=legend.classes, counts=matrix)

    def measure() -> Figures:
        confusion = counted(validation) if validation is not None else None
        if confusion is None:
            return {}
        return {"val_overall_accuracy": confusion.overall_accuracy, "val_macro_f1": confusion.macro_f1}

    watched = validation is not None and bool(validation.any())
    history = History(folder / "train.csv" if processes.first else None, measure if watched else None, progress, name)
    callbacks: list[lightning.Callback] = [history, to_go_on_from(folder / "last.ckpt", often(epochs))]
    if stopping is not None:
        # 1 - macro F1 needs no loss of its own and falls as the network gets better
        callbacks.append(StopEarly(lambda: 1 - counted(stopping).macro_f1, settings.optim.patience))
    trainer = _trainer(settings, processes, epochs, callbacks, logger, folder)
    last = folder / "last.ckpt"
    try:
        trainer.fit(task, loader, ckpt_path=str(last) if resume and last.is_file() else None)
    except SystemExit as error:
        # Lightning turns Ctrl-C into an exit of its own
        raise (error.__context__ if isinstance(error.__context__, KeyboardInterrupt) else error) from None
    return Fitted(
        network=network.cpu().eval().requires_grad_(requires_grad=False),
        channels=channels,
        normalise=normalise,
        history=history.rows,
    )


def _trainer(
    settings: FitSettings,
    processes: Processes,
    epochs: int,
    callbacks: list[lightning.Callback],
    logger: Logger | None,
    folder: Path,
) -> lightning.Trainer:
    """Lightning's trainer, silent and without loaders, samplers or files of its own choosing."""
    return lightning.Trainer(
        accelerator="gpu" if settings.device == "cuda" else "cpu",
        devices=processes.devices,
        num_nodes=processes.nodes,
        strategy="ddp" if processes.world > 1 else "auto",
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
        max_epochs=epochs,
        gradient_clip_val=settings.optim.clip or None,
        callbacks=callbacks,
        logger=logger or False,
        plugins=[WholeCheckpointIO()],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic=True,
    )
