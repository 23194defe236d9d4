"""Where the time of a prediction goes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGES = ("read", "compute", "write", "finish", "wait")


class Stages:
    """Seconds of all workers together, by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count what happens inside as `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - start)

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds that one worker spent."""
        with self._lock:
            self.seconds[stage] += seconds

    def __str__(self) -> str:
        total = sum(self.seconds.values()) or 1.0
        return ", ".join(f"{stage} {s:.2f} s ({100 * s / total:.0f} %)" for stage, s in self.seconds.items())
