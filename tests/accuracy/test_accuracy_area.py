"""Estimates from samples, against the published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmix.accuracy.area import Estimate, Sample, allocate, expected_se, sample_size


def by_counts(counts: list[list[int]], sizes: list[int]) -> Sample:
    """A sample with the map's classes as strata: rows map, columns reference."""
    table = np.array(counts)
    mapped, reference = np.indices(table.shape)
    return Sample(
        stratum=np.repeat(mapped.ravel(), table.ravel()),
        sizes=np.array(sizes, float),
        mapped=np.repeat(mapped.ravel(), table.ravel()),
        reference=np.repeat(reference.ravel(), table.ravel()),
    )


OLOFSSON = by_counts(
    [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]], [200_000, 150_000, 3_200_000, 6_450_000]
)
HECTARES = 10_000_000 * 0.09


@pytest.mark.parametrize(
    ("k", "area", "se", "half"),
    [
        (0, 21157.76, 3141.65, 6157.52),
        (1, 11686.15, 1916.24, 3755.76),
        (2, 285769.93, 7913.18, 15509.55),
        (3, 581386.15, 8306.97, 16281.36),
    ],
)
def test_areas_of_olofsson_2014(k: int, area: float, se: float, half: float) -> None:
    found = OLOFSSON.area(k)
    assert found.value * HECTARES == pytest.approx(area, abs=0.006)
    assert found.se * HECTARES == pytest.approx(se, abs=0.006)
    # the paper takes 1.96
    assert found.half * HECTARES == pytest.approx(half, abs=half * 2.5e-5)


USERS = [(0.8800, 0.0740), (0.7333, 0.1008), (0.9273, 0.0397), (0.9631, 0.0205)]
PRODUCERS = [(0.7487, 0.2133), (0.8472, 0.2544), (0.9345, 0.0343), (0.9616, 0.0184)]


@pytest.mark.parametrize("k", range(4))
def test_accuracies_of_olofsson_2014(k: int) -> None:
    for found, (value, half) in ((OLOFSSON.users(k), USERS[k]), (OLOFSSON.producers(k), PRODUCERS[k])):
        assert found.value == pytest.approx(value, abs=5e-5)
        assert found.half == pytest.approx(half, abs=6e-5)


def test_overall_accuracy_of_olofsson_2014() -> None:
    found = OLOFSSON.overall()
    assert found.value == pytest.approx(0.9465119, abs=5e-8)
    assert found.half == pytest.approx(0.0184833, abs=1e-6)


def test_olofsson_2013() -> None:
    sample = by_counts([[97, 0, 3], [3, 279, 18], [2, 1, 97]], [22353, 1122543, 610228])
    total = 22353 + 1122543 + 610228
    assert sample.area(0).value * total == pytest.approx(45112.4, abs=0.05)
    assert sample.area(0).se * total == pytest.approx(10751.4, abs=0.05)
    assert sample.overall().value == pytest.approx(0.9444168, abs=5e-8)
    assert [sample.producers(k).value for k in range(3)] == pytest.approx([0.4806, 0.9942, 0.8969], abs=5e-5)


def stehman() -> Sample:
    """Strata that are not the map: 10 units of each of four."""

    def spelt(text: str) -> np.ndarray:
        letters = []
        for word in text.split():
            letter, _, times = word.partition("*")
            letters += [ord(letter) - ord("A")] * int(times or 1)
        return np.array(letters)

    return Sample(
        stratum=np.repeat(np.arange(4), 10),
        sizes=np.array([40000.0, 30000, 20000, 10000]),
        mapped=spelt("A*7 B*3 A B*11 C*6 B*2 D*10"),
        reference=spelt("A*5 C B A B C A B*5 A A B B C*5 D D B B A D*7 C C B"),
    )


@pytest.mark.parametrize(
    ("found", "value", "se", "tolerance"),
    [
        (stehman().area(0), 0.35, 0.082, 5e-4),
        (stehman().area(2), 0.20, 0.064, 5e-4),
        (stehman().overall(), 0.63, 0.085, 5e-4),
        (stehman().users(1), 0.574, 0.125, 5e-4),
        (stehman().producers(1), 0.794, 0.114, 3e-3),
    ],
)
def test_strata_of_stehman_2014(found: Estimate, value: float, se: float, tolerance: float) -> None:
    assert found.value == pytest.approx(value, abs=5e-4)
    assert found.se == pytest.approx(se, abs=tolerance)


def test_a_cell_of_stehman_2014() -> None:
    assert stehman().cell(1, 2).value == pytest.approx(0.08, abs=1e-9)


def test_sample_size_of_olofsson_2014() -> None:
    weights, users = np.array([0.02, 0.015, 0.32, 0.645]), np.array([0.7, 0.6, 0.9, 0.95])
    assert sample_size(weights, users, 0.01) == 641


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_a_random_sample_is_a_proportion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mapped, reference = rng.integers(0, 3, (2, 50))
    sample = Sample(stratum=np.zeros(50, np.intp), sizes=np.array([1e6]), mapped=mapped, reference=reference)
    share = (mapped == reference).mean()
    assert sample.overall().value == pytest.approx(share)
    assert sample.overall().se == pytest.approx(np.sqrt(share * (1 - share) / 49), abs=1e-12)


