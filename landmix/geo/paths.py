"""What users write where a scene or label is wanted: paths, globs, lists and list files."""

from __future__ import annotations

import csv
import glob
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix.errors import LandmixError, UsageError
from landmix.files import is_remote
from landmix.geo.scene import common_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One scene or label source that the user named."""

    files: tuple[str, ...]
    stem: str
    """What its outputs are called."""
    label: str | None = None
    """The label raster that a CSV of pairs names beside it."""


def entries(spec: Any, key: str) -> list[Entry]:
    """Resolve what stands under the setting `key`.

    A path, a glob, `@list.txt`, `@pairs.csv`, a list of these, a list in the list (one scene of several files), or
    a mapping with `name` and `path`. Raises `UsageError` for another form, `LandmixError` where nothing is found.
    """
    items = spec if isinstance(spec, list) else [spec]
    found = [entry for item in items for entry in _item(item, key)]
    if not found:
        msg = f"{key} must name at least one file, but it is empty"
        raise UsageError(msg)
    return found


def _item(item: Any, key: str) -> list[Entry]:
    if isinstance(item, str) and item:
        return _text(item, key)
    if isinstance(item, list) and item and all(isinstance(part, str) and part for part in item):
        files = [path for part in item for path in _expand(part, key)]
        return [Entry(files=tuple(files), stem=_stem(files))]
    if isinstance(item, dict) and set(item) == {"name", "path"} and isinstance(item["name"], str):
        found = _item(item["path"], key)
        if len(found) != 1:
            msg = f"the name '{item['name']}' in {key} is for one scene, but its path means {len(found)}"
            raise UsageError(msg)
        return [replace(found[0], stem=safe_name(item["name"]))]
    msg = f"{key} takes paths, lists of paths, or {{name: ..., path: ...}}, not {item!r}"
    raise UsageError(msg)


def _text(text: str, key: str, lists: tuple[str, ...] = ()) -> list[Entry]:
    """`lists` are the list files that led here: one that leads to itself has no end."""
    if text in lists:
        msg = f"the list {text[1:]} of {key} names itself"
        raise LandmixError(msg)
    if not text.startswith("@"):
        return [Entry(files=(path,), stem=_stem([path])) for path in _expand(text, key)]
    path = Path(text[1:])
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the list {path} of {key}: {error}"
        raise LandmixError(msg) from error
    if path.suffix.lower() == ".csv":
        return _pairs(content.splitlines(), path)
    lines = [line.strip() for line in content.splitlines()]
    return [entry for line in lines if line and not line.startswith("#") for entry in _text(line, key, (*lists, text))]


def _pairs(lines: Iterable[str], path: Path) -> list[Entry]:
    """Rows of a CSV with the header `image,label` or `image,mask`; paths are relative to the CSV."""
    reader = csv.DictReader(lines)
    header = reader.fieldnames or []
    column = next((name for name in ("label", "mask") if name in header), None)
    if "image" not in header or column is None:
        msg = f"a list of pairs needs the header image,label or image,mask, but {path} has {','.join(header) or 'none'}"
        raise LandmixError(msg)
    pairs = [(row["image"], row[column]) for row in reader]
    if not all(image and label for image, label in pairs):
        msg = f"each row of {path} needs an image and a {column}"
        raise LandmixError(msg)
    return [
        Entry(files=(image,), stem=_stem([image]), label=label)
        for image, label in ((_beside(path, image), _beside(path, label)) for image, label in pairs)
    ]


def _beside(path: Path, text: str) -> str:
    """What a list file names, relative to it."""
    return text if is_remote(text) else str(path.parent / text)


def _expand(text: str, key: str) -> list[str]:
    """The paths that a glob means; anything without glob signs, or that exists as written, is a path."""
    if is_remote(text) or not glob.has_magic(text) or os.path.exists(text):  # noqa: PTH110 - never raises
        return [text]
    found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute patterns
    if not found:
        msg = f"no file fits {text} ({key})"
        raise LandmixError(msg)
    return found


def _stem(files: list[str]) -> str:
    """File name without its extension; of several files what their stems have in common."""
    stems = [Path(path).stem for path in files]
    if len(stems) == 1:
        return safe_name(stems[0])
    return safe_name(common_prefix(stems).strip("_-. ") or stems[0])


def safe_name(text: str) -> str:
    """A name that is one file name on every system and stays inside its folder."""
    kept = "".join("_" if c in '/\\:*?"<>|' or ord(c) < ord(" ") else c for c in text).strip(" .")
    return kept or "scene"
