"""Where the training and validation pixels lie, and how they fit a small grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("training", "validation", "left out as buffer")
"""What the numbers in `Places.part` mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The labelled pixels of one scene."""

    name: str
    """As people call the scene."""
    shape: tuple[int, int]
    """Height and width of the scene in pixels."""
    rows: NDArray[np.integer]
    """(N,) row of each labelled pixel."""
    cols: NDArray[np.integer]
    """(N,) column of each."""
    part: NDArray[np.int8]
    """(N,) 0 training, 1 validation, 2 left out between them."""
    quicklook: NDArray[np.uint8] | None = None
    """(h, w, 3) picture of the whole scene, of any size."""

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or not len(self.rows) == len(self.cols) == len(self.part):
            msg = (
                f"places need a shape of at least 1 x 1 and as many rows as columns and parts, not {self.shape},"
                f" {len(self.rows)}, {len(self.cols)} and {len(self.part)}"
            )
            raise ValueError(msg)
        limits = (
            ("row", self.rows, self.shape[0]),
            ("column", self.cols, self.shape[1]),
            ("part", self.part, len(PARTS)),
        )
        for what, numbers, end in limits:
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
                msg = f"each {what} of {self.name} must lie in 0 to {end - 1}, not {numbers.min()} to {numbers.max()}"
                raise ValueError(msg)


def cells_of(scene: Places, most: int) -> NDArray[np.int8]:
    """Put the labelled pixels on a grid of at most `most` x `most` cells: the part, or -1 where nothing is labelled.

    Where the grid is coarser than the scene, lone cells grow by one, so that the smallest polygon can be seen.
    """
    factor = max(max(scene.shape) / most, 1.0)
    height, width = (max(math.ceil(side / factor), 1) for side in scene.shape)
    cells = np.full((height, width), -1, np.int8)
    row, col = ((at / factor).astype(np.intp) for at in (scene.rows, scene.cols))
    # A buffer pixel never hides another; where both other parts share a cell, the one that comes last shows.
    for wanted in (scene.part == len(PARTS) - 1, scene.part != len(PARTS) - 1):
        cells[row[wanted], col[wanted]] = scene.part[wanted]
    return _grow(cells) if factor > 1 else cells


def _grow(cells: NDArray[np.int8]) -> NDArray[np.int8]:
    """Give each empty cell the part of a neighbour; validation before training before buffer."""
    padded = np.pad(cells, 1, constant_values=-1)
    rank = np.array([1, 2, 0, -1], np.int8)[padded]  # -1 takes the last
    best = np.maximum.reduce([np.roll(rank, step, axis) for axis in (0, 1) for step in (-1, 1)])[1:-1, 1:-1]
    return np.where(cells >= 0, cells, np.array([2, 0, 1, -1], np.int8)[best])
