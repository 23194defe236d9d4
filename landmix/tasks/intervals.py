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
    confusion: Confusion, reference: Labelled, mapped: NDArray[np.integer], *, grouped: bool
) -> dict[str, Any]:
    """The figures of `confusion`, with 95 % intervals over the reference's features, or blocks of its rasters.

    `mapped` (N,) are the map's class indices at the N pixels of `reference`. Without `grouped` the intervals are null:
    the design that the reference was drawn by says more.
    """
    figures, classes = confusion.to_json(), len(confusion.classes)
    nothing, overall = np.empty(0, np.int64), None
    found = class_intervals(nothing, nothing, nothing, classes)
    if grouped and confusion.n:
        groups = _groups(reference)
        found = class_intervals(reference.index, mapped, groups, classes)
        overall = asdict(accuracy_interval(np.asarray(reference.index == mapped), groups))
    rows = [row | more for row, more in zip(figures["classes"], found, strict=True)]
    return figures | {"classes": rows, "overall_accuracy_interval": overall}


def _groups(reference: Labelled) -> NDArray[np.int64]:
    """(N,) the feature of each pixel, or the block of a raster's; blocks have numbers below 0."""
    across = int(reference.cols.max()) // BLOCK + 1
    blocks = (reference.rows // BLOCK).astype(np.int64) * across + reference.cols // BLOCK
    return np.where(reference.units >= 0, reference.units, -1 - blocks)
