"""What is known of one pixel."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
from pyproj.exceptions import ProjError

from landmix.core.window import Window
from landmix.geo.validity import band_validity
from landmix.view.sharing import Pool

if TYPE_CHECKING:
    from landmix.core.bands import Band
    from landmix.geo.grid import Grid
    from landmix.geo.reader import SceneReader
    from landmix.geo.scene import Scene


class Places:
    """Coordinates of pixels."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._lock = threading.Lock()
        self._move: pyproj.Transformer | None = None
        if grid.georeferenced:
            self._move = pyproj.Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)  # type: ignore[union-attr]

    def at(self, row: float, col: float) -> dict[str, float | None]:
        """`x` and `y` in CRS units, `lon` and `lat` in degrees, of the centre of a pixel; None where unknown."""
        if self._move is None:
            return dict.fromkeys(("x", "y", "lon", "lat"))
        x, y = self._grid.transform @ (col + 0.5, row + 0.5)
        try:
            with self._lock:
                lon, lat = self._move.transform(x, y)
        except ProjError:
            lon = lat = math.inf
        return {name: _number(value) for name, value in (("x", x), ("y", y), ("lon", lon), ("lat", lat))}

    def north(self) -> float | None:
        """Where north is in the middle of the file: degrees clockwise from upwards; None where unknown."""
        row, col = self._grid.height / 2, self._grid.width / 2
        here, right, down = (self.at(row + r, col + c) for r, c in ((0, 0), (0, 1), (1, 0)))
        if here["lat"] is None or right["lat"] is None or down["lat"] is None:
            return None
        # the direction in which latitude grows fastest, in pixels
        east, south = right["lat"] - here["lat"], down["lat"] - here["lat"]
        return math.degrees(math.atan2(east, -south)) if (east or south) else None


class Spectra:
    """The values of a scene's bands, pixel by pixel."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._pool: Pool[SceneReader] = Pool(scene.open, 1)

    def close(self) -> None:
        """Close the scene's files."""
        self._pool.close()

    def at(self, row: int, col: int) -> dict[str, Any]:
        """`values`: a physical value a band, or the stored one where the unit is unknown, None where it is not valid.

        `clear`: whether the pixel is in the scene and let through by its quality rule.
        """
        with self._pool.take() as reader:
            values, inside = reader.read(Window(row=row, col=col, height=1, width=1))
        scale, offset = self.scene.scaling.arrays
        physical = values[:, 0, 0].astype(np.float64) * scale + offset
        valid = [
            bool(band_validity(band, nodata)[0, 0]) for band, nodata in zip(values, self.scene.nodata, strict=True)
        ]
        found = [_number(float(v)) if ok else None for v, ok in zip(physical, valid, strict=True)]
        return {"values": found, "clear": bool(inside[0, 0])}

    def bands(self) -> list[dict[str, Any]]:
        """What the page must know of each band to draw it."""
        return [self._band(band) for band in self.scene.bands]

    def _band(self, band: Band) -> dict[str, Any]:
        unit = "stored value" if self.scene.unknown else band.unit
        return {"name": band.name, "nm": band.wavelength, "unit": unit, "role": band.role}


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity; ten digits tell places on earth apart by less than a pixel."""
    return float(f"{value:.10g}") if math.isfinite(value) else None
