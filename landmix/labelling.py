"""Labels of all files on all scenes, with one legend."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.legend import Legend, LegendClass
from landmix.errors import LandmixError
from landmix.geo.label_pixels import Key, LabelPixels, count_keys, merge
from landmix.geo.label_rasters import RasterLabels, sample
from landmix.geo.labels import burn, open_labels
from landmix.geo.legends import make_legend, read_legend
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.vectors import Features
from landmix.samples import Labelled

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from landmix.geo.scene import Scene
    from landmix.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSettings:
    """How label files are read (`data.*`)."""

    field: str | None = None
    """The class attribute of vector files."""
    layer: str | None = None
    """Of vector files with several."""
    legend: str | None = None
    """A legend file; None: from the labels."""
    ignore: frozenset[Key] | None = None
    """Values that mean unlabelled; None: a raster's nodata, and 0 where it has none."""
    pairing: str = "stem"
    """`stem` or `order`: how as many label rasters as scenes find each other."""
    limits: Limits = DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScenes:
    """Labelled pixels of several scenes, their classes still as the files write them."""

    pixels: tuple[LabelPixels, ...]
    """A scene."""
    files: tuple[str, ...]
    names: dict[int, str] = field(default_factory=dict)
    """Class names by value, from label rasters."""
    colors: dict[int, str] = field(default_factory=dict)
    features: int = 0
    """Points and polygons that have a class which is not ignored."""
    blank: int = 0
    """Those that have no class, and are left out."""
    points: frozenset[int] = frozenset()
    """Units that are points, which have no area."""

    @property
    def counts(self) -> Counter[Key]:
        """Pixels a class; classes without any pixel count 0."""
        return count_keys(self.pixels)


def label_scenes(
    scenes: Sequence[Scene], files: Sequence[str], settings: LabelSettings, progress: Progress
) -> LabelledScenes:
    """Place the labels of `files` on the scenes.

    Vector files serve every scene that they touch; as many rasters as scenes are paired; one raster serves all.
    Raises `LandmixError` where nothing is labelled or rasters cannot be paired.
    """
    sources = [open_labels(path, settings.field, settings.layer, settings.limits) for path in files]
    rasters = [source for source in sources if isinstance(source, RasterLabels)]
    vectors = [source for source in sources if isinstance(source, Features)]
    ignored = settings.ignore or frozenset()
    paired = _pair(scenes, rasters, settings.pairing)
    first_units = np.cumsum([0] + [len(s.keys) if isinstance(s, Features) else 0 for s in sources]).tolist()
    pixels = []
    for number, scene in enumerate(scenes):
        parts = [
            burn(source, scene.grid, ignored, first_units[i])
            for i, source in enumerate(sources)
            if isinstance(source, Features)
        ]
        parts += [sample(raster, scene.grid, settings.ignore) for raster in paired[number]]
        pixels.append(merge(parts, scene.grid.width))
    labelled = LabelledScenes(
        pixels=tuple(pixels),
        files=tuple(files),
        names={value: name for raster in rasters for value, name in raster.names.items()},
        colors={value: color for raster in rasters for value, color in raster.colors.items()},
        features=sum(key not in ignored for source in vectors for key in source.keys),
        blank=sum(source.blank for source in vectors),
        points=frozenset(
            first + i
            for source, first in zip(sources, first_units, strict=False)
            if isinstance(source, Features)
            for i in source.points
        ),
    )
    check_labelled(labelled, scenes, progress)
    return labelled


def _pair(scenes: Sequence[Scene], rasters: Sequence[RasterLabels], pairing: str) -> list[list[RasterLabels]]:
    """The label rasters of each scene."""
    if len(rasters) <= 1:
        return [list(rasters) for _ in scenes]
    if len(rasters) != len(scenes):
        msg = (
            f"label rasters are paired with scenes, but there are {len(rasters)} for {len(scenes)} scenes: name one for"
        )
        msg += " each, or one for all"
        raise LandmixError(msg)
    if pairing == "order":
        return [[raster] for raster in rasters]
    by_stem = {Path(raster.path).stem: raster for raster in rasters}
    missing = [scene.name for scene in scenes if scene.name not in by_stem]
    if missing or len(by_stem) != len(rasters):
        msg = (
            f"label rasters are paired by file name, but none is called like {', '.join(missing[:3]) or 'its scene'}:"
            " name them alike, list both in a CSV of pairs, or set data.pairing=order"
        )
        raise LandmixError(msg)
    return [[by_stem[scene.name]] for scene in scenes]


