"""The batch on dask.distributed: shards of all scenes are tasks, so a worker that dies costs its shard."""

from __future__ import annotations

import contextlib
import queue
import tempfile
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from landmix.errors import LandmixError
from landmix.progress import Together

try:
    from distributed import Client, LocalCluster

    from landmix.classify.cluster_worker import Setup, Tasks
except ImportError as error:
    msg = "executor=dask needs dask.distributed: pip install 'landmix[dask]'"
    raise LandmixError(msg) from error

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from distributed import Future

    from landmix.classify.batch import Batch, Row
    from landmix.classify.plan import Plan
    from landmix.classify.stages import Stages
    from landmix.progress import Progress

_AHEAD = 2
"""Scenes a worker that are planned before their turn; more would only open files early."""

_ATTEMPTS = 2

_PATIENCE = 30
"""Seconds to wait for the first worker."""


def run_on_cluster(batch: Batch, address: str | None, stages: Stages, progress: Progress) -> Generator[tuple[int, Row]]:
    """Classify all scenes; yields a row a scene with its number, as they end.

    `address` is that of a scheduler that runs already; None starts one here with `batch.workers` processes. Raises
    `LandmixError` where the scheduler does not answer.
    """
    with _client(batch, address) as client:
        name = f"landmix-{batch.bundle.digest}"
        client.register_plugin(Setup(batch.bundle), name=name)
        together = Together(progress, f"classify {len(batch.entries)} scenes", len(batch.entries), "scenes")
        try:
            yield from _Run(batch, client, stages, together).rows()
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                client.unregister_worker_plugin(name)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _client(batch: Batch, address: str | None) -> Iterator[Client]:
    with contextlib.ExitStack() as stack:
        if address is None:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="landmix-dask-"))
            address = stack.enter_context(
                LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=batch.workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    local_directory=scratch,
                    resources={"GPU": 1} if torch.cuda.is_available() else None,
                    env={"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
                    silence_logs=50,
                )
            )
        try:
            client = stack.enter_context(
                Client(address, timeout=20, set_as_default=False)  # type: ignore[no-untyped-call]
            )
        except (OSError, ValueError) as error:
            msg = f"there is no dask scheduler at executor.address={address}: {error}"
            raise LandmixError(msg) from error
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            msg = f"the dask scheduler at {address} has no workers: start some, then run the command again"
            raise LandmixError(msg) from error
        yield client


@dataclass(slots=True, kw_only=True)
class _Scene:
    """How far a scene is."""

    number: int
    start: float
    attempt: int
    plan: Plan | None = None
    left: int = 0
    """Shards that are not yet written."""
    warnings: list[str]


