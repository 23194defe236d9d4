"""The pages that `train` and `evaluate` leave behind: one HTML file each that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jinja2

from landmix.report import figures, tables, words
from landmix.report.trust import trust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from landmix.accuracy.confusion import Confusion
    from landmix.core.bands import BandSet
    from landmix.core.legend import Legend


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectra:
    """What the classes look like in the training pixels."""

    mean: NDArray[np.floating]
    """(K, C) physical values, classes in legend order; NaN where a class has no pixels."""
    std: NDArray[np.floating]
    """(K, C) standard deviations."""
    unit: str = ""
    """What the values are, for the axis: `reflectance`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """All that the page of a training run shows; what is empty or None is left out."""

    title: str
    legend: Legend
    bands: BandSet
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """What metrics.json holds: the figures of `Confusion.to_json` and `split`, `distance_m`."""
    confusion: Confusion | None = None
    """Of the validation part; None where there was none."""
    warnings: Sequence[str] = ()
    history: Sequence[Mapping[str, float]] = ()
    """An entry an epoch, as `figures.curves` takes it."""
    spectra: Spectra | None = None
    places: Sequence[figures.Places] = ()
    folds: Sequence[Mapping[str, Any]] = ()
    """An entry a fold: `overall_accuracy`, `macro_f1`, `kappa`, `n`, and `fold` if it has a name."""
    settings: str = ""
    """The configuration as YAML."""
    facts: Sequence[tuple[str, str]] = ()
    """What was trained on what: (name, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateReport:
    """All that the page of an evaluation shows."""

    title: str
    map_name: str
    reference_name: str
    confusion: Confusion
    metrics: Mapping[str, Any] | None = None
    """What accuracy.json holds; None: the figures of `confusion`."""
    warnings: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    mapped: NDArray[np.integer] | None = None
    """(K,) pixels a class in the whole map, in the order of `confusion.classes`."""
    pixel_m2: float | None = None
    """Area of a pixel on the ground in m², if known."""
    design: Mapping[str, Any] | None = None
    """What follows from how the reference was drawn, as in `accuracy.json`."""


def train_page(data: TrainReport) -> str:
    """Write the page of a training run as HTML."""
    classes = data.confusion.classes if data.confusion else data.legend.classes
    return _render(
        "train",
        data,
        validated=words.number(data.metrics.get("overall_accuracy")) is not None,
        key=tables.key_figures(data.metrics),
        classes=tables.class_rows(classes, data.metrics),
        sure=tables.sureness(data.metrics),
        counts=_counts(data.confusion),
        split=tables.split_rows(data.metrics),
        folds=tables.fold_rows(data.folds),
        baselines=tables.baseline_rows(data.metrics),
        fractions=tables.fraction_rows(data.metrics),
        verdict=tables.verdict(data.metrics),
        trust=trust(data.metrics),
        reliability=_reliability(data.metrics),
        curves=figures.curves(data.history) if data.history else "",
        places=figures.places(data.places) if data.places else "",
        distances=figures.distances(data.metrics),
        spectra=_spectra(data),
    )


def evaluate_page(data: EvaluateReport) -> str:
    """Write the page of an evaluation as HTML."""
    metrics = data.confusion.to_json() if data.metrics is None else data.metrics
    classes = data.confusion.classes
    area = "" if data.mapped is None else figures.area(classes, data.mapped, data.pixel_m2)
    return _render(
        "evaluate",
        data,
        validated=data.confusion.n > 0,
        key=tables.design_key(data.design) if data.design else tables.key_figures(metrics),
        classes=tables.class_rows(classes, metrics),
        sure="" if data.design else tables.sureness(metrics),
        counts=_counts(data.confusion),
        unmapped=data.confusion.unmapped,
        fractions=tables.fraction_rows(metrics),
        area=area,
        design=tables.design_rows(data.design) if data.design else [],
        estimates=figures.estimates(classes, data.design) if data.design else "",
    )


def _render(name: str, data: TrainReport | EvaluateReport, **parts: object) -> str:
    confusion = data.confusion
    picture = figures.confusion(confusion) if confusion is not None and confusion.n else ""
    page = _environment().get_template(f"{name}.html.j2")
    return page.render(data=data, confusion=picture, **parts)


def _environment() -> jinja2.Environment:
    """Templates from this package; all that they print is cleaned and escaped, unless it is a figure."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("landmix.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.clean(value) if type(value) is str else value,
    )
    environment.filters["count"] = words.count
    return environment


def _reliability(metrics: Mapping[str, Any]) -> str:
    """The diagram; empty where nothing was validated."""
    found = metrics.get("calibration")
    return figures.reliability(found) if found and words.number(found["ece_after"]) is not None else ""


def _counts(confusion: Confusion | None) -> list[tuple[str, list[str]]]:
    """Write the matrix as text: (reference class, counts)."""
    if confusion is None or not confusion.n:
        return []
    rows = zip(confusion.classes, confusion.counts.tolist(), strict=True)
    return [(c.name, [words.count(value) for value in row]) for c, row in rows]


def _spectra(data: TrainReport) -> str:
    if data.spectra is None:
        return ""
    colors = [c.color for c in data.legend]
    units = [band.unit for band in data.bands]
    common = max(units, key=units.count)  # one axis has one unit
    drawn = [i for i, unit in enumerate(units) if unit == common]
    unit = data.spectra.unit or common or ""
    if len(drawn) < len(units):
        left_out = [band.name for band in data.bands if band.unit != common]
        unit += f" (not drawn: {', '.join(left_out)})"
    mean, std = data.spectra.mean[:, drawn], data.spectra.std[:, drawn]
    return figures.spectra(data.bands.take(drawn), data.legend.names, colors, mean, std, unit)
