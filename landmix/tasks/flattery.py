"""What a random split would have said: printed beside the honest figure as a warning, never instead of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.training.settings import SplitSettings
from landmix.training.split import split_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.tasks.settings import TrainSettings
    from landmix.training.prepare import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomParts:
    """Labelled pixels of the training scenes drawn one by one, as many to validate as in the split that counts."""

    training: NDArray[np.bool_]
    """(N,) of all labelled pixels."""
    validation: NDArray[np.bool_]
    """(N,) of all labelled pixels."""


def random_parts(data: Prepared, settings: TrainSettings) -> RandomParts:
    """Draw them with the seed of the run."""
    labelled, split = data.samples.labelled, data.split
    mine = np.flatnonzero(labelled.scene < len(data.training.scenes))
    fraction = settings.split.fraction if split.folds == 1 else 1 / split.folds
    if data.own_validation is not None:
        fraction = min(0.5, 1 - len(mine) / len(labelled))
    most = int(np.bincount(labelled.index[mine]).max())
    alone = split_pixels(
        labelled.take(mine),
        split.xy[mine],
        SplitSettings(kind="random", fraction=max(fraction, 1 / (most + 1))),
        margin=data.samples.margin + data.reach,
        pixel=data.pixel,
        seed=settings.seed,
    )
    training, validation = np.zeros((2, len(labelled)), np.bool_)
    training[mine], validation[mine] = alone.training(0), alone.validation(0)
    return RandomParts(training=training, validation=validation)


def random_facts(data: Prepared, parts: RandomParts, predicted: NDArray[np.int16], honest: float) -> dict[str, Any]:
    """`random_split` in `metrics.json`, of what was `predicted` for its validation pixels (V,).

    `gap` is by how much it flatters: its overall accuracy less the `honest` one, of the split that counts.
    """
    index = data.samples.labelled.index[parts.validation]
    counts = count_pairs(index, predicted, len(data.legend))
    figures = Confusion(classes=data.legend.classes, counts=counts).to_json()
    kept = {key: figures[key] for key in ("overall_accuracy", "macro_f1", "n")}
    return {**kept, "gap": figures["overall_accuracy"] - honest}


def random_words(facts: dict[str, Any]) -> str:
    """The warning."""
    accuracy, gap = facts["overall_accuracy"], facts["gap"]
    said = f"a random split would say {accuracy:.3f} overall accuracy instead of {accuracy - gap:.3f}"
    if gap <= 0:
        return f"{said}: it does not flatter here, but says nothing of other places; do not quote it"
    return (
        f"{said}: it flatters by {100 * gap:.1f} points, because its validation pixels lie beside training pixels; do"
        " not quote it"
    )
