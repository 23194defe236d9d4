"""Cross-validation in figures: a row a fold, their mean and spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.tasks.tables import share

if TYPE_CHECKING:
    from landmix.accuracy.confusion import Confusion

_FIGURES = ("overall_accuracy", "macro_f1", "kappa")


def fold_rows(folds: list[Confusion]) -> list[dict[str, Any]]:
    """`folds` in `metrics.json`, numbered from 1; empty where there is one."""
    every = [fold.to_json() for fold in folds] if len(folds) > 1 else []
    return [{"fold": i, **{key: row[key] for key in (*_FIGURES, "n")}} for i, row in enumerate(every, start=1)]


def folds_summary(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Mean and standard deviation (n - 1) of each figure over the folds that have it; None without folds."""
    if not rows:
        return None
    summary = {}
    for key in _FIGURES:
        known = np.array([row[key] for row in rows if row[key] is not None])
        summary[key] = {
            "mean": float(known.mean()) if len(known) else None,
            "std": float(known.std(ddof=1)) if len(known) > 1 else None,
        }
    return summary


def fold_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The same for the console."""
    lines = [
        f"fold {row['fold']}: overall accuracy {share(row['overall_accuracy'])}, macro F1 {share(row['macro_f1'])},"
        f" {row['n']} pixels"
        for row in rows
    ]
    means = ", ".join(
        f"{key.replace('_', ' ')} {share(of['mean'])}" + ("" if of["std"] is None else f" ± {share(of['std'])}")
        for key, of in (folds_summary(rows) or {}).items()
    )
    return [*lines, f"mean of folds: {means}"] if rows else []
