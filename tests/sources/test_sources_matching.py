from __future__ import annotations

import re
from dataclasses import replace

import pytest

from landmix.core.bands import Band, BandSet
from landmix.core.matching import How, match, may_miss
from landmix.errors import LandmixError
from landmix.geo.products.definition import built_in

LANDSAT_NM = {"B2": 482, "B3": 561, "B4": 655, "B5": 865, "B6": 1609, "B7": 2201}
NEAREST = ("B02", "B03", "B04", "B8A", "B11", "B12")


def landsat(sensor: str | None = None) -> BandSet:
    return BandSet(tuple(Band(name=name, wavelength=nm, sensor=sensor) for name, nm in LANDSAT_NM.items()))


def sentinel(*, common: bool = False, sensor: str | None = None, role: str = "") -> BandSet:
    """Sentinel-2 as landmix's own product describes it."""
    entries = built_in()["sentinel2_l2a"].entries.items()
    prefix = f"{role}." if role else ""
    bands = [
        Band(
            name=prefix + name,
            wavelength=entry.wavelength,
            width=entry.width,
            common=entry.common_name if common else None,
            sensor=sensor,
            role=role,
        )
        for name, entry in entries
    ]
    return BandSet(tuple(bands))


def taken(scene: BandSet, wanted: BandSet, how: How = "auto") -> tuple[str, ...]:
    return scene.take(match(scene, wanted, "a.tif", trained_count=len(wanted), how=how).indices).names


def test_a_model_of_landsat_takes_sentinel_2s_nearest_bands() -> None:
    assert taken(sentinel(), landsat()) == NEAREST
    assert taken(sentinel(common=True), landsat(), "wavelength") == NEAREST


def test_common_names_lead_where_both_have_them() -> None:
    names = ("blue", "green", "red", "nir08", "swir16", "swir22")
    wanted = BandSet(tuple(replace(band, common=name) for band, name in zip(landsat(), names, strict=True)))
    found = match(sentinel(common=True), wanted, "a.tif", trained_count=6)
    assert sentinel().take(found.indices).names == NEAREST
    assert found.how == ("common name",) * 6


def test_another_sensor_is_taken_only_where_the_user_allows_it() -> None:
    with pytest.raises(LandmixError, match=r"trained on L8, but a\.tif is of S2: .*scene\.match=wavelength"):
        taken(sentinel(sensor="S2"), landsat("L8"))
    assert taken(sentinel(sensor="S2"), landsat("L8"), "wavelength") == NEAREST
    assert taken(sentinel(sensor="S2"), landsat()) == NEAREST
    assert taken(sentinel(), landsat("L8")) == NEAREST


def test_the_same_sensor_is_taken_by_its_names() -> None:
    wanted = sentinel(sensor="S2").take([7, 3])
    found = match(sentinel(sensor="S2"), wanted, "a.tif", trained_count=2)
    assert found.indices == (7, 3)
    assert found.table(sentinel(), wanted) is None


def test_a_table_says_what_was_taken_for_what() -> None:
    found = match(sentinel(), landsat(), "a.tif", trained_count=6)
    table = found.table(sentinel(), landsat())
    assert table is not None
    lines = table.splitlines()
    assert len(lines) == 6
    assert re.split(r"  +", lines[3])[1:] == ["B5 (865 nm)", "<-", "B8A (864.7 nm)", "by wavelength"]
    assert len({line.index("<-") for line in lines}) == len({line.index(" by ") for line in lines}) == 1


def bands(**wavelengths: float | None) -> BandSet:
    return BandSet(tuple(Band(name=name, wavelength=nm) for name, nm in wavelengths.items()))


def test_a_name_that_means_another_wavelength_is_refused_unless_wavelengths_alone_count() -> None:
    scene, wanted = bands(B4=665, B5=704, B8=865), bands(B4=655, B5=865)
    for how in ("auto", "name"):
        with pytest.raises(
            LandmixError, match=r"B5 \(865 nm\) of the model is B5 \(704 nm\) in a\.tif.*match=wavelength"
        ):
            taken(scene, wanted, how)
    assert taken(scene, wanted, "wavelength") == ("B4", "B8")


def test_a_name_that_means_another_wavelength_gives_way_to_a_common_name() -> None:
    scene = BandSet(
        (Band(name="B5", wavelength=704, common="rededge071"), Band(name="x", wavelength=865, common="nir08"))
    )
    wanted = BandSet((Band(name="B5", wavelength=865, common="nir08"),))
    assert taken(scene, wanted) == ("x",)


def test_a_common_name_whose_wavelength_contradicts_it_is_none() -> None:
    scene = BandSet((Band(name="x", wavelength=900, common="nir"), Band(name="y", wavelength=840)))
    wanted = BandSet((Band(name="N", wavelength=842, common="nir"),))
    assert taken(scene, wanted) == ("y",)


