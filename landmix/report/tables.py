"""The rows of the reports' tables, as text."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landmix.report import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from landmix.core.legend import LegendClass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One of the large numbers on top."""

    name: str
    value: str
    about: str
    """What it means, in a few words."""
    interval: str = ""
    """Its 95 % interval, where known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """How well one class is mapped."""

    value: int
    name: str
    color: str
    figures: tuple[tuple[str, float, str], ...]
    """User's and producer's accuracy, F1, IoU: what to print, the length of its bar in percent, its interval."""
    support: str
    mapped: str

    @property
    def complete(self) -> bool:
        """Whether all figures were measured."""
        return words.DASH not in (self.support, self.mapped, *(text for text, *_ in self.figures))


_KEYS = (
    ("overall_accuracy", "Overall accuracy", words.percent, "share of pixels that are right"),
    ("macro_f1", "Macro F1", words.percent, "mean over the classes"),
    ("mean_iou", "Mean IoU", words.percent, "mean over the classes"),
    ("balanced_accuracy", "Balanced accuracy", words.percent, "mean producer's accuracy"),
    ("kappa", "Kappa", words.decimal, "agreement beyond chance"),
    ("n", "Pixels compared", words.count, "with reference and map value"),
)

_WITH_INTERVAL = ("users_accuracy", "producers_accuracy", "f1")
_FIGURES = (*_WITH_INTERVAL, "iou")

_SPLIT = {
    "kind": ("Validation part", ""),
    "side_m": ("Side of a block", "m"),
    "side_px": ("Side of a block", "px"),
    "buffer_px": ("Buffer around it", "px"),
    "buffer_m": ("Buffer around it", "m"),
    "folds": ("Folds", ""),
    "fold": ("Fold shown", ""),
    "fraction": ("Share held out", "%"),
    "seed": ("Seed", ""),
}

_DISTANCE = {"min": "least", "median": "median", "mean": "mean", "max": "greatest"}

_FOLD = (
    ("overall_accuracy", words.percent),
    ("macro_f1", words.percent),
    ("kappa", words.decimal),
)


def key_figures(metrics: Mapping[str, Any]) -> list[KeyFigure]:
    """Give the overall figures of metrics.json; dashes where it has none."""
    overall = metrics.get("overall_accuracy_interval") or {}
    known = {"overall_accuracy": words.points(overall.get("low"), overall.get("high"))}
    return [
        KeyFigure(name=name, value=show(metrics.get(key)), about=about, interval=known.get(key, ""))
        for key, name, show, about in _KEYS
    ]


def design_key(design: Mapping[str, Any]) -> list[KeyFigure]:
    """Give the figures that a sample of a map says of the whole map."""
    found = design["overall_accuracy"]
    about = "share of the map's area that is right"
    interval = words.points(found.get("low"), found.get("high"))
    return [
        KeyFigure(name="Overall accuracy", value=words.percent(found["value"]), about=about, interval=interval),
        KeyFigure(name="Pixels compared", value=words.count(design["n"]), about=f"a {design['kind']} sample"),
    ]


def sureness(metrics: Mapping[str, Any]) -> str:
    """What the intervals of the classes rest on, in a sentence; nothing where nothing was compared."""
    found = metrics.get("overall_accuracy_interval")
    if not found:
        return ""
    groups = f"{words.count(found['groups'])} groups (polygons, points or blocks)"
    cells = [(row.get(key), row.get(f"{key}_interval")) for row in metrics.get("classes", ()) for key in _WITH_INTERVAL]
    if not any(interval for _, interval in cells):
        return f"No intervals: no class lies in 6 or more of the {groups}, and fewer are too few to say."
    missing = any(value is not None and not interval for value, interval in cells)
    return f"Small figures: 95 % intervals over {groups}, the pixels of one being alike." + (
        " None where fewer than 6 hold the class: too few to say." if missing else ""
    )


def class_rows(classes: Sequence[LegendClass], metrics: Mapping[str, Any]) -> list[ClassRow]:
    """Give a row a class, its figures found in `metrics["classes"]` by value."""
    measured = {row["value"]: row for row in metrics.get("classes", ())}
    return [_class_row(c, measured.get(c.value, {})) for c in classes]


def _class_row(c: LegendClass, row: Mapping[str, Any]) -> ClassRow:
    figures = [(row.get(key), row.get(f"{key}_interval")) for key in _FIGURES]
    return ClassRow(
        value=c.value,
        name=c.name,
        color=c.color,
        figures=tuple(
            (words.percent(figure), round(100 * (words.number(figure) or 0.0), 1), words.points(*(interval or ())))
            for figure, interval in figures
        ),
        support=words.count(row.get("support")),
        mapped=words.count(row.get("mapped")),
    )


def split_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the validation part was chosen, and how far it lies from the training pixels: (name, value)."""
    split, distance = (metrics.get(key) or {} for key in ("split", "distance_m"))
    if not isinstance(distance, dict):
        distance = {"min": distance}
    rows = [_split_row(key, value) for key, value in split.items() if value is not None and key != "variogram"]
    rows += _variogram_rows(split.get("variogram")) + _random_rows(metrics.get("random_split"))
    metres = [(key, value) for key, value in distance.items() if words.number(value) is not None]
    return rows + [
        (f"Distance to training pixels, {_DISTANCE.get(key, key)}", words.length(value)) for key, value in metres
    ]


