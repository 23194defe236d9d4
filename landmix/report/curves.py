"""How training went, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from landmix.report import words
from landmix.report.svg import BLUE, INK, ORANGE, QUIET, house_style, to_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    History = Sequence[Mapping[str, float]]

_FEW = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    title: str
    lines: tuple[tuple[str, str, str], ...]
    """(key, what the legend says, colour)."""
    width: float
    from_zero: bool = False


_PANELS = (
    _Panel(title="Loss", lines=(("loss", "training", BLUE), ("val_loss", "validation", ORANGE)), width=1.0),
    _Panel(
        title="Validation accuracy",
        lines=(("val_macro_f1", "macro F1", ORANGE), ("val_overall_accuracy", "overall accuracy", BLUE)),
        width=1.0,
    ),
    _Panel(title="Learning rate", lines=(("lr", "", QUIET),), width=0.6, from_zero=True),
)


@house_style()
def curves(history: History) -> str:
    """Loss, validation scores and learning rate over the epochs as SVG; what the history lacks is left out.

    `history` has an entry an epoch with `epoch` (counted on from 1 where it lacks) and any of `loss`, `val_loss`,
    `val_macro_f1`, `val_overall_accuracy` (fractions) and `lr`.
    """
    shown = [panel for panel in _PANELS if any(_has(history, key) for key, _, _ in panel.lines)]
    figure = Figure(figsize=(1.4 + 3.2 * sum(panel.width for panel in shown), 2.5))
    if not shown:
        figure.text(0.5, 0.5, "no epochs were recorded", ha="center", color=QUIET)
        return to_svg(figure, "curves", "Training curves: no epochs were recorded")
    grid = figure.subplots(1, len(shown), squeeze=False, width_ratios=[panel.width for panel in shown])
    figure.subplots_adjust(wspace=0.34)
    for axes, panel in zip(grid.flat, shown, strict=True):
        _draw(axes, panel, history)
    titles = ", ".join(panel.title.lower() for panel in shown)
    return to_svg(figure, "curves", f"Training curves over {len(history)} epochs: {titles}")


def _draw(axes: Axes, panel: _Panel, history: History) -> None:
    epochs = np.array([words.number(entry.get("epoch", i + 1)) for i, entry in enumerate(history)], np.float64)
    for key, name, color in panel.lines:
        if _has(history, key):
            values = _column(history, key)
            known = np.isfinite(values)  # accuracy is not measured after every epoch
            axes.plot(
                epochs[known], values[known], color=color, label=name, marker="o" if len(epochs) <= _FEW else "", ms=3
            )
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    if panel.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_title(panel.title)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if panel.lines[0][1]:
        axes.legend(labelcolor=INK, loc="upper left", bbox_to_anchor=(-0.05, -0.2), labelspacing=0.35)


def _has(history: History, key: str) -> bool:
    return bool(np.isfinite(_column(history, key)).any())


def _column(history: History, key: str) -> NDArray[np.float64]:
    """One key over the epochs, (E,); NaN where an entry lacks it."""
    values = [words.number(entry.get(key)) for entry in history]
    return np.array([np.nan if value is None else value for value in values], np.float64)
