"""From files to samples: scenes opened, labels placed, pixels decoded, classes and folds known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.core.bands import BandSet
from landmix.core.indices import features as index_bands
from landmix.core.indices import needs_reflectance
from landmix.core.scaling import Affine
from landmix.errors import LandmixError, UsageError
from landmix.geo.fitting import fit_to
from landmix.geo.ground import pixel_size, plane
from landmix.geo.open import open_entry
from landmix.geo.paths import Entry, entries, scene_entries
from landmix.labelling import (
    Classes,
    LabelledScenes,
    LabelSettings,
    classes_beside,
    classes_of,
    label_scenes,
)
from landmix.samples import Labelled, Samples, collect
from landmix.training.erosion import away_from_borders, emptied
from landmix.training.split import Split, alike, split_pixels
from landmix.training.statistics import band_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from landmix.core.legend import Legend
    from landmix.geo.options import ReadOptions
    from landmix.geo.scene import Scene
    from landmix.progress import Progress
    from landmix.training.settings import SplitSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Scenes and labels of one part, as the user named them."""

    scenes: Any
    labels: Any
    key: str
    """The settings they came from: `data` or `data.validation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Opened scenes with their labels."""

    scenes: tuple[Scene, ...]
    labelled: LabelledScenes
    files: tuple[str, ...]
    """Scene files, for provenance."""
    band_count: int
    """Bands of the first scene's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that fitting needs."""

    samples: Samples
    """Of all parts; scenes of the user's own validation part come last."""
    legend: Legend
    """What the network learns, then classes that only the validation part has."""
    classes: int
    """How many of them the network learns."""
    split: Split
    training: Part
    own_validation: Part | None
    reach: int
    """How far in pixels bands with larger pixels carry values; validation keeps that far away too."""
    pixel: tuple[float, float]
    """Height and width of a pixel of the first scene in metres; 1 without georeference."""
    left_out: tuple[str, ...]
    """Names of bands that are nodata at every labelled pixel."""

    @property
    def learnt(self) -> Legend:
        """The classes of the network."""
        return type(self.legend)(self.legend.classes[: self.classes])


def open_part(
    source: Source,
    options: ReadOptions,
    settings: LabelSettings,
    progress: Progress,
    *,
    wanted: Sequence[str | int] | None = None,
    features: Sequence[str] = (),
    like: Part | None = None,
) -> Part:
    """Open the scenes of a part, bring their bands into one order, place labels.

    The bands are those of the first scene that the user `wanted` (None: all) and its spectral indices `features`; or
    those of the part `like`.
    """
    named = scene_entries(source.scenes, f"{source.key}.scenes")
    scenes = [open_entry(entry, options, limits=settings.limits) for entry in named]
    for scene in scenes:
        scene.check_known()
        for note in scene.notes:
            progress.warn(note)
    bands = like.scenes[0].bands if like else _choose_bands(scenes[0], wanted, features)
    unfit = [band.name for band in bands if needs_reflectance(band)]
    if unfit and not like:
        where = scenes[0].where
        progress.warn(f"these indices need reflectance: {', '.join(unfit)}; but {where} is not known to be that")
    band_count = like.band_count if like else len(scenes[0].bands)
    first = like.scenes[0] if like else scenes[0].compose(bands)
    stored = [first.readings[band.name] for band in bands.inputs]
    scaling = Affine(scale=tuple(s.scale for s in stored), offset=tuple(s.offset for s in stored))
    matched = [
        first
        if scene is scenes[0] and like is None
        else fit_to(scene, bands, trained_count=band_count, trained=scaling, warn=progress.warn, say=progress.say)
        for scene in scenes
    ]
    matched = _with_nodata(matched, like)
    return Part(
        scenes=tuple(matched),
        labelled=_label(named, matched, source, settings, progress),
        files=tuple(dict.fromkeys(path for scene in matched for path in scene.files)),
        band_count=band_count,
    )


def _with_nodata(scenes: list[Scene], like: Part | None) -> list[Scene]:
    """Scenes without a nodata value for a band get that of the first that has one, as prediction does it."""
    readings = [scene.readings for scene in [*(like.scenes if like else ()), *scenes]]
    values = {
        name: next((read[name].nodata for read in readings if read[name].nodata is not None), None)
        for name in readings[0]
    }
    return [scene.with_nodata(values) for scene in scenes]


def _choose_bands(first: Scene, wanted: Sequence[str | int] | None, features: Sequence[str]) -> BandSet:
    """The bands that the user asks for, and spectral indices behind them."""
    if wanted is None and first.missing:
        msg = (
            f"{first.where} lacks {', '.join(first.missing)} of {first.product}: complete it, or choose the bands that"
            " are there with data.bands"
        )
        raise LandmixError(msg)
    chosen = first.bands if wanted is None else first.bands.take(first.bands.select(wanted, first.where))
    return BandSet((*chosen, *index_bands(features, first.bands, first.where)))


def _label(
    named: list[Entry], scenes: list[Scene], source: Source, settings: LabelSettings, progress: Progress
) -> LabelledScenes:
    beside = [entry.label for entry in named if entry.label is not None]
    if beside and (source.labels is not None or len(beside) != len(named)):
        msg = f"{source.key}.scenes names pairs of scenes and labels, so {source.key}.labels must stay empty"
        raise UsageError(msg)
    if beside:
        return label_scenes(scenes, beside, replace(settings, pairing="order"), progress)
    if source.labels is None:
        msg = f"{source.key}.labels must name the labels of {source.key}.scenes"
        raise UsageError(msg)
    files = [path for entry in entries(source.labels, f"{source.key}.labels") for path in entry.files]
    return label_scenes(scenes, files, settings, progress)


