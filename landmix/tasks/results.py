"""What a training run leaves behind: figures, a table, and the model file's content."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import torch

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.accuracy.fractions import FractionErrors
from landmix.accuracy.groups import class_intervals
from landmix.bundle import Bundle
from landmix.core.scaling import Affine
from landmix.engines.choose import choose
from landmix.engines.measure import megapixels_per_second
from landmix.geo.ground import pixel_size
from landmix.geo.remote import content_hash, shown
from landmix.tasks.apart import distance_facts, split_facts
from landmix.tasks.folds import fold_lines, fold_rows, folds_summary
from landmix.tasks.tables import accuracy_table, baseline_table, calibration_lines, fractions_table
from landmix.tasks.worth import baseline_rows, interval
from landmix.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from landmix.accuracy.calibration import Calibration
    from landmix.accuracy.groups import Interval
    from landmix.accuracy.variogram import Variogram
    from landmix.baselines.classic import Judged
    from landmix.geo.scene import Scene
    from landmix.nn.reference import Reference
    from landmix.tasks.settings import TrainSettings
    from landmix.training.fit import Fitted
    from landmix.training.prepare import Prepared


@dataclass(frozen=True, kw_only=True)
class Results:
    """A finished training run."""

    settings: TrainSettings
    data: Prepared
    fitted: Fitted
    trained: NDArray[np.bool_]
    """(N,) the labelled pixels that the model was trained on."""
    logits: NDArray[np.float32]
    """(N, K) of the validated pixels; NaN for the others."""
    mixtures: NDArray[np.float64] | None
    """(n, K) errors of the fractions in mixtures of validated pixels; no rows but with task=fractions."""
    calibration: Calibration | None
    """None where it was not wanted."""
    reference: Reference | None
    baselines: list[Judged]
    """What plain classifiers say of them, (N,) too."""
    variogram: Variogram
    """How far labelled pixels of a class are alike."""
    random: dict[str, Any] | None
    """What a random split would have said, if that was asked for."""
    notes: list[str]
    device: str

    @cached_property
    def predicted(self) -> NDArray[np.int16]:
        """(N,) what the validated pixels were said to be; -1 for the others."""
        validated = np.isin(self.data.split.fold, range(self.data.split.folds))
        return np.where(validated, self.logits.argmax(1), -1).astype(np.int16)

    @property
    def macro_f1(self) -> float | None:
        """Of the validation part."""
        figure = self.metrics["macro_f1"]
        return None if figure is None else float(figure)

    @cached_property
    def folds(self) -> list[Confusion]:
        """A fold; empty without validation."""
        return [self._count(self.data.split.validation(fold)) for fold in range(self.data.split.folds)]

    def _count(self, validation: NDArray[np.bool_]) -> Confusion:
        legend, index = self.data.legend, self.data.samples.labelled.index
        counts = count_pairs(index[validation], self.predicted[validation], len(legend))
        return Confusion(classes=legend.classes, counts=counts)

    @cached_property
    def confusion(self) -> Confusion:
        """Over all folds."""
        count = len(self.data.legend)
        counts = sum((fold.counts for fold in self.folds), np.zeros((count, count), np.int64))
        return Confusion(classes=self.data.legend.classes, counts=counts)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """`metrics.json`: figures of the validation part, and how it was chosen."""
        counts = np.bincount(self.data.samples.labelled.index[self.trained], minlength=len(self.data.legend))
        mixtures = {"fractions": self._fractions()} if self.settings.task == "fractions" else {}
        return {
            **self.confusion.to_json(),
            "classes": self._classes(),
            **mixtures,
            "split": split_facts(self.data, self.settings, self.variogram),
            "distance_m": distance_facts(self.data),
            "random_split": self.random,
            "overall_accuracy_interval": asdict(self._interval) if self._interval else None,
            "baselines": baseline_rows(self.data, self.predicted, self.baselines, self.settings.seed),
            "folds": (folds := fold_rows(self.folds)),
            "folds_summary": folds_summary(folds),
            "trained_on": {c.name: int(n) for c, n in zip(self.data.legend, counts, strict=True)},
            "calibration": self.calibration.to_json() if self.calibration else None,
            "applicability": _known(self.reference),
            "warnings": self.notes,
        }

    def _classes(self) -> list[dict[str, Any]]:
        """A row a class, with the intervals of its figures over polygons or blocks."""
        here, index, group = self.predicted >= 0, self.data.samples.labelled.index, self.data.split.group
        found = class_intervals(
            index[here], self.predicted[here], group[here], len(self.data.legend), self.settings.seed
        )
        return [row | more for row, more in zip(self.confusion.to_json()["classes"], found, strict=True)]

    @cached_property
    def cost(self) -> dict[str, Any]:
        """`network` in `metrics.json`: its size, and how fast it classifies on this machine, which differs each time.

        `megapixels_per_s` is a quick measure of one worker with the engine that prediction would choose.
        """
        network = self.fitted.network
        engine = choose(self.settings.device)
        try:
            speed = float(f"{megapixels_per_second(network, engine):.3g}")
        except Exception:  # noqa: BLE001 - a model that cannot be timed is a model
            speed = None
        return {
            "parameters": sum(p.numel() for p in network.parameters()),
            "margin": network.margin,
            "megapixels_per_s": speed,
            "engine": engine.words,
        }

    @cached_property
    def _interval(self) -> Interval | None:
        """Of the overall accuracy, over polygons or blocks."""
        return interval(self.data, self.predicted, self.settings.seed)

    def _fractions(self) -> dict[str, Any]:
        """How far the fractions of mixtures of validation pixels are off, null without any."""
        errors = np.empty((0, self.data.classes)) if self.mixtures is None else self.mixtures
        return FractionErrors.of(errors).to_json(self.data.learnt.names)

    def bundle(self) -> Bundle:
        """The content of `model.ckpt`."""
        samples, fitted = self.data.samples, self.fitted
        channels = fitted.channels.tolist()
        bands = samples.bands.take(channels)
        readings = [scene.readings for scene in self.data.training.scenes]
        inputs = [readings[0][band.name] for band in bands.inputs]
        options = asdict(self.settings.scene)
        if options["scale"] == "none" and not any(s.silenced for read in readings for s in read.values()):
            # it only said what nobody else did; a later scene may say something of itself
            options["scale"] = "auto"
        return Bundle(
            net=fitted.network.spec,
            plugin=getattr(fitted.network, "plugin", None),
            bands=bands,
            band_count=self.data.training.band_count,
            nodata=tuple(_first([read[band.name].nodata for read in readings]) for band in bands.inputs),
            normalise=fitted.normalise,
            scaling=Affine(scale=tuple(s.scale for s in inputs), offset=tuple(s.offset for s in inputs)),
            decode=tuple(s.decode for s in inputs),
            task=self.settings.task,
            legend=self.data.learnt,
            weights=_own(fitted.network.state_dict()),
            temperature=self.calibration.temperature if self.calibration else 1.0,
            reference=self.reference,
            scene=options,
            training=self._training(),
            accuracy=self.metrics,
        )

    def _training(self) -> dict[str, Any]:
        training = self.data.training
        return {
            "scenes": [{"name": file_name(path), "sha256": content_hash(path)} for path in training.files],
            "labels": [{"name": file_name(path), "sha256": content_hash(path)} for path in training.labelled.files],
            "grids": [_ground(scene) for scene in training.scenes],
            "bands_left_out": list(self.left_out),
            "seed": self.settings.seed,
            "epochs": len(self.fitted.history),
            "settings": {"optim": asdict(self.settings.optim), "augment": asdict(self.settings.data.augment)},
            "versions": versions(),
        }

    @property
    def left_out(self) -> tuple[str, ...]:
        """Bands of the scenes that the network does not see: all nodata, or constant."""
        names = self.data.samples.bands.names
        constant = [name for i, name in enumerate(names) if i not in self.fitted.channels]
        return (*self.data.left_out, *constant)

    def table(self) -> str:
        """What the console shows at the end."""
        lines = []
        if self.left_out:
            lines.append(f"bands left out (nodata or constant): {', '.join(self.left_out)}")
        if not self.folds:
            lines += calibration_lines(self.metrics)
            return "\n".join([*lines, "no validation part (split.kind=none)"])
        lines += fold_lines(self.metrics["folds"])
        lines.append(accuracy_table(self.metrics))
        found = self._interval
        if found and found.low is not None and found.high is not None:
            lines.append(
                f"95 % interval over {found.groups} polygons or blocks: {found.low:.3f} to {found.high:.3f} right"
            )
        elif found:
            lines.append(f"{found.groups} polygons or blocks are too few to say how sure that is")
        if "fractions" in self.metrics:
            found = self.metrics["fractions"]
            lines.append(fractions_table(found, f"fractions of {found['n']} synthetic mixtures of validation pixels"))
        lines += calibration_lines(self.metrics)
        return "\n".join([*lines, baseline_table(self.metrics)] if self.baselines else lines)


def _known(reference: Reference | None) -> dict[str, Any] | None:
    """What `outputs=[applicability]` is measured against."""
    if reference is None:
        return None
    points, features = len(reference.points), int((reference.scale > 0).sum())
    return {"threshold": reference.threshold, "distance": reference.distance, "points": points, "features": features}


def versions() -> dict[str, str]:
    """What computed the model."""
    return {
        "landmix": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "rasterio": rasterio.__version__,
    }


def _own(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each with its own memory: somebody's network may use one tensor twice."""
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}


def _first(values: list[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)


def file_name(path: str) -> str:
    """A file's name without its folders, on any system."""
    return shown(path).replace("\\", "/").rsplit("/", 1)[-1]


def _ground(scene: Scene) -> dict[str, Any]:
    """Where a scene lies, for catalogues and cards; its CRS as text, `pixel_m` height and width or null."""
    grid = scene.grid
    return {
        "name": scene.name,
        "crs": grid.crs.to_string() if grid.crs else None,
        "transform": list(grid.transform)[:6] if grid.georeferenced else None,
        "height": grid.height,
        "width": grid.width,
        "pixel_m": pixel_size(grid),
    }
