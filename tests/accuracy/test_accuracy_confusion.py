from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.core.legend import LegendClass

if TYPE_CHECKING:
    from numpy.typing import NDArray


def confusion(counts: Any, unmapped: int = 0) -> Confusion:
    matrix = np.array(counts, np.int64)
    classes = tuple(LegendClass(value=i + 1, name=f"c{i}", color="#000000") for i in range(len(matrix)))
    return Confusion(classes=classes, counts=matrix, unmapped=unmapped)


OLOFSSON = [[66, 0, 1, 2], [0, 55, 0, 1], [5, 8, 153, 9], [4, 12, 11, 313]]  # transposed: rows reference


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304348),
        ([[25, 35], [5, 35]], 0.2592593),
        (OLOFSSON, 0.8699636),
    ],
)
def test_kappa_of_the_worked_examples(counts: list[list[int]], kappa: float) -> None:
    assert confusion(counts).kappa == pytest.approx(kappa, abs=5e-8)
    assert confusion(np.transpose(counts)).kappa == pytest.approx(kappa, abs=5e-8)


def test_figures_of_the_olofsson_table() -> None:
    c = confusion(OLOFSSON)
    assert c.overall_accuracy == pytest.approx(0.9171875)
    np.testing.assert_allclose(c.users_accuracy, [0.88, 0.7333333, 0.9272727, 0.9630769], atol=1e-6)
    np.testing.assert_allclose(c.producers_accuracy, [66 / 69, 55 / 56, 153 / 175, 313 / 340])


pairs = st.integers(2, 6).flatmap(
    lambda k: st.tuples(st.just(k), hnp.arrays(np.int64, (2, 80), elements=st.integers(0, k - 1)))
)


@settings(deadline=None)
@given(pairs)
def test_figures_agree_with_scikit_learn(drawn: tuple[int, NDArray[np.int64]]) -> None:
    k, (reference, mapped) = drawn
    labels = list(range(k))
    c = confusion(count_pairs(reference, mapped, k))
    np.testing.assert_array_equal(c.counts, metrics.confusion_matrix(reference, mapped, labels=labels))
    present = np.unique(reference)
    kinds: dict[str, Any] = {"labels": labels, "average": None, "zero_division": np.nan}
    np.testing.assert_allclose(c.producers_accuracy, metrics.recall_score(reference, mapped, **kinds))
    np.testing.assert_allclose(c.users_accuracy, metrics.precision_score(reference, mapped, **kinds))
    np.testing.assert_allclose(c.f1, metrics.f1_score(reference, mapped, **kinds))
    assert c.overall_accuracy == pytest.approx(metrics.accuracy_score(reference, mapped))
    macro: dict[str, Any] = {"labels": present, "average": "macro", "zero_division": 0.0}
    assert c.macro_f1 == pytest.approx(metrics.f1_score(reference, mapped, **macro))
    assert c.balanced_accuracy == pytest.approx(metrics.recall_score(reference, mapped, **macro))
    assert c.mean_iou == pytest.approx(metrics.jaccard_score(reference, mapped, **macro))
    both = np.union1d(reference, mapped)
    if len(both) > 1:
        assert c.kappa == pytest.approx(metrics.cohen_kappa_score(reference, mapped), abs=1e-12)


def test_macro_means_count_only_classes_with_support() -> None:
    c = confusion([[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    assert c.balanced_accuracy == pytest.approx(0.9)
    assert c.macro_f1 == pytest.approx((16 / 18 + 20 / 22) / 2)
    assert c.mean_iou == pytest.approx((8 / 10 + 10 / 12) / 2)


def test_a_class_that_is_only_mapped_has_no_producers_accuracy_but_zero_f1() -> None:
    c = confusion([[5, 5], [0, 0]])
    assert math.isnan(c.producers_accuracy[1])
    assert c.users_accuracy[1] == 0
    assert c.f1[1] == 0
    assert c.macro_f1 == c.f1[0]


def test_json_is_null_where_a_denominator_is_0() -> None:
    data = confusion([[3, 0, 0], [1, 0, 0], [0, 0, 0]], unmapped=7).to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    _, second, third = data["classes"]
    assert second["users_accuracy"] is None
    assert second["producers_accuracy"] == 0
    assert [third[name] for name in ("users_accuracy", "producers_accuracy", "f1", "iou")] == [None] * 4
    assert (third["support"], third["mapped"]) == (0, 0)
    assert data["unmapped"] == 7
    assert data["n"] == 4
    assert data["confusion"] == [[3, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert (second["value"], second["name"]) == (2, "c1")


def test_json_of_nothing_is_null() -> None:
    data = confusion(np.zeros((2, 2))).to_json()
    overall = ("overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou")
    assert [data[name] for name in overall] == [None] * 5


def test_kappa_is_null_where_chance_explains_all() -> None:
    assert confusion([[9, 0], [0, 0]]).to_json()["kappa"] is None


def test_kappa_is_0_where_the_map_says_always_the_same() -> None:
    assert confusion([[9, 0], [4, 0]]).kappa == pytest.approx(0)


@settings(deadline=None)
@given(hnp.arrays(np.int64, (3, 3), elements=st.integers(0, 1000)))
def test_producers_and_users_change_places_with_the_axes(counts: NDArray[np.int64]) -> None:
    a, b = confusion(counts), confusion(counts.T)
    np.testing.assert_array_equal(a.producers_accuracy, b.users_accuracy)
    np.testing.assert_array_equal(a.iou, b.iou)


def test_matrix_and_classes_must_fit() -> None:
    with pytest.raises(ValueError, match="square"):
        Confusion(classes=confusion(np.eye(3)).classes, counts=np.zeros((2, 3), np.int64))
