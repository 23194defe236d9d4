"""TIFF files byte by byte: what no library would write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by the number of its TIFF type."""
LETTERS = {1: "B", 2: "c", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q"}
SHORT, LONG, DOUBLE, LONG8 = 3, 4, 12, 16

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUBIFDS, EXTRA, FORMAT = 322, 323, 324, 325, 330, 338, 339
PIXEL_SCALE, TIEPOINTS, MATRIX, KEYS = 33550, 33922, 34264, 34735

Tags = dict[int, tuple[int, tuple[Any, ...]]]
"""TIFF type and values by tag."""


@dataclass(kw_only=True)
class Tiff:
    """A file with one directory; `blocks` are its strips or tiles as they lie in it."""

    tags: Tags
    blocks: Sequence[bytes] = ()
    big: bool = False
    order: str = "<"
    next_directory: int = 0
    """Offset of the next directory; 8 (16) is this one itself, a loop."""
    counts: Sequence[int] | None = None
    """What the directory says of the blocks' lengths, where that is a lie."""
    offsets: Sequence[int] | None = None
    """Likewise of their places."""
    sort: bool = True
    tiled: bool = field(default=False)

    def whole(self) -> bytes:
        """Header, directory, values that do not fit into it, blocks."""
        tags = dict(self.tags)
        number = (TILE_OFFSETS, TILE_COUNTS) if self.tiled else (OFFSETS, COUNTS)
        kind = LONG8 if self.big else LONG
        if self.blocks or self.counts is not None:
            tags[number[1]] = kind, tuple(self.counts if self.counts is not None else map(len, self.blocks))
            tags[number[0]] = kind, (0,) * max(len(self.blocks), len(self.counts or ()))
        start = len(self._head(0)) + self._directory(tags, 0)[1]
        at, places = start, []
        for block in self.blocks:
            places.append(at)
            at += len(block)
        if self.blocks or self.offsets is not None:
            tags[number[0]] = kind, tuple(self.offsets if self.offsets is not None else places)
        directory, _ = self._directory(tags, len(self._head(0)))
        return self._head(len(self._head(0))) + directory + b"".join(self.blocks)

    def directory_at(self, start: int) -> bytes:
        """The directory alone, for another file where it lies at `start`."""
        return self._directory(self.tags, start)[0]

    def _head(self, first: int) -> bytes:
        mark = b"II" if self.order == "<" else b"MM"
        if self.big:
            return mark + struct.pack(f"{self.order}HHHQ", 43, 8, 0, first)
        return mark + struct.pack(f"{self.order}HI", 42, first)

    def _directory(self, tags: Mapping[int, tuple[int, tuple[Any, ...]]], start: int) -> tuple[bytes, int]:
        """The directory as it lies at `start`, and its length with the values that do not fit into it."""
        inline, entry = (8, 20) if self.big else (4, 12)
        count, word = ("Q", "Q") if self.big else ("H", "I")
        head = struct.calcsize(f"<{count}")
        after = start + head + entry * len(tags) + inline
        entries, extra = b"", b""
        for tag in sorted(tags) if self.sort else tags:
            kind, values = tags[tag]
            data = self._values(kind, values)
            if len(data) <= inline:
                value = data.ljust(inline, b"\0")
            else:
                value = struct.pack(f"{self.order}{word}", after + len(extra))
                extra += data + b"\0" * (len(data) % 2)
            entries += struct.pack(f"{self.order}HH{word}", tag, kind, len(data) // SIZES[kind]) + value
        whole = struct.pack(f"{self.order}{count}", len(tags)) + entries
        whole += struct.pack(f"{self.order}{word}", self.next_directory) + extra
        return whole, len(whole)

    def _values(self, kind: int, values: tuple[Any, ...]) -> bytes:
        if kind == 2:
            return b"".join(value.encode() + b"\0" for value in values)
        if kind in {5, 10}:  # fractions
            return b"".join(struct.pack(f"{self.order}II", *value) for value in values)
        return struct.pack(f"{self.order}{len(values)}{LETTERS[kind]}", *values)


def basic(height: int, width: int, samples: int = 1, bits: int = 8, fmt: int = 1, **more: Any) -> Tags:
    """The tags of a raster of one strip, as it would be if all were well."""
    return {
        WIDTH: (LONG, (width,)),
        HEIGHT: (LONG, (height,)),
        BITS: (SHORT, (bits,) * samples),
        COMPRESSION: (SHORT, (more.get("compression", 1),)),
        PHOTOMETRIC: (SHORT, (more.get("photometric", 1),)),
        SAMPLES: (SHORT, (samples,)),
        ROWS: (LONG, (more.get("rows", height),)),
        PLANAR: (SHORT, (more.get("planar", 1),)),
        FORMAT: (SHORT, (fmt,) * samples),
        **({EXTRA: (SHORT, (0,) * (samples - 1))} if samples > 1 else {}),
    }


def geo(transform: tuple[float, float, float, float] = (500_000, 10, 5_400_000, 10), epsg: int = 32633) -> Tags:
    """Tags that say where a raster is: x, pixel width, y, pixel height."""
    x, width, y, height = transform
    return {
        PIXEL_SCALE: (DOUBLE, (float(width), float(height), 0.0)),
        TIEPOINTS: (DOUBLE, (0.0, 0.0, 0.0, float(x), float(y), 0.0)),
        KEYS: (SHORT, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, epsg)),
    }


def strip(values: NDArray[Any], order: Literal["<", ">"] = "<", *, deflate: bool = False) -> bytes:
    """(C, H, W) as one strip, pixel by pixel."""
    data: NDArray[np.generic] = values.transpose(1, 2, 0)
    stored = data.astype(data.dtype.newbyteorder(order)).tobytes()
    return zlib.compress(stored) if deflate else stored
