"""The picture of a confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from landmix.report import words
from landmix.report.svg import BLUE, CELL_INK, INK, ORANGE, PAPER, QUIET, RIGHT, WRONG, bare, house_style, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from landmix.accuracy.confusion import Confusion

SIGNS_UP_TO = 8
"""Most classes for which a cell has room for a percent sign."""
COUNTS_UP_TO = 12
"""Most classes for which a cell has room for its count."""
PERCENT_UP_TO = 40
"""Most classes for which a cell has room for a whole percentage."""
_GAMMA_RIGHT, _GAMMA_WRONG = 0.7, 0.5
"""Shade is share to this power, so that small errors can be seen."""
DEEP = 0.74
"""Shades of blue above this carry white text, on light paper and on dark."""
_NEAR_ZERO = 0.005
_SHORT = 6
_FAINT = 0.06
"""Least of a shade; also of cells without pixels."""


@house_style()
def confusion(confusion: Confusion) -> str:
    """Draw the matrix as SVG: rows reference, columns map, shaded by the share of the row.

    Blue is right, orange is wrong. Cells hold percent of the row and count up to 12 classes, whole percent up to 40.
    """
    classes = len(confusion.classes)
    cell = _cell(classes)
    figure = Figure(figsize=(cell * classes, cell * classes))
    axes = figure.add_axes((0, 0, 1, 1))
    shares = confusion.counts / np.maximum(confusion.support, 1)[:, None]
    _shade(axes, shares)
    _name(axes, confusion, cell)
    if classes <= PERCENT_UP_TO:
        _write(axes, shares, confusion)
    accuracy = words.percent(confusion.overall_accuracy)
    return to_svg(
        figure, "confusion", f"Confusion matrix of {classes} classes, {confusion.n} pixels, overall accuracy {accuracy}"
    )


def _cell(classes: int) -> float:
    """Side of a cell in inches."""
    if classes <= COUNTS_UP_TO:
        return min(0.72, 6.0 / max(classes, 5))
    return max(7.2 / classes, 0.06)


def _shade(axes: Axes, shares: NDArray[np.float64]) -> None:
    """One vector square a cell; a picture with a pixel a cell where they are many."""
    side = len(shares)
    right = np.eye(side, dtype=bool)
    full = (BLUE, ORANGE) if side > PERCENT_UP_TO else (RIGHT, WRONG)  # a picture has one colour for both papers
    colors = np.where(right[..., None], *map(to_rgba, full))
    colors[..., 3] = _shades(shares)
    colors[shares == 0] = to_rgba(QUIET, _FAINT)
    if side > PERCENT_UP_TO:
        axes.imshow(colors, extent=(0, side, side, 0), interpolation="none")
    else:
        axes.pcolormesh(colors, edgecolors=PAPER, linewidth=1.2 if side <= COUNTS_UP_TO else 0.5)
    axes.set(xlim=(0, side), ylim=(side, 0), aspect="equal")


def _shades(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of its colour each cell has."""
    right = np.eye(len(shares), dtype=bool)
    return _FAINT + (1 - _FAINT) * np.where(right, shares**_GAMMA_RIGHT, shares**_GAMMA_WRONG)


def _name(axes: Axes, confusion: Confusion, cell: float) -> None:
    """Class names at the left and top, each with its colour beside the cells."""
    names = [words.label(c.name, 24) for c in confusion.classes]
    centres = np.arange(len(names)) + 0.5
    size = min(8.5, 72 * cell * 0.62)
    axes.xaxis.tick_top()
    axes.set_xticks(centres, names, fontsize=size, color=INK)
    axes.set_yticks(centres, names, fontsize=size, color=INK)
    if len(names) > COUNTS_UP_TO or max(map(len, names)) > _SHORT:
        turn = 90 if len(names) > COUNTS_UP_TO else 40
        for text in axes.get_xticklabels():
            text.set(rotation=turn, rotation_mode="anchor", ha="left", va="center")
    axes.tick_params(pad=11)
    bare(axes)
    axes.set_ylabel("Reference", labelpad=8, fontsize=9, fontweight="bold")
    axes.set_xlabel("Map", labelpad=8, fontsize=9, fontweight="bold")
    axes.xaxis.set_label_position("top")
    _swatches(axes, [c.color for c in confusion.classes], cell)


def _swatches(axes: Axes, colors: list[str], cell: float) -> None:
    """Draw a strip in the class colour at the head of each row and column."""
    thick, away = 0.06 / cell, 0.05 / cell
    look: dict[str, Any] = {"edgecolor": (QUIET, 0.6), "linewidth": 0.5, "clip_on": False}
    for i, color in enumerate(colors):
        axes.add_patch(Rectangle((-away - thick, i + 0.08), thick, 0.84, facecolor=color, **look))
        axes.add_patch(Rectangle((i + 0.08, -away - thick), 0.84, thick, facecolor=color, **look))


def _write(axes: Axes, shares: NDArray[np.float64], confusion: Confusion) -> None:
    """Figures into the cells, dark on light or light on dark; a dash in rows without reference pixels."""
    size, shades = min(max(4.2, 175 / len(shares)), 7.5), _shades(shares)
    for (row, col), share in np.ndenumerate(shares):
        at = (col + 0.5, row + 0.5)
        color = "white" if row == col and shades[row, col] > DEEP else CELL_INK
        if not confusion.support[row]:
            if row == col:
                axes.text(*at, words.DASH, ha="center", va="center", color=QUIET)
        elif len(shares) <= COUNTS_UP_TO:
            _write_both(axes, at, share, int(confusion.counts[row, col]), color)
        elif share >= _NEAR_ZERO:
            axes.text(*at, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=size)


def _write_both(axes: Axes, at: tuple[float, float], share: float, count: int, color: str) -> None:
    """Percent of the row over the count; a faint 0 where nothing is."""
    if not count:
        axes.text(*at, "0", ha="center", va="center", color=QUIET, fontsize=7)
        return
    percent, big = words.percent(share), 8.5
    if len(axes.get_xticks()) > SIGNS_UP_TO:
        percent, big = percent.removesuffix(" %"), 8.0
    axes.text(*at, percent, ha="center", va="bottom", color=color, fontsize=big, fontweight="bold")
    axes.text(at[0], at[1] + 0.08, words.compact(count), ha="center", va="top", color=color, fontsize=big - 1.5)
