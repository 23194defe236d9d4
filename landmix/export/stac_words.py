"""What the STAC documents that landmix writes have in common: names of classes, links, numbers as JSON has them."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from landmix.core.legend import Legend

VERSION = "1.1.0"
"""Of STAC."""

EXTENSIONS = {
    "mlm": "1.5.2",
    "classification": "2.0.0",
    "projection": "2.0.0",
    "raster": "2.0.0",
    "eo": "2.0.0",
    "file": "2.1.0",
    "processing": "1.2.0",
}
"""Versions of the extensions; only those that a document uses are named in it."""

_PREFIXES = {"projection": "proj"}
"""How the fields of an extension begin, where not with its name."""

_WORDS = {"ß": "ss", "æ": "ae", "ø": "o", "ä": "ae", "ö": "oe", "ü": "ue"}
_MISREAD = re.compile(r"[#?]|%(?=[0-9A-Fa-f]{2})")


def used_extensions(document: dict[str, Any]) -> list[str]:
    """The schema addresses of the extensions whose fields stand in a document, wherever."""
    prefixes = {key.partition(":")[0] for key in _keys(document)}
    return [
        f"https://stac-extensions.github.io/{name}/v{version}/schema.json"
        for name, version in EXTENSIONS.items()
        if _PREFIXES.get(name, name) in prefixes
    ]


def _keys(value: Any) -> Iterable[str]:
    parts = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    if isinstance(value, dict):
        yield from (key for key in value if ":" in key)
    for part in parts:
        yield from _keys(part)


def href(path: str | Path, folder: Path) -> str:
    """A file as a document in `folder` links to it: relative, readable to people and to clients that take it as a path.

    Only what a reader of addresses would take for something else is escaped.
    """
    try:
        relative = Path(os.path.relpath(Path(path).absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive of Windows
        return Path(path).absolute().as_uri()
    return _MISREAD.sub(lambda found: f"%{ord(found[0]):02X}", relative if relative[:2] == ".." else f"./{relative}")


def class_names(legend: Legend) -> list[str]:
    """A name for machines for each class, `^[0-9A-Za-z_-]+$`, each once; `nodata` is none of them."""
    wanted = [_slug(c.name) or f"class_{c.value}" for c in legend]
    taken, names = {"nodata"}, []
    for name, c in zip(wanted, legend, strict=True):
        twice = name in taken or wanted.count(name) > 1
        kept = f"{name}_{c.value}" if twice else name
        while kept in taken or (kept != name and kept in wanted):
            kept += "_"
        taken.add(kept)
        names.append(kept)
    return names


def _slug(text: str) -> str:
    spelled = "".join(_WORDS.get(c, c) for c in unicodedata.normalize("NFC", text.casefold()))
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return re.sub(r"[^0-9a-z-]+", "_", plain).strip("_-")


def classes(legend: Legend, *, nodata: bool) -> list[dict[str, Any]]:
    """`classification:classes` of a legend; `nodata`: with the value of pixels without a class, as in a map."""
    found: list[dict[str, Any]] = [
        {
            "value": c.value,
            "name": name,
            "title": c.name,
            "description": c.name,
            "color_hint": c.color[1:].upper(),
        }
        for name, c in zip(class_names(legend), legend, strict=True)
    ]
    none = {"value": legend.nodata, "name": "nodata", "title": "No data", "description": "Not classified"}
    return [*found, {**none, "nodata": True}] if nodata else found


def plain(value: Any) -> Any:
    """Data from a model file as JSON can hold it: what it cannot is left out, numbers that are not finite are null."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items() if _is_plain(part)}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value if _is_plain(part)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, dict | list | tuple | str | int | float)
