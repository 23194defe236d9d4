"""Where pixels are on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from math import degrees
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.core.window import Window
from landmix.errors import LandmixError

if TYPE_CHECKING:
    import rasterio
    from affine import Affine as Transform
    from numpy.typing import NDArray
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS

_POLE, _TURN = 90, 360
"""How far degrees go; longitudes may count from 0 to 360."""

_SAME_PIXEL = 1e-3
"""Grids whose corners are closer than this part of a pixel are one grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """CRS, transform and shape of a raster."""

    crs: CRS | None
    """None where the file has none."""
    transform: Transform
    """(col, row) of a pixel's corner -> x, y in CRS units; may be rotated or south-up."""
    height: int
    width: int
    gcps: tuple[GroundControlPoint, ...] = ()
    """Ground control points instead of a transform, carried through to the map."""
    rpc: tuple[tuple[str, str], ...] = ()
    """Rational polynomial coefficients as GDAL has them (`RPC` metadata), carried through likewise."""

    @staticmethod
    def of(dataset: rasterio.DatasetReader) -> Grid:
        """The grid of an open raster."""
        gcps, gcp_crs = dataset.gcps
        return Grid(
            crs=dataset.crs or gcp_crs,
            transform=dataset.transform,
            height=dataset.height,
            width=dataset.width,
            gcps=tuple(gcps),
            rpc=tuple(sorted(dataset.tags(ns="RPC").items())),
        )

    @property
    def window(self) -> Window:
        """The whole raster."""
        return Window(row=0, col=0, height=self.height, width=self.width)

    @property
    def georeferenced(self) -> bool:
        """Whether pixels have places on the ground (a CRS and a transform)."""
        return self.crs is not None and not self.transform.is_identity

    @property
    def lacking(self) -> str | None:
        """What is missing of a georeference; None where there is one of any kind."""
        if self.gcps or self.rpc:
            return None if self.crs or self.rpc else "CRS"
        if self.georeferenced:
            return None
        return "CRS" if not self.transform.is_identity else "transform" if self.crs else "georeference"

    @property
    def profile(self) -> dict[str, Any]:
        """What rasterio needs to write a raster on this grid."""
        profile: dict[str, Any] = {"height": self.height, "width": self.width}
        if self.gcps:
            return profile | {"gcps": list(self.gcps), "crs": self.crs}
        if not self.transform.is_identity:
            profile["transform"] = self.transform
        return profile | ({"crs": self.crs} if self.crs else {})

    def same_as(self, other: Grid) -> bool:
        """Whether both have the same pixels: shape and CRS, and corners within a thousandth of a pixel."""
        if (self.height, self.width, self.crs) != (other.height, other.width, other.crs):
            return False
        if _places(self) != _places(other):
            return False
        corners = [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]
        here, there = (np.array([grid.transform @ corner for corner in corners]) for grid in (self, other))
        pixel = abs(self.transform.determinant) ** 0.5
        return bool(np.abs(here - there).max() <= _SAME_PIXEL * pixel)

    def check(self, where: str) -> None:
        """Raise `LandmixError` for degrees that do not exist on earth, a sign of a transform that is not there."""
        if self.crs is None or not self.crs.is_geographic or self.gcps:
            return
        unit = degrees(self.crs.units_factor[1])  # not every one counts in degrees
        corners = [
            (x * unit, y * unit)
            for x, y in (self.transform @ (col, row) for col in (0, self.width) for row in (0, self.height))
        ]
        t = self.transform
        pixel = unit * max(abs(t.a) + abs(t.b), abs(t.d) + abs(t.e))
        if max(abs(y) for _, y in corners) > _POLE + pixel or max(abs(x) for x, _ in corners) > _TURN + pixel:
            msg = f"{where} cannot lie where its georeference says ({self}): degrees go to 90 and 180; mend it first"
            raise LandmixError(msg)

    def centres(self, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.float64]:
        """Coordinates (N, 2), x before y in CRS units, of the centres of pixels (N,), (N,)."""
        x, y = self.transform @ (cols + 0.5, rows + 0.5)  # type: ignore[operator]  # affine takes arrays too
        return np.stack([x, y], axis=1)

    def __str__(self) -> str:
        crs = "no CRS" if self.crs is None else self.crs.to_string()[:60]
        t = self.transform
        return f"{self.height} x {self.width} pixels of {t.a:g} x {t.e:g} from ({t.c:.10g}, {t.f:.10g}), {crs}"


def _places(grid: Grid) -> list[tuple[float, float, float, float]]:
    """Ground control points as plain numbers."""
    return [(point.row, point.col, point.x, point.y) for point in grid.gcps]
