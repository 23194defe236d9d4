"""A small picture of a scene."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from landmix.core.composite import limits, stretched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_INVALID = (0.93, 0.86, 0.90)
"""Where there is no valid pixel: a colour that no land has."""


def quicklook(
    title: str, panels: Sequence[tuple[str, NDArray[np.float32]]], valid: NDArray[np.bool_], caption: str
) -> bytes:
    """A PNG with a panel for each composite: its name and values (3, h, w) for red, green and blue.

    Each channel is stretched from its 2nd to its 98th percentile of the pixels `valid` (h, w); others are shown pale
    pink.
    """
    height, width = valid.shape
    across = 6.4
    down = min(max(across * height / width, 2.0), 14.0)
    figure = Figure(figsize=(across * len(panels) + 0.4, down + 1.25), dpi=110, facecolor="white")
    figure.set_layout_engine("constrained", rect=(0, 0.5 / (down + 1.25), 1, 1 - 0.5 / (down + 1.25)))
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for axis, (name, values) in zip(axes, panels, strict=True):
        axis.imshow(_stretched(values, valid), interpolation="nearest")
        axis.set_title(name, fontsize=10)
        axis.set_axis_off()
    figure.suptitle(title, fontsize=12, parse_math=False)
    figure.text(0.5, 0.1 / (down + 1.25), caption, ha="center", fontsize=8.5, color="#444444", parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _stretched(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(h, w, 3) from 0 to 1."""
    shown = valid & np.isfinite(values).all(0)
    picture = np.empty((*valid.shape, 3), np.float32)
    picture[:] = _INVALID
    picture[shown] = np.moveaxis(stretched(values, limits(values, shown)), 0, -1)[shown]
    return picture
