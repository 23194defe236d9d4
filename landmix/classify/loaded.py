"""A model with its engines: what a worker loads once, whatever the number of scenes."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from landmix.engines.load import Engines
from landmix.predictor import Predictor

if TYPE_CHECKING:
    from landmix.bundle import Bundle
    from landmix.classify.plan import Plan, PredictSettings
    from landmix.engines.engine import EngineSpec


class Loaded:
    """A model, ready to classify scenes with `threads` workers at once."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self.bundle, self.threads = bundle, threads
        self._engines: dict[tuple[EngineSpec, bool], Engines] = {}
        self._lock = threading.Lock()

    def predictor(self, plan: Plan) -> Predictor:
        """For one scene. Raises `LandmixError` where this machine cannot compute as planned."""
        return Predictor(
            self.bundle,
            self.engines(plan.engine, flips=plan.settings.tta == "flips"),
            scaling=plan.scene.scaling,
            nodata=plan.scene.nodata,
            bands=plan.scene.bands,
            wanted=plan.settings.wanted,
        )

    def warm(self, spec: EngineSpec, settings: PredictSettings) -> None:
        """Begin to build an engine, while the first scene is looked at; what goes wrong is said when it is used."""

        def build() -> None:
            with contextlib.suppress(Exception):
                self.engines(spec, flips=settings.tta == "flips").get(settings.wanted)

        if (spec, settings.tta == "flips") not in self._engines:
            threading.Thread(target=build).start()

    def engines(self, spec: EngineSpec, *, flips: bool = False) -> Engines:
        """The network on one back-end, built once."""
        with self._lock:
            key = spec, flips
            if key not in self._engines:
                self._engines[key] = Engines(
                    self.bundle.network(), spec, trust=self.bundle.trust, flips=flips, threads=self.threads
                )
            return self._engines[key]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
