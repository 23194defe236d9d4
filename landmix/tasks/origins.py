"""How a reference was drawn, where `landmix sample` drew it: the file says so, or its `.json` beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyogrio
import pyogrio.raw
from pyogrio.errors import DataLayerError, DataSourceError

from landmix.files import file_hash, is_remote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.tasks.settings import EvaluateSettings

RECORD = "LANDMIX_SAMPLE"
"""Under which a GeoPackage's layer has the content of `sample.json`; GIS programs keep it when they edit the file."""

LAYER = "sample"
"""That holds the points; GIS programs put their styles into others."""

_LARGEST = 2**20
"""Bytes of a record of landmix's at most; a JSON file of somebody else may have any size."""


def drawn_otherwise(settings: EvaluateSettings, files: Sequence[str]) -> list[str]:
    """What contradicts the way in which the reference `files` are used, a sentence each."""
    return [text for path in files if (record := _record(path)) for text in _contradictions(settings, path, record)]


def answered(sample: Path) -> bool:
    """Whether somebody has written into the field `reference` of a sample."""
    try:
        found = pyogrio.raw.read(sample, layer=LAYER, columns=["reference"], read_geometry=False)[3]
    except (DataSourceError, DataLayerError):  # none, or not yet whole
        return False
    return any(value is not None and str(value).strip() for column in found for value in column)


def _record(path: str) -> dict[str, Any] | None:
    """What a sample says of itself; None where it is not one of landmix's."""
    if is_remote(path):
        return None
    for text in (_within(path), _beside(path)):
        try:
            record = json.loads(text or "null")
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("map_sha256"), str):
            return record
    return None


def _within(path: str) -> str | None:
    if not path.lower().endswith(".gpkg"):
        return None
    try:
        said = [pyogrio.read_info(path, layer=name)["layer_metadata"] or {} for name, _ in pyogrio.list_layers(path)]
    except (DataSourceError, DataLayerError):
        return None
    return next((str(one[RECORD])[:_LARGEST] for one in said if RECORD in one), None)


def _beside(path: str) -> str | None:
    beside = Path(path).with_suffix(".json")
    try:
        return beside.read_text(encoding="utf-8") if beside.stat().st_size <= _LARGEST else None
    except (OSError, ValueError):
        return None


def _contradictions(settings: EvaluateSettings, path: str, record: dict[str, Any]) -> list[str]:
    drawn_by = record.get("strata") or record.get("map")
    told = f"{path} was drawn by strata ({drawn_by}), each with a chance of its own"
    if settings.design is None:
        return [f"{told}: the figures are of the sample, not of the map; design=stratified has those of the map"]
    if settings.design != "stratified":
        return [f"{told}: design={settings.design} counts all points alike and is biased; take design=stratified"]
    by_map = record.get("strata") is None
    wanted = record["map_sha256"] if by_map else record.get("strata_sha256")
    given = settings.map if settings.strata is None else settings.strata
    if is_remote(given) or wanted is None or file_hash(given) == wanted:
        return []
    told = f"{path} was drawn by the strata of {drawn_by}, which {given} is not, so areas and accuracies are biased"
    return [f"{told}: give the raster that it was drawn by with strata="]
