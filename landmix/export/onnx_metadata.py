"""What an ONNX graph says of itself: what Deepness reads, and what any other client needs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from rasterio.crs import CRS
from rasterio.errors import CRSError

from landmix.errors import LandmixError
from landmix.version import __version__

if TYPE_CHECKING:
    from landmix.bundle import Bundle

_SQUARE = 1.01
"""Pixels whose sides differ by less are square."""

_WHOLE = 100
"""Percent."""


def metadata(bundle: Bundle, *, client: str, tile: int, resolution: float | None) -> dict[str, str]:
    """Keys and values, each a JSON text; `resolution` in metres a pixel, None where nobody knows it.

    The first keys are those of Deepness, which differ between its code and its documentation (`tile_size`,
    `tiles_size`).
    """
    said = {
        "model_type": "Segmentor",
        "class_names": {str(index): c.name for index, c in enumerate(bundle.legend)},
        "resolution": None if resolution is None else round(_WHOLE * resolution, 6),
        "tile_size": tile,
        "tiles_size": tile,
        "tiles_overlap": overlap(bundle.margin, tile),
        "seg_thresh": 0,
        "seg_small_segment": 0,
        "landmix_version": __version__,
        "landmix_digest": bundle.digest,
        "landmix_client": client,
        "landmix_margin": bundle.margin,
        "landmix_bands": bands(bundle),
        "landmix_classes": [
            {"index": index, "value": c.value, "name": c.name, "color": c.color}
            for index, c in enumerate(bundle.legend)
        ],
        "landmix_nodata": bundle.legend.nodata,
    }
    return {key: json.dumps(value) for key, value in said.items() if value is not None}


def bands(bundle: Bundle) -> list[dict[str, Any]]:
    """The input's channels in order: what they are, and which numbers they take."""
    return [
        {
            "name": band.name,
            "wavelength_nm": band.wavelength,
            "width_nm": band.width,
            "common_name": band.common,
            "unit": band.unit,
            "sensor": band.sensor,
            "takes": "physical" if step is None else "stored",
            "decode": step,
            "scale": scale,
            "offset": offset,
            "nodata_stored": None if nodata is None or not math.isfinite(nodata) else nodata,
        }
        for band, step, nodata, scale, offset in zip(
            bundle.bands.inputs,
            bundle.steps,
            bundle.nodata,
            bundle.scaling.scale,
            bundle.scaling.offset,
            strict=True,
        )
    ]


def overlap(margin: int, tile: int) -> int:
    """Percent by which tiles must overlap, so that each gives away only what it saw with its whole margin."""
    return math.ceil(_WHOLE * 2 * margin / tile)


def pixel_size(bundle: Bundle) -> float | None:
    """Side in metres of the pixels that the model was trained on; None where no place on earth is recorded.

    In the unit of the map for projected scenes, as Deepness counts it, else on the ground. Raises `LandmixError` where
    pixels are not square.
    """
    grids = bundle.training.get("grids")
    for grid in grids if isinstance(grids, list) else []:
        try:
            height, width = map(float, _on_map(grid) or grid["pixel_m"])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # without a place, or damaged
        if not (min(height, width) > 0 and math.isfinite(height * width)):
            continue
        if max(height, width) > _SQUARE * min(height, width):
            msg = (
                f"an ONNX client takes square pixels, but those of {grid.get('name')} are {height:g} m high and"
                f" {width:g} m wide: say which size to tell it with resolution=... (in metres)"
            )
            raise LandmixError(msg)
        return math.sqrt(height * width)
    return None


def _on_map(grid: dict[str, Any]) -> tuple[float, float] | None:
    """Height and width of a pixel in metres of its map projection; None for degrees."""
    try:
        crs = CRS.from_string(grid["crs"])
        metres = crs.linear_units_factor[1] if crs.is_projected else None
    except (CRSError, AttributeError):
        return None
    if metres is None:
        return None
    a, b, _, d, e, _ = map(float, grid["transform"])
    return math.hypot(b, e) * metres, math.hypot(a, d) * metres