def _variogram_rows(variogram: Any) -> list[tuple[str, str]]:
    """How far pixels of a class are alike, where it was looked at."""
    if not isinstance(variogram, dict) or words.number(variogram.get("sill")) is None:
        return []
    reach = words.number(variogram.get("range_m"))
    said = "more than half the extent of the labels" if reach is None else words.length(reach)
    return [("Range of the variogram", said if reach != 0 else "neighbours are not alike")]


def _random_rows(random: Any) -> list[tuple[str, str]]:
    """What a random split would have said, where it was asked for."""
    if not isinstance(random, dict) or (gap := words.number(random.get("gap"))) is None:
        return []
    points = f"{100 * gap:+.1f} points".replace("-", "\N{MINUS SIGN}")
    return [
        ("A random split would say", f"{words.percent(random.get('overall_accuracy'))} ({points}); not to be quoted")
    ]


def _split_row(key: str, value: object) -> tuple[str, str]:
    name, unit = _SPLIT.get(key, (key.replace("_", " ").capitalize(), ""))
    if unit == "%":
        return name, words.percent(value)
    return name, f"{words.plain(value)} {unit}".rstrip()


def fold_rows(folds: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Give a row a fold (its name, then its figures), and their mean and standard deviation where there are several."""
    rows = [(words.plain(fold.get("fold", i + 1)), *_fold_cells(fold)) for i, fold in enumerate(folds)]
    if len(rows) > 1:
        mean, spread = _over(folds, 1, statistics.mean), _over(folds, 2, statistics.stdev)
        rows += [("Mean", *mean), ("Standard deviation", *spread)]
    return rows


def _over(folds: Sequence[Mapping[str, Any]], least: int, measure: Callable[[list[float]], float]) -> list[str]:
    """One measure of each figure over the folds that have it, a dash for fewer than `least`; no sum of pixels."""
    cells = []
    for key, show in _FOLD:
        known = [value for fold in folds if (value := words.number(fold.get(key))) is not None]
        cells.append(show(measure(known) if len(known) >= least else None))
    return [*cells, ""]


def _fold_cells(fold: Mapping[str, Any]) -> list[str]:
    return [*(show(fold.get(key)) for key, show in _FOLD), words.count(fold.get("n"))]


def fraction_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Class, root mean squared error, mean absolute error and bias of its fractions; empty without fractions."""
    found = metrics.get("fractions")
    if not found:
        return []
    return [(name, *(words.decimal(found[key][name]) for key in ("rmse", "mae", "bias"))) for name in found["rmse"]]


def design_rows(design: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Class, area, mapped pixels, user's and producer's accuracy with intervals; the last row is the whole map."""
    rows = [
        (
            row["name"],
            _hectares(row["area_ha"]) if "area_ha" in row else _points(row["area_share"]),
            words.count(row["mapped_pixels"]),
            _points(row["users_accuracy"]),
            _points(row["producers_accuracy"]),
        )
        for row in design["classes"]
    ]
    return [*rows, ("overall accuracy", "", "", _points(design["overall_accuracy"]), "")]


def _points(interval: Mapping[str, Any]) -> str:
    """`87.3 % ± 2.1`."""
    half = words.number(interval["half"])
    known = f" ± {100 * half:.1f}" if half is not None else ""
    return words.percent(interval["value"]) + known


def _hectares(interval: Mapping[str, Any]) -> str:
    """`1,234.5 ha ± 12.3`."""
    value, half = words.number(interval["value"]), words.number(interval["half"])
    if value is None:
        return words.DASH
    return f"{value:,.1f} ha" + (f" ± {half:,.1f}" if half is not None else "")


def baseline_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row a baseline, the network first."""
    found = metrics.get("baselines") or []
    if not found:
        return []
    own = ("network", "", words.percent(metrics.get("overall_accuracy")), words.percent(metrics.get("macro_f1")))
    return [
        (*own, "", "", ""),
        *(
            (
                row["name"],
                row["features"],
                words.percent(row["overall_accuracy"]),
                words.percent(row["macro_f1"]),
                f"{100 * row['difference']:+.1f} points".replace("-", "\N{MINUS SIGN}"),
                words.DASH if row["p"] is None else f"{row['p']:.3f}",
                row["network_is"],
            )
            for row in found
        ),
    ]


def verdict(metrics: Mapping[str, Any]) -> str:
    """Whether the network is worth its trouble, in a sentence."""
    found = metrics.get("baselines") or []
    if not found:
        return ""
    best = max(found, key=lambda row: row["overall_accuracy"])
    name = f"{best['name']} on {best['features']} pixels"
    if best["difference"] < 0:
        sure = "and chance does not explain it" if best["network_is"] == "worse" else f"but {_but(best)}"
        return f"No: {name} is {-100 * best['difference']:.1f} points better here, {sure}."
    if best["network_is"] == "better":
        return f"Yes: it is {100 * best['difference']:.1f} points better than the best of them, {name}."
    return (
        f"Not shown: it is {100 * best['difference']:.1f} points ahead of the best of them, {name}, but {_but(best)}."
    )


def _but(row: Mapping[str, Any]) -> str:
    if row["p"] is None:
        return f"{row['groups']} polygons or blocks are too few to say"
    return f"chance may explain it ({row['groups']} polygons or blocks)"
