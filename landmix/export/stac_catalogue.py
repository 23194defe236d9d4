"""The maps of a folder as a STAC collection: an item beside each map, and `collection.json`."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from landmix.errors import LandmixError
from landmix.export.stac_ground import WHOLE_EARTH, around
from landmix.export.stac_map import GEOJSON, Source, item_path, map_item
from landmix.export.stac_words import VERSION, href, used_extensions
from landmix.files import read_bytes, write_json
from landmix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.geo.paths import Entry

_LIMIT = 64 * 2**20
"""Bytes of an item or collection."""


class Catalogue:
    """The STAC documents of an output folder.

    Where `wanted` is False, those that are there already are kept true, and no others are made.
    """

    def __init__(self, folder: Path, bundle: Bundle, model: Path, *, wanted: bool) -> None:
        """`model` is the file of `bundle`."""
        self._folder, self._bundle, self._wanted = folder, bundle, wanted
        self._source = Source(model=model, legend=bundle.legend, model_item=_model_item(model, bundle))
        self._changed = False

    @property
    def path(self) -> Path:
        """The collection."""
        return self._folder / "collection.json"

    def targets(self, maps: Iterable[Path]) -> list[Path]:
        """The files that will be written for `maps`."""
        return [*map(item_path, maps), self.path] if self._wanted else []

    def check(self, maps: Iterable[Path]) -> None:
        """Raise `LandmixError` where a file of somebody else has the name of one of ours."""
        for path in self.targets(maps):
            if path.exists() and not _is_ours(_read(path)):
                msg = f"{path} exists and is not by landmix, but stac=true writes there: choose another out_dir"
                raise LandmixError(msg)

    def add(self, entry: Entry, raster: Path) -> None:
        """Write the item of a finished map, unless it is there. Raises `LandmixError` where it cannot."""
        path = item_path(raster)
        known = _read(path)
        if not self._wanted and not _is_ours(known):
            return
        item = map_item(raster, entry, self._source, self._id)
        if item != known:
            write_json(path, item)
        self._changed = True

    def close(self) -> None:
        """Write the collection of all items in the folder."""
        if not self._changed:
            return
        items = [found for path in sorted(self._folder.glob("*.stac.json")) if (found := self._own(path))]
        made = collection(self._id, items)
        if made != _read(self.path):
            write_json(self.path, made)

    def _own(self, path: Path) -> tuple[Path, dict[str, Any]] | None:
        """An item of this collection whose map is still there."""
        item = _read(path)
        here = path.with_name(path.name.removesuffix(".stac.json") + ".tif").exists()
        return (path, item) if item and here and _is_whole(item) and item["collection"] == self._id else None

    @cached_property
    def _id(self) -> str:
        """That of earlier runs, wherever the folder was moved; else the folder's name."""
        known = _read(self.path)
        return str(known["id"]) if known and _is_ours(known) else self._folder.absolute().name or "maps"


def collection(name: str, items: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """The collection of items, each with its path, as it stands beside them."""
    links = [{"rel": "root", "href": "./collection.json", "type": "application/json"}]
    for path, item in items:
        link = {"rel": "item", "href": href(path, path.absolute().parent), "type": GEOJSON, "title": item["id"]}
        links.append(link)
    found: dict[str, Any] = {
        "type": "Collection",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": name,
        "title": f"Land cover: {name}",
        "description": "Land-cover maps that landmix made of satellite scenes.",
        "license": "other",
        "extent": {"spatial": {"bbox": _boxes(items)}, "temporal": {"interval": [_interval(items)]}},
        "summaries": _summaries([item["properties"] for _, item in items]),
        "item_assets": _item_assets([item["assets"] for _, item in items]),
        "links": links,
        "landmix:version": __version__,
    }
    return found | {"stac_extensions": used_extensions(found)}


def _boxes(items: Sequence[tuple[Path, dict[str, Any]]]) -> list[list[float]]:
    """The box around all, and where there are several, each."""
    boxes = [item["bbox"] for _, item in items if "bbox" in item]
    whole = around(boxes) if boxes else WHOLE_EARTH
    return [whole, *boxes] if len(boxes) > 1 else [whole]


def _interval(items: Sequence[tuple[Path, dict[str, Any]]]) -> list[str | None]:
    """The first and the last moment; times of UTC in one form are in order as texts."""
    said = [item["properties"] for _, item in items]
    starts = [p.get("start_datetime") or p["datetime"] for p in said]
    ends = [p.get("end_datetime") or p["datetime"] for p in said]
    return [min(starts, default=None), max(ends, default=None)]


def _summaries(properties: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The values that items have of what one may look for."""
    found: dict[str, list[Any]] = {}
    for key in ("gsd", "proj:code", "landmix:model"):
        values = {p[key] for p in properties if p.get(key) is not None}
        if values:
            found[key] = sorted(values)
    return found


def _item_assets(every: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What assets of one name have in common in all items that have them."""
    shared: dict[str, Any] = {}
    for assets in every:
        for name, asset in assets.items():
            fields = {key: value for key, value in asset.items() if key not in {"href", "file:size"}}
            known = shared.get(name, fields)
            shared[name] = {key: value for key, value in known.items() if fields.get(key) == value}
    return shared


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None for whatever else."""
    try:
        data = json.loads(read_bytes(str(path), _LIMIT)) if path.is_file() else None
    except (LandmixError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _is_ours(data: dict[str, Any] | None) -> bool:
    """Whether a document is an item or a collection as this module writes it."""
    if data is None:
        return False
    if data.get("type") == "Collection":
        return "landmix:version" in data and "id" in data
    properties = data.get("properties")
    return data.get("type") == "Feature" and isinstance(properties, dict) and "landmix:digest" in properties


def _is_whole(item: dict[str, Any]) -> bool:
    """Whether an item of ours still has what the collection takes from it: anybody may have edited it."""
    if not _is_ours(item) or not all(isinstance(item.get(key), str) for key in ("id", "collection")):
        return False
    said, box, assets = item["properties"], item.get("bbox", [0, 0, 0, 0]), item.get("assets")
    times = [said.get("datetime"), said.get("start_datetime"), said.get("end_datetime")]
    return (
        all(time is None or isinstance(time, str) for time in times)
        and (times[0] is not None or None not in times[1:])
        and isinstance(box, list)
        and len(box) == 4  # noqa: PLR2004 - west, south, east, north
        and all(isinstance(number, int | float) for number in box)
        and isinstance(assets, dict)
        and all(isinstance(asset, dict) for asset in assets.values())
    )


def _model_item(model: Path, bundle: Bundle) -> Path | None:
    """The item that `landmix export format=stac` wrote beside a model."""
    for name in (f"{model.stem}.stac.json", f"{model.name}.stac.json", f"{model.stem}.json"):
        item = _read(model.with_name(name))
        said = item.get("properties") if item else None
        if isinstance(said, dict) and "mlm:name" in said and said.get("landmix:model") == bundle.digest:
            return model.with_name(name)
    return None
