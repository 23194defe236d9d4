"""Several scenes as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from classify_files import model, scene_values, write_scene

from landmix.classify.batch import Batch, Row
from landmix.classify.plan import PredictSettings
from landmix.classify.settle import Wish
from landmix.classify.stages import Stages
from landmix.geo.options import ReadOptions
from landmix.geo.paths import Entry
from landmix.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def entries(folder: Path, count: int) -> list[Entry]:
    """Scenes of several sizes."""
    found = []
    for number in range(count):
        values = np.roll(scene_values(70 - 5 * (number % 3), 60 + 7 * (number % 4)), number, axis=2)
        path = write_scene(folder / f"s{number}.tif", values)
        found.append(Entry(files=(path,), stem=f"s{number}"))
    return found


def batch(found: Sequence[Entry], folder: Path, workers: int = 1, **settings: Any) -> Batch:
    folder.mkdir(exist_ok=True)
    chosen: dict[str, Any] = {"tile": 32, "outputs": ("classes", "gap")}
    wish = Wish(device="cpu", backend="torch", precision="fp32")
    plain: dict[str, Any] = {"wish": wish, "options": ReadOptions(), "inherited": True, "bundle": model()}
    return Batch(
        entries=found,
        folder=folder,
        settings=PredictSettings(**chosen),
        workers=workers,
        **{**plain, **settings},
    )


def rows_of(made: Batch, progress: Silent | None = None) -> list[Row]:
    """Its rows in the order of the scenes."""
    ended = dict(made.run(Stages(), progress or Silent()))
    return [ended[number] for number in sorted(ended)]


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder and below, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
