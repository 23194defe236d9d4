from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_samples import samples_of

from landmix.training.statistics import band_statistics, class_statistics, class_weights


def test_band_statistics_are_those_of_the_chosen_pixels() -> None:
    samples = samples_of()
    at = samples.labelled
    chosen = np.arange(len(at)) % 2 == 0
    stored = samples.stored[samples.crop, :, samples.place[:, 0] + 1, samples.place[:, 1] + 1].astype(float)
    physical = np.where((at.scene == 0)[:, None], stored * 0.5 + 1, stored)
    found = band_statistics(samples, chosen)
    np.testing.assert_allclose(found.mean, physical[chosen].mean(0))
    np.testing.assert_allclose(found.std, physical[chosen].std(0))
    each = class_statistics(samples, chosen, 4)
    for k in range(3):
        np.testing.assert_allclose(each.mean[k], physical[chosen & (at.index == k)].mean(0))
        np.testing.assert_allclose(each.std[k], physical[chosen & (at.index == k)].std(0))
    assert np.isnan(each.mean[3]).all()
    assert np.isnan(each.std[3]).all()


def test_pixels_that_are_not_chosen_do_not_matter() -> None:
    samples = samples_of()
    chosen = samples.crop < 5
    stored = samples.stored.copy()
    stored[5:] = 123_456
    a, b = band_statistics(samples, chosen), band_statistics(replace(samples, stored=stored), chosen)
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.std, b.std)


@pytest.mark.parametrize("constant", [0, 7, 123_457, 2_000_000_000])
def test_constant_bands_do_not_vary(constant: int) -> None:
    samples = samples_of()
    samples = replace(samples, scalings=(samples.scalings[1],) * 2)
    samples.stored[:, 1] = constant
    assert band_statistics(samples, np.ones(len(samples.labelled), bool)).varying.tolist() == [0, 2]


def test_large_offsets_cost_no_digits() -> None:
    samples = samples_of()
    samples = replace(samples, scalings=(samples.scalings[1],) * 2)
    chosen = np.ones(len(samples.labelled), bool)
    plain = band_statistics(samples, chosen).std
    moved = band_statistics(replace(samples, stored=samples.stored + 2_000_000_000), chosen).std
    np.testing.assert_allclose(moved, plain, rtol=1e-9)


counts = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any)


@given(counts, st.sampled_from(["none", "sqrt", "full"]))
def test_class_weights_are_one_on_average_over_pixels(numbers: list[int], balance: str) -> None:
    n = np.array(numbers)
    weights = class_weights(n, balance)
    assert weights.dtype == np.float32
    assert float(weights @ n) / n.sum() == pytest.approx(1, rel=1e-5)
    assert ((weights == 0) == (n == 0)).all()


@pytest.mark.parametrize(("balance", "power"), [("none", 0), ("sqrt", -0.5), ("full", -1)])
def test_class_weights_follow_the_power_of_the_count(balance: str, power: float) -> None:
    weights = class_weights(np.array([100, 400, 0]), balance)
    assert weights[1] / weights[0] == pytest.approx(4**power)
    assert weights[2] == 0
