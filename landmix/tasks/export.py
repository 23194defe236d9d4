"""landmix export: a model for other programs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix import bundle as bundles
from landmix.errors import LandmixError, UsageError
from landmix.files import make_folder

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import ExportSettings


def export(settings: ExportSettings, progress: Progress) -> None:
    """Write one file. Raises `LandmixError` where it exists, or the model cannot be written so."""
    target = Path(settings.out)
    if target.is_dir():
        msg = f"out={target} must be a file, but is a folder"
        raise UsageError(msg)
    bundle = bundles.load(settings.model, settings.net.plugin, warn=progress.warn)
    if target.exists():
        if target.samefile(settings.model):
            msg = f"out={target} would replace the model itself: choose another file"
            raise UsageError(msg)
        if not settings.overwrite:
            msg = f"{target} exists: choose another file, or replace it with overwrite=true"
            raise LandmixError(msg)
    make_folder(target.parent)
    # each needs packages of its own
    writer = import_module(f"landmix.export.{settings.format}")
    options: dict[str, Any] = {}
    if settings.format == "onnx":
        options = {"client": settings.client, "tile": settings.tile, "resolution": settings.resolution}
    if settings.format == "stac":
        options = {"model": Path(settings.model)}
    said = writer.write(bundle, target, **options)
    progress.say(f"{target}: {said}")
