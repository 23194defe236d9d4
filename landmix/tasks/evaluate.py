"""landmix evaluate: a finished map against reference labels."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.core.legend import Legend
from landmix.errors import LandmixError
from landmix.files import is_remote, make_folder, write_json, write_text
from landmix.geo.fractions import has_bands
from landmix.geo.ground import pixel_size, pixels_differ
from landmix.geo.label_rasters import look
from landmix.geo.legends import make_legend, read_legend
from landmix.geo.maps import MapReader
from landmix.geo.open import open_scene
from landmix.geo.opening import raster_driver
from landmix.geo.paths import entries
from landmix.geo.remote import content_hash
from landmix.labelling import Classes, LabelledScenes, LabelSettings, check_labelled, classes_beside, label_scenes
from landmix.progress import Heard
from landmix.report.page import EvaluateReport, evaluate_page
from landmix.tasks.designed import design_table, doubts, estimates
from landmix.tasks.fractions import evaluate_fractions
from landmix.tasks.intervals import figures_with_intervals, groups_of
from landmix.tasks.origins import drawn_otherwise
from landmix.tasks.tables import accuracy_table
from landmix.tasks.tally import Tally, tally

if TYPE_CHECKING:
    from landmix.geo.limits import Limits
    from landmix.geo.scene import Scene
    from landmix.progress import Progress
    from landmix.tasks.settings import EvaluateSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    confusion: Confusion
    figures: dict[str, Any]
    """Of `confusion`, with intervals, as `accuracy.json` holds them."""
    mapped: dict[int, int]
    """Pixels of the whole map by class value."""
    design: dict[str, Any] | None


def evaluate(settings: EvaluateSettings, progress: Progress) -> dict[str, Any]:
    """Compare a map with labels, or fractions with fractions; returns the content of `accuracy.json`.

    Raises `LandmixError` where the two do not meet.
    """
    files = [path for entry in entries(settings.reference, "reference") for path in entry.files]
    if len(files) == 1 and all(_of_fractions(path, settings.limits) for path in (settings.map, *files)):
        return evaluate_fractions(settings, files[0], progress)
    scene = open_scene([settings.map], Path(settings.map).stem, limits=settings.limits)
    ignored = settings.ignore if isinstance(settings.ignore, list) else [settings.ignore]
    labels = LabelSettings(
        field=settings.field,
        layer=settings.layer,
        ignore=None if settings.ignore is None else frozenset(key for key in ignored if key is not None),
        limits=settings.limits,
    )
    heard = Heard(progress)
    with MapReader(settings.map, settings.limits) as reader:
        counted = _tally(settings, reader, scene, files, labels)
        if counted is None:
            reference = label_scenes([scene], files, labels, heard)
        else:
            reference = counted.reference
            check_labelled(reference, [scene], heard)
        tags = reader.tags
        legend = _legend(settings, reader)
        pixel = pixel_size(reader.grid)
        classes = classes_beside(legend, reference)
        compared = _compare(settings, reader, classes, reference, counted, pixel)
        notes = _notes(reader, legend, classes, reference, compared)
    if _is_training_data(tags, files):
        heard.warn("the reference is the model's own training data: on its training scene these figures flatter")
    if not reference.names and _numbers_against_names(reference, legend):
        heard.warn("the reference has numbers and no names, the map's classes have names: they are compared by value")
    for text in [*notes, *drawn_otherwise(settings, files)]:
        heard.warn(text)
    if not compared.confusion.n:
        msg = f"no reference pixel of {', '.join(files[:3])} has a value in the map {settings.map}: are both of the"
        msg += " same place?"
        raise LandmixError(msg)
    return _write(settings, compared, files, heard.warnings, pixel, progress)


def _tally(
    settings: EvaluateSettings, reader: MapReader, scene: Scene, files: list[str], labels: LabelSettings
) -> Tally | None:
    """The reference counted as it is read, where it is one raster and no sample of pixels."""
    if len(files) != 1 or not _is_raster(files[0]) or settings.design is not None:
        return None
    return tally(reader, scene.grid, look(files[0], labels.limits), labels.ignore)


def _of_fractions(path: str, limits: Limits) -> bool:
    """Whether a file is a raster of several bands."""
    return _is_raster(path) and has_bands(path, limits)


def _is_raster(path: str) -> bool:
    return is_remote(path) or raster_driver(path) is not None


def _legend(settings: EvaluateSettings, reader: MapReader) -> Legend:
    """The map's own legend, a legend file, or the bare values."""
    if settings.legend is not None:
        return read_legend(settings.legend)
    values = sorted(reader.counts)
    if not values:
        msg = f"the map {settings.map} holds nothing but nodata"
        raise LandmixError(msg)
    known = sorted(set(reader.names) | set(values))
    return make_legend([(v, reader.names.get(v, str(v)), reader.colors.get(v)) for v in known])


