"""Many scenes: side by side on the workers of this machine, failures tried once more."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from landmix.classify.loaded import Loaded
from landmix.classify.prepare import plan_scene
from landmix.classify.run import Work, classify
from landmix.classify.settle import settled
from landmix.engines.choose import choose
from landmix.errors import LandmixError
from landmix.files import STALE
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.remote import shown
from landmix.progress import Heard, Together

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.classify.plan import Plan, PredictSettings
    from landmix.classify.settle import Wish
    from landmix.classify.share import Share
    from landmix.classify.stages import Stages
    from landmix.core.window import Window
    from landmix.geo.options import ReadOptions
    from landmix.geo.paths import Entry
    from landmix.progress import Progress

_MANY = 4
"""From so many scenes a share on, whole scenes are shared out instead of shards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of `predict.json`."""

    scene: str
    map: str
    status: str
    """`done`, `kept` (it was finished already), `parts` (a share of its parts) or `failed`."""
    seconds: float
    megapixels: float | None
    engine: str | None
    """What computed it."""
    attempts: int
    missing: list[str]
    """Bands of the model that the scene lacks."""
    warnings: list[str]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Scenes to be classified by one model."""

    bundle: Bundle
    entries: Sequence[Entry]
    folder: Path
    settings: PredictSettings
    wish: Wish
    options: ReadOptions
    """How scenes are read."""
    inherited: bool
    """Whether their scale is that of the training scenes."""
    workers: int
    limits: Limits = DEFAULT
    overwrite: bool = False
    stale_after: float = STALE
    """Seconds after which unfinished files of other hosts are removed."""
    share: Share | None = None
    only_finish: bool = False

    def run(self, stages: Stages, progress: Progress) -> Generator[tuple[int, Row]]:
        """Classify all scenes on this machine; yields a row a scene with its number, as they end."""
        model = Loaded(self.bundle, self.workers)
        again: list[int] = []
        for number, row in self._round(model, self.mine, 1, stages, progress):
            if row.status == "failed" and len(self.entries) > 1:
                progress.warn(f"{row.scene} failed and is tried again at the end: {row.error}")
                again.append(number)
            else:
                yield number, row
        yield from self._round(model, again, 2, stages, progress)

    @property
    def mine(self) -> list[int]:
        """Numbers of the scenes that this process works on."""
        numbers = range(len(self.entries))
        return [n for n in numbers if self.share is None or not self._by_scene or self.share.has(n)]

    @property
    def _by_scene(self) -> bool:
        return self.share is not None and len(self.entries) >= _MANY * self.share.count

    def _round(
        self, model: Loaded, numbers: list[int], attempt: int, stages: Stages, progress: Progress
    ) -> Iterator[tuple[int, Row]]:
        if not numbers:
            return
        stop = threading.Event()
        together = Together(progress, f"classify {len(numbers)} scenes", len(numbers), "scenes")
        heard = together if len(numbers) > 1 else progress
        queue = list(reversed(numbers))
        waiting: dict[Future[Row], int] = {}
        pool = ThreadPoolExecutor(min(self.workers, len(numbers)))
        try:
            while queue or waiting:
                while queue and len(waiting) < min(self.workers, len(numbers)):
                    # scenes side by side take a worker each; the last ones share what is left
                    work = self._work(max(1, self.workers // len(queue)), stages, stop)
                    number = queue.pop()
                    waiting[pool.submit(self._one, model, number, attempt, work, heard)] = number
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    number = waiting.pop(future)
                    row = future.result()
                    if heard is together:
                        together.finished(f"classify {self.entries[number].stem}")
                    yield number, row
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, workers: int, stages: Stages, stop: threading.Event) -> Work:
        return Work(
            workers=workers,
            overwrite=self.overwrite,
            stale_after=self.stale_after,
            only_finish=self.only_finish,
            lock=f"lock-{self.share.number}-of-{self.share.count}" if self.share else "lock",
            stages=stages,
            stop=stop,
        )

    def _one(self, model: Loaded, number: int, attempt: int, work: Work, progress: Progress) -> Row:
        """Classify one scene; whatever goes wrong stands in the row."""
        start, entry = time.monotonic(), self.entries[number]
        heard = Heard(progress)
        plan, status, error = None, "failed", None
        try:
            plan = self.plan(number, heard, model)
            status = classify(plan, model, replace(work, shards=self._shards(plan, number)), heard)
        except LandmixError as problem:
            error = str(problem)
        except Exception as problem:  # noqa: BLE001 - one bad scene does not stop the others
            error = f"{entry.files[0]} could not be classified ({type(problem).__name__}: {problem})"
        return self.row(number, plan, status=status, attempt=attempt, start=start, warnings=heard.warnings, error=error)

    def plan(self, number: int, progress: Progress, model: Loaded | None = None) -> Plan:
        """Look at one scene, and let `model` build its engine meanwhile.

        Raises `LandmixError` where it does not fit the model.
        """
        entry = self.entries[number]
        target = self.target(entry)
        engine = choose(self.wish.device, self.wish.backend, self.wish.precision)
        if model and not target.exists():
            model.warm(engine, self.settings)
        plan = plan_scene(
            self.bundle,
            entry,
            target,
            self.settings,
            engine,
            options=self.options,
            inherited=self.inherited,
            limits=self.limits,
            progress=progress,
        )
        return settled(plan, self.wish, overwrite=self.overwrite)

    def target(self, entry: Entry) -> Path:
        """The map of a scene."""
        return self.folder / f"{entry.stem}.tif"

    def row(
        self,
        number: int,
        plan: Plan | None,
        *,
        status: str,
        attempt: int,
        start: float,
        warnings: list[str],
        error: str | None,
    ) -> Row:
        """The row of a scene that was begun at `start` (`time.monotonic`)."""
        entry = self.entries[number]
        return Row(
            scene=", ".join(map(shown, entry.files)),
            map=str(self.target(entry)),
            status=status,
            seconds=round(time.monotonic() - start, 3),
            megapixels=plan.scene.grid.window.size / 1e6 if plan else None,
            engine=plan.engine.words if plan else None,
            attempts=attempt,
            missing=plan.missing if plan else [],
            warnings=warnings,
            error=error,
        )

    def _shards(self, plan: Plan, number: int) -> list[Window] | None:
        """The shards of a scene that are in this process's share; None: all, and the map."""
        if self.share is None:
            return None
        return [s for i, s in enumerate(plan.shards) if self._by_scene or self.share.has(number + i)]
