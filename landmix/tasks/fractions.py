"""landmix evaluate of fractions against fractions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.accuracy.fractions import FractionErrors
from landmix.core.tiling import Tiling
from landmix.errors import LandmixError, UsageError
from landmix.files import make_folder, write_json, write_text
from landmix.geo.fractions import FractionsReader
from landmix.geo.legends import make_legend
from landmix.report.page import EvaluateReport, evaluate_page
from landmix.tasks.tables import fractions_table, overall

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import EvaluateSettings


def evaluate_fractions(settings: EvaluateSettings, reference: str, progress: Progress) -> dict[str, Any]:
    """Compare two rasters of fractions, bands matched by name; returns the content of `accuracy.json`.

    Under `fractions` stand errors a class; the other figures are of the largest fraction in each pixel. Raises
    `LandmixError` where classes or grids differ.
    """
    if settings.design is not None:
        msg = "design= is of a sample of a class map: leave it out for fractions, or evaluate the class map"
        raise UsageError(msg)
    limits = settings.limits
    with FractionsReader(settings.map, limits) as found, FractionsReader(reference, limits) as truth:
        _check(found, truth)
        errors, confusion = _compare(found, truth)
    if not confusion.n:
        msg = f"no pixel has fractions both in {settings.map} and in {reference}"
        raise LandmixError(msg)
    fractions = errors.to_json(found.names)
    names = Path(settings.map).name, Path(reference).name
    figures = {
        **confusion.to_json(),
        "fractions": fractions,
        "map": names[0],
        "reference": [names[1]],
        "warnings": [],
    }
    folder = Path(settings.out_dir)
    make_folder(folder, settings.limits.stale_after)
    page = evaluate_page(
        EvaluateReport(
            title=f"Accuracy of {names[0]}",
            map_name=names[0],
            reference_name=names[1],
            confusion=confusion,
            metrics=figures,
        )
    )
    write_text(folder / "report.html", page)
    write_json(folder / "accuracy.json", figures)
    progress.say(fractions_table(fractions, f"fractions of {fractions['n']} pixels"))
    progress.say(f"largest fractions: {overall(figures)}")
    progress.say(f"accuracy.json, report.html are in {folder}")
    return figures


def _check(found: FractionsReader, truth: FractionsReader) -> None:
    """The same classes and pixels."""
    if set(found.names) != set(truth.names):
        msg = (
            f"fractions are compared class by class, but {found.path} has {', '.join(found.names)} and {truth.path}"
            f" has {', '.join(truth.names)}: name the bands alike"
        )
        raise LandmixError(msg)
    if not found.grid.same_as(truth.grid):
        msg = f"fractions are compared pixel by pixel, but {found.path} ({found.grid}) and {truth.path} ({truth.grid})"
        msg += " lie on different grids: warp one onto the other"
        raise LandmixError(msg)


def _compare(found: FractionsReader, truth: FractionsReader) -> tuple[FractionErrors, Confusion]:
    """Errors of all fractions, and which class is the largest."""
    names = found.names
    errors = FractionErrors.of(np.empty((0, len(names))))
    counts, unmapped = np.zeros((len(names), len(names)), np.int64), 0
    for tile in Tiling(core=math.isqrt(max(_VALUES // len(names), _LEAST**2))).tiles(found.grid.window):
        (mapped, has), (true, known) = found.read(tile.write, names), truth.read(tile.write, names)
        both = has & known
        errors += FractionErrors.of((mapped - true)[:, both].T)
        counts += count_pairs(true[:, both].argmax(0), mapped[:, both].argmax(0), len(names))
        unmapped += int((known & ~has).sum())
    legend = make_legend([(value, name, None) for value, name in enumerate(names, start=1)])
    return errors, Confusion(classes=legend.classes, counts=counts, unmapped=unmapped)


_VALUES, _LEAST = 2**22, 128
"""How many fractions are held at once, and the least side of a square in pixels."""
