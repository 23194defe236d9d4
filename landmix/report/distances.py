"""How far validation pixels lie from training pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from landmix.report import words
from landmix.report.svg import BLUE, INK, ORANGE, PAPER, QUIET, house_style, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

_CLOSE = 0.22
"""Share of the width within which the names of two lines would touch."""


@house_style()
def distances(metrics: Mapping[str, Any]) -> str:
    """Draw `distance_m.histogram` of metrics.json as SVG; empty without one.

    Lines show the buffer around validation pixels and the range of the variogram, where `split` has them.
    """
    found = (metrics.get("distance_m") or {}).get("histogram")
    if not found:
        return ""
    edges, counts = np.asarray(found["edges"], np.float64), np.asarray(found["counts"], np.float64)
    widths = np.diff(edges)
    figure = Figure(figsize=(6.4, 2.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.bar(edges[:-1], counts, widths, align="edge", color=BLUE, edgecolor=PAPER, linewidth=0.6)
    if widths.max() > 1.01 * widths.min():  # they grow by a factor where few pixels lie far away
        axes.set_xscale("log")
    lines = _lines(metrics.get("split") or {})
    _limit(axes, edges, [at for at, _, _ in lines])
    _draw_lines(axes, lines)
    axes.set_xlabel("distance from a validation pixel to the nearest training pixel")
    axes.set_ylabel("validation pixels")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.length(value) if value else "0"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.count(value)))
    axes.grid(visible=False, axis="x")
    return to_svg(figure, "distances", f"Histogram of the distances of {words.count(counts.sum())} validation pixels")


def _lines(split: Mapping[str, Any]) -> list[tuple[float, str, str]]:
    """Metres, name and colour of what is marked, from left to right."""
    marked = (
        (split.get("buffer_m"), "buffer", QUIET),
        ((split.get("variogram") or {}).get("range_m"), "range of the variogram", ORANGE),
    )
    known = [(at, f"{name}, {words.length(at)}", color) for value, name, color in marked if (at := words.number(value))]
    return sorted(known)


def _limit(axes: Axes, edges: np.ndarray, marked: list[float]) -> None:
    """Show all bars and lines, with room at the right."""
    log = axes.get_xscale() == "log"
    low, high = min([edges[0], *marked]), max([edges[-1], *marked])
    axes.set_xlim(low / 1.1 if log else 0, high * (1.2 if log else 1.03))


def _draw_lines(axes: Axes, lines: list[tuple[float, str, str]]) -> None:
    """Dashed, with their names above the bars: one above the other where they lie close."""
    places = [axes.transAxes.inverted().transform(axes.transData.transform((at, 0)))[0] for at, _, _ in lines]
    lift = len(places) > 1 and places[1] - places[0] < _CLOSE
    for number, ((at, name, color), place) in enumerate(zip(lines, places, strict=True)):
        axes.axvline(at, color=color, linestyle=(0, (4, 3)), linewidth=1.3)
        left = place > 0.7  # noqa: PLR2004 - else the name would leave the figure
        axes.annotate(
            name,
            (at, 1.0),
            (0, 4 + (11 if lift and number == 0 else 0)),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=8,
            color=INK,
        )
