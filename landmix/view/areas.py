"""How large each class is."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from affine import Affine as Transform

from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo.ground import pixel_size
from landmix.geo.maps import MapReader

if TYPE_CHECKING:
    from landmix.core.legend import Legend
    from landmix.geo.grid import Grid


class Areas:
    """Counts a map's pixels beside everything else, part by part."""

    def __init__(self, path: str, legend: Legend) -> None:
        self._path = path
        self._pixels = dict.fromkeys(legend.values, 0)
        self._m2 = dict.fromkeys(legend.values, 0.0)
        self._seen, self._total, self._placed = 0, 0, True
        self._error: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count, name="landmix-areas", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the part that is being counted."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait for it."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def state(self) -> dict[str, Any]:
        """`share` of the map that was counted, from 0 to 1; a line a class with `pixels` and `m2` (None if unknown).

        `classified`: how many of the `seen` pixels have a class.
        """
        done = self._total and self._seen / self._total
        return {
            "share": done,
            "error": self._error,
            "seen": self._seen,
            "classified": sum(self._pixels.values()),
            "classes": [
                {"value": value, "pixels": count, "m2": self._m2[value] if self._placed else None}
                for value, count in self._pixels.items()
            ],
        }

    def _count(self) -> None:
        try:
            with MapReader(self._path) as reader:
                self._total = reader.grid.window.size
                for window, counts in reader.counted(_side(reader.grid)):
                    pixel = _pixel_m2(reader.grid, window)
                    self._placed = self._placed and pixel is not None
                    for value in counts.keys() & self._pixels.keys():
                        self._pixels[value] += counts[value]
                        self._m2[value] += counts[value] * (pixel or 0.0)
                    self._seen += window.size
                    if self._stop.is_set():
                        return
        except Exception as error:  # noqa: BLE001 - the page would wait for ever
            known = isinstance(error, LandmixError)
            self._error = str(error) if known else f"areas could not be counted ({type(error).__name__}: {error})"


def _side(grid: Grid) -> int:
    """Side of squares in which all pixels are about as large, so that one area holds for all of them."""
    side = 1024
    while side > _SMALLEST:
        rows = [min(max(row, 0), grid.height - 1) for row in (0, side, grid.height - side, grid.height - 1)]
        first, below, above, last = (
            _pixel_m2(grid, Window(row=row, col=grid.width // 2, height=1, width=1)) for row in rows
        )
        if not (first and below and above and last) or max(_apart(first, below), _apart(above, last)) < _SAME:
            break
        side //= 2
    return side


_SMALLEST = 32
_SAME = 0.01


def _apart(one: float, other: float) -> float:
    return abs(one - other) / max(one, other)


def _pixel_m2(grid: Grid, window: Window) -> float | None:
    """Of a pixel in the middle of a window: in degrees and Web Mercator pixels become smaller towards the poles."""
    place = grid.transform @ Transform.translation(window.col, window.row)
    size = pixel_size(replace(grid, transform=place, height=window.height, width=window.width))
    return None if size is None else size[0] * size[1]
