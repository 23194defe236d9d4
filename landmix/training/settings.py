"""What can be set of training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How training pixels are varied (`data.augment.*`)."""

    flips: bool = True
    """Mirror and transpose crops: eight ways to look at one place."""
    noise: float | None = None
    """Noise on each value: standard deviation in those of its band, times the square root of the number of bands.

    The more bands there are, the more a network can average white noise away; the factor leaves as much of it. None:
    0.025 for classes and none for fractions (`for_task`).
    """
    gain: float = 0.0
    """Standard deviation of a factor around 1 on all bands of a crop, less their means: contrast."""

    def __post_init__(self) -> None:
        for name in ("noise", "gain"):
            if not 0 <= (getattr(self, name) or 0) <= 10:  # noqa: PLR2004
                msg = f"data.augment.{name} must lie between 0 and 10, not {getattr(self, name):g}"
                raise ValueError(msg)

    def for_task(self, task: str) -> Augmentation:
        """With the noise that suits a task where none is given.

        Mixtures vary pixels enough. On the demo scene noise hid the texture that tells crops from grass: without it
        the largest error of a fraction fell from 0.13 to 0.08.
        """
        return self if self.noise is not None else replace(self, noise=0.0 if task == "fractions" else 0.025)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimSettings:
    """How the network is fitted (`optim.*`)."""

    schedule: Literal["onecycle", "constant"] = "onecycle"
    """`onecycle`: up and down once over all epochs; `constant`: with early stopping on a part of the training data."""
    epochs: int | None = None
    """Passes over the training crops; None: `steps` decides."""
    steps: int = 600
    """Optimiser steps to make where epochs is None, rounded up to whole passes over the training pixels."""
    batch: int = 128
    """Crops a step, over all processes."""
    lr: float = 6e-3
    """Highest learning rate."""
    weight_decay: float = 1e-2
    clip: float = 1.0
    """Largest norm of the gradient."""
    loss: Literal["cross_entropy", "focal", "gce"] = "cross_entropy"
    """`gce`, generalised cross entropy, learns less from labels that it thinks wrong; `focal` more from hard pixels."""
    focal_gamma: float = 2.0
    """How much less pixels that are surely right count; 0 is cross entropy."""
    gce_q: float = 0.7
    """From 0, cross entropy, to 1, the mean error, which wrong labels disturb least and which learns slowest."""
    whiten: float = 0.0
    """Begin with whitened bands, this share of a band's variance added to each direction; 0: a random start."""
    label_smoothing: float = 0.0
    """Of cross entropy; on few labels 0.05 tripled the calibration error and gained nothing."""
    patience: int = 10
    """Epochs without progress after which `constant` stops."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "patience"):
            if getattr(self, name) < 1:
                msg = f"optim.{name} must be at least 1, not {getattr(self, name)}"
                raise ValueError(msg)
        if self.epochs is not None and self.epochs < 1:
            msg = f"optim.epochs must be at least 1, not {self.epochs}"
            raise ValueError(msg)
        if not 0 < self.lr <= 1 or not 0 <= self.weight_decay < 1 or self.clip < 0:
            msg = "optim.lr must lie in (0, 1], optim.weight_decay in [0, 1) and optim.clip must be at least 0, not"
            msg += f" {self.lr:g}, {self.weight_decay:g} and {self.clip:g}"
            raise ValueError(msg)
        if not 0 <= self.whiten <= 1:
            msg = f"optim.whiten must lie between 0 and 1, not {self.whiten}"
            raise ValueError(msg)
        if not 0 <= self.label_smoothing < 1:
            msg = f"optim.label_smoothing must lie in [0, 1), not {self.label_smoothing:g}"
            raise ValueError(msg)
        if not 0 <= self.focal_gamma <= 10 or not 0 < self.gce_q <= 1:  # noqa: PLR2004
            msg = (
                "optim.focal_gamma must lie between 0 and 10 and optim.gce_q in (0, 1], not"
                f" {self.focal_gamma} and {self.gce_q}"
            )
            raise ValueError(msg)
        if self.label_smoothing and self.loss != "cross_entropy":
            msg = f"optim.label_smoothing belongs to cross_entropy: leave it at 0 with optim.loss={self.loss}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSettings:
    """How sure the model may be (`calibration.*`)."""

    folds: int = 3
    """Of the training part, each held back once to fit the temperature on; 0: confidence is left as it is."""

    def __post_init__(self) -> None:
        if self.folds != 0 and not 2 <= self.folds <= 100:  # noqa: PLR2004
            msg = f"calibration.folds must lie between 2 and 100, or be 0 for none, not {self.folds}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """How labelled pixels are split (`split.*`)."""

    kind: Literal["blocks", "polygons", "files", "random", "none"] = "blocks"
    side_m: float | None = None
    """Side of the blocks in metres (pixels without georeference); None: chosen by `default_side`."""
    fraction: float = 0.25
    """Share of the labelled pixels that validates in a single split."""
    folds: int = 1
    """From 2 on: cross-validation, each pixel validated once."""
    buffer_m: float | None = None
    """Least distance in metres between training and validation; None: `default_buffer`."""
    compare_random: bool = False
    """Fit once more with a random split, to say by how much that flatters."""

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            msg = f"split.fraction must lie between 0 and 1, not {self.fraction:g}"
            raise ValueError(msg)
        if not 1 <= self.folds <= 100:  # noqa: PLR2004
            msg = f"split.folds must lie between 1 and 100, not {self.folds}"
            raise ValueError(msg)
        if self.side_m is not None and not 0 < self.side_m < float("inf"):
            msg = f"split.side_m must be a length in metres, not {self.side_m:g}"
            raise ValueError(msg)
        if self.buffer_m is not None and not 0 <= self.buffer_m < float("inf"):
            msg = f"split.buffer_m must be a length in metres, not {self.buffer_m:g}"
            raise ValueError(msg)
        if self.compare_random and self.kind in ("random", "none"):
            msg = (
                "split.compare_random=true compares a random split with one that keeps pixels apart, which"
                f" split.kind={self.kind} does not: choose split.kind=blocks, polygons or files"
            )
            raise ValueError(msg)
