"""A scene in words and numbers."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from landmix.geo.ground import pixel_size

if TYPE_CHECKING:
    from landmix.geo.scene import Scene
    from landmix.geo.survey import Survey


def scene_facts(scene: Scene, seen: Survey) -> dict[str, Any]:
    """Everything that is known of a scene, as plain data."""
    grid = scene.grid
    return {
        "kind": "scene",
        "name": scene.name,
        "product": scene.product,
        "files": list(scene.files),
        "height": grid.height,
        "width": grid.width,
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "transform": list(grid.transform.to_gdal()),
        "pixel_m": pixel_size(grid),
        "dtype": scene.dtype.name,
        "unknown": scene.unknown,
        "missing": list(scene.missing),
        "quality": [_quality(scene, i) for i in range(len(scene.quality))],
        "read": asdict(scene.options),
        "share_valid": seen.valid,
        "share_clear": seen.clear,
        "pixels_looked_at": seen.pixels,
        "bands": [_band(scene, i, seen) for i in range(len(scene.bands))],
    }


def _quality(scene: Scene, i: int) -> dict[str, Any]:
    layer = scene.quality[i]
    return {
        "file": scene.rasters[layer.file].path,
        "kind": layer.rule.kind,
        "accepted": list(layer.rule.accepted),
        "dilate": layer.rule.dilate,
    }


def _band(scene: Scene, i: int, seen: Survey) -> dict[str, Any]:
    band, stored = scene.bands[i], scene.stored[scene.origins[i][0]]
    raster = scene.rasters[stored.file]
    t = raster.grid.transform
    doubtful = scene.unknown is not None or not stored.known
    return {
        "number": i + 1,
        "name": band.name,
        "common_name": band.common,
        "wavelength_nm": band.wavelength,
        "width_nm": band.width,
        "unit": None if doubtful and scene.unknown else band.unit,
        "scale": None if doubtful else stored.scale,
        "offset": None if doubtful else stored.offset,
        "scale_known": not doubtful,
        "decode": stored.decode,
        "nodata": _json_number(stored.nodata),
        "dtype": stored.dtype.name,
        "pixel": [math.hypot(t.b, t.e), math.hypot(t.a, t.d)],
        "resampled": scene.resampled[stored.file],
        "share_valid": seen.bands[i],
        "file": raster.path,
    }


def _json_number(value: float | None) -> float | str | None:
    """JSON has no NaN and no infinity."""
    return value if value is None or math.isfinite(value) else str(value)


def scene_text(scene: Scene, facts: dict[str, Any]) -> str:
    """The same as a table."""
    lines = [scene.where, f"  {scene.grid}, {facts['dtype']}"]
    lines += [f"  product: {facts['product']}"] if facts["product"] else []
    lines += [f"  not there: {', '.join(facts['missing'])}"] if facts["missing"] else []
    lines += [f"  physical values: unknown; {facts['unknown']}"] if facts["unknown"] else []
    rows: list[tuple[str, ...]] = [("no", "band", "nm", "unit", "scale", "offset", "nodata", "pixel", "valid")]
    rows += [_row(band) for band in facts["bands"]]
    width = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = {1, 3}
    lines += [
        "  "
        + "  ".join(t.ljust(w) if c in left else t.rjust(w) for c, (t, w) in enumerate(zip(row, width, strict=True)))
        for row in rows
    ]
    for quality in facts["quality"]:
        around = f", {quality['dilate']} pixels around others left out too" if quality["dilate"] else ""
        lines.append(f"  quality: {quality['file']} accepts {', '.join(quality['accepted'])}{around}")
    about = "" if facts["pixels_looked_at"] == scene.grid.window.size else "about "
    lines.append(
        f"  valid in all bands: {about}{100 * facts['share_valid']:.1f} % of the pixels"
        f" (clear and inside: {100 * facts['share_clear']:.1f} %)"
    )
    return "\n".join(lines)


def _row(band: dict[str, Any]) -> tuple[str, ...]:
    known = band["scale_known"]
    scale = f"{band['scale']:.6g}" if known else "unknown"
    if band["decode"]:
        scale = f"{band['decode']}, {scale}"
    return (
        str(band["number"]),
        band["name"],
        "unknown" if band["wavelength_nm"] is None else f"{band['wavelength_nm']:g}",
        band["unit"] or "unknown",
        scale,
        f"{band['offset']:.6g}" if known else "unknown",
        "none" if band["nodata"] is None else str(band["nodata"]),
        f"{max(band['pixel']):g}",
        f"{100 * band['share_valid']:.1f} %",
    )
