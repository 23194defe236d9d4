"""landmix view: a map in the browser."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo.maps import MapReader
from landmix.geo.opening import limit_cache

if TYPE_CHECKING:
    from landmix.geo.scene import Scene
    from landmix.progress import Progress
    from landmix.tasks.settings import ViewSettings
    from landmix.view.shown import Shown

_PACKAGES = {"rio_tiler": "rio-tiler", "starlette": "starlette", "uvicorn": "uvicorn"}

_BLOCKS = 256 * 2**20
"""Bytes of decoded pixels that GDAL keeps."""


def view(settings: ViewSettings, progress: Progress) -> None:
    """Show a map on a page of this machine until a signal ends it. Raises `LandmixError` where it is no class map."""
    _check_packages()
    from landmix.view.app import application  # noqa: PLC0415 - optional dependencies
    from landmix.view.serve import listening, open_browser, serving, wait  # noqa: PLC0415

    limit_cache(_BLOCKS)
    with contextlib.closing(opened(settings, progress)) as shown, listening(settings.port) as bound:
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with serving(application(shown), bound) as thread:
            progress.say(f"{address} shows {shown.name}; Ctrl-C ends it")
            shown.areas.start()
            if settings.open:
                open_browser(address)
            try:
                wait(thread)
            finally:
                shown.stop()


def _check_packages() -> None:
    for module, package in _PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            msg = f"landmix view needs the package {package}: pip install 'landmix[view]'"
            raise LandmixError(msg)


def opened(settings: ViewSettings, progress: Progress) -> Shown:
    """Everything that the page shows, ready to be drawn; the caller closes it."""
    from landmix.view.areas import Areas  # noqa: PLC0415
    from landmix.view.frame import Frame  # noqa: PLC0415
    from landmix.view.pictures import Pictures  # noqa: PLC0415
    from landmix.view.pixel import Spectra  # noqa: PLC0415
    from landmix.view.rasters import ClassRaster, ConfidenceRaster  # noqa: PLC0415
    from landmix.view.shown import Shown  # noqa: PLC0415
    from landmix.view.sources import confidence_beside  # noqa: PLC0415

    path = settings.map
    with MapReader(path) as reader:
        reader.grid.check(path)
        grid, legend = reader.grid, reader.legend
        scene, notes = _scene(settings, reader)
    for note in notes:
        progress.warn(note)
    frame = Frame(grid=grid)
    beside = None if is_remote(path) else confidence_beside(Path(path), grid)
    return Shown(
        name=Path(path).name,
        frame=frame,
        classes=ClassRaster(path, frame, legend),
        areas=Areas(path, legend),
        confidence=ConfidenceRaster(str(beside), frame) if beside else None,
        pictures=Pictures(scene, frame) if scene else None,
        spectra=Spectra(scene) if scene else None,
        notes=tuple(notes),
    )


def _scene(settings: ViewSettings, reader: MapReader) -> tuple[Scene | None, list[str]]:
    """The scene of the map, and what the user should know about it."""
    from landmix.view.sources import found_scene, named_scene  # noqa: PLC0415

    if settings.scene is not None:
        scene: Scene | None = named_scene(settings.scene, reader.tags, reader.grid, settings.map)
        why = None
    elif is_remote(settings.map):
        scene, why = None, "the scene of a map that lies elsewhere is not looked for: name it with scene=..."
    else:
        scene, why = found_scene(Path(settings.map), reader.tags, reader.grid)
    notes = [why] if why else []
    return scene, [*notes, *(scene.notes if scene else ())]
