"""When scenes were taken, as far as their catalogue, tags or names say it; STAC wants a time of everything."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landmix.errors import LandmixError
from landmix.files import is_remote, local_file
from landmix.geo.opening import open_raster

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from landmix.geo.items import Item
    from landmix.geo.paths import Entry

_NAMES = (
    (r"S2[A-D]_MSI\w{3}_(\d{8}T\d{6})", "%Y%m%dT%H%M%S"),
    (r"T\d{2}[A-Z]{3}_(\d{8}T\d{6})_", "%Y%m%dT%H%M%S"),
    (r"S2[A-D]_\d{1,2}[A-Z]{3}_(\d{8})_", "%Y%m%d"),
    (r"L[A-Z]\d{2}_\w{4}_\d{6}_(\d{8})_", "%Y%m%d"),
    (r"L[A-Z]\d{7}(\d{7})[A-Z]{3}\d{2}", "%Y%j"),
    (r"HLS\.[LS]30\.T\w{5}\.(\d{7}T\d{6})", "%Y%jT%H%M%S"),
    (r"ENMAP\d{2}-_*L\w+-DT\d+_(\d{8}T\d{6})Z", "%Y%m%dT%H%M%S"),
    (r"PRS_L\w+?_(\d{14})_", "%Y%m%d%H%M%S"),
    (r"(\d{8}_\d{6})_.*_Analytic", "%Y%m%d_%H%M%S"),
)
"""How names of products begin, and how the time of acquisition stands in them."""

_UNKNOWN = "because nobody says when the scene was taken"


@dataclass(frozen=True, slots=True)
class When:
    """From the first to the last moment."""

    start: dt.datetime
    end: dt.datetime
    source: str
    """Who says so."""

    @property
    def fields(self) -> dict[str, Any]:
        """STAC's time fields."""
        if self.start == self.end:
            return {"datetime": stamp(self.start)}
        return {"datetime": None, "start_datetime": stamp(self.start), "end_datetime": stamp(self.end)}


def stamp(moment: dt.datetime) -> str:
    """A moment as STAC writes it, in UTC."""
    text = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def when(entry: Entry, written: Path) -> When:
    """When a scene was taken; else when its file was written, else when its map was (`written`)."""
    parts = [part for _, part in entry.roles] or [entry]
    known = [found for part in parts if (found := _acquired(part))]
    if len(known) == len(parts):
        return span(known)
    return _filed(parts[0]) or _moment(written.stat().st_mtime, f"the map's time of change, {_UNKNOWN}")


def span(known: list[When]) -> When:
    """From the first to the last of several."""
    sources = ", ".join(dict.fromkeys(found.source for found in known))
    return When(min(found.start for found in known), max(found.end for found in known), sources)


def named(names: Iterable[str]) -> When | None:
    """What names of product files say; None where none does."""
    found = [taken for name in names if (taken := _named(name))]
    return span(found) if found else None


def _named(name: str) -> When | None:
    for pattern, form in _NAMES:
        if match := re.match(pattern, name):
            try:
                start = dt.datetime.strptime(match[1], form).replace(tzinfo=dt.UTC)
            except ValueError:
                continue
            day = dt.timedelta(days=1, seconds=-1) if "%H" not in form else dt.timedelta(0)
            return When(start, start + day, "the name of the file")
    return None


def _acquired(part: Entry) -> When | None:
    if part.item is not None:
        return _catalogued(part.item)
    said = _tag(part.files[0], "ACQUISITIONDATETIME", "IMAGERY")
    if said:
        with contextlib.suppress(ValueError):
            return _at(_parse(said), "the tag ACQUISITIONDATETIME")
    own = named(_last(path) for path in part.files)
    return own or named(_members(part.files[0]))


def _last(path: str) -> str:
    return path.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]


def _members(path: str) -> list[str]:
    """Names of the files in a product's folder, which anybody may have called otherwise."""
    folder = local_file(path)
    try:
        return sorted(member.name for member in folder.iterdir()) if folder and folder.is_dir() else []
    except OSError:
        return []


def _catalogued(item: Item) -> When | None:
    properties = item.data.get("properties")
    said = properties if isinstance(properties, dict) else {}
    source = "the STAC item"
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError):
        if said.get("datetime") is not None:
            return _at(_parse(said["datetime"]), source)
        start, end = _parse(said["start_datetime"]), _parse(said["end_datetime"])
        return When(min(start, end), max(start, end), source)
    return None


def _parse(text: str) -> dt.datetime:
    """ISO 8601; without a time zone it is UTC."""
    moment = dt.datetime.fromisoformat(text.strip())
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _filed(part: Entry) -> When | None:
    """When a scene's first file was written."""
    said = _tag(part.files[0], "TIFFTAG_DATETIME")
    with contextlib.suppress(ValueError):
        moment = dt.datetime.strptime(said.strip(), "%Y:%m:%d %H:%M:%S").replace(tzinfo=dt.UTC)
        return _at(moment, f"the tag TIFFTAG_DATETIME, when the file was written, {_UNKNOWN}")
    file = local_file(part.files[0])
    with contextlib.suppress(OSError):
        return _moment(file.stat().st_mtime, f"the input's time of change, {_UNKNOWN}") if file else None
    return None


def _tag(path: str, key: str, domain: str | None = None) -> str:
    """A tag of a local raster; empty where there is none."""
    file = local_file(path)
    if is_remote(path) or file is None or not file.is_file() or file.suffix.lower() in {".zip", ".json"}:
        return ""
    with contextlib.suppress(LandmixError), open_raster(path, allow_vrt=False) as dataset:
        return str(dataset.tags(ns=domain).get(key, ""))
    return ""


def _at(moment: dt.datetime, source: str) -> When:
    return When(moment, moment, source)


def _moment(seconds: float, source: str) -> When:
    return _at(dt.datetime.fromtimestamp(int(seconds), dt.UTC), source)