def _compare(
    settings: EvaluateSettings,
    reader: MapReader,
    classes: Classes,
    reference: LabelledScenes,
    counted: Tally | None,
    pixel: tuple[float, float] | None,
) -> _Compared:
    labelled = classes.labelled(reference.pixels)
    if counted is None:
        values = reader.values_at(labelled.rows, labelled.cols)
        valid, group = reader.valid(values), groups_of(labelled, reader.grid.width)
        times = np.ones(len(values), np.int64)
    else:
        values, valid, group, times = counted.mapped, counted.valid, counted.group, counted.times
    full = _with_map_values(classes.legend, values[valid])
    index, mapped = labelled.index[valid], full.encode(values[valid])
    counts = count_pairs(index, mapped, len(full), times[valid])
    confusion = Confusion(classes=full.classes, counts=counts, unmapped=int(times[~valid].sum()))
    design = None
    if settings.design is not None and valid.any():
        size = None if pixel is None else pixel[0] * pixel[1]
        known = labelled.take(valid)
        design = estimates(settings.design, reader, settings.strata, known, mapped, full.classes, size, settings.limits)
    return _Compared(
        confusion=confusion,
        figures=figures_with_intervals(confusion, index, mapped, group[valid], times[valid], grouped=design is None),
        mapped=reader.counts,
        design=design,
    )


def _notes(
    reader: MapReader, legend: Legend, classes: Classes, reference: LabelledScenes, compared: _Compared
) -> list[str]:
    """What a user should know of the reference, and of a sample."""
    found = []
    if foreign := classes.legend.names[len(legend) :]:
        near = dict.fromkeys(close for name in foreign[:_SHOWN] for close in _near(name, legend))
        meant = f"; is {', '.join(near)} meant?" if near else ""
        named = ", ".join(foreign[:_SHOWN]) + (" ..." if len(foreign) > _SHOWN else "")
        found.append(f"the map has no class {named}, so what the reference calls so is an error{meant}")
    if compared.design is None:
        return found
    if reference.blank:
        found.append(
            f"features of the reference without a class are left out ({reference.blank}): estimates from a sample with"
            " gaps hold only if nothing sets those apart"
        )
    placed = sum(len(np.unique(part.units[part.units >= 0])) for part in reference.pixels)
    if placed < reference.features:
        found.append(
            "features of the reference have no pixel of the map to themselves"
            f" ({reference.features - placed}): they lie outside it, or together with others"
        )
    if (times := pixels_differ(reader.grid)) > _UNEQUAL:
        found.append(
            f"the map's largest pixels cover {times:.2f} times the ground of its smallest, but here each counts as one:"
            " warp the map to an equal-area CRS before drawing a sample for areas"
        )
    return found + doubts(compared.design, sum(compared.mapped.values()))


_SHOWN = 5
_UNEQUAL = 1.02
"""Times as much ground; less is lost in the intervals."""


def _near(name: str, legend: Legend) -> list[str]:
    """The class whose name is like it, whatever the letters' case, or whose value somebody has written as text."""
    lower = {c.name.lower(): c.name for c in legend}
    values = [c.name for c in legend if str(c.value) == name]
    return values or [lower[found] for found in difflib.get_close_matches(name.lower(), lower, 1)]


def _with_map_values(legend: Legend, values: np.ndarray) -> Legend:
    """The legend with classes for map values that it lacks."""
    unknown = sorted(set(np.unique(values).tolist()) - set(legend.values))
    added = make_legend([(value, f"value {value}", "#7f7f7f") for value in unknown]).classes if unknown else ()
    return Legend((*legend.classes, *added))


def _numbers_against_names(reference: LabelledScenes, legend: Legend) -> bool:
    """Whether classes can only be compared by value, though the map's values have names of their own."""
    numbers = any(isinstance(key, int) for key in reference.counts)
    return numbers and any(c.name != str(c.value) for c in legend)


def _is_training_data(tags: dict[str, str], files: list[str]) -> bool:
    """Whether a reference file is one of those that the map's model was trained on, by its bytes."""
    try:
        trained = set(json.loads(tags.get("LANDMIX_TRAINING_LABELS", "[]")))
    except (ValueError, TypeError):
        return False
    return bool(trained & {content_hash(path) for path in files if not is_remote(path)})


def _write(
    settings: EvaluateSettings,
    compared: _Compared,
    files: list[str],
    warnings: list[str],
    pixel: tuple[float, float] | None,
    progress: Progress,
) -> dict[str, Any]:
    figures = {
        **compared.figures,
        "map": Path(settings.map).name,
        "reference": [Path(path).name for path in files],
        "warnings": warnings,
    }
    if compared.design:
        figures["design"] = compared.design
    folder = Path(settings.out_dir)
    make_folder(folder, settings.limits.stale_after)
    mapped = np.array([compared.mapped.get(c.value, 0) for c in compared.confusion.classes])
    page = evaluate_page(
        EvaluateReport(
            title=f"Accuracy of {Path(settings.map).name}",
            map_name=Path(settings.map).name,
            reference_name=", ".join(Path(path).name for path in files),
            confusion=compared.confusion,
            metrics=compared.figures,
            warnings=warnings,
            facts=[("Unmapped reference pixels", f"{compared.confusion.unmapped:,}")],
            mapped=mapped,
            pixel_m2=None if pixel is None else pixel[0] * pixel[1],
            design=compared.design,
        )
    )
    write_text(folder / "report.html", page)
    write_json(folder / "accuracy.json", figures)
    progress.say(accuracy_table(figures))
    if compared.design:
        progress.say(design_table(compared.design))
    progress.say(f"accuracy.json, report.html are in {folder}")
    return figures
