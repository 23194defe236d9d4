"""How sure the figures of an evaluation are where nobody says how the reference was drawn."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.groups import accuracy_interval, class_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.accuracy.confusion import Confusion
    from landmix.samples import Labelled

BLOCK = 32
"""Side in pixels of the blocks that a reference raster is cut into: the most that training cuts."""


def figures_with_intervals(
    confusion: Confusion,
    index: NDArray[np.integer],
    mapped: NDArray[np.integer],
    group: NDArray[np.integer],
    times: NDArray[np.integer] | None,
    *,
    grouped: bool,
) -> dict[str, Any]:
    """The figures of `confusion`, with 95 % intervals over the reference's features, or blocks of its rasters.

    `index` and `mapped` (N,) are class indices of the reference and of the map at pixels of the groups `group` (N,), so
    many `times` (N,), or once. Without `grouped` the intervals are null: the design that the reference was drawn by
    says more.
    """
    figures, classes = confusion.to_json(), len(confusion.classes)
    nothing, overall = np.empty(0, np.int64), None
    found = class_intervals(nothing, nothing, nothing, classes)
    if grouped and confusion.n:
        found = class_intervals(index, mapped, group, classes, times=times)
        overall = asdict(accuracy_interval(np.asarray(index == mapped), group, times=times))
    rows = [row | more for row, more in zip(figures["classes"], found, strict=True)]
    return figures | {"classes": rows, "overall_accuracy_interval": overall}


def groups_of(reference: Labelled, width: int) -> NDArray[np.int64]:
    """(N,) the feature of each pixel of a map of `width` columns, or a raster's block; those have numbers below 0."""
    return np.where(reference.units >= 0, reference.units, blocks_of(reference.rows, reference.cols, width))


def blocks_of(rows: NDArray[np.integer], cols: NDArray[np.integer], width: int) -> NDArray[np.int64]:
    """(N,) the block of each pixel, a number below 0."""
    across = (width - 1) // BLOCK + 1
    return -1 - (rows.astype(np.int64) // BLOCK * across + cols // BLOCK)
