from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landmix.core.scaling import Affine, normalise, standardise

if TYPE_CHECKING:
    from numpy.typing import NDArray


def line(numbers: list[float]) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


stored_values = hnp.arrays(np.int32, (3, 4, 5), elements=st.integers(-10000, 10000))
numbers = st.floats(-5, 5).filter(lambda x: abs(x) > 1e-3)
triples = st.tuples(numbers, numbers, numbers)


@given(stored_values, triples, triples, triples, triples)
def test_normalise_is_the_physical_value_less_mean_by_deviation(
    stored: Any, scale: tuple[float, ...], offset: tuple[float, ...], mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    deviation = np.abs(std) + 0.1
    lines = Affine(scale=scale, offset=offset).then(standardise(np.array(mean), deviation))
    seen = normalise(stored, np.ones((4, 5), bool), *lines.arrays)
    s, o, m, d = (np.array(x)[:, None, None] for x in (scale, offset, mean, deviation))
    expected = (stored * s + o - m) / d
    assert seen.dtype == np.float32
    # three float32 roundings of the largest intermediate value
    largest = np.abs(stored * s / d).max() + np.abs((o - m) / d).max() + 1
    np.testing.assert_allclose(seen, expected, atol=4 * 6e-8 * largest)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float32", "float64"]
)
def test_normalise_takes_every_type(dtype: str) -> None:
    stored = np.arange(12).reshape(1, 3, 4).astype(dtype)
    seen = normalise(stored, np.ones((3, 4), bool), line([0.5]), line([-2]))
    np.testing.assert_array_equal(seen, np.arange(12).reshape(1, 3, 4) * 0.5 - 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -9999.0, 3e38])
def test_invalid_pixels_become_zero_in_all_bands(bad: float) -> None:
    stored = np.full((2, 3, 3), 7.0, np.float32)
    stored[1, 2, 0] = bad
    valid = np.ones((3, 3), bool)
    valid[2, 0] = False
    seen = normalise(stored, valid, line([1e4, 1e4]), line([1, 2]))
    assert (seen[:, 2, 0] == 0).all()
    assert np.isfinite(seen).all()
    assert (seen[0][valid] == 70001).all()


def test_normalise_works_on_batches_with_a_line_each() -> None:
    stored = np.arange(2 * 3 * 2 * 2, dtype=np.int16).reshape(2, 3, 2, 2)
    scale = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    offset = -scale
    valid = np.random.default_rng(0).random((2, 2, 2)) > 0.3
    together = normalise(stored, valid, scale, offset)
    for i in range(2):
        np.testing.assert_array_equal(together[i], normalise(stored[i], valid[i], scale[i], offset[i]))


def test_normalise_leaves_its_input_alone() -> None:
    stored = np.ones((1, 2, 2), np.float32)
    normalise(stored, np.zeros((2, 2), bool), line([2]), line([1]))
    assert (stored == 1).all()


@given(triples, triples, triples, triples, st.integers(-1000, 1000))
def test_then_is_one_line_after_the_other(a: Any, b: Any, c: Any, d: Any, value: int) -> None:
    first, second = Affine(scale=a, offset=b), Affine(scale=c, offset=d)
    both = first.then(second)
    expected = (value * np.array(a) + np.array(b)) * np.array(c) + np.array(d)
    np.testing.assert_allclose(value * np.array(both.scale) + np.array(both.offset), expected, atol=1e-9)
    assert both.take([2, 0]).scale == (both.scale[2], both.scale[0])
    assert both.take([1]).offset == (both.offset[1],)


def test_identity_changes_nothing() -> None:
    line = Affine(scale=(2.0, 3.0), offset=(1.0, -1.0))
    assert Affine.identity(2).then(line) == line
    assert line.then(Affine.identity(2)) == line


@pytest.mark.parametrize(
    ("scale", "offset"),
    [((1.0,), ()), ((0.0,), (1.0,)), ((float("nan"),), (0.0,)), ((1.0,), (float("inf"),)), ((float("inf"),), (0.0,))],
)
def test_lines_that_lose_the_value_are_refused(scale: tuple[float, ...], offset: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="scale"):
        Affine(scale=scale, offset=offset)
