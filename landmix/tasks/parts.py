"""The parts that a run trains and validates on, as the user names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.geo.remote import content_hash
from landmix.labelling import LabelSettings
from landmix.training.prepare import Part, Source, open_part

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import TrainSettings


def open_parts(settings: TrainSettings, progress: Progress) -> tuple[Part, Part | None]:
    """Scenes and labels of both parts."""
    data = settings.data
    labels = LabelSettings(
        field=data.field,
        layer=data.layer,
        legend=data.legend,
        ignore=data.ignored,
        pairing=data.pairing,
        limits=settings.limits,
    )
    source = Source(scenes=data.scenes, labels=data.labels, key="data")
    features = data.features or []
    training = open_part(source, settings.scene, labels, progress, wanted=data.bands, features=features)
    validation = None
    if data.validation.scenes is not None:
        own = Source(scenes=data.validation.scenes, labels=data.validation.labels, key="data.validation")
        validation = open_part(own, settings.scene, labels, progress, like=training)
    return training, validation


def hashes_of(*parts: Part | None) -> list[str]:
    """What the scenes and labels of a run hold."""
    return [content_hash(path) for part in parts if part for path in (*part.files, *part.labelled.files)]
