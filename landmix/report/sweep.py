"""The picture of a sweep: what a network costs and what it is worth, or a plain ranking."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from landmix.report import words
from landmix.report.bars import name_rows
from landmix.report.seeds import Group, over_seeds
from landmix.report.svg import BLUE, LINE, ORANGE, QUIET, apart, house_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

MOST = 80
"""Groups of jobs that a ranking shows; the best ones."""

_NETWORKS = 16
"""Groups that are drawn against their cost at most; more are ranked."""

_ROW = 0.24
"""Inches a name needs."""


@house_style()
def sweep(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw the jobs of a sweep as PNG: macro F1 with its spread over seeds, the best on top.

    Where networks of several sizes were timed, against speed and number of parameters; else as a ranking, of more than
    80 groups the best 80. Rows are those of `seeds.over_seeds`.
    """
    groups = over_seeds(rows)
    timed = [g for g in groups if g.macro_f1.values and g.parameters and g.megapixels_per_s]
    costs = 1 < len(groups) <= _NETWORKS and len({g.parameters for g in timed}) > 1
    figure = _costs(timed, [g for g in groups if g not in timed]) if costs else _ranking(groups)
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=150,
        bbox_inches="tight",
        pad_inches=0.15,
        facecolor="white",
        metadata={"Software": None},
    )
    return buffer.getvalue()


def _costs(groups: list[Group], others: list[Group]) -> Figure:
    """Macro F1 against speed and against size, side by side; the names at the right belong to both."""
    height = max(2.8, _ROW * len(groups))
    figure = Figure(figsize=(7.2, height))
    speed, size = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(0, 0, 1, 1, wspace=0.05)
    _limit_scores(speed, groups)
    _against(speed, groups, [g.megapixels_per_s for g in groups], "Mpx/s of one worker, measured quickly")
    _against(size, groups, [g.parameters for g in groups], "parameters")
    speed.set_ylabel("validation macro F1")
    for group in groups:  # a line from the first point through the second to the name
        mean = group.macro_f1.mean or 0.0
        speed.plot([group.megapixels_per_s or 0, speed.get_xlim()[1]], [mean, mean], color=LINE, lw=0.7, zorder=1)
        size.axhline(mean, color=LINE, lw=0.7, zorder=1)
    size.spines["left"].set_visible(False)
    size.tick_params(axis="y", length=0, labelleft=False)
    _name(size, groups, height)
    lost = f"no score: {words.label(', '.join(g.label for g in others), 90)}" if others else ""
    _below(speed, groups, lost)
    return figure


def _below(axes: Axes, groups: list[Group], lost: str = "") -> None:
    """What is drawn and what is not, under the name of the x axis."""
    key = "mean over seeds, one standard deviation to either side; faint: single seeds"
    lines = [(key, QUIET)] if any(g.macro_f1.std for g in groups) else []
    for number, (text, color) in enumerate([*lines, (lost, ORANGE)]):
        axes.annotate(
            text,
            (0, 0),
            (0, -34 - 13 * number),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=7.5,
            color=color,
        )


def _limit_scores(axes: Axes, groups: list[Group]) -> None:
    """Room for every seed and every spread; the step of the axis is left to matplotlib."""
    low, high = zip(*[_extent(g) for g in groups], strict=True)
    room = max(max(high) - min(low), 0.01)
    axes.set_ylim(min(low) - 0.08 * room, max(high) + 0.08 * room)
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _extent(group: Group) -> tuple[float, float]:
    """The lowest and highest score that is drawn of a group."""
    values, mean, std = group.macro_f1.values, group.macro_f1.mean or 0.0, group.macro_f1.std or 0.0
    return min(*values, mean - std), max(*values, mean + std)


def _against(axes: Axes, groups: list[Group], costs: Sequence[float | None], name: str) -> None:
    """A point a group on a logarithmic axis of `costs`."""
    known = [float(cost or 1) for cost in costs]
    axes.set_xscale("log")
    axes.set_xlim(min(known) / 1.4, max(known) * 1.4)
    times = max(known) / min(known)
    steps = (1.0, 2.0, 3.0, 5.0) if times < 5 else (1.0, 2.0, 5.0) if times < 50 else (1.0,)  # noqa: PLR2004
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.set_xlabel(name)
    axes.grid(visible=False)
    for group, cost in zip(groups, known, strict=True):
        _point(axes, group, cost, best=group is groups[0], upright=True)


def _point(axes: Axes, group: Group, place: float, *, best: bool, upright: bool) -> None:
    """Mean, spread to both sides and single seeds of a group, along y (`upright`) or x."""
    color, values = ORANGE if best else BLUE, group.macro_f1.values
    mean, std = group.macro_f1.mean, group.macro_f1.std

    def along(score: float) -> tuple[float, float]:
        return (place, score) if upright else (score, place)

    for value in values if len(values) > 1 else ():
        axes.plot(*along(value), "o", ms=4, mew=0, color=color, alpha=0.35, zorder=2)
    if mean is None:
        return
    if std:
        ends = along(mean - std), along(mean + std)
        axes.plot(*zip(*ends, strict=True), color=color, linewidth=1.4, solid_capstyle="butt", zorder=3)
    axes.plot(*along(mean), "o", ms=6.5, mec="white", mew=0.8, color=color, zorder=4)


def _name(axes: Axes, groups: list[Group], height: float) -> None:
    """Names with their scores at the right, pushed apart where scores lie close; `height` of the axes in inches."""
    low, high = axes.get_ylim()
    upward = groups[::-1]
    means = np.array([(g.macro_f1.mean or 0.0) for g in upward])
    places = apart((means - low) / (high - low), 0.17 / height)
    for group, mean, place in zip(upward, means, places, strict=True):
        axes.annotate(
            f"{group.label}  {group.macro_f1}",
            (1, mean),
            (1.07, place),
            xycoords=("axes fraction", "data"),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            fontweight="bold" if group is groups[0] else "normal",
            arrowprops={
                "arrowstyle": "-",
                "color": LINE,
                "linewidth": 0.7,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def _short(value: float, _: object = None) -> str:
    """5000 -> `5k`, 2000000 -> `2M`."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _ranking(groups: list[Group]) -> Figure:
    """Macro F1 along x, a row a group, the best on top."""
    shown = groups[:MOST]
    figure = Figure(figsize=(5.2, _ROW * max(len(shown), 2)))
    axes = figure.add_axes((0, 0, 1, 1))
    extents = [_extent(g) for g in shown if g.macro_f1.values]
    low, high = (min(e[0] for e in extents), max(e[1] for e in extents)) if extents else (0.0, 1.0)
    room = max(high - low, 0.01)
    axes.set_xlim(low - 0.1 * room, high + 0.4 * room)
    for row, group in enumerate(shown):
        if not group.macro_f1.values:
            axes.annotate("no score", (low, row), va="center", color=ORANGE, fontsize=8)
            continue
        _point(axes, group, row, best=row == 0, upright=False)
        end = _extent(group)[1]
        axes.annotate(str(group.macro_f1), (end, row), (7, 0), textcoords="offset points", va="center", fontsize=8)
    name_rows(axes, [group.label for group in shown])
    hidden = len(groups) - len(shown)
    _below(axes, shown)
    axes.set_xlabel("validation macro F1" + (f" (the best {len(shown)} of {len(groups)})" if hidden else ""))
    return figure
