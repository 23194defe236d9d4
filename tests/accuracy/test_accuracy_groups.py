"""Intervals and comparisons over groups keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from landmix.accuracy import groups as over_groups
from landmix.accuracy.groups import Comparison, accuracy_interval, class_intervals, compare, holm


def in_groups(rng: np.random.Generator, groups: int, size: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a group are right or wrong together."""
    group = np.repeat(np.arange(groups), size)
    return np.repeat(rng.random(groups) < share, size), group


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for number in range(200):
        right, group = in_groups(rng, 40, 25, 0.8)
        found = accuracy_interval(right, group, seed=number)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.8 <= found.high
    assert 0.88 <= held / 200 <= 0.99


@pytest.mark.parametrize("groups", [6, 12])
def test_intervals_of_few_unequal_groups_hold_the_truth_too(groups: int) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for number in range(200):
        group = np.repeat(np.arange(groups), rng.integers(20, 300, groups))
        right = rng.random(len(group)) < rng.beta(6, 1, groups)[group]  # 6 of 7 in the mean
        found = accuracy_interval(right, group, seed=number)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 6 / 7 <= found.high
    assert held / 200 >= 0.9  # the bare percentiles: 0.855


def test_many_groups_are_drawn_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    right, group = in_groups(np.random.default_rng(5), 50, 3, 0.8)
    other, _ = in_groups(np.random.default_rng(6), 50, 3, 0.6)
    whole, compared = accuracy_interval(right, group), compare(right, other, group)
    monkeypatch.setattr(over_groups, "_NUMBERS", 1777)
    pieces = accuracy_interval(right, group)
    assert pieces.low == pytest.approx(whole.low, abs=0.02)
    assert pieces.high == pytest.approx(whole.high, abs=0.02)
    assert compare(right, other, group).p == pytest.approx(compared.p, abs=0.02)


def test_many_pixels_of_few_polygons_say_little() -> None:
    right, group = in_groups(np.random.default_rng(1), 5, 10_000, 0.8)
    found = accuracy_interval(right, group)
    assert (found.low, found.high, found.groups) == (None, None, 5)
    compared = compare(right, ~right, group)
    assert compared.p is None
    assert compared.words == "too few to say"


@pytest.mark.parametrize("groups", [8, 40])
def test_equals_are_seldom_told_apart(groups: int) -> None:
    rng = np.random.default_rng(2)
    found = []
    for number in range(200):
        first, group = in_groups(rng, groups, 30, 0.8)
        second, _ = in_groups(rng, groups, 30, 0.8)
        found.append(compare(first, second, group, seed=number).p)
    assert np.mean(np.array(found) <= 0.05) <= 0.09


def test_the_better_one_is_found() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(30), 50)
    better, worse = rng.random(1500) < 0.9, rng.random(1500) < 0.7
    assert compare(better, worse, group).words == "better"
    assert compare(worse, better, group).words == "worse"
    assert compare(better, worse, group).difference == pytest.approx(better.mean() - worse.mean())


def test_six_groups_that_agree_are_the_least_that_speak() -> None:
    group = np.arange(6)
    found = compare(np.ones(6, np.bool_), np.zeros(6, np.bool_), group)
    assert found.p == pytest.approx(2 / 64)
    assert found.words == "better"


def test_intervals_of_a_class_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    held = []
    for number in range(100):
        right, group = in_groups(rng, 40, 25, 0.7)
        reference = (group % 2).astype(np.int16)  # 20 groups a class
        found = class_intervals(reference, np.where(right, reference, 1 - reference), group, 2, seed=number)
        for row in found:
            for name in ("users_accuracy_interval", "producers_accuracy_interval", "f1_interval"):
                low, high = row[name] or (1, 0)
                held.append(low <= 0.7 <= high)
    assert 0.88 <= np.mean(held) <= 0.99


def test_intervals_of_a_class_are_those_of_its_groups_alone() -> None:
    """Where each class has its own groups, the producer's accuracy is the overall accuracy of those groups."""
    right, group = in_groups(np.random.default_rng(5), 60, 10, 0.8)
    reference = (group >= 30).astype(np.int16)
    found = class_intervals(reference, np.where(right, reference, 1 - reference), group, 2)
    for k in range(2):
        alone = accuracy_interval(right[reference == k], group[reference == k])
        assert found[k]["producers_accuracy_interval"] == pytest.approx([alone.low, alone.high], abs=0.03)


def test_a_class_in_few_groups_has_no_interval() -> None:
    group = np.repeat(np.arange(20), 10)
    reference = np.where(group < 5, 0, 1)
    mapped = np.where(group < 8, 0, 1)
    rare, common, absent = class_intervals(reference, mapped, group, 3)
    assert rare["producers_accuracy_interval"] is None  # 5 groups in the reference
    assert rare["users_accuracy_interval"] is not None  # 8 in the map
    assert rare["f1_interval"] is None
    assert None not in common.values()
    assert set(absent.values()) == {None}
    nothing = np.zeros(0, np.int64)
    assert class_intervals(nothing, nothing, nothing, 1)[0]["f1_interval"] is None


def test_groups_without_an_error_are_no_certainty() -> None:
    for groups in (6, 60):
        group = np.repeat(np.arange(groups), 3)
        truth = np.zeros(len(group), np.int64)
        least = pytest.approx(0.025 ** (1 / groups))
        assert class_intervals(truth, truth, group, 2)[0]["f1_interval"] == [least, 1]
        assert class_intervals(truth, truth + 1, group, 2)[0]["producers_accuracy_interval"] == [0, 1 - least.expected]
        assert accuracy_interval(truth == 0, group).low == least


@pytest.mark.parametrize("mean", [0.9, 0.97])
@pytest.mark.parametrize("groups", [8, 20])
def test_few_groups_with_errors_hide_no_others(groups: int, mean: float) -> None:
    """Most polygons are right and a few quite wrong: percentiles alone hold the truth in 0.76 to 0.92 of the cases."""
    rng = np.random.default_rng(1)
    group, held = np.repeat(np.arange(groups), 40), 0
    for number in range(100):
        share = rng.beta(2 * mean, 2 * (1 - mean), groups)
        found = accuracy_interval(rng.random(len(group)) < share[group], group, seed=number)
        assert found.low is not None
        held += found.low <= mean
    assert held >= 95


def test_the_best_of_many_needs_more_to_be_found() -> None:
    compared = [Comparison(difference=0.1, p=p, groups=9) for p in (0.04, 0.01, None, 0.03)]
    assert [one.p for one in holm(compared)] == [pytest.approx(0.06), pytest.approx(0.03), None, pytest.approx(0.06)]
    assert [one.words for one in holm(compared)][1:3] == ["better", "too few to say"]
    assert holm([]) == []


def test_a_first_error_makes_nothing_surer() -> None:
    group = np.repeat(np.arange(20), 40)
    right = np.ones(800, np.bool_)
    lows = [accuracy_interval(right, group).low]
    for pixel in (0, 41, 400):
        right[pixel] = False
        lows.append(accuracy_interval(right, group).low)
    assert all(low is not None and low < 0.9 for low in lows)