def test_standard_errors_are_those_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    reference = rng.choice(3, 60_000, p=[0.6, 0.3, 0.1])
    mapped = np.where(rng.random(60_000) < 0.8, reference, rng.integers(0, 3, 60_000))
    sizes = np.bincount(mapped, minlength=3)
    found = []
    for _ in range(400):
        drawn = np.concatenate([rng.choice(np.flatnonzero(mapped == k), 60, replace=False) for k in range(3)])
        sample = Sample(
            stratum=mapped[drawn], sizes=sizes.astype(float), mapped=mapped[drawn], reference=reference[drawn]
        )
        found.append([sample.area(1), sample.producers(2), sample.overall()])
    for k, truth in enumerate(
        ((reference == 1).mean(), (mapped == 2)[reference == 2].mean(), (mapped == reference).mean())
    ):
        values, errors = np.array([[e[k].value, e[k].se] for e in found]).T
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / 20)
        assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_clusters_that_agree_with_themselves_say_less() -> None:
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(30) < 0.8, 20)
    mapped, zeros = np.zeros(600, np.intp), np.zeros(600, np.intp)
    kept = {"stratum": zeros, "sizes": np.array([1e6]), "mapped": mapped, "reference": np.where(right, 0, 1)}
    alone = Sample(**kept).overall()
    together = Sample(**kept, cluster=np.repeat(np.arange(30), 20)).overall()
    assert together.value == alone.value
    assert together.se == pytest.approx(alone.se * np.sqrt(20 * 599 / 600 * 30 / 29), rel=1e-3)


def test_what_cannot_be_known_is_nan() -> None:
    one = Sample(stratum=np.arange(2), sizes=np.array([9.0, 9]), mapped=np.arange(2), reference=np.arange(2))
    assert np.isnan(one.overall().se)
    assert np.isnan(one.users(5).value)
    with pytest.raises(ValueError, match="stratum 1 has 9 units"):
        Sample(stratum=np.zeros(2, np.intp), sizes=np.array([9.0, 9]), mapped=np.arange(2), reference=np.arange(2))


def test_a_stratum_that_is_drawn_whole_is_known() -> None:
    kept = {"mapped": np.array([0, 0, 0, 1]), "reference": np.array([0, 0, 1, 1])}
    kept["stratum"] = kept["mapped"]
    rest = Sample(**kept, sizes=np.array([3000.0, 1])).area(1)  # the class of one pixel, which was drawn
    assert rest.value == pytest.approx((1000 + 1) / 3001)
    assert rest.se == pytest.approx(3000 / 3001 * np.sqrt(2 / 9 / 2))
    assert Sample(**kept, sizes=np.array([3.0, 1])).area(1).half == 0
    assert np.isnan(Sample(**kept, sizes=np.array([3000.0, 2])).area(1).se)


def test_intervals_of_few_clusters_are_those_of_student() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(400):
        share = np.clip(rng.normal(0.6, 0.1, 6), 0, 1)
        reference = np.concatenate([rng.random(50) < s for s in share]).astype(np.intp)
        zeros = np.zeros(300, np.intp)
        kept = {"stratum": zeros, "sizes": np.array([1e6]), "mapped": zeros, "reference": reference}
        found = Sample(**kept, cluster=np.repeat(np.arange(6), 50)).area(1)
        assert found.half == pytest.approx(2.570582 * found.se)  # 5 degrees of freedom
        held += abs(found.value - 0.6) <= found.half
    assert held / 400 > 0.92  # 1.96 standard errors hold it in about 0.89


@pytest.mark.parametrize(("how", "least", "most"), [("neyman", 0.0099, 0.0100), ("equal", 0.0130, 0.0140)])
def test_what_a_sample_is_expected_to_say(how: str, least: float, most: float) -> None:
    sizes, users = np.array([200_000, 150_000, 3_200_000, 6_450_000]), np.array([0.7, 0.6, 0.9, 0.95])
    drawn = allocate(sample_size(sizes / sizes.sum(), users, 0.01), sizes, how, users)
    assert least <= expected_se(sizes, users, drawn) <= most
    assert expected_se(sizes, users, sizes) == 0


@settings(deadline=None)
@given(
    st.integers(1, 500),
    st.lists(st.integers(0, 400), min_size=1, max_size=8).filter(any),
    st.sampled_from(["proportional", "equal", "neyman"]),
)
def test_allocation_gives_what_there_is(n: int, sizes: list[int], how: str) -> None:
    strata = np.array(sizes)
    given_ = allocate(n, strata, how)
    assert (given_ <= strata).all()
    assert (given_ >= np.minimum(2, strata)).all()
    assert given_.sum() == max(min(n, strata.sum()), np.minimum(2, strata).sum())


def test_allocations_of_strata_of_all_sizes() -> None:
    sizes = np.array([200_000, 150_000, 3_200_000, 6_450_000])
    assert allocate(640, sizes, "equal").tolist() == [160] * 4
    assert np.abs(allocate(640, sizes, "proportional") - 640 * sizes / sizes.sum()).max() <= 1
