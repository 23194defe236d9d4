"""Calibration against the published example, and against models whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from landmix.accuracy.calibration import confidence, reliability, temperature


@pytest.mark.parametrize(("norm", "expected"), [("l1", 0.2000), ("l2", 0.2082), ("max", 0.2333)])
def test_errors_of_the_printed_example(norm: str, expected: float) -> None:
    shares = np.array([[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.90, 0.05, 0.05]])
    right = shares.argmax(1) == np.array([0, 1, 2, 0])
    assert reliability(shares.max(1), right, 3).error(norm) == pytest.approx(expected, abs=5e-5)


def logits_and_truth(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `scale` times what the truth was drawn from."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    shares = softmax(logits, axis=1)
    truth = (rng.random((len(logits), 1)) > shares.cumsum(1)).sum(1)
    return scale * logits, truth.clip(0, 3)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_the_temperature_is_found_and_calibrates(scale: float) -> None:
    logits, truth = logits_and_truth(scale)
    found = temperature(logits, truth)
    assert found == pytest.approx(scale, rel=0.03)
    right = logits.argmax(1) == truth
    before = reliability(confidence(logits), right).error()
    after = reliability(confidence(logits, found), right).error()
    assert after < 0.01
    assert scale == 1.0 or before > 5 * after
    assert ((logits / found).argmax(1) == logits.argmax(1)).all()


def test_bins_hold_every_pixel() -> None:
    values = np.array([0.0, 0.2, 0.5, 0.999, 1.0])
    found = reliability(values, np.ones(5, np.bool_), 10)
    assert found.counts.sum() == 5
    assert found.counts[-1] == 2
    assert np.nansum(found.counts * np.nan_to_num(found.confidence)) == pytest.approx(values.sum())


def test_nothing_says_nothing() -> None:
    assert np.isnan(reliability(np.empty(0), np.empty(0, np.bool_)).error())
    assert temperature(np.empty((0, 3)), np.empty(0, np.int64)) == 1.0


def test_a_model_that_is_always_right_stays_in_bounds() -> None:
    logits = np.eye(3)[np.arange(60) % 3] * 5
    assert 0.05 <= temperature(logits, np.arange(60) % 3) < 0.2  # beyond that nothing changes
