"""How a raster is cut into tiles, so that every output pixel has exactly one owner."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from landmix.core.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A window to read and the window inside it that the tile owns and writes."""

    write: Window
    """Owned pixels; always inside the tiled window."""
    margin: int
    """Pixels of context on each side that the network needs."""

    @property
    def read(self) -> Window:
        """`write` grown by the margin; reaches outside the raster at its edges."""
        return self.write.grow(self.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """A cut into rectangles of `core` rows, from the raster's corner; at an area's edges they may be smaller."""

    core: int
    """Rows of the owned rectangles, at least 1."""
    width: int | None = None
    """Their columns; None: as many as rows."""
    margin: int = 0
    """Context in pixels on each side, at least 0."""
    early: int = 0
    """How many pixels before multiples of `core` and `width` the cuts lie, less than both.

    With the margin here, tiles read up to a multiple and not beyond: a file whose blocks end there is decoded once.
    """

    def __post_init__(self) -> None:
        if self.core < 1 or self.margin < 0 or (self.width or 1) < 1:
            msg = f"a tiling needs core >= 1 and margin >= 0, not {self.core} and {self.margin}"
            raise ValueError(msg)
        if not 0 <= self.early < min(self.core, self.width or self.core):
            msg = f"a tiling of {self.core} rows cannot be cut {self.early} pixels early"
            raise ValueError(msg)

    def tiles(self, area: Window) -> Iterator[Tile]:
        """The tiles of `area`, row by row; their `write` windows cover each pixel of it exactly once."""
        for row in self.rows(area):
            yield from row

    def rows(self, area: Window) -> Iterator[list[Tile]]:
        """The same tiles, a list for each row of them."""
        for top, bottom in self._cuts(area.row, area.height, self.core):
            yield [
                Tile(
                    write=Window(row=top, col=left, height=bottom - top, width=right - left),
                    margin=self.margin,
                )
                for left, right in self._cuts(area.col, area.width, self.width or self.core)
            ]

    def _cuts(self, start: int, length: int, core: int) -> Iterator[tuple[int, int]]:
        first = (start + self.early) // core + 1  # the first line after the start
        lines = range(first * core - self.early, start + length - self.early, core)
        return pairwise([start, *lines, start + length])
