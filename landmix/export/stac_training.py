"""Where and when a model was trained, as far as its file says it; that can be a stranger's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine as Transform

from landmix.export.stac_dates import named
from landmix.geo.grid import Grid

if TYPE_CHECKING:
    from landmix.bundle import Bundle

_ANY_TIME = {"datetime": None, "start_datetime": "1900-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
"""As the extension writes that no time is known to be wrong."""


def times(bundle: Bundle) -> dict[str, Any]:
    """When the training scenes were taken, as far as their names say it."""
    scenes = bundle.training.get("scenes")
    files = [str(s["name"]) for s in scenes if isinstance(s, dict) and "name" in s] if isinstance(scenes, list) else []
    known = named(files)
    return known.fields | {"landmix:datetime_from": known.source} if known else {**_ANY_TIME}


def grids(bundle: Bundle) -> list[Grid]:
    """Where the model was trained; what a stranger's file says wrongly is left out."""
    said = bundle.training.get("grids")
    return [grid for entry in (said if isinstance(said, list) else []) if (grid := _grid(entry)) is not None]


def _grid(entry: Any) -> Grid | None:
    try:
        numbers = [float(number) for number in entry["transform"]]
        height, width = int(entry["height"]), int(entry["width"])
        if not all(map(math.isfinite, numbers)) or min(height, width) < 1:
            return None
        return Grid(crs=CRS.from_string(entry["crs"]), transform=Transform(*numbers), height=height, width=width)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, CRSError):
        return None