def test_name_looks_at_names_alone() -> None:
    with pytest.raises(LandmixError, match=r"needs band B2 \(482 nm\), but a\.tif has B01"):
        taken(sentinel(), landsat(), "name")
    assert taken(bands(a=None, b=None), bands(B=500, A=400), "name") == ("b", "a")


def test_wavelength_does_not_look_at_names() -> None:
    assert taken(bands(red=842, nir=665), bands(red=665, nir=842), "wavelength") == ("nir", "red")
    with pytest.raises(LandmixError, match="needs band red, but"):
        taken(bands(red=None), bands(red=None), "wavelength")


def numbered(*numbers: int) -> BandSet:
    return BandSet(tuple(Band(name=f"x{i}", number=i, wavelength=500 + i) for i in numbers))


def test_position_does_not_look_at_anything_but_the_count() -> None:
    scene = bands(a=1000, b=None, c=2000)
    found = match(scene, numbered(3, 1), "a.tif", trained_count=3, how="position")
    assert (found.indices, found.by_position) == ((2, 0), True)
    with pytest.raises(LandmixError, match=r"a\.tif has 3 where the training scene had 4"):
        match(scene, numbered(3, 1), "a.tif", trained_count=4, how="position")


def test_a_band_without_a_partner_is_refused() -> None:
    with pytest.raises(LandmixError, match=r"needs band pan \(590 nm\), but a\.tif has B01 \(442\.7 nm\), B02"):
        taken(sentinel(), bands(pan=590))


def two_roles() -> BandSet:
    return BandSet((*sentinel(role="jan", common=True), *sentinel(role="jul", common=True)))


def in_role(band: Band, role: str) -> Band:
    return replace(band, name=f"{role}.{band.name}", role=role)


@pytest.mark.parametrize("how", ["auto", "wavelength"])
def test_bands_are_found_in_their_own_role(how: How) -> None:
    wanted = BandSet((*(in_role(band, "jul") for band in landsat()), *(in_role(band, "jan") for band in landsat())))
    expected = tuple(f"{role}.{name}" for role in ("jul", "jan") for name in NEAREST)
    assert taken(two_roles(), wanted, how) == expected


@pytest.mark.parametrize("how", ["auto", "name", "wavelength"])
def test_a_role_that_is_missing_is_not_replaced_by_another(how: How) -> None:
    for role in ("oct", ""):
        name = f"{role}.B04".removeprefix(".")
        wanted = BandSet((Band(name=name, wavelength=664.6, common="red", role=role),))
        with pytest.raises(LandmixError, match=rf"needs band {name} "):
            taken(two_roles(), wanted, how)
    wanted = BandSet((in_role(Band(name="B04", wavelength=664.6, common="red"), "jan"),))
    with pytest.raises(LandmixError, match=r"needs band jan\.B04"):
        taken(sentinel(common=True), wanted, how)


def test_a_missing_band_does_not_take_the_place_of_its_neighbour() -> None:
    """The broad near infrared of Sentinel-2 holds the narrow one."""
    broad = Band(name="B08", wavelength=833.0, width=106.0)
    narrow = Band(name="B8A", wavelength=865.0, width=21.0)
    red = Band(name="B04", wavelength=665.0)
    wanted, scene = BandSet((red, broad, narrow)), BandSet((narrow, red))
    with pytest.raises(LandmixError, match="both fit"):
        match(scene, wanted, "a.tif", trained_count=3)
    found = match(scene, wanted, "a.tif", trained_count=3, allowed=frozenset({"B08"}))
    assert (found.indices, found.missing) == ((1, 0), ("B08",))
    found = match(BandSet((broad, red)), wanted, "a.tif", trained_count=3, allowed=frozenset({"B8A"}))
    assert (found.indices, found.missing) == ((1, 0), ("B8A",))
    with pytest.raises(LandmixError, match="both fit"):
        match(scene, wanted, "a.tif", trained_count=3, allowed=frozenset({"B8A"}))
    nameless = BandSet((Band(name="B1", named=False, wavelength=860.0), Band(name="B2", named=False, wavelength=665.0)))
    with pytest.raises(LandmixError, match="both fit"):
        match(nameless, wanted, "a.tif", trained_count=3, allowed=frozenset({"B08", "B8A"}))
    found = match(scene, BandSet((red, narrow)), "a.tif", trained_count=2, allowed=frozenset({"B8A"}))
    assert (found.indices, found.missing) == ((1, 0), ())


def test_allowed_names_are_bands_or_roles_of_the_model() -> None:
    bands = BandSet(tuple(Band(name=f"{role}.{name}", role=role) for role in ("jan", "jul") for name in ("red", "nir")))
    assert may_miss(bands, ["jul"]) == {"jul.red", "jul.nir"}
    assert may_miss(bands, ["jan.red", "JUL.NIR"]) == {"jan.red", "jul.nir"}
    assert may_miss(bands, []) == frozenset()
    with pytest.raises(LandmixError, match="no band 'mar' in the model"):
        may_miss(bands, ["mar"])
