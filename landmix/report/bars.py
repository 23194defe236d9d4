"""Figures with a row a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from landmix.report import words
from landmix.report.svg import INK, PAPER, QUIET, house_style, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from landmix.core.legend import LegendClass


@house_style()
def area(classes: Sequence[LegendClass], pixels: NDArray[np.integer], pixel_m2: float | None = None) -> str:
    """Draw the mapped pixels a class, (K,), as bars in class colours; as area where a pixel's size (m²) is known."""
    figure = Figure(figsize=(5.2, 0.27 * max(len(classes), 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    rows = np.arange(len(classes))
    colors = [c.color for c in classes]
    axes.barh(rows, pixels, color=colors, height=0.72, edgecolor=(QUIET, 0.6), linewidth=0.6)
    total = max(int(pixels.sum()), 1)
    for row, value in enumerate(pixels.tolist()):
        size = f"{words.count(value)} px" if pixel_m2 is None else words.area(value * pixel_m2)
        note = f"{words.percent(value / total)} \N{MIDDLE DOT} {size}"
        axes.annotate(note, (value, row), (5, 0), textcoords="offset points", va="center", color=QUIET)
    name_rows(axes, [words.label(c.name) for c in classes])
    axes.set_xlim(0, max(int(pixels.max(initial=0)), 1))
    axes.set_xticks([])
    return to_svg(figure, "area", f"Mapped area of {len(classes)} classes")


@house_style()
def estimates(classes: Sequence[LegendClass], design: Mapping[str, Any]) -> str:
    """Draw the estimated area a class with its 95 % interval over the mapped one, as SVG.

    `design` is what stands under it in accuracy.json, its classes in the order of `classes`. Hectares where they are
    known, else percent of the map.
    """
    rows, known = design["classes"], all("area_ha" in row for row in design["classes"])
    total = max(sum(row["mapped_pixels"] for row in rows), 1)
    found = [row["area_ha"] if known else {k: _times(v, 100) for k, v in row["area_share"].items()} for row in rows]
    whole = _whole(rows) if known else 100.0
    figure = Figure(figsize=(4.2, 0.36 * max(len(classes), 2)))
    axes = figure.add_axes((0, 0, 1, 1))
    mapped = [row["mapped_pixels"] / total * whole for row in rows]
    axes.barh(
        np.arange(len(rows)),
        mapped,
        color=[c.color for c in classes],
        height=0.62,
        edgecolor=(QUIET, 0.6),
        linewidth=0.6,
    )
    for at, area in enumerate(found):
        _whisker(axes, at, area)
    name_rows(axes, [words.label(c.name) for c in classes])
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlabel("ha" if known else "percent of the map")
    return to_svg(figure, "estimates", f"Mapped and estimated area of {len(classes)} classes", least_px=330)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _whole(rows: Sequence[Mapping[str, Any]]) -> float:
    """Hectares of the whole map, from a class's hectares and its share."""
    shares = [(row["area_ha"]["value"], row["area_share"]["value"]) for row in rows]
    return next((area / share for area, share in shares if area and share), 0.0)


def _whisker(axes: Axes, row: int, area: Mapping[str, float | None]) -> None:
    """A dot at the estimate and a line from end to end of its interval, on paper so that it shows on any colour."""
    value, low, high = area["value"], area["low"], area["high"]
    if value is None:
        return
    for color, wide, big in ((PAPER, 4.0, 8.0), (INK, 1.6, 5.5)):
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=color, linewidth=wide, solid_capstyle="butt")
            axes.plot([low, high], [row, row], "|", color=color, ms=9 if color == INK else 11, mew=wide)
        axes.plot(value, row, "o", color=color, ms=big, mew=0)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Names at the left, the first on top; no frame."""
    axes.set_yticks(np.arange(len(names)), names, color=INK)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.grid(visible=True, axis="x")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
