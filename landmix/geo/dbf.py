"""dBASE tables, as ArcGIS wants attributes of rasters. GDAL's own cannot be written to every path."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TEXT, _NUMBER = "C", "N"
_LONGEST = 254
"""Bytes of a text."""


def dbf(columns: Mapping[str, Sequence[int] | Sequence[float] | Sequence[str]]) -> bytes:
    """A table of whole numbers, reals and texts (UTF-8), by column name of at most 10 letters."""
    fields = [_field(name, values) for name, values in columns.items()]
    rows = list(zip(*[cells for _, _, _, cells in fields], strict=True))
    widths = [width for _, width, _, _ in fields]
    # version 3, the same day always: equal maps have equal files
    head = struct.pack("<4BIHH20x", 3, 100, 1, 1, len(rows), 32 * len(fields) + 33, 1 + sum(widths))
    for name, (kind, width, decimals, _) in zip(columns, fields, strict=True):
        head += struct.pack("<11sc4xBB14x", name.encode("ascii"), kind.encode(), width, decimals)
    return head + b"\r" + b"".join(b" " + b"".join(row) for row in rows) + b"\x1a"


def _field(name: str, values: Sequence[int] | Sequence[float] | Sequence[str]) -> tuple[str, int, int, list[bytes]]:
    """Kind, width, decimals and cells of a column."""
    if any(isinstance(value, str) for value in values):
        texts = [str(value).encode()[:_LONGEST].decode(errors="ignore").encode() for value in values]
        width = max(map(len, texts), default=1) or 1
        return _TEXT, width, 0, [text.ljust(width) for text in texts]
    if any(isinstance(value, float) for value in values):
        return _NUMBER, 24, 15, [f"{value:24.15f}".encode() for value in values]
    width = 9 if name == "Value" else 18
    return _NUMBER, width, 0, [str(value).rjust(width).encode() for value in values]
