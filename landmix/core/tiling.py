"""How a raster is cut into tiles, so that every output pixel has exactly one owner."""

from __future__ import annotations

from dataclasses import dataclass
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
    """A cut into squares of `core` pixels from the top left; the last of a row or column are smaller."""

    core: int
    """Side of the owned squares in pixels, at least 1."""
    margin: int = 0
    """Context in pixels on each side, at least 0."""

    def __post_init__(self) -> None:
        if self.core < 1 or self.margin < 0:
            msg = f"a tiling needs core >= 1 and margin >= 0, not {self.core} and {self.margin}"
            raise ValueError(msg)

    def tiles(self, area: Window) -> Iterator[Tile]:
        """The tiles of `area`, row by row; their `write` windows cover each pixel of it exactly once."""
        for row in range(area.row, area.row_end, self.core):
            for col in range(area.col, area.col_end, self.core):
                write = Window(
                    row=row,
                    col=col,
                    height=min(self.core, area.row_end - row),
                    width=min(self.core, area.col_end - col),
                )
                yield Tile(write=write, margin=self.margin)

    def count(self, area: Window) -> int:
        """How many tiles `tiles(area)` yields."""
        return -(-area.height // self.core) * -(-area.width // self.core)
