"""How a map is cut into the tiles of the page: in its own pixels, never warped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from landmix.core.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.geo.grid import Grid

T = TypeVar("T", bound=np.generic)

TILE = 256
"""Side of a tile in pixels of its level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A grid as the page draws it. Level n has every 2^n-th pixel; places on the page count from its upper left."""

    grid: Grid

    @property
    def levels(self) -> int:
        """The coarsest level: there the map is one tile."""
        level = 0
        while max(self.grid.height, self.grid.width) >> level > TILE:
            level += 1
        return level

    @property
    def turned(self) -> bool:
        """Whether the file begins with its southernmost row, so that its last row is drawn first."""
        t = self.grid.transform
        return self.grid.georeferenced and t.e > 0 and abs(t.e) > abs(t.d)

    def shape(self, level: int) -> tuple[int, int]:
        """Rows and columns of a level; what is left over at the lower and right edge is left out."""
        return max(1, self.grid.height >> level), max(1, self.grid.width >> level)

    def window(self, level: int, x: int, y: int) -> Window | None:
        """What the tile in column x and row y shows, in pixels of the level as the file has them; None outside."""
        if not (0 <= level <= self.levels and x >= 0 and y >= 0):
            return None
        height, width = self.shape(level)
        whole = Window(row=0, col=0, height=height, width=width)
        part = Window(row=y * TILE, col=x * TILE, height=TILE, width=TILE).intersect(whole)
        if part is None or not self.turned:
            return part
        return Window(row=height - part.row_end, col=part.col, height=part.height, width=part.width)

    def drawn(self, values: NDArray[T]) -> NDArray[T]:
        """Values (..., h, w) of a window in the order in which the page draws rows."""
        return values[..., ::-1, :] if self.turned else values

    def row(self, shown: int) -> int:
        """The file's row of a row on the page."""
        return self.grid.height - 1 - shown if self.turned else shown

    def holds(self, row: int, col: int) -> bool:
        """Whether there is such a pixel."""
        return 0 <= row < self.grid.height and 0 <= col < self.grid.width
