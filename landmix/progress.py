"""How work says what it does; the command line decides how that looks."""

from __future__ import annotations

import threading
import warnings
from typing import Protocol


class Progress(Protocol):
    """Where tasks report to."""

    def say(self, text: str) -> None:
        """Something that the user wants to know; may have several lines."""

    def warn(self, text: str) -> None:
        """Something that the user should think about."""

    def step(self, what: str, done: float, total: float, note: str = "") -> None:
        """How far a long piece of work is; called often."""


class Silent:
    """Reports nothing, but keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Keep it."""
        self.warnings.append(text)

    def step(self, what: str, done: float, total: float, note: str = "") -> None:
        """Nothing."""


class Warner(Silent):
    """Reports nothing, but lets Python warn."""

    def warn(self, text: str) -> None:
        """Warn the caller of landmix, as libraries do."""
        warnings.warn(text, UserWarning, stacklevel=6)


class Heard:
    """Passes everything on and keeps the warnings, for a report."""

    def __init__(self, progress: Progress) -> None:
        self.warnings: list[str] = []
        self._progress = progress
        self.say, self.step = progress.say, progress.step

    def warn(self, text: str) -> None:
        """Pass it on and keep it."""
        self.warnings.append(text)
        self._progress.warn(text)


class Together:
    """What several threads tell of parts of one piece of work becomes the progress of the whole."""

    def __init__(self, progress: Progress, what: str, total: int, note: str) -> None:
        """`total` parts, each of which counts the same."""
        self._progress, self._what, self._total, self._note = progress, what, total, note
        self._shares: dict[str, float] = {}
        self._done = 0
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Pass it on."""
        with self._lock:
            self._progress.say(text)

    def warn(self, text: str) -> None:
        """Pass it on."""
        with self._lock:
            self._progress.warn(text)

    def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002 - the whole has its own
        """Count the share of one part, which is known by `what`."""
        with self._lock:
            self._shares[what] = done / total if total else 1.0
            # a part that is whole counts when it is finished
            begun = min(sum(min(share, 0.99) for share in self._shares.values()), self._total - self._done)
            self._progress.step(self._what, self._done + begun, self._total, self._note)

    def finished(self, what: str) -> None:
        """One part is done, well or not."""
        with self._lock:
            self._shares.pop(what, None)
            self._done += 1
            self._progress.step(self._what, self._done, self._total, self._note)
