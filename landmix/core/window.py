"""Rectangles of whole pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of whole pixels; may reach outside the raster (negative row or col)."""

    row: int
    """First row, counted down from the top edge."""
    col: int
    """First column, counted from the left edge."""
    height: int
    """Rows, at least 1."""
    width: int
    """Columns, at least 1."""

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            msg = f"a window has at least 1 x 1 pixels, not {self.height} x {self.width}"
            raise ValueError(msg)

    @property
    def row_end(self) -> int:
        """First row below the window."""
        return self.row + self.height

    @property
    def col_end(self) -> int:
        """First column right of the window."""
        return self.col + self.width

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) for indexing the last two axes of an array that starts at row 0, col 0."""
        return slice(self.row, self.row_end), slice(self.col, self.col_end)

    def grow(self, margin: int) -> Window:
        """The window with `margin` more pixels on each of its four sides."""
        return Window(
            row=self.row - margin,
            col=self.col - margin,
            height=self.height + 2 * margin,
            width=self.width + 2 * margin,
        )

    def intersect(self, other: Window) -> Window | None:
        """What both windows cover, or None."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        row_end, col_end = min(self.row_end, other.row_end), min(self.col_end, other.col_end)
        if row >= row_end or col >= col_end:
            return None
        return Window(row=row, col=col, height=row_end - row, width=col_end - col)

    def relative_to(self, origin: Window) -> Window:
        """The same pixels, counted from the first row and column of `origin`."""
        return Window(row=self.row - origin.row, col=self.col - origin.col, height=self.height, width=self.width)
