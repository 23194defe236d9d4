"""How a reference was drawn, where `landmix sample` drew it and its `.json` still lies beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix.files import file_hash, is_remote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.tasks.settings import EvaluateSettings

_LARGEST = 2**20
"""Bytes of a record of landmix's at most; a JSON file of somebody else may have any size."""


def drawn_otherwise(settings: EvaluateSettings, files: Sequence[str]) -> list[str]:
    """What contradicts the way in which the reference `files` are used, a sentence each."""
    return [text for path in files if (record := _record(path)) for text in _contradictions(settings, path, record)]


def _record(path: str) -> dict[str, Any] | None:
    """What lies beside a sample; None where it is not one of landmix's."""
    beside = Path(path).with_suffix(".json")
    try:
        if is_remote(path) or beside.stat().st_size > _LARGEST:
            return None
        record = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("map_sha256"), str) else None


def _contradictions(settings: EvaluateSettings, path: str, record: dict[str, Any]) -> list[str]:
    drawn_by = record.get("strata") or record.get("map")
    if settings.design != "stratified":
        told = f"{path} was drawn by strata ({drawn_by}), each with a chance of its own"
        return [f"{told}: design={settings.design} counts all points alike and is biased; take design=stratified"]
    by_map = record.get("strata") is None
    wanted = record["map_sha256"] if by_map else record.get("strata_sha256")
    given = settings.map if settings.strata is None else settings.strata
    if is_remote(given) or wanted is None or file_hash(given) == wanted:
        return []
    told = f"{path} was drawn by the strata of {drawn_by}, which {given} is not, so areas and accuracies are biased"
    return [f"{told}: give the raster that it was drawn by with strata="]
