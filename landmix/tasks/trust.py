"""How far a model can be trusted: the temperature of its confidence, and what applicability is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.accuracy.calibration import Calibration, confidence, reliability, temperature
from landmix.errors import LandmixError
from landmix.nn.network import Network
from landmix.training.reference import learn_reference
from landmix.training.split import default_buffer, inner_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.nn.reference import Reference
    from landmix.tasks.run import Run
    from landmix.training.fit import Fitted
    from landmix.training.split import Split

_FOLDS = 5
"""Into which training pixels are shared out to learn how far apart they lie."""

_WORSE = 0.01
"""Calibration error that is worth a word."""


def hold_back(run: Run) -> tuple[Split, NDArray[np.float32]] | None:
    """Fit networks to parts of the training part; the folds, and logits (N, K) of what each was not shown.

    Pixels that may not train are held back like the others: the confidence is to hold for them too. None where the
    groups are too few to hold some back, or what is left cannot be learnt from.
    """
    known = run.data.split.apart(0)
    inner = folds_of(run, known, run.settings.calibration.folds)
    parts = [inner.training(fold) & known for fold in range(inner.folds)]
    if inner.folds < 2 or not all(_enough(run, part) for part in parts):  # noqa: PLR2004
        return None
    logits = np.full(run.logits.shape, np.nan, np.float32)
    for fold, part in enumerate(parts):
        name = f"hold back part {fold + 1} of {inner.folds}"
        try:
            held = run.fit_held(f"inner-{fold + 1}", name, part, inner.validation(fold))
        except (
            LandmixError
        ):  # such as a sensor that varies only in what is held back; the model itself may still be fitted
            return None
        logits[inner.validation(fold)] = held.logits
    return inner, logits


def folds_of(run: Run, part: NDArray[np.bool_], folds: int) -> Split:
    """Folds of the pixels `part` (N,), whole groups; what trains in one is farther away than the network sees."""
    data = run.data
    buffer = default_buffer(data.samples.margin + data.reach, data.pixel)
    return inner_split(data.samples.labelled, data.split, part, folds=folds, buffer=buffer, seed=run.settings.seed)


def _enough(run: Run, training: NDArray[np.bool_]) -> bool:
    """Whether a network can be fitted to these pixels."""
    if len(np.unique(run.data.samples.labelled.index[training])) < 2:  # noqa: PLR2004
        return False
    try:
        run.stopping(training)
    except LandmixError:
        return False
    return True


def calibrate(run: Run, held: tuple[Split, NDArray[np.float32]] | None) -> Calibration:
    """The temperature for the model, and what it does to the validation part.

    It is fitted on the inner folds that were `held` back. In cross-validation the folds themselves serve: the model
    gets the temperature of all, and a fold is judged with that of the others.
    """
    split, index = run.data.split, run.data.samples.labelled.index
    if split.folds > 1:
        usable = _learnt(run, split, np.ones(len(index), np.bool_))
        found = temperature(run.logits[usable], index[usable])
        each = [usable & ~split.validation(fold) for fold in range(split.folds)]
        judging = [temperature(run.logits[others], index[others]) for others in each]
        folds, n = split.folds, int(usable.sum())
    elif held is not None:
        inner, logits = held
        usable = _learnt(run, inner, np.isfinite(logits[:, 0]))
        found = temperature(logits[usable], index[usable])
        judging, folds, n = [found], inner.folds, int(usable.sum())
    else:
        found, judging, folds, n = 1.0, [1.0], 0, 0
    said = [(split.validation(fold), judging[fold]) for fold in range(split.folds)]
    if not said:
        return Calibration(temperature=found, folds=folds, n=n)
    right = np.concatenate([run.logits[part].argmax(1) == index[part] for part, _ in said])
    before = np.concatenate([confidence(run.logits[part]) for part, _ in said])
    after = np.concatenate([confidence(run.logits[part], own) for part, own in said])
    return Calibration(
        temperature=found, folds=folds, n=n, before=reliability(before, right), after=reliability(after, right)
    )


def _learnt(run: Run, split: Split, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Validated pixels whose class the network of their fold was shown: of others it can only be surely wrong."""
    index = run.data.samples.labelled.index
    usable = np.zeros(len(index), np.bool_)
    for fold in range(split.folds):
        shown = np.unique(index[split.training(fold) & known])
        usable |= split.validation(fold) & known & np.isin(index, shown)
    return usable


def refer(run: Run, fitted: Fitted, trained: NDArray[np.bool_]) -> Reference | None:
    """What applicability is measured against.

    None where the training pixels `trained` (N,) lie in one place, and for networks of one's own, which may have no
    encoder.
    """
    if not isinstance(fitted.network, Network):
        return None
    try:
        folds = folds_of(run, trained, _FOLDS)
        return learn_reference(fitted, run.data.samples, trained, folds, run.settings.seed)
    except ValueError:
        return None


def notes(calibration: Calibration | None, reference: Reference | None, *, own: bool) -> list[str]:
    """What a user should know of either; `own`: the network is one of one's own."""
    found = []
    if calibration is not None and not calibration.folds:
        found.append(
            "confidence is not calibrated: the training labels lie in too few polygons or blocks to hold some back"
        )
    if calibration is not None and calibration.before and calibration.after:
        before, after = calibration.before.error(), calibration.after.error()
        if after > before + _WORSE:
            figures = f"{before:.3f} before, {after:.3f} after"
            found.append(
                f"calibration made the confidence worse on the validation part (expected calibration error {figures}):"
                " the parts are too few, or too unlike each other; calibration.folds=0 leaves it out"
            )
    if reference is None and not own:
        found.append(
            "outputs=[applicability] cannot be had of this model: its training labels lie in too few polygons or"
            " blocks to tell how far is too far"
        )
    return found
