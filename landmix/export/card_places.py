"""Where and when a model was trained, as far as its file says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from landmix.export.card_words import number, rows
from landmix.export.stac_dates import named

if TYPE_CHECKING:
    from landmix.bundle import Bundle

_TURN = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One training scene."""

    name: str
    crs: str | None
    box: tuple[float, float, float, float] | None
    """West, south, east, north in degrees."""
    pixel: tuple[float, float] | None
    """Height and width in metres."""


def places(bundle: Bundle) -> list[Place]:
    """Of each training scene."""
    return [
        Place(name=str(row.get("name")), crs=_text(row.get("crs")), box=_box(row), pixel=_pixel(row.get("pixel_m")))
        for row in rows(bundle.training, "grids")
    ]


def around(every: list[Place]) -> tuple[float, float, float, float] | None:
    """The box around all of them; None where none is known, or one crosses the antimeridian."""
    boxes = [place.box for place in every if place.box is not None]
    if not boxes or any(west > east for west, _, east, _ in boxes):
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def dates(bundle: Bundle) -> str | None:
    """The days of acquisition that names of files tell; None where they tell none."""
    taken = named(str(row.get("name")) for row in rows(bundle.training, "scenes"))
    if taken is None:
        return None
    first, last = taken.start.date().isoformat(), taken.end.date().isoformat()
    return first if first == last else f"{first} to {last}"


def degrees(box: tuple[float, float, float, float] | None) -> str | None:
    """A box as people read it."""
    if box is None:
        return None
    west, south, east, north = box
    return f"{_side(south, 'SN')} to {_side(north, 'SN')}, {_side(west, 'WE')} to {_side(east, 'WE')}"


def _side(value: float, names: str) -> str:
    return f"{abs(value):.3f}° {names[value >= 0]}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _pixel(value: object) -> tuple[float, float] | None:
    sides = [number(side) for side in value] if isinstance(value, list | tuple) else []
    height, width = sides if len(sides) == 2 else (None, None)  # noqa: PLR2004
    return (height, width) if height and width else None


def _box(row: dict[str, Any]) -> tuple[float, float, float, float] | None:
    try:
        a, b, c, d, e, f = (float(value) for value in row["transform"])
        ends = [(x, y) for x in (0, int(row["width"])) for y in (0, int(row["height"]))]
        x, y = zip(*((a * x + b * y + c, d * x + e * y + f) for x, y in ends), strict=True)
        crs = CRS.from_string(row["crs"])
        west, south, east, north = transform_bounds(crs, "EPSG:4326", min(x), min(y), max(x), max(y))
    except (RasterioError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    box = west, south, east, north
    return box if all(number(side) is not None and abs(side) <= 2 * _TURN for side in box) else None
