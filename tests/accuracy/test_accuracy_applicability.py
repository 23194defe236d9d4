"""The area of applicability, against the worked example."""

from __future__ import annotations

import numpy as np
import pytest

from landmix.accuracy.applicability import applicability

POINTS = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [5, 5]], float)
FOLDS = np.array([0, 0, 1, 1, 1])


def test_the_worked_example() -> None:
    found = applicability(POINTS, FOLDS)
    assert found.distance == pytest.approx(1.560663, abs=5e-7)
    assert found.threshold == pytest.approx(0.308999, abs=5e-7)
    near, far = found.dissimilarity(np.array([[0.5, 0.5], [3, 3]]))
    assert near == pytest.approx(0.2185, abs=5e-5)
    assert far == pytest.approx(0.8740, abs=5e-5)
    assert near <= found.threshold < far


def test_units_do_not_matter_and_weights_do() -> None:
    metres = applicability(POINTS * [1000, 1] + 7, FOLDS)
    assert metres.threshold == pytest.approx(applicability(POINTS, FOLDS).threshold)
    other = applicability(POINTS, FOLDS, np.array([1.0, 0.0]))
    assert other.dissimilarity(np.array([[0.0, 99.0]]))[0] == pytest.approx(0)


def test_a_constant_feature_says_nothing() -> None:
    with_constant = np.column_stack([POINTS, np.full(5, 3.0)])
    assert applicability(with_constant, FOLDS).threshold == pytest.approx(applicability(POINTS, FOLDS).threshold)


@pytest.mark.parametrize(("points", "folds", "told"), [(POINTS * 0, FOLDS, "alike"), (POINTS, FOLDS * 0, "one fold")])
def test_what_cannot_be_known_is_said(points: np.ndarray, folds: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        applicability(points, folds)


def test_points_that_are_kept_are_what_others_are_compared_with() -> None:
    rng = np.random.default_rng(0)
    points, folds = rng.normal(size=(300, 3)), np.repeat([0, 1, 2], 100)
    every, few = applicability(points, folds), applicability(points, folds, kept=np.arange(0, 300, 10))
    assert len(few.points) == 30
    assert few.distance == every.distance
    assert few.threshold > every.threshold
    new = rng.normal(size=(50, 3))
    assert (few.dissimilarity(new) >= every.dissimilarity(new)).all()


def test_points_without_a_fold_count_for_no_threshold() -> None:
    points, folds = np.vstack([POINTS[:4], [[50.0, 50.0]]]), np.array([0, 0, 1, 1, -1])
    inside = applicability(points, folds)
    assert inside.threshold * inside.distance < 1
