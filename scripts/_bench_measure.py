"""Measuring: commands with their seconds and memory, figures with their limits, and the machine that it was done on.

Run as a script it starts one command and writes down what that took. The system counts the memory of whoever starts
a process as that process's own, so who starts it must be small: nothing large is imported here.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES = ("landmix", "torch", "openvino", "numpy", "rasterio", "scikit-learn", "lightgbm")


class MeasureError(Exception):
    """Something that was to be measured went wrong."""


class SkippedError(Exception):
    """Something cannot be measured here; the sentence says why."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a command took, from its start to its end."""

    seconds: float
    cpu_seconds: float
    """User and system time of all its threads."""
    peak_mb: float
    """Most memory that it held at once (resident, in 10^6 bytes)."""
    output: str
    """What it wrote on standard output."""


def run(command: Sequence[str | Path]) -> Run:
    """Run a command to its end. Raises `MeasureError` with its last line where it fails."""
    words = [str(word) for word in command]
    starter = [sys.executable, "-S", __file__, *words]
    done = subprocess.run(starter, capture_output=True, text=True, check=False)
    said, _, report = done.stderr.rstrip().rpartition("\n")
    if done.returncode:
        why = said.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        msg = f"{' '.join(words[:4])} failed: {why[0]}"
        raise MeasureError(msg)
    return Run(**json.loads(report), output=done.stdout)


def _start(words: list[str]) -> int:
    """Run `words` and write what it took as the last line of standard error; returns its exit code."""
    start = time.perf_counter()
    pid = os.posix_spawn(words[0], words, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    took = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * unit / 1e6,
    }
    print("\n" + json.dumps(took), file=sys.stderr)
    return os.waitstatus_to_exitcode(status)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table."""

    name: str
    """As `--only` calls it."""
    what: str
    figure: float | None
    """None where it was not measured; `note` then says why."""
    unit: str = ""
    limit: float | None = None
    at_most: bool = False
    """Whether `limit` is the most that the figure may be, rather than the least."""
    low: float | None = None
    high: float | None = None
    """The least and the greatest figure of a round."""
    rounds: int = 0
    note: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    """Everything that was measured for it, mostly seconds, a round each."""

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps its limit; None where it has none or was not measured."""
        if self.figure is None or self.limit is None:
            return None
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "met": self.met}


def ratio(
    name: str, what: str, slow: Sequence[float], fast: Sequence[float], *, limit: float | None = None, **more: Any
) -> Row:
    """How many times faster the second is: the ratio of the medians, and its spread over the rounds."""
    rounds = [a / b for a, b in zip(slow, fast, strict=True)]
    figure = statistics.median(slow) / statistics.median(fast)
    return Row(
        name=name,
        what=what,
        figure=figure,
        unit="x",
        limit=limit,
        low=min(rounds),
        high=max(rounds),
        rounds=len(rounds),
        **more,
    )


def middle(name: str, what: str, values: Sequence[float], **more: Any) -> Row:
    """The median of all rounds and their spread."""
    figure = statistics.median(values)
    return Row(name=name, what=what, figure=figure, low=min(values), high=max(values), rounds=len(values), **more)


def table(rows: Sequence[Row]) -> str:
    """The rows as text in columns."""
    head = ("", "what", "figure", "limit", "met", "spread", "rounds", "")
    lines = [head, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    bound = "" if row.limit is None else f"{'<=' if row.at_most else '>='} {row.limit:g}"
    met = {True: "yes", False: "NO", None: ""}[row.met]
    figure = "-" if row.figure is None else f"{_short(row.figure)} {row.unit}".strip()
    spread = "" if row.low is None or row.high is None else f"{_short(row.low)} to {_short(row.high)}"
    return row.name, row.what, figure, bound, met, spread, str(row.rounds or ""), row.note


def _short(value: float) -> str:
    """Three digits, or five of a share that is almost 1."""
    return f"{value:.5f}" if 0.99 < value < 1 else f"{value:.3g}" if value < 100 else f"{value:.0f}"  # noqa: PLR2004


def machine() -> dict[str, Any]:
    """What it is measured on, and with what."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> list[float]:
    """Mean number of running processes over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(_start(sys.argv[1:]))
