"""LDA, a random forest and an RBF SVM on the pixels that a network trains on, judged on those it is judged on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from landmix.core.scaling import Affine
    from landmix.samples import Samples

MOST = {"LDA": 200_000, "random forest": 100_000, "SVM": 10_000}
"""Training pixels that each can be given in a few minutes; of more, as many are drawn, class by class."""

_TREES = 300

_VALUES = 100_000_000
"""Numbers that each is given at most, features times pixels: 5x5 pixels of 200 bands are 5000 to a pixel."""

_CHUNK = 10_000_000
"""Numbers that are predicted from at a time."""

_CROPS = 4096
"""Pixels whose crops are held at a time; their sides are those of the training crops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a baseline says."""

    name: str
    features: str
    """`1x1`, `3x3` or `5x5` pixels."""
    trained_on: int
    """Pixels."""
    predicted: NDArray[np.int16]
    """(V,) class indices of the validation pixels."""


def check_installed() -> None:
    """Raise `LandmixError` without scikit-learn."""
    try:
        import sklearn  # noqa: F401, PLC0415 - an optional dependency
    except ImportError as error:
        msg = "baseline=true needs scikit-learn: pip install 'landmix[baseline]'"
        raise LandmixError(msg) from error


def judge(
    samples: Samples,
    training: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    channels: NDArray[np.intp],
    normalise: Affine,
    *,
    seed: int,
    workers: int,
    say: Callable[[str], None],
) -> Iterator[Judged]:
    """Train each on the labelled pixels `training` (N,) and let it say what those of `validation` (N,) are.

    Values are normalised as the network's. Where samples have a margin, each also gets the 3x3 and 5x5 pixels around.
    """
    index = samples.labelled.index
    numbers = np.flatnonzero(validation)
    for reach in range(min(samples.margin, 2) + 1):
        words = f"{2 * reach + 1}x{2 * reach + 1}"
        each = len(channels) * (2 * reach + 1) ** 2
        models, trained_on = {}, {}
        for name, make in _models(seed, workers).items():
            say(f"baseline {name} on {words}")
            chosen = _draw(np.flatnonzero(training), index, min(MOST[name], _VALUES // each), seed)
            with warnings.catch_warnings():  # of a class with a single pixel
                warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
                models[name] = make().fit(_features(samples, chosen, channels, normalise, reach), index[chosen])
            trained_on[name] = len(chosen)
        # threads add up a forest's votes in any order, and a tie goes either way
        models["random forest"].set_params(n_jobs=1)
        predicted = {name: np.empty(len(numbers), np.int16) for name in models}
        for start in range(0, len(numbers), step := max(1, _CHUNK // each)):
            piece = slice(start, start + step)
            seen = _features(samples, numbers[piece], channels, normalise, reach)
            for name, model in models.items():
                predicted[name][piece] = model.predict(seen)
        for name, found in predicted.items():
            yield Judged(name=name, features=words, trained_on=trained_on[name], predicted=found)


def _models(seed: int, workers: int) -> dict[str, Callable[[], Any]]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: PLC0415
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415
    from sklearn.svm import SVC  # noqa: PLC0415

    return {
        # shrinkage: neighbouring bands are nearly alike
        "LDA": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "random forest": lambda: RandomForestClassifier(_TREES, random_state=seed, n_jobs=workers),
        "SVM": lambda: SVC(C=10.0, gamma="scale", cache_size=500),
    }


def _features(
    samples: Samples, numbers: NDArray[np.intp], channels: NDArray[np.intp], normalise: Affine, reach: int
) -> NDArray[np.float32]:
    """Normalised values (n, C (2 reach + 1)²) of labelled pixels and the pixels around them."""
    side = 2 * reach + 1
    found = np.empty((len(numbers), len(channels), side, side), np.float32)
    lines = samples.lines(channels, normalise)
    for start in range(0, len(numbers), _CROPS):
        piece = numbers[start : start + _CROPS]
        crops = samples.seen(samples.crop[piece], channels, lines)  # (n, C, S, S)
        rows, cols = (samples.place[piece] + samples.margin - reach).T
        windows = np.lib.stride_tricks.sliding_window_view(crops, (side, side), axis=(2, 3))
        found[start : start + len(piece)] = windows[np.arange(len(piece)), :, rows, cols]
    return found.reshape(len(numbers), -1)


def _draw(numbers: NDArray[np.intp], index: NDArray[np.integer], most: int, seed: int) -> NDArray[np.intp]:
    """At most about `most` of them, the same share of each class."""
    if len(numbers) <= most:
        return numbers
    rng = np.random.default_rng(seed)
    kept = []
    for k in np.unique(index[numbers]):
        own = numbers[index[numbers] == k]
        kept.append(rng.choice(own, max(1, round(most * len(own) / len(numbers))), replace=False))
    return np.sort(np.concatenate(kept))