def check_labelled(labelled: LabelledScenes, scenes: Sequence[Scene], progress: Progress) -> None:
    """Warn of labels that overlap and of scenes without any. Raises `LandmixError` where nothing is labelled."""
    overlapping = sum(pixels.overlapping for pixels in labelled.pixels)
    if overlapping:
        progress.warn(f"{overlapping} pixels are left out because labels of different classes overlap there")
    if not any(len(pixels) for pixels in labelled.pixels):
        msg = (
            f"the labels {', '.join(labelled.files[:3])} label no pixel of {scenes[0].where} ({scenes[0].grid}): are"
            " both of the same place, or is all of it ignored?"
        )
        raise LandmixError(msg)
    bare = [scene.name for scene, pixels in zip(scenes, labelled.pixels, strict=True) if not len(pixels)]
    if bare:
        progress.warn(f"no label touches {', '.join(bare)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """What the keys of label files mean."""

    legend: Legend
    index: dict[Key, int]
    """Position in the legend of each key; keys without a class are missing."""

    def labelled(self, parts: Sequence[LabelPixels], first_scene: int = 0) -> Labelled:
        """The labelled pixels of several scenes as one; scenes are numbered from `first_scene`."""
        lookups = [np.array([self.index.get(key, -1) for key in part.names], np.int16) for part in parts]
        pooled = Labelled(
            scene=np.concatenate([np.full(len(part), first_scene + i, np.int32) for i, part in enumerate(parts)]),
            rows=np.concatenate([part.rows for part in parts]),
            cols=np.concatenate([part.cols for part in parts]),
            index=np.concatenate(
                [look[p.keys] if len(p) else np.empty(0, np.int16) for look, p in zip(lookups, parts, strict=True)]
            ),
            units=np.concatenate([part.units for part in parts]),
        )
        return pooled.take(pooled.index >= 0)


def classes_of(labelled: LabelledScenes, legend_file: str | None, progress: Progress) -> Classes:
    """The legend that the labels mean, without classes that have no pixel.

    From the legend file, or: texts sorted and numbered from 1, numbers as they are. Raises `LandmixError` for a key
    that the legend lacks, for numbers outside 0 to 65535, and for texts mixed with numbers.
    """
    counts = labelled.counts
    texts = sorted(key for key in counts if isinstance(key, str))
    numbers = sorted(key for key in counts if isinstance(key, int))
    if legend_file is not None:
        classes = _from_file(read_legend(legend_file), [*texts, *numbers], legend_file, labelled.files)
    elif texts and numbers:
        msg = f"{', '.join(labelled.files)} write classes as text and as numbers: say what is what with data.legend"
        raise LandmixError(msg)
    else:
        classes = _from_texts(texts, labelled.files) if texts else _from_numbers(numbers, labelled)
    return _with_pixels(classes, counts, progress)


def _from_file(legend: Legend, keys: list[Key], path: str, files: Sequence[str]) -> Classes:
    meaning: dict[Key, int] = {c.name: i for i, c in enumerate(legend)} | {c.value: i for i, c in enumerate(legend)}
    unknown = [str(key) for key in keys if key not in meaning]
    if unknown:
        msg = (
            f"the legend {path} lacks {', '.join(unknown[:5])} of {', '.join(files[:3])}: add it there, or leave it out"
            " with data.ignore"
        )
        raise LandmixError(msg)
    return Classes(legend=legend, index={key: meaning[key] for key in keys})


def _from_texts(texts: list[str], files: Sequence[str]) -> Classes:
    legend = _legend_of([(value, text, None) for value, text in enumerate(texts, start=1)], files)
    return Classes(legend=legend, index={text: i for i, text in enumerate(texts)})


def _from_numbers(numbers: list[int], labelled: LabelledScenes) -> Classes:
    classes = [(n, labelled.names.get(n, str(n)), labelled.colors.get(n)) for n in numbers]
    legend = _legend_of(classes, labelled.files)
    return Classes(legend=legend, index={c.value: i for i, c in enumerate(legend)})


def _legend_of(classes: list[tuple[int, str, str | None]], files: Sequence[str]) -> Legend:
    try:
        return make_legend(classes)
    except ValueError as error:
        msg = f"the labels {', '.join(files[:3])} cannot be used: {error}; leave values out with data.ignore"
        raise LandmixError(msg) from error


def _with_pixels(classes: Classes, counts: Counter[Key], progress: Progress) -> Classes:
    """Without the classes that no pixel has: a network cannot learn them."""
    seen = {classes.index[key] for key, count in counts.items() if count}
    kept = [i for i in range(len(classes.legend)) if i in seen]
    bare = [c.name for i, c in enumerate(classes.legend) if i not in seen]
    if bare:
        progress.warn(f"no pixel of the scenes is labelled {', '.join(bare)}: the model will not know it")
    return Classes(
        legend=Legend(tuple(classes.legend[i] for i in kept)),
        index={key: kept.index(i) for key, i in classes.index.items() if i in seen},
    )


def classes_beside(legend: Legend, labelled: LabelledScenes) -> Classes:
    """What the keys of other labels mean in an existing legend: texts by name, numbers by value.

    A number that its raster gives the name of one of the legend's classes means that class.

    A key that the legend lacks becomes a class of its own behind the legend's, so that it counts as an error rather
    than vanish.
    """
    meaning: dict[Key, int] = {c.name: i for i, c in enumerate(legend)} | {c.value: i for i, c in enumerate(legend)}
    by_name = {c.name: i for i, c in enumerate(legend)}
    meaning |= {value: by_name[name] for value, name in labelled.names.items() if name in by_name}
    classes = list(legend)
    foreign = [key for key, count in labelled.counts.items() if key not in meaning and count]
    for key in sorted(foreign, key=str):
        meaning[key] = len(classes)
        taken = {c.value for c in classes}
        value = key if isinstance(key, int) and key not in taken else max(taken) + 1
        name = _unused(str(labelled.names.get(value, key)), legend)
        classes.append(LegendClass(value=value, name=name, color="#7f7f7f"))
    return Classes(legend=Legend(tuple(classes)), index=meaning)


def _unused(name: str, legend: Legend) -> str:
    """A name that no class of the legend has."""
    return name if name not in legend.names else f"{name} (reference)"
