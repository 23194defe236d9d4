"""Progress of a rio command: on standard error, because rasterio's commands print results on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from landmix.cli.streams import visible

if TYPE_CHECKING:
    from types import TracebackType


class RioProgress:
    """A bar that fills up, and warnings."""

    def __init__(self, *, bar: bool | None, quiet: bool) -> None:
        """`bar` None: on a terminal."""
        self._quiet = quiet
        self._wanted = (sys.stderr.isatty() if bar is None else bar) and not quiet
        self._bar: Any = None

    def __enter__(self) -> RioProgress:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None

    def say(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def warn(self, text: str) -> None:
        """Print it as a warning."""
        self._print(f"Warning: {' '.join(text.split())}")

    def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002 - the bar has percents
        """Move the bar."""
        if not self._wanted:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=1000, label=what, file=sys.stderr)
        self._bar.update(round(1000 * done / total) - self._bar.pos)

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            click.echo(err=True)  # below the bar
        click.echo(visible(text), err=True)
