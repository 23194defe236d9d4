"""Figures as text for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.report.tables import verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.classify.batch import Row


def accuracy_table(figures: dict[str, Any]) -> str:
    """A row a class, and the overall figures under them."""
    width = max(len("class"), *(len(row["name"]) for row in figures["classes"]))
    lines = [f"{'class':{width}}  {'producer':>8}  {'user':>6}  {'F1':>6}  {'support':>8}  {'mapped':>8}"]
    lines += [
        f"{row['name']:{width}}  {share(row['producers_accuracy']):>8}  {share(row['users_accuracy']):>6}"
        f"  {share(row['f1']):>6}  {row['support']:>8}  {row['mapped']:>8}"
        for row in figures["classes"]
    ]
    return "\n".join([*lines, overall(figures)])


def overall(figures: dict[str, Any]) -> str:
    """The figures that are not of one class."""
    names = ("overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou")
    return ", ".join(f"{name.replace('_', ' ')} {share(figures[name])}" for name in names)


def baseline_table(metrics: dict[str, Any]) -> str:
    """A row a plain classifier, and whether the network is worth its trouble."""
    lines = [f"{'baseline':14} {'pixels':>6} {'accuracy':>8} {'macro F1':>8}  the network is"]
    lines += [
        f"{row['name']:14} {row['features']:>6} {share(row['overall_accuracy']):>8} {share(row['macro_f1']):>8}"
        f"  {row['network_is']} ({100 * row['difference']:+.1f} points)"
        for row in metrics["baselines"]
    ]
    return "\n".join([*lines, f"is the network worth it? {verdict(metrics)}"])


def fractions_table(fractions: dict[str, Any], of: str) -> str:
    """A row a class: how far fractions are off; `of` what, is the line above."""
    width = max(len("class"), *map(len, fractions["rmse"]))
    heads = [key for key in ("rmse", "mae", "bias") if key in fractions]
    lines = [of, f"{'class':{width}}" + "".join(f"  {head.upper():>6}" for head in heads)]
    lines += [
        f"{name:{width}}" + "".join(f"  {share(fractions[head][name]):>6}" for head in heads)
        for name in fractions["rmse"]
    ]
    return "\n".join(lines)


def calibration_lines(metrics: dict[str, Any]) -> list[str]:
    """What was learnt of confidence, in one line; none where nothing was."""
    found = metrics["calibration"]
    if not found or not found["folds"]:
        return []
    told = f"confidence: logits are divided by {found['temperature']:.2f}, from {found['folds']} parts held back"
    if found["ece_after"] is None:
        return [f"{told}; not checked on a validation part"]
    errors = share(found["ece_before"]), share(found["ece_after"])
    return [f"{told}; expected calibration error {errors[0]} before, {errors[1]} after"]


def batch_table(rows: Sequence[Row]) -> str:
    """A row a scene, and what it comes to."""
    lines = [f"{'status':8} {'Mpx':>9} {'seconds':>9} {'tries':>5}  map"]
    lines += [
        f"{row.status:8} {row.megapixels or 0:9.2f} {row.seconds:9.1f} {row.attempts:5}  {row.map}" for row in rows
    ]
    lines.append(f"{len(rows)} scenes, {sum(row.megapixels or 0 for row in rows):.1f} Mpx")
    return "\n".join(lines)


def share(figure: float | None) -> str:
    """A fraction with three digits, a dash where it is unknown."""
    return "-" if figure is None else f"{figure:.3f}"
