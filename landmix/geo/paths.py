"""What users write where a scene or label is wanted: paths, globs, lists and list files."""

from __future__ import annotations

import csv
import glob
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from landmix.errors import LandmixError, UsageError
from landmix.files import archive_parts, is_remote, why
from landmix.geo.assemble import common_prefix
from landmix.geo.items import Item, read_items

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
    named: bool = False
    """Whether the user chose the stem."""
    item: Item | None = None
    """The STAC item that it is."""
    roles: tuple[tuple[str, Entry], ...] = ()
    """Acquisitions of one place that are one scene together, by the user's names."""

    def absolute(self) -> Entry:
        """The same files, wherever one stands."""
        return replace(
            self,
            files=tuple(
                path if is_remote(path) or archive_parts(path) else str(Path(path).absolute()) for path in self.files
            ),
            roles=tuple((role, entry.absolute()) for role, entry in self.roles),
        )


def entries(spec: Any, key: str) -> list[Entry]:
    """Resolve what stands under the setting `key`.

    A path, a glob, `@list.txt`, `@pairs.csv`, a list of these, a list in the list (one scene of several files), a
    mapping with `name` and `path`, or one of roles to any of these. Raises `UsageError` for another form,
    `LandmixError` where nothing is found.
    """
    items = spec if isinstance(spec, list) else [spec]
    found = [entry for item in items for entry in _item(item, key)]
    if not found:
        msg = f"{key} must name at least one file, but it is empty"
        raise UsageError(msg)
    return found


def scene_entries(spec: Any, key: str) -> list[Entry]:
    """`entries`, with STAC items and item collections read: a scene each."""
    return [scene for entry in entries(spec, key) for scene in _with_items(entry, key)]


def _with_items(entry: Entry, key: str) -> list[Entry]:
    """A file or address that is JSON is as many scenes as it holds items."""
    if entry.roles:
        parts = [(role, _with_items(part, key)) for role, part in entry.roles]
        for (role, part), (_, found) in zip(entry.roles, parts, strict=True):
            if len(found) > 1:
                msg = f"the role {role} needs one acquisition, but {part.files[0]} holds several"
                raise LandmixError(msg)
        return [replace(entry, roles=tuple((role, found[0]) for role, found in parts))]
    meant = _meant(entry.files[0]) if len(entry.files) == 1 and not is_remote(entry.files[0]) else None
    if meant is not None:
        own = entry.stem if entry.named else _stem([os.path.abspath(meant)])  # noqa: PTH100
        return [replace(entry, files=(meant,), stem=own)]
    items = read_items(entry.files[0]) if len(entry.files) == 1 else None
    if items is None:
        return [entry]
    if entry.named and len(items) > 1:
        msg = f"the name '{entry.stem}' in {key} is for one scene, but {entry.files[0]} holds {len(items)}"
        raise LandmixError(msg)
    return [replace(entry, item=item, stem=entry.stem if entry.named else safe_name(item.name)) for item in items]


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
        return [replace(found[0], stem=safe_name(item["name"]), named=True)]
    if isinstance(item, dict) and item and all(_is_role(role) for role in item):
        return [_roles(item, key)]
    msg = f"{key} takes paths, lists of paths, or {{name: ..., path: ...}}, or {{role: path, ...}}, not {item!r}"
    raise UsageError(msg)


def _meant(path: str) -> str | None:
    """What a metadata file belongs to: a product's folder, an ENVI header's pixels; None for any other file."""
    if _HEADER.fullmatch(_last(path)):
        return os.path.dirname(path) or "."  # noqa: PTH120 - never raises
    if path.lower().endswith(".hdr"):
        ends = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin")
        return next((path[:-4] + end for end in ends if os.path.isfile(path[:-4] + end)), None)  # noqa: PTH113
    return None


_LIMIT = 2**26
"""Bytes of a list of files."""

_HEADER = re.compile(r"(?i)MTD_MSIL..\.xml|.*_MTL\.(txt|json|xml)")
_ROLE = re.compile(r"[^\W\d][\w-]*")


def _is_role(text: Any) -> bool:
    return isinstance(text, str) and _ROLE.fullmatch(text) is not None and text not in {"name", "path"}


def _roles(item: dict[str, Any], key: str) -> Entry:
    """Acquisitions of one place: `{jan: A, jul: B}`."""
    parts: list[tuple[str, Entry]] = []
    for role, spec in item.items():
        found = _item(spec, key)
        if len(found) != 1 or found[0].roles:
            count = len(found[0].roles) or len(found)
            msg = f"the role {role} in {key} needs one acquisition, but its path means {count}"
            raise UsageError(msg)
        parts.append((role, found[0]))
    stems = [part.stem for _, part in parts]
    stem = stems[0] if len(set(stems)) == 1 else common_prefix(stems).strip("_-. ") or "_".join(stems)
    return Entry(
        files=tuple(path for _, part in parts for path in part.files), stem=safe_name(stem), roles=tuple(parts)
    )


def _text(text: str, key: str, lists: tuple[str, ...] = ()) -> list[Entry]:
    """`lists` are the list files that led here: one that leads to itself has no end."""
    if text in lists:
        msg = f"the list {text[1:]} of {key} names itself: take that line out"
        raise LandmixError(msg)
    if not text.startswith("@"):
        return [Entry(files=(path,), stem=_stem([path])) for path in _expand(text, key)]
    path = Path(text[1:])
    try:
        with path.open("rb") as file:  # may be a pipe
            content = file.read(_LIMIT + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"cannot read the list {path} of {key}: {why(error)}"
        raise LandmixError(msg) from error
    if len(content) > _LIMIT:
        msg = f"the list {path} of {key} has more than {_LIMIT} bytes, too many for names of files"
        raise LandmixError(msg)
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
        row = next(i for i, pair in enumerate(pairs, start=1) if not all(pair))
        msg = f"each row of {path} needs an image and a {column}, but row {row} below the header has not both"
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
    stems = [_bare(path) for path in files]
    if len(stems) == 1:
        return safe_name(stems[0])
    return safe_name(common_prefix(stems).strip("_-. ") or stems[0])


def _last(path: str) -> str:
    """The last part of a path or address."""
    whole = urlsplit(path).path if "://" in path else path
    return (whole.replace("\\", "/") if os.name == "nt" else whole).rstrip("/").rsplit("/", 1)[-1]


def _bare(path: str) -> str:
    """A name without its extension: a folder has none but `.SAFE`, a zip file may have two."""
    name = _last(path)
    if name.lower().endswith((".safe.zip", ".zip", ".safe")):
        return re.sub(r"(?i)(\.safe)?(\.zip)?$", "", name)
    return name if os.path.isdir(path) else Path(name).stem  # noqa: PTH112 - never raises


_LONGEST = 150
"""Bytes of a stem: file names have at most 255, with extensions and what is put before unfinished files."""


def safe_name(text: str) -> str:
    """A name that is one file name on every system and stays inside its folder."""
    kept = "".join("_" if c in '/\\:*?"<>|' or ord(c) < ord(" ") else c for c in text).strip(" .")
    return kept.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore").rstrip(" .") or "scene"
