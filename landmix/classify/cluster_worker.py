"""What a worker of a cluster does: plan a scene, write the parts of a shard, make a map of parts."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from distributed import WorkerPlugin, get_worker

from landmix.classify.loaded import Loaded
from landmix.classify.run import Work, classify
from landmix.progress import Silent

if TYPE_CHECKING:
    from distributed import Worker

    from landmix.bundle import Bundle
    from landmix.classify.batch import Batch
    from landmix.classify.plan import Plan
    from landmix.core.window import Window


_PATIENCE = 120.0
"""Seconds: a task that was given up and is tried again may still be running."""


class Setup(WorkerPlugin):
    """Loads the model once in every worker, also in one that starts later or again."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def setup(self, worker: Worker) -> None:
        """Make a worker ready."""
        torch.set_num_threads(1)
        if threading.current_thread() is threading.main_thread():
            # Ctrl-C reaches the whole group of processes, but it is the client who decides
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        loaded: dict[str, Loaded] = worker.__dict__.setdefault("landmix", {})
        loaded[self._bundle.digest] = Loaded(self._bundle)

    def teardown(self, worker: Worker) -> None:
        """Let the model go."""
        worker.__dict__.get("landmix", {}).pop(self._bundle.digest, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What workers do, and say of it."""

    batch: Batch
    """Without its model, which the worker has."""
    model: str
    """Digest."""

    def plan(self, number: int) -> tuple[Plan, list[str]]:
        """Look at a scene; returns its warnings too."""
        heard = Silent()
        return replace(self.batch, bundle=self._loaded.bundle).plan(number, heard), heard.warnings

    def shard(self, plan: Plan, window: Window) -> tuple[dict[str, float], list[str]]:
        """Write the parts of a shard; returns seconds by stage, and warnings."""
        work, heard = self._work(f"lock-{window.row}-{window.col}", [window]), Silent()
        classify(plan, self._loaded, work, heard)
        return work.stages.seconds, heard.warnings

    def finish(self, plan: Plan) -> tuple[str, dict[str, float]]:
        """Make the map of its parts."""
        work = replace(self._work("lock", None), only_finish=True)
        return classify(plan, self._loaded, work, Silent()), work.stages.seconds

    def _work(self, lock: str, shards: list[Window] | None) -> Work:
        return Work(
            overwrite=self.batch.overwrite,
            stale_after=self.batch.stale_after,
            shards=shards,
            lock=lock,
            patience=_PATIENCE,
        )

    @property
    def _loaded(self) -> Loaded:
        model: Loaded = get_worker().__dict__["landmix"][self.model]
        return model
