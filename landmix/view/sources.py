"""What lies behind a map: the scene that it was made of, and its confidence."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo.grid import Grid
from landmix.geo.open import open_entry
from landmix.geo.opening import open_raster
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries
from landmix.geo.products.definition import built_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from landmix.geo.scene import Scene


def named_scene(spec: Any, tags: Mapping[str, str], grid: Grid, where: str) -> Scene:
    """The scene that the user names for the map `where`. Raises `LandmixError` where it lies on another grid."""
    found = scene_entries(spec, "scene")
    if len(found) != 1:
        msg = f"scene must name the one scene of the map {where}, not {len(found)}: files of one scene are [[a,b]]"
        raise LandmixError(msg)
    scene = open_entry(found[0], _as_predicted(tags), inherited=True)
    if not scene.grid.same_as(grid):
        msg = (
            f"a map is shown over the scene that it was made of, but {scene.where} ({scene.grid}) and {where} ({grid})"
        )
        msg += " have not the same pixels: name the scene that was classified"
        raise LandmixError(msg)
    return scene


def found_scene(path: Path, tags: Mapping[str, str], grid: Grid) -> tuple[Scene | None, str | None]:
    """The scene that a map's tags and the `predict.json` beside it tell of, if it is where it was; else why not.

    Only local files are looked at, and only those that a map's maker names: it can be a stranger.
    """
    names = _input_names(tags)
    if not names:
        return None, f"{path} does not say which scene it was made of: name it with scene=..."
    why = f"{', '.join(names[:3])} of the map {path} is not beside it: name the scene with scene=..."
    for spec in _places(path, names):
        try:
            return named_scene(spec, tags, grid, str(path)), None
        except LandmixError as error:
            why = f"the map is shown without its scene: {error}"
    return None, why


def confidence_beside(path: Path, grid: Grid) -> Path | None:
    """The confidence that was written with a map; None where there is none that fits it."""
    beside = path.with_name(f"{path.stem}_confidence.tif")
    if not beside.is_file():
        return None
    try:
        with open_raster(str(beside)) as dataset:
            fits = dataset.count == 1 and Grid.of(dataset).same_as(grid)
    except LandmixError:
        return None
    return beside if fits else None


def _input_names(tags: Mapping[str, str]) -> list[str]:
    """Last parts of the names of the files that were classified."""
    try:
        rows = json.loads(tags.get("LANDMIX_INPUT", "[]"))
        names = [row["name"] for row in rows]
    except (ValueError, TypeError, KeyError):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name and name not in ("", "..")]


def _places(path: Path, names: list[str]) -> Iterator[Any]:
    """Where the scene may be, in the form that `scene=` takes."""
    told = _told(path)
    if told is not None:
        if _is_there(told):
            yield {"name": "scene", "path": told}
        elif all(map(_is_there, parts := told.split(", "))):
            yield [parts]
    for folder in (path.parent, path.absolute().parent.parent):
        files = [str(folder / name) for name in names]
        if all(_is_there(file) and not path.samefile(file) for file in files):
            yield [files]


def _is_there(path: str) -> bool:
    """Whether there is such a file or folder, and no pipe that would never end."""
    return os.path.isfile(path) or os.path.isdir(path)  # noqa: PTH112, PTH113 - these never raise


def _told(path: Path) -> str | None:
    """The scene's path that `predict.json` beside a map tells, if it is a local one."""
    try:
        rows = json.loads((path.parent / "predict.json").read_text(encoding="utf-8"))
        told = [row["scene"] for row in rows if Path(row["map"]).name == path.name]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    one = told[-1] if told and isinstance(told[-1], str) else None
    # two slashes name another machine on Windows, and asking for such a file logs in there
    other = one is None or "\0" in one or is_remote(one) or one.startswith(("//", "\\\\"))
    return None if other else one


def _as_predicted(tags: Mapping[str, str]) -> ReadOptions:
    """How the map's scene was read, less what only the user of this machine can allow; the default if it is unsaid."""
    try:
        said = json.loads(tags.get("LANDMIX_SETTINGS", "{}"))["scene"]
        kept = {f.name: said[f.name] for f in fields(ReadOptions) if f.name in said and f.name != "allow_vrt"}
        if isinstance(kept.get("product"), str) and kept["product"] not in built_in():
            del kept["product"]
        return ReadOptions(**kept)
    except (ValueError, TypeError, KeyError):
        return ReadOptions()
