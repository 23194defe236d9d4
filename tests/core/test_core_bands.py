from __future__ import annotations

import pytest

from landmix.core.bands import Band, BandSet
from landmix.core.matching import match
from landmix.errors import LandmixError


def named(*names: str) -> BandSet:
    return BandSet(tuple(Band(name=name, number=i) for i, name in enumerate(names, start=1)))


def unnamed(count: int) -> BandSet:
    return BandSet(tuple(Band(name=f"B{i}", number=i, named=False) for i in range(1, count + 1)))


def at(**wavelengths: float) -> BandSet:
    items = enumerate(wavelengths.items(), start=1)
    return BandSet(tuple(Band(name=name, wavelength=nm, number=i) for i, (name, nm) in items))


SENTINEL = at(blue=490, green=560, red=665, nir=842)


@pytest.mark.parametrize(
    ("wanted", "indices"),
    [
        (["red", "blue"], [2, 0]),
        ([1, 4], [0, 3]),
        ([4, "green"], [3, 1]),
        (["665nm"], [2]),
        (["850 nm", "485nm"], [3, 0]),
        (["NIR"], [3]),
        ([], []),
    ],
)
def test_select_by_name_number_and_wavelength(wanted: list[str | int], indices: list[int]) -> None:
    assert SENTINEL.select(wanted, "a.tif") == indices


def test_select_prefers_the_exact_name_to_another_case() -> None:
    assert named("NIR", "nir").select(["nir"], "a.tif") == [1]


def test_select_finds_a_band_that_is_called_like_a_wavelength() -> None:
    assert named("665nm", "x").select(["665nm"], "a.tif") == [0]


@pytest.mark.parametrize(
    ("bands", "wanted", "told"),
    [
        (SENTINEL, "gren", r"no band 'gren' in a\.tif.*did you mean green"),
        (SENTINEL, "700nm", r"no band '700nm' in a\.tif: it has blue \(490 nm\)"),
        (SENTINEL, 0, r"band number 0 .* bands 1 to 4"),
        (SENTINEL, 5, r"band number 5 .*a\.tif.* bands 1 to 4"),
        (SENTINEL, -1, r"band number -1"),
        (named("a", "A"), "Aa", "no band 'Aa'"),
        (named("aB", "Ab"), "AB", "stands 2 times .* choose by number"),
    ],
)
def test_select_says_what_is_wrong(bands: BandSet, wanted: str | int, told: str) -> None:
    with pytest.raises(LandmixError, match=told):
        bands.select([wanted], "a.tif")


@pytest.mark.parametrize("wanted", [["red", 3], ["red", "665nm"], ["red", "red"], [1, 2, 1]])
def test_a_band_is_selected_once(wanted: list[str | int]) -> None:
    with pytest.raises(LandmixError, match=r"twice"):
        SENTINEL.select(wanted, "a.tif")


def test_take_keeps_order_and_bands() -> None:
    assert SENTINEL.take([3, 0]).names == ("nir", "blue")
    assert str(SENTINEL.take([3])) == "nir (842 nm)"


def test_match_by_name_whatever_the_order() -> None:
    scene = at(nir=840, red=660, extra=2200, blue=492, green=565)
    found = match(scene, SENTINEL, "a.tif", trained_count=4)
    assert found.indices == (3, 4, 1, 0)
    assert not found.by_position


def test_match_by_name_where_one_wavelength_is_unknown() -> None:
    assert match(named("nir", "red", "green", "blue"), SENTINEL, "a.tif", trained_count=4).indices == (3, 2, 1, 0)


def test_match_does_not_mind_case() -> None:
    assert match(named("NIR", "Red"), named("red", "nir"), "a.tif", trained_count=2).indices == (1, 0)


def test_match_refuses_a_name_that_means_another_wavelength_and_shows_both() -> None:
    scene = at(blue=490, green=560, red=740, nir=842)
    with pytest.raises(LandmixError, match=r"red \(665 nm\).*red \(740 nm\) in a\.tif"):
        match(scene, SENTINEL, "a.tif", trained_count=4)


def test_match_by_wavelength_takes_the_nearest() -> None:
    scene = at(b1=480, b2=493, b3=555, b4=671, b5=850)
    assert match(scene, SENTINEL, "a.tif", trained_count=4).indices == (1, 2, 3, 4)


def test_broad_bands_agree_within_half_their_width() -> None:
    broad = Band(name="nir", wavelength=830, width=120)
    assert broad.near(Band(name="x", wavelength=885))
    assert not broad.near(Band(name="x", wavelength=895))
    assert broad.near(Band(name="x")) is None
    assert Band(name="x", wavelength=500).near(Band(name="y", wavelength=515))
    assert not Band(name="x", wavelength=500).near(Band(name="y", wavelength=516))


def test_match_by_position_only_if_nothing_is_named_and_counts_agree() -> None:
    wanted = SENTINEL.take([2, 0])
    found = match(unnamed(4), wanted, "a.tif", trained_count=4)
    assert found.indices == (2, 0)
    assert found.by_position
    for count in (3, 5):
        with pytest.raises(LandmixError, match=rf"names no bands and has {count} .* had 4"):
            match(unnamed(count), wanted, "a.tif", trained_count=4)


def test_one_named_band_forbids_position() -> None:
    scene = BandSet((*unnamed(3), Band(name="nir", number=4)))
    with pytest.raises(LandmixError, match=r"needs band blue \(490 nm\), but a\.tif has B1"):
        match(scene, SENTINEL, "a.tif", trained_count=4)


def test_a_position_is_no_name() -> None:
    model = unnamed(2)
    with pytest.raises(LandmixError, match="needs band B1"):
        match(named("B1", "B2"), model, "a.tif", trained_count=2)


def test_match_names_the_missing_band_the_file_and_what_it_has() -> None:
    with pytest.raises(LandmixError, match=r"needs band green \(560 nm\), but a\.tif has blue \(490 nm\), red"):
        match(SENTINEL.take([0, 2, 3]), SENTINEL, "a.tif", trained_count=4)


def test_two_bands_of_the_model_do_not_share_one_of_the_scene() -> None:
    model = at(red_edge=700, red=690)
    with pytest.raises(LandmixError, match=r"red_edge \(700 nm\) and red \(690 nm\) both fit b \(695 nm\)"):
        match(at(b=695, c=900), model, "a.tif", trained_count=2)
