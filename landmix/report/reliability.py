"""Whether confidence means what it says: share of right pixels against confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from landmix.report import words
from landmix.report.svg import BLUE, INK, LINE, ORANGE, QUIET, house_style, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray


@house_style()
def reliability(calibration: Mapping[str, Any]) -> str:
    """Reliability before and after calibration as SVG, with the pixels of each bin below.

    `calibration` as in `metrics.json`: `ece_before`, `ece_after`, and `reliability_before` and `reliability` with
    `edges`, `counts`, `confidence` and `accuracy` (null where a bin is empty).
    """
    figure = Figure(figsize=(7.2, 4.2))
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.2, 1))
    figure.subplots_adjust(wspace=0.12, hspace=0.12)
    parts = ("before", "reliability_before", "ece_before", ORANGE), ("after", "reliability", "ece_after", BLUE)
    told = []
    for (upper, lower), (when, key, error, color) in zip(grid.T, parts, strict=True):
        told.append(f"expected calibration error {when} {words.decimal(calibration[error])}")
        _draw(upper, calibration[key], color)
        upper.set_title(f"{when.capitalize()}: error {words.decimal(calibration[error])}")
        _count(lower, calibration[key], color)
        lower.set_xlabel("confidence")
    fullest = max(max(calibration[key]["counts"]) for _, key, *_ in parts)
    grid[1, 0].set_ylim(0, 1.35 * max(1, fullest))  # both panels share it
    grid[0, 0].set_ylabel("share that is right")
    grid[1, 0].set_ylabel("pixels")
    return to_svg(figure, "reliability", f"Reliability diagram: {', '.join(told)}")


def _draw(axes: Axes, data: Mapping[str, Any], color: str) -> None:
    """Points where a bin's mean confidence lies; their distance from the diagonal is the error."""
    axes.plot((0, 1), (0, 1), color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    confidence, accuracy = _known(data["confidence"]), _known(data["accuracy"])
    seen = np.isfinite(confidence)
    axes.vlines(confidence[seen], confidence[seen], accuracy[seen], color=color, alpha=0.35, linewidth=3)
    axes.plot(confidence[seen], accuracy[seen], "o-", color=color, ms=4, clip_on=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_aspect("auto")


def _count(axes: Axes, data: Mapping[str, Any], color: str) -> None:
    edges, counts = np.array(data["edges"], np.float64), np.array(data["counts"], np.int64)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=color, alpha=0.75, edgecolor=LINE, linewidth=0.5)
    top = int(counts.argmax())
    middle = (edges[top] + edges[top + 1]) / 2
    axes.annotate(
        words.count(int(counts[top])),
        (middle, counts[top]),
        (0, 2),
        textcoords="offset points",
        ha="center",
        color=INK,
        fontsize=7.5,
    )
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.count(value)))


def _known(values: list[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)
