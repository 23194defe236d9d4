"""Whether the network is worth it: plain classifiers in the same folds, compared over whole polygons or blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.accuracy.groups import Comparison, Interval, accuracy_interval, compare, holm
from landmix.baselines.classic import Judged, judge
from landmix.core.scaling import standardise
from landmix.training.statistics import band_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from landmix.training.prepare import Prepared


def judge_folds(data: Prepared, seed: int, say: Callable[[str], None]) -> list[Judged]:
    """What plain classifiers say of all validated pixels, (N,) each with -1 for the others, trained fold by fold."""
    every: dict[tuple[str, str], Judged] = {}
    for fold in range(data.split.folds):
        training, validation = data.split.training(fold), data.split.validation(fold)
        statistics = band_statistics(data.samples, training)
        channels = statistics.varying
        normalise = standardise(statistics.mean[channels], statistics.std[channels])
        for found in judge(
            data.samples, training, validation, channels, normalise, seed=seed, workers=_ALL_CORES, say=say
        ):
            key = found.name, found.features
            nothing = replace(found, predicted=np.full(len(training), -1, np.int16))
            known = every.setdefault(key, nothing)
            known.predicted[validation] = found.predicted
            every[key] = replace(known, trained_on=min(known.trained_on, found.trained_on))
    return list(every.values())


_ALL_CORES = -1
"""As scikit-learn says it."""


def interval(data: Prepared, predicted: NDArray[np.int16], seed: int) -> Interval | None:
    """The overall accuracy of what was predicted (N,), -1 where nothing was; None where that is everywhere."""
    here = predicted >= 0
    if not here.any():
        return None
    return accuracy_interval(_right(data, predicted)[here], data.split.group[here], seed)


def baseline_rows(
    data: Prepared, predicted: NDArray[np.int16], baselines: Sequence[Judged], seed: int
) -> list[dict[str, Any]]:
    """`baselines` in `metrics.json`: figures of each, and how the network, which `predicted` (N,), differs.

    `p` is that of a test of all of them together.
    """
    here = predicted >= 0
    mine, group = _right(data, predicted)[here], data.split.group[here]
    compared = [compare(mine, _right(data, one.predicted)[here], group, seed) for one in baselines]
    return [_row(data, here, *pair) for pair in zip(baselines, holm(compared), strict=True)]


def _row(data: Prepared, here: NDArray[np.bool_], baseline: Judged, found: Comparison) -> dict[str, Any]:
    index, legend = data.samples.labelled.index[here], data.legend
    counts = count_pairs(index, baseline.predicted[here], len(legend))
    confusion = Confusion(classes=legend.classes, counts=counts)
    return {
        "name": baseline.name,
        "features": baseline.features,
        "trained_on": baseline.trained_on,
        "overall_accuracy": confusion.overall_accuracy,
        "macro_f1": confusion.macro_f1,
        "difference": found.difference,
        "p": found.p,
        "groups": found.groups,
        "network_is": found.words,
    }


def _right(data: Prepared, predicted: NDArray[np.int16]) -> NDArray[np.bool_]:
    return np.asarray(predicted == data.samples.labelled.index)