class _Run:
    """The client's side of a batch."""

    def __init__(self, batch: Batch, client: Client, stages: Stages, progress: Together) -> None:
        self._batch, self._client, self._stages, self._progress = batch, client, stages, progress
        self._worker = Tasks(batch=replace(batch, bundle=None), model=batch.bundle.digest)  # type: ignore[arg-type]
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._tasks: dict[Any, tuple[Future[Any], str, _Scene]] = {}
        """By key: a task, what it does, and of which scene."""
        self._open = 0
        workers = client.scheduler_info()["workers"].values()
        self._gpus = any(worker.get("resources", {}).get("GPU") for worker in workers)
        if batch.wish.device == "cuda" and not self._gpus:
            msg = "device=cuda needs dask workers that were started with --resources GPU=1, but there is none"
            raise LandmixError(msg)
        self._ahead = _AHEAD * max(1, sum(worker.get("nthreads", 1) for worker in workers))

    def rows(self) -> Iterator[tuple[int, Row]]:
        """A row a scene, as they end; failures are tried once more."""
        scenes = [(number, 1) for number in reversed(range(len(self._batch.entries)))]
        try:
            while scenes or self._open:
                while scenes and self._open < self._ahead:
                    number, attempt = scenes.pop()
                    self._open += 1
                    scene = _Scene(number=number, start=time.monotonic(), attempt=attempt, warnings=[])
                    self._submit("plan", scene, self._worker.plan, number)
                ended = self._next()
                if ended is None:
                    continue
                number, row = ended
                if row.status == "failed" and row.attempts < _ATTEMPTS and len(self._batch.entries) > 1:
                    self._progress.warn(f"{row.scene} failed and is tried again: {row.error}")
                    scenes.insert(0, (number, row.attempts + 1))
                else:
                    self._progress.finished(row.map)
                    yield number, row
        finally:
            self._cancel(list(self._tasks))

    def _submit(self, what: str, scene: _Scene, function: Any, *arguments: Any) -> None:
        gpu = self._gpus and "cuda" in {self._batch.wish.device, scene.plan.engine.device if scene.plan else None}
        # not pure: two tasks with equal arguments are still two
        future = self._client.submit(function, *arguments, pure=False, resources={"GPU": 1} if gpu else None)
        self._tasks[future.key] = future, what, scene
        future.add_done_callback(self._ended.put)  # type: ignore[no-untyped-call]

    def _next(self) -> tuple[int, Row] | None:
        """Wait for a task to end; number and row of its scene, if that is through with it."""
        future = self._ended.get()
        task = self._tasks.pop(future.key, None)
        if task is None:  # of a scene that was given up
            return None
        _, what, scene = task
        if future.status != "finished":
            return self._failed(scene, future)
        result = future.result()
        if what == "finish":
            self._add(result[1])
            return self._end(scene, result[0], None)
        if what == "plan":
            scene.plan, scene.warnings = result
        else:
            self._count(scene, result)
        self._go_on(scene, what)
        return None

    def _go_on(self, scene: _Scene, after: str) -> None:
        """Submit what comes after a plan or a shard."""
        assert scene.plan is not None  # noqa: S101 - it comes first
        if after == "plan":
            shards = scene.plan.shards
            scene.left = len(shards)
            for window in shards:
                self._submit("shard", scene, self._worker.shard, scene.plan, window)
        elif not scene.left:
            self._submit("finish", scene, self._worker.finish, scene.plan)

    def _count(self, scene: _Scene, result: tuple[dict[str, float], list[str]]) -> None:
        """One shard less."""
        assert scene.plan is not None  # noqa: S101 - its shards were
        scene.left -= 1
        self._add(result[0])
        scene.warnings += [text for text in result[1] if text not in scene.warnings]
        total = len(scene.plan.shards)
        self._progress.step(str(scene.plan.target), total - scene.left, total)

    def _failed(self, scene: _Scene, future: Future[Any]) -> tuple[int, Row]:
        """One failed task ends its scene; what is written of it stays."""
        self._cancel([key for key, (_, _, other) in self._tasks.items() if other is scene])
        if future.status != "error":
            return self._end(scene, "failed", "the dask scheduler is gone, or gave its task up: run the command again")
        error = future.exception()  # type: ignore[no-untyped-call]
        named = str(error) if isinstance(error, LandmixError) else f"{type(error).__name__}: {error}"
        return self._end(scene, "failed", named)

    def _cancel(self, keys: list[Any]) -> None:
        futures = [self._tasks.pop(key)[0] for key in keys]
        if futures:
            self._client.cancel(futures, force=True)  # type: ignore[no-untyped-call]

    def _add(self, seconds: dict[str, float]) -> None:
        for stage, spent in seconds.items():
            self._stages.add(stage, spent)

    def _end(self, scene: _Scene, status: str, error: str | None) -> tuple[int, Row]:
        self._open -= 1
        row = self._batch.row(
            scene.number,
            scene.plan,
            status=status,
            attempt=scene.attempt,
            start=scene.start,
            warnings=scene.warnings,
            error=error,
        )
        return scene.number, row