def prepare(
    training: Part,
    own_validation: Part | None,
    *,
    legend_file: str | None,
    split: SplitSettings,
    margin: int,
    side: int,
    memory: int,
    cache: Path,
    seed: int,
    progress: Progress,
    erode: int = 0,
    once: Callable[[Callable[[], Split]], Split] = lambda make: make(),
) -> Prepared:
    """Decode the labelled pixels and split them; `once` lets one process of several do the splitting.

    Pixels up to `erode` pixels from the border of their area do not train, but they validate: whoever uses the map
    will look at them too. Raises `LandmixError` where fewer than two classes are labelled, one has nothing but borders,
    or nothing can be validated.
    """
    classes = classes_of(training.labelled, legend_file, progress)
    beside = classes_beside(classes.legend, own_validation.labelled) if own_validation else classes
    if len(classes.legend) < 2:  # noqa: PLR2004
        msg = (
            f"two classes at least are needed to tell apart, but {', '.join(training.labelled.files[:3])} labels only"
            f" '{classes.legend[0].name}' in the scenes"
        )
        raise LandmixError(msg)
    scenes = [*training.scenes, *(own_validation.scenes if own_validation else ())]
    pooled = _pooled(classes, training, beside, own_validation)
    if erode:
        pooled = _eroded(pooled, training, erode, classes.legend, progress)
    samples = collect(
        scenes,
        pooled,
        margin=margin,
        side=side,
        memory=memory,
        cache=cache,
        progress=lambda done, total: progress.step("read labelled pixels", done, total),
    )
    where = f"{', '.join(training.labelled.files[:3])} in {scenes[0].where}"
    named = len(samples.labelled)
    samples, empty = samples.without_empty_bands(where, len(training.scenes))
    if lost := named - len(samples.labelled):
        progress.say(f"{lost} of {named} labelled pixels are left out: nodata, masked or not clear")
    own = samples.labelled.scene < len(training.scenes)
    trained = own if samples.labelled.trains is None else own & samples.labelled.trains
    if len(np.unique(samples.labelled.index[trained])) < 2:  # noqa: PLR2004
        msg = f"only one class of {where} has valid pixels: two are needed"
        raise LandmixError(msg)
    if not len(band_statistics(samples, trained).varying):
        msg = f"every band is constant over the pixels labelled by {where}: nothing can be learnt"
        raise LandmixError(msg)
    reach = max(scene.reach for scene in scenes)
    return Prepared(
        samples=samples,
        legend=beside.legend,
        classes=len(classes.legend),
        split=once(lambda: _split(samples, scenes, own, split, margin=margin + reach, seed=seed)),
        reach=reach,
        pixel=pixel_size(scenes[0].grid) or (1.0, 1.0),
        training=training,
        own_validation=own_validation,
        left_out=tuple(scenes[0].bands[i].name for i in empty),
    )


def _pooled(classes: Classes, training: Part, beside: Classes, own: Part | None) -> Labelled:
    """The labelled pixels of both parts; units of the own validation part begin behind those of training."""
    pooled = classes.labelled(training.labelled.pixels)
    if own is None:
        return pooled
    other = beside.labelled(own.labelled.pixels, len(training.scenes))
    first = int(pooled.units.max(initial=-1)) + 1
    other = replace(other, units=np.where(other.units >= 0, other.units + first, -1).astype(np.int32))
    fields = ("scene", "rows", "cols", "index", "units")
    return Labelled(**{name: np.concatenate([getattr(pooled, name), getattr(other, name)]) for name in fields})


def _eroded(pooled: Labelled, training: Part, erode: int, legend: Legend, progress: Progress) -> Labelled:
    """With the borders of labelled areas marked as pixels that do not train."""
    grids = [scene.grid for scene in training.scenes]
    points = np.array(sorted(training.labelled.points), np.int32)
    trains = away_from_borders(pooled, [(grid.height, grid.width) for grid in grids], erode, points)
    own = pooled.scene < len(grids)
    left = np.bincount(pooled.index[own & trains], minlength=len(legend))
    if gone := [c.name for c, count in zip(legend, left, strict=True) if not count]:
        msg = (
            f"data.erode={erode} takes every pixel of {', '.join(gone)} in {', '.join(training.labelled.files[:3])}:"
            " choose a smaller one, or label larger areas"
        )
        raise LandmixError(msg)
    lost, features = emptied(pooled.take(own), trains[own])
    if lost:
        progress.warn(f"data.erode={erode} takes every pixel of {lost} of {features} labelled features")
    progress.say(f"data.erode={erode}: {int((own & ~trains).sum())} of {int(own.sum())} labelled pixels do not train")
    return replace(pooled, trains=trains)


def _split(
    samples: Samples, scenes: Sequence[Scene], trained: np.ndarray, settings: SplitSettings, *, margin: int, seed: int
) -> Split:
    """Folds of all labelled pixels; with an own validation part that part alone validates, and nothing is dropped."""
    labelled = samples.labelled
    xy = plane([scene.grid for scene in scenes], labelled.scene, labelled.rows, labelled.cols)
    pixel = pixel_size(scenes[0].grid) or (1.0, 1.0)
    if not trained.all():
        fold = np.where(trained, 1, 0).astype(np.int16)
        group = alike(labelled, xy, margin=margin, pixel=pixel)
        return Split(fold=fold, folds=1, xy=xy, buffer=0.0, side=None, group=group, trains=labelled.trains)
    return split_pixels(labelled, xy, settings, margin=margin, pixel=pixel, seed=seed)
