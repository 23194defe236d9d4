from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landmix.core.fractions import whole_numbers


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 100, 200, 255]), st.floats(0.01, 5))
def test_they_sum_to_the_total_are_near_and_keep_their_order(
    k: int, seed: int, total: int, concentration: float
) -> None:
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.full(k, concentration), 20).T.astype(np.float32)
    found = whole_numbers(fractions, total)
    assert found.dtype == np.uint8
    assert (found.sum(0, dtype=int) == total).all()
    assert np.abs(found - fractions * total).max() < 1 + 1e-4
    order = fractions.argsort(0)
    assert (np.diff(np.take_along_axis(found, order, 0).astype(int), axis=0) >= 0).all()


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ([1.0, 0.0], [200, 0]),
        ([0.5, 0.5], [100, 100]),
        ([1 / 3] * 3, [67, 67, 66]),
        ([0.3375, 0.3325, 0.33], [68, 66, 66]),
    ],
)
def test_known_fractions(fractions: list[float], expected: list[int]) -> None:
    assert whole_numbers(np.array(fractions, np.float32)[:, None, None], 200)[:, 0, 0].tolist() == expected
