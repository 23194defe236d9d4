"""How validation pixels lie apart from training pixels, and whether that is far enough: the split in `metrics.json`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.variogram import Variogram, drawn, variogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.tasks.settings import TrainSettings
    from landmix.training.prepare import Prepared

_BINS = 24
_SKEWED = 20
"""How many medians the largest distance is where classes of equal width would show nothing."""


def likeness(data: Prepared) -> Variogram:
    """How far labelled pixels of one class are alike; nothing is told without a place on the ground or validation."""
    if not (_placed(data) and data.split.folds):
        return Variogram()
    labelled, xy = data.samples.labelled, data.split.xy
    chosen = drawn(xy, labelled.index)
    return variogram(np.concatenate(list(data.samples.physical(chosen))), xy[chosen], labelled.index[chosen])


def _placed(data: Prepared) -> bool:
    return all(scene.grid.georeferenced for scene in data.training.scenes)


def split_facts(data: Prepared, settings: TrainSettings, found: Variogram) -> dict[str, Any]:
    """`split` in `metrics.json`: how the validation part was chosen."""
    split, wanted = data.split, settings.split
    if data.own_validation is not None:
        names = [scene.name for scene in data.own_validation.scenes]
        return {"kind": "own", "scenes": names, "variogram": asdict(found)}
    kept: dict[str, Any] = {"kind": wanted.kind, "seed": settings.seed}
    if split.folds:
        kept |= {"folds": split.folds} if split.folds > 1 else {"fraction": wanted.fraction}
        kept |= {"side_m": split.side, "buffer_m": round(split.buffer, 2), "variogram": asdict(found)}
    return kept


def distance_facts(data: Prepared) -> dict[str, Any] | None:
    """`distance_m` in `metrics.json`: from validation pixels to the nearest training pixel; None where unknown."""
    distances = _distances(data)
    if not len(distances):
        return None
    facts = {name: float(f(distances)) for name, f in (("min", np.min), ("median", np.median), ("max", np.max))}
    return {**facts, "histogram": _histogram(distances)}


def _distances(data: Prepared) -> NDArray[np.float64]:
    """(V,) metres, of all folds; empty without a place on the ground."""
    if not _placed(data):
        return np.empty(0)
    return np.concatenate([np.empty(0), *(data.split.distances(fold) for fold in range(data.split.folds))])


def _histogram(distances: NDArray[np.float64]) -> dict[str, list[float] | list[int]]:
    """Counts between edges in metres: of equal width from 0, or widening by a factor where few lie far away."""
    most = max(float(distances.max()), 1e-3)
    middle = float(np.median(distances))
    edges = np.linspace(0, most, _BINS + 1)
    if 0 < _SKEWED * middle < most:
        edges = np.geomspace(max(float(distances.min()), middle / _SKEWED), most, _BINS + 1)
    counts, _ = np.histogram(distances.clip(edges[0], edges[-1]), edges)
    return {"edges": [float(f"{edge:.6g}") for edge in edges], "counts": counts.tolist()}


def too_near(data: Prepared, settings: TrainSettings, found: Variogram) -> list[str]:
    """What to say where validation pixels resemble training pixels for their nearness alone; a random split says so."""
    random = settings.split.kind == "random" and data.own_validation is None
    if found.sill is None or random:
        return []
    if found.range_m is None:
        far = "labelled pixels of a class are alike over more than half the extent of the labels (the variogram has not"
        return [f"{far} reached its sill there): the figures hold for this area, not for others"]
    side, reach = data.split.side, _round_up(found.range_m)
    alike = f"pixels of a class are alike over {reach} m (the range of the variogram): the figures may flatter"
    if side is not None:
        wide = f"the blocks of the split are {side:.0f} m wide, but {alike}; split.side_m={reach} makes them as wide"
        return [wide] if side < found.range_m else []
    distances = _distances(data)
    middle = float(np.median(distances)) if len(distances) else math.inf
    if middle >= found.range_m:
        return []
    mend = f"split.kind=blocks split.side_m={reach} keeps them farther apart"
    if data.own_validation is not None:
        mend = "choose a validation part farther away"
    return [f"half of the validation pixels lie within {middle:.0f} m of a training pixel, but {alike}; {mend}"]


def never_validated(data: Prepared) -> list[str]:
    """Classes whose labels lie in one place only, or that a buffer takes from a fold's training."""
    split, index = data.split, data.samples.labelled.index
    notes = []
    if split.folds:
        validated = np.isin(split.fold, range(split.folds))
        never = [c.name for i, c in enumerate(data.legend) if not (validated & (index == i)).any()]
        if never:
            notes.append(f"never validated, because all their labels lie in one block or polygon: {', '.join(never)}")
    for fold in range(split.folds):
        present = np.bincount(index[split.training(fold)], minlength=len(data.legend)) > 0
        gone = [c.name for i, c in enumerate(data.learnt) if not present[i]]
        if gone:
            where = f"fold {fold + 1}" if split.folds > 1 else "the training part"
            notes.append(f"{where} has no pixels of {', '.join(gone)} left outside the buffer around validation pixels")
    return notes


def _round_up(metres: float) -> int:
    """To two digits."""
    step: int = 10 ** max(0, math.floor(math.log10(max(metres, 1))) - 1)
    return int(math.ceil(metres / step) * step)
