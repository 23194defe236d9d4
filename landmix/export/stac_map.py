"""A finished map as a STAC item: what its files hold, where and when, and what they were made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landmix.engines.engine import BESIDES
from landmix.errors import LandmixError
from landmix.export.stac_bands import number
from landmix.export.stac_dates import when
from landmix.export.stac_ground import place, projection
from landmix.export.stac_words import VERSION, classes, href, used_extensions
from landmix.files import is_remote
from landmix.geo.grid import Grid
from landmix.geo.ground import pixel_size
from landmix.geo.opening import open_raster
from landmix.geo.remote import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import rasterio

    from landmix.core.legend import Legend
    from landmix.geo.paths import Entry

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
GEOJSON = "application/geo+json"

_TITLES = {
    "classes": "Land-cover classes",
    "confidence": "Probability of the class",
    "gap": "Best minus second probability",
    "probabilities": "Probability of each class",
    "fractions": "Fraction of each class in the pixel",
    "applicability": "Dissimilarity to the training pixels, in thresholds",
}
_MEDIA = {
    ".tif": "image/tiff; application=geotiff", ".tiff": "image/tiff; application=geotiff", ".jp2": "image/jp2",
    ".json": GEOJSON, ".geojson": GEOJSON,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What maps are made with."""

    model: Path
    legend: Legend
    model_item: Path | None
    """The STAC item of the model, where one lies beside it."""


def item_path(raster: Path) -> Path:
    """The item of a map; no raster, table or `predict.json` has such a name."""
    return raster.with_name(f"{raster.stem}.stac.json")


def map_item(raster: Path, entry: Entry, source: Source, collection: str) -> dict[str, Any]:
    """The item of the map `raster` of the scene `entry`, as it stands beside the map.

    The same map of the same input gives the same item. Raises `LandmixError` where the map cannot be read.
    """
    folder = raster.absolute().parent
    with open_raster(str(raster)) as dataset:
        grid, tags = Grid.of(dataset), dataset.tags()
    pixel = _metres(grid)
    digest = str(tags.get("LANDMIX_DIGEST", ""))
    taken = when(entry, raster)
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": raster.stem,
        **place([grid]),
        "properties": {
            "title": f"Land cover of {raster.stem}",
            **taken.fields,
            **({"gsd": pixel} if pixel else {}),
            **projection(grid),
            "processing:software": {"landmix": str(tags.get("LANDMIX_VERSION", ""))},
            "landmix:datetime_from": taken.source,
            "landmix:digest": digest,
            **_provenance(tags),
        },
        "collection": collection,
        "links": [
            {"rel": "root", "href": "./collection.json", "type": "application/json"},
            {"rel": "parent", "href": "./collection.json", "type": "application/json"},
            {"rel": "collection", "href": "./collection.json", "type": "application/json"},
            *_origins(entry, source, folder),
        ],
        "assets": dict(_assets(raster, source.legend, digest, pixel)),
    }
    return item | {"stac_extensions": used_extensions(item)}


def _metres(grid: Grid) -> float | None:
    """The pixel size, height and width averaged; None where it is not known."""
    size = pixel_size(grid)
    return round(sum(size) / 2, 6) or None if size else None


def _provenance(tags: dict[str, str]) -> dict[str, Any]:
    """The map's own tags: model, input and engine."""
    found: dict[str, Any] = {}
    for key in ("model", "input", "engine", "settings"):
        text = str(tags.get(f"LANDMIX_{key.upper()}", ""))
        found[f"landmix:{key}"] = text if key == "model" else json.loads(text or "null")
    return found


def _origins(entry: Entry, source: Source, folder: Path) -> Iterator[dict[str, str]]:
    """Links to what a map was made of."""
    model = source.model_item or source.model
    kind = GEOJSON if source.model_item else "application/octet-stream"
    yield {"rel": "derived_from", "href": href(model, folder), "type": kind, "title": "Model"}
    for path in dict.fromkeys(entry.files):
        name = shown(path).rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]
        link = {"rel": "derived_from", "href": shown(path) if is_remote(path) else href(path, folder)}
        media = _MEDIA.get("." + name.rpartition(".")[2].lower())
        yield link | ({"type": media} if media else {}) | {"title": f"Scene: {name}"}


def _assets(raster: Path, legend: Legend, digest: str, pixel: float | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The map and those of its companions that were made with it."""
    for name in ("classes", *BESIDES, "fractions"):
        path = raster if name == "classes" else raster.with_name(f"{raster.stem}_{name}.tif")
        if not path.is_file():
            continue
        try:
            with open_raster(str(path)) as dataset:
                if str(dataset.tags().get("LANDMIX_DIGEST", "")) == digest:
                    yield name, _asset(path, name, dataset, legend, pixel)
        except LandmixError:
            if name == "classes":
                raise  # another file of that name is no concern


def _asset(
    path: Path, name: str, dataset: rasterio.DatasetReader, legend: Legend, pixel: float | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "href": href(path, path.absolute().parent),
        "title": _TITLES[name],
        "type": COG,
        "roles": ["data"],
        "data_type": dataset.dtypes[0],
        "bands": [{"name": band or name} for band in dataset.descriptions],
        "raster:sampling": "area",
    }
    if dataset.nodata is not None:
        fields["nodata"] = number(dataset.nodata)
    if pixel:
        fields["raster:spatial_resolution"] = pixel
    if name == "classes":
        fields["classification:classes"] = classes(legend, nodata=True)
    else:
        fields |= {"unit": "1", "raster:scale": dataset.scales[0], "raster:offset": dataset.offsets[0]}
    return fields | {"file:size": path.stat().st_size}
