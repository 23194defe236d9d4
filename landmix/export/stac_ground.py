"""Where a raster lies, as STAC says it: outline and box in degrees, and the grid itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import CRSError, ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError as RasterioCRSError
from rasterio.transform import from_gcps
from shapely.affinity import translate
from shapely.geometry import mapping
from shapely.geometry.polygon import orient
from shapely.ops import unary_union

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from landmix.geo.grid import Grid

_STEPS = 32
"""Parts of an edge: a straight line on the grid is none in degrees."""

_NEAR = 1e-5
"""Degrees, about a metre, by which an outline may be simplified."""

_TURN, _HALF, _POLE = 360.0, 180.0, 90.0

WHOLE_EARTH = [-_HALF, -_POLE, _HALF, _POLE]
_EARTH = shapely.box(*WHOLE_EARTH)


def place(grids: Sequence[Grid]) -> dict[str, Any]:
    """`geometry` and `bbox` of what grids cover together, in WGS 84; `geometry` null and no box where none has a place.

    Outlines across the antimeridian are cut there, and their box then begins in the east and ends in the west.
    """
    shapes = [shape for grid in grids if (shape := _outline(grid)) is not None]
    if not shapes:
        return {"geometry": None}
    whole = unary_union(shapes).simplify(_NEAR)
    parts = [orient(part) for part in shapely.get_parts(shapely.set_precision(whole, 1e-7)) if part.area]
    if not parts:
        return {"geometry": None}
    return {"geometry": _json(parts), "bbox": box_of(parts)}


def _json(parts: list[shapely.Polygon]) -> dict[str, Any]:
    found: dict[str, Any] = mapping(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))
    return {"type": found["type"], "coordinates": _lists(found["coordinates"])}


def _lists(value: Any) -> Any:
    """Nested sequences as lists of numbers with as many digits as 1e-7 degrees need."""
    return [_lists(part) for part in value] if isinstance(value, tuple | list) else round(value, 7)


def box_of(parts: Sequence[shapely.Polygon]) -> list[float]:
    """West, south, east, north of polygons: the narrowest box; its west lies east of its east where it crosses 180."""
    return _narrowest([part.bounds for part in parts])


def around(boxes: Sequence[Sequence[float]]) -> list[float]:
    """The narrowest box around boxes, of which some may cross 180."""
    cut: list[tuple[float, float, float, float]] = []
    for west, south, east, north in boxes:
        pieces = [(west, east)] if west <= east else [(west, _HALF), (-_HALF, east)]
        cut += [(low, south, high, north) for low, high in pieces]
    return _narrowest(cut)


def _narrowest(pieces: Sequence[tuple[float, float, float, float]]) -> list[float]:
    """A box around pieces that do not cross 180: it leaves out the widest gap between them, around the earth."""
    pieces = sorted(pieces)
    south, north = min(piece[1] for piece in pieces), max(piece[3] for piece in pieces)
    widest, west, east, end = -1.0, pieces[0][0], pieces[0][2], pieces[0][2]
    for low, _, high, _ in pieces[1:]:
        if low - end > widest:
            widest, west, east = low - end, low, end
        end = max(end, high)
    if pieces[0][0] + _TURN - end >= widest:
        west, east = pieces[0][0], end
    return [round(number, 7) for number in (west, south, east, north)]


def _outline(grid: Grid) -> shapely.Geometry | None:
    """A grid's outline in degrees from -180 to 180, in parts where it crosses 180."""
    ring = _ring(grid)
    if ring is None:
        return None
    lon, lat = np.unwrap(ring[:, 0], period=_TURN), ring[:, 1]
    if abs(lon[-1] - lon[0]) > _HALF:  # once around the earth: a pole is inside
        pole = np.copysign(_POLE, lat.mean())
        lon, lat = np.append(lon, [lon[-1], lon[0]]), np.append(lat, [pole, pole])
    whole = shapely.make_valid(shapely.Polygon(np.column_stack([lon, lat])))
    turns = range(int((lon.min() + _HALF) // _TURN), int((lon.max() + _HALF) // _TURN) + 1)
    strips = [translate(shapely.intersection(whole, translate(_EARTH, t * _TURN)), -t * _TURN) for t in turns]
    polygons = [p for s in strips for p in shapely.get_parts(s) if p.geom_type == "Polygon" and p.area]
    return unary_union(polygons) if polygons else None


def _ring(grid: Grid) -> NDArray[np.float64] | None:
    """Longitudes and latitudes (N, 2) along a grid's edge, the first point again at the end; None without a place."""
    if grid.crs is None or not (grid.georeferenced or grid.gcps):
        return None
    transform = from_gcps(list(grid.gcps)) if grid.gcps else grid.transform
    share = np.linspace(0, 1, _STEPS, endpoint=False)
    zeros, ones = np.zeros(_STEPS), np.ones(_STEPS)
    cols = np.concatenate([share, ones, 1 - share, zeros, [0.0]]) * grid.width
    rows = np.concatenate([zeros, share, ones, 1 - share, [0.0]]) * grid.height
    x, y = transform @ (cols, rows)  # type: ignore[operator]  # affine takes arrays too
    try:
        move = pyproj.Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
        ring = np.column_stack(move.transform(x, y, errcheck=False))
    except (CRSError, ProjError, RasterioCRSError):
        return None
    return np.clip(ring, (-np.inf, -_POLE), (np.inf, _POLE)) if np.isfinite(ring).all() else None


def projection(grid: Grid) -> dict[str, Any]:
    """`proj:*` of a grid; its CRS by code where an authority has exactly it, else in full."""
    fields: dict[str, Any] = {"proj:code": _code(grid.crs)}
    if grid.crs is not None and fields["proj:code"] is None:
        fields["proj:wkt2"] = grid.crs.to_wkt(version="WKT2_2019")
    fields["proj:shape"] = [grid.height, grid.width]
    if not grid.transform.is_identity and not grid.gcps:
        corners = [grid.transform @ (col, row) for col in (0, grid.width) for row in (0, grid.height)]
        xs, ys = zip(*corners, strict=True)
        fields["proj:bbox"] = [min(xs), min(ys), max(xs), max(ys)]
        fields["proj:transform"] = list(grid.transform)[:6]
    return fields


def _code(crs: CRS | None) -> str | None:
    found = crs.to_authority() if crs is not None else None
    try:
        return ":".join(found) if found and CRS.from_authority(*found) == crs else None
    except RasterioCRSError:
        return None
