"""Progress as people and programs see it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from landmix.cli.streams import visible

if TYPE_CHECKING:
    from rich.progress import TaskID

    from landmix.progress import Progress

_SECONDS = 5.0
"""How often a line of progress is printed where nothing can be drawn."""


def console(mode: str) -> Progress:
    """How to report: `auto` draws bars on a terminal and prints lines elsewhere; `rich`, `json`, `off` as they say."""
    if mode == "json":
        return Json()
    if mode == "off":
        return Plain(steps=False)
    return Bars() if mode == "rich" or (mode == "auto" and sys.stdout.isatty()) else Plain()


class Plain:
    """Lines on standard output, warnings on standard error."""

    def __init__(self, *, steps: bool = True) -> None:
        self._steps = steps
        self._clock = Clock()
        self._printed = 0.0

    def say(self, text: str) -> None:
        """Print it."""
        print(visible(text, colours=True), flush=True)  # noqa: T201

    def warn(self, text: str) -> None:
        """Print it where errors go."""
        print(f"warning: {visible(' '.join(text.split()))}", file=sys.stderr, flush=True)  # noqa: T201

    def step(self, what: str, done: float, total: float, note: str = "") -> None:
        """Print a line every few seconds."""
        left = self._clock.left(what, done, total)
        if self._steps and time.monotonic() - self._printed > _SECONDS and self._clock.age > _SECONDS:
            self._printed = time.monotonic()
            self.say(f"{what}: {_number(done)} of {_number(total)} {note}, {_duration(left)} left".replace(" ,", ","))


class Json:
    """A JSON object a line on standard output, for programs that show progress themselves."""

    def __init__(self) -> None:
        self._clock = Clock()

    def _emit(self, **event: Any) -> None:
        print(json.dumps(event, ensure_ascii=False), flush=True)  # noqa: T201

    def say(self, text: str) -> None:
        """`{"event": "say", "text": ...}`."""
        self._emit(event="say", text=text)

    def warn(self, text: str) -> None:
        """`{"event": "warning", "text": ...}`."""
        self._emit(event="warning", text=text)

    def step(self, what: str, done: float, total: float, note: str = "") -> None:
        """`{"event": "step", "what": ..., "done": ..., "total": ..., "note": ..., "seconds_left": ...}`."""
        left = self._clock.left(what, done, total)
        self._emit(event="step", what=what, done=done, total=total, note=note, seconds_left=left)


class Bars:
    """Bars that fill up, on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow, and only wanted on a terminal
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        self._out, self._error = Console(highlight=False), Console(stderr=True, highlight=False)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._progress = Progress(*columns, console=self._out, transient=True)
        self._what = ""
        self._bar: TaskID | None = None

    def say(self, text: str) -> None:
        """Print it above the bars."""
        self._close()
        self._out.print(visible(text, colours=True), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print it where errors go."""
        self._close()
        self._error.print(f"warning: {visible(' '.join(text.split()))}", style="yellow", markup=False, soft_wrap=True)

    def step(self, what: str, done: float, total: float, note: str = "") -> None:
        """Move the bar."""
        count = f"{_number(done)} of {_number(total)}"
        if what != self._what or self._bar is None:
            self._close()
            self._progress.start()
            self._what = what
            self._bar = self._progress.add_task(visible(what), total=total, count=count, note=note)
        self._progress.update(self._bar, completed=done, count=count, note=note)
        if done >= total:
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._progress.remove_task(self._bar)
            self._progress.stop()
            self._what, self._bar = "", None


class Clock:
    """How long a piece of work still takes."""

    def __init__(self) -> None:
        self._what, self._start, self._first = "", time.monotonic(), 0.0

    @property
    def age(self) -> float:
        """Seconds since the present piece of work began."""
        return time.monotonic() - self._start

    def left(self, what: str, done: float, total: float) -> float | None:
        """Seconds, by the pace so far; None before there is one."""
        if what != self._what:
            self._what, self._start, self._first = what, time.monotonic(), done
        progress = done - self._first
        return None if progress <= 0 else self.age * (total - done) / progress


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) or value >= 100 else f"{value:.1f}"  # noqa: PLR2004


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
