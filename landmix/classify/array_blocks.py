"""Blocks of an array are classified: what a thread or a worker of dask does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.classify.loaded import Loaded, cores
from landmix.classify.pipeline import render
from landmix.geo.compose import compose, decoded
from landmix.predictor import Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.bundle import Bundle
    from landmix.classify.plan import Layer, PredictSettings
    from landmix.core.legend import Legend
    from landmix.engines.engine import EngineSpec
    from landmix.geo.scene import Scene

_MOST = 4
"""Models that stay loaded in a process: those that were used last."""

_models: OrderedDict[str, Loaded] = OrderedDict()
_lock = threading.Lock()
_local = threading.local()


def keep(digest: str, model: Loaded) -> Loaded:
    """Let a loaded model serve this whole process; returns the one that does."""
    with _lock:
        found = _models.setdefault(digest, model)
        _models.move_to_end(digest)
        while len(_models) > _MOST:
            _models.popitem(last=False)
    return found


def _loaded(digest: str, bundle: Bundle) -> Loaded:
    with _lock:
        found = _models.get(digest)
    return keep(digest, found or Loaded(bundle, cores()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """Stored values of an array's bands in, layers out. Holds no weights, so it is small in a graph of tasks."""

    scene: Scene
    """The array as the model wants it; the stored bands are the first axis of what is classified."""
    engine: EngineSpec
    settings: PredictSettings
    layers: tuple[Layer, ...]
    margin: int
    digest: str
    """Of the model."""
    legend: Legend

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return (type(self).__name__, self.digest, *map(repr, (self.scene, self.engine, self.settings)))

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Of a pixel with all its layers; more than one value where a layer has several bands."""
        fields = [
            (layer.name, layer.dtype, (len(layer.bands),)) if _many(layer) else (layer.name, layer.dtype)
            for layer in self.layers
        ]
        return np.dtype(fields)

    def __call__(
        self, stored: NDArray[np.generic], bundle: Bundle, pad: tuple[tuple[int, int], tuple[int, int]]
    ) -> NDArray[np.void]:
        """Classify (n, H', W') -> (H, W) of `dtype`.

        `pad`: rows above and below, columns left and right, by which it lacks the margin, because the array ends there.
        """
        if threading.current_thread() is not threading.main_thread() and not getattr(_local, "set", False):
            torch.set_num_threads(1)  # many blocks are classified at once
            _local.set = True
        values, inside = self._composed(stored)
        answer = self._predictor(bundle)(np.pad(values, ((0, 0), *pad)), np.pad(inside, pad))
        found = np.empty(answer.valid.shape, self.dtype)
        for layer in self.layers:
            bands = render(layer, answer, self.legend)
            found[layer.name] = np.moveaxis(bands, 0, -1) if _many(layer) else bands[0]
        return found

    def _composed(self, stored: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """What the model sees (C, H, W), and where no fill value says that there is nothing."""
        scene = self.scene
        inside = np.ones(stored.shape[1:], np.bool_)
        for values, band in zip(stored, scene.stored, strict=True):
            if band.fill is not None and band.decode is None:
                inside &= values != band.fill
        if scene.plain and all(origin == (i,) for i, origin in enumerate(scene.origins)):
            return stored, inside
        read = np.stack([decoded(values, band) for values, band in zip(stored, scene.stored, strict=True)])
        composed = np.empty((len(scene.bands), *stored.shape[1:]), scene.dtype)
        compose(scene, read.astype(scene.dtype, copy=False), scene.resampled, composed)
        return composed, inside

    def _predictor(self, bundle: Bundle) -> Predictor:
        model = _loaded(self.digest, bundle)
        return Predictor(
            model.bundle,
            model.engines(self.engine, flips=self.settings.tta == "flips"),
            scaling=self.scene.scaling,
            nodata=self.scene.nodata,
            bands=self.scene.bands,
            wanted=self.settings.wanted,
        )


def _many(layer: Layer) -> bool:
    return layer.name in {"probabilities", "fractions"}
