"""Jobs of a sweep that differ in their seed alone, taken together: a figure with its spread."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landmix.report import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure of several runs."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """None without any."""
        return statistics.mean(self.values) if self.values else None

    @property
    def std(self) -> float | None:
        """Standard deviation with n - 1; None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        """`0.912 ± 0.004`, or a dash."""
        return words.decimal(self.mean) + (f" ± {self.std:.3f}" if self.std is not None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Runs that differ in their seed alone."""

    name: str
    """The overrides that they share."""
    macro_f1: Spread
    overall_accuracy: Spread
    parameters: int | None
    megapixels_per_s: float | None
    """Median over the runs."""

    @property
    def label(self) -> str:
        """The name on one line."""
        return words.label(self.name, 60) or "all jobs"


def over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Groups of the jobs of a sweep, the best macro F1 first; those without one last.

    A row has `overrides` or, without what it says of the seed, `group`; and any of `macro_f1`, `overall_accuracy`
    (fractions), `parameters` and `megapixels_per_s`, each missing, null or NaN where a job failed.
    """
    members: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        members.setdefault(str(row.get("group", row.get("overrides", ""))), []).append(row)
    groups = [_group(name, jobs) for name, jobs in members.items()]
    return sorted(groups, key=lambda g: (-1.0 if g.macro_f1.mean is None else -g.macro_f1.mean - 2.0, g.name))


def _group(name: str, jobs: Sequence[Mapping[str, Any]]) -> Group:
    parameters, speeds = _known(jobs, "parameters"), _known(jobs, "megapixels_per_s")
    return Group(
        name=name,
        macro_f1=Spread(values=tuple(sorted(_known(jobs, "macro_f1")))),
        overall_accuracy=Spread(values=tuple(sorted(_known(jobs, "overall_accuracy")))),
        parameters=int(parameters[0]) if parameters else None,
        megapixels_per_s=statistics.median(speeds) if speeds else None,
    )


def _known(jobs: Iterable[Mapping[str, Any]], key: str) -> list[float]:
    return [value for job in jobs if (value := words.number(job.get(key))) is not None]
