"""How work says what it does; the command line decides how that looks."""

from __future__ import annotations

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
