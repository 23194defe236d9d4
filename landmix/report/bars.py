"""Figures with a row a class or a job."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from landmix.report import words
from landmix.report.svg import BLUE, INK, ORANGE, QUIET, house_style, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from landmix.core.legend import LegendClass

MOST_JOBS = 80
"""Jobs of a sweep that are drawn; the best ones."""


@house_style()
def area(classes: Sequence[LegendClass], pixels: NDArray[np.integer], pixel_m2: float | None = None) -> str:
    """Draw the mapped pixels a class, (K,), as bars in class colours; as area where a pixel's size (m²) is known."""
    figure = Figure(figsize=(5.2, 0.27 * max(len(classes), 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    rows = np.arange(len(classes))
    colors = [c.color for c in classes]
    axes.barh(rows, pixels, color=colors, height=0.72, edgecolor="#00000033", linewidth=0.5)
    total = max(int(pixels.sum()), 1)
    for row, value in enumerate(pixels.tolist()):
        size = f"{words.count(value)} px" if pixel_m2 is None else words.area(value * pixel_m2)
        note = f"{words.percent(value / total)} \N{MIDDLE DOT} {size}"
        axes.annotate(note, (value, row), (5, 0), textcoords="offset points", va="center", color=QUIET)
    _rows(axes, [words.label(c.name) for c in classes])
    axes.set_xlim(0, max(int(pixels.max(initial=0)), 1))
    axes.set_xticks([])
    return to_svg(figure, "area", f"Mapped area of {len(classes)} classes")


@house_style()
def sweep(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Macro F1 of the jobs of a sweep as PNG, the best on top.

    A row has `overrides` (text) and `macro_f1` (fraction; None, NaN or missing for a job that failed or measured
    nothing). Of more than 80 jobs the best 80 are drawn.
    """
    scored = sorted(rows, key=lambda row: (-_score(row), str(row.get("overrides", ""))))
    shown = scored[:MOST_JOBS]
    figure = Figure(figsize=(5.2, 0.24 * max(len(shown), 2)))
    axes = figure.add_axes((0, 0, 1, 1))
    _dots(axes, [words.number(row.get("macro_f1")) for row in shown])
    _rows(axes, [words.label(str(row.get("overrides", "")) or "(no overrides)", 70) for row in shown])
    hidden = len(scored) - len(shown)
    axes.set_xlabel("validation macro F1" + (f" (the best {len(shown)} of {len(scored)} jobs)" if hidden else ""))
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


def _score(row: Mapping[str, Any]) -> float:
    score = words.number(row.get("macro_f1"))
    return float("-inf") if score is None else score


def _dots(axes: Axes, scores: list[float | None]) -> None:
    """Draw a dot a score with its value beside it; `no score` where there is none."""
    known = [score for score in scores if score is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = max(high - low, 0.01)
    axes.set_xlim(low - 0.1 * room, high + 0.25 * room)
    for row, score in enumerate(scores):
        if score is None:
            axes.annotate("no score", (low, row), va="center", color=ORANGE, fontsize=8)
            continue
        axes.plot(score, row, "o", ms=6, color=BLUE, alpha=1.0 if row == 0 else 0.65)
        axes.annotate(f"{score:.3f}", (score, row), (7, 0), textcoords="offset points", va="center", fontsize=8)


def _rows(axes: Axes, names: list[str]) -> None:
    """Names at the left, the first on top; no frame."""
    axes.set_yticks(np.arange(len(names)), names, color=INK)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.grid(visible=True, axis="x")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
