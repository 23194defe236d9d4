from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from source_files import (
    DN,
    GEOTIFF,
    NORTH_UP,
    band,
    constant,
    item_of,
    open_assets,
    physical,
    scenes,
    write_item,
    write_tif,
)
from stac_items import earth_search, hls, planetary_landsat, stac_1_1

from landmix.errors import LandmixError, UsageError
from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.geo.scene import Scene

S2 = {"collection": "sentinel-2-l2a"}
LANDSAT = {"collection": "landsat-c2-l2"}


def one(raster: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An item's only asset."""
    asset = {"href": "a.tif", "type": GEOTIFF, "eo:bands": [{"name": "a", "common_name": "red"}], "roles": ["data"]}
    return {"a": asset | ({"raster:bands": [raster]} if raster else {}) | changes}


def scl(folder: Path, value: int = 4) -> None:
    constant(folder / "scl.tif", value, "uint8")


def test_the_bands_of_an_earth_search_item_are_its_measured_assets_each_once(tmp_path: Path) -> None:
    scl(tmp_path)
    found = open_assets(tmp_path, earth_search(), S2)
    measured = [name for name in found.bands.names if name != "scl"]
    assert measured == ["blue", "green", "red", "nir", "rededge1"]
    assert all(raster.path.endswith(".tif") for raster in found.rasters)


def test_the_quality_asset_is_no_band(tmp_path: Path) -> None:
    scl(tmp_path)
    assert "scl" not in open_assets(tmp_path, earth_search(), S2).bands.names


def test_numbers_become_reflectance(tmp_path: Path) -> None:
    scl(tmp_path)
    found = open_assets(tmp_path, earth_search(), S2)
    for name in ("blue", "green", "red", "nir", "rededge1"):
        np.testing.assert_allclose(band(found, name), 0.0452, rtol=1e-5)
    assert {own.unit for own in found.bands if own.name != "scl"} == {"reflectance"}


@pytest.mark.parametrize(
    ("wanted", "name"), [("red", "red"), ("RED", "red"), ("665nm", "red"), ("rededge", "rededge1")]
)
def test_assets_are_chosen_by_name_common_name_and_wavelength(tmp_path: Path, wanted: str, name: str) -> None:
    scl(tmp_path)
    found = open_assets(tmp_path, earth_search(), S2)
    (index,) = found.bands.select([wanted], found.where)
    assert found.bands[index].name == name


def test_wavelengths_are_micrometres_in_an_item_and_nanometres_here(tmp_path: Path) -> None:
    scl(tmp_path)
    red = open_assets(tmp_path, earth_search(), S2).bands[2]
    assert (red.name, red.common, red.wavelength, red.width) == ("red", "red", 665.0, 38.0)


def test_a_landsat_item_of_the_planetary_computer(tmp_path: Path) -> None:
    constant(tmp_path / "LC08_ST_B10.tif", 45000)
    constant(tmp_path / "LC08_QA_PIXEL.tif", 1 << 6)
    found = open_assets(tmp_path, planetary_landsat(), LANDSAT)
    assert found.bands.names == ("OLI_B2", "OLI_B4", "OLI_B5", "TIRS_B10")
    np.testing.assert_allclose(band(found, "red"), DN * 2.75e-5 - 0.2, rtol=1e-5)
    np.testing.assert_allclose(band(found, "lwir11"), 45000 * 0.00341802 + 149, rtol=1e-5)
    assert found.bands[0].unit == "reflectance"
    assert found.bands[3].unit != "reflectance"
    assert physical(found)[1].all()


def test_a_collection_of_several_sensors_is_told_apart_by_the_items_platform(tmp_path: Path) -> None:
    constant(tmp_path / "LC08_QA_PIXEL.tif", 1 << 6)
    for platform, instruments, sensor in (
        ("landsat-8", ["oli", "tirs"], "Landsat 8/9 OLI"),
        ("landsat-5", ["tm"], "Landsat 4/5/7 TM"),
        ("landsat-7", ["etm+"], "Landsat 4/5/7 TM"),
    ):
        properties = {"platform": platform, "instruments": instruments}
        found = open_assets(tmp_path, planetary_landsat(), {**LANDSAT, "properties": properties})
        assert {own.sensor for own in found.bands} == {sensor}


def test_an_hls_item_whose_assets_have_a_role(tmp_path: Path) -> None:
    constant(tmp_path / "HLS.S30.Fmask.tif", 0, "uint8")
    assets = {key: asset | ({} if key == "Fmask" else {"roles": ["data"]}) for key, asset in hls().items()}
    found = open_assets(tmp_path, assets, {"collection": "HLSS30_2.0"})
    assert found.bands.names == ("B04", "B8A")
    assert found.bands[1].common == "nir08"
    np.testing.assert_allclose(band(found, "red"), 0.1452, rtol=1e-5)


@pytest.mark.parametrize("collection", ["HLSS30.v2.0", "HLSS30_2.0", "HLSS30_v2.0", "hls2-s30"])
def test_an_hls_item_whose_assets_are_links_alone(tmp_path: Path, collection: str) -> None:
    constant(tmp_path / "HLS.S30.Fmask.tif", 0, "uint8")
    found = open_assets(tmp_path, hls(), {"collection": collection})
    assert found.bands.names == ("B04", "B8A")
    np.testing.assert_allclose(band(found, "B8A"), 0.1452, rtol=1e-5)


def test_stac_1_1_says_it_at_the_band_or_at_the_asset(tmp_path: Path) -> None:
    assets = stac_1_1()
    write_tif(tmp_path / "swir.tif", np.stack([np.full((4, 4), value, "uint16") for value in (DN, 7)]))
    found = open_assets(tmp_path, assets, {"stac_version": "1.1.0"})
    assert found.bands.names == ("B04", "B08", "B11", "B12")
    assert [own.common for own in found.bands] == ["red", "nir", "swir16", "swir22"]
    assert found.bands[1].wavelength == 842
    for name in ("red", "nir", "swir16"):
        np.testing.assert_allclose(band(found, name), 0.0452, rtol=1e-5)
    np.testing.assert_array_equal(band(found, "B12"), 7)
    assert found.nodata[:2] == (0, 0)


def test_stac_1_1_without_bands_says_everything_at_the_asset(tmp_path: Path) -> None:
    said = {"eo:common_name": "red", "eo:center_wavelength": 0.665, "raster:scale": 0.0001, "raster:offset": -0.1}
    assets = {"B04": {"href": "a.tif", "type": GEOTIFF, "roles": ["data"], **said}}
    found = open_assets(tmp_path, assets, {"stac_version": "1.1.0"})
    assert (found.bands[0].name, found.bands[0].common, found.bands[0].wavelength) == ("B04", "red", 665)
    np.testing.assert_allclose(band(found, "B04"), 0.0452, rtol=1e-5)


def test_an_items_nodata_counts_where_the_file_has_none(tmp_path: Path) -> None:
    assets = one({"nodata": DN}) | {
        "b": one({"nodata": DN})["a"] | {"href": "b.tif", "eo:bands": [{"name": "b", "common_name": "nir"}]}
    }
    constant(tmp_path / "b.tif", nodata=5)
    values, _ = physical(open_assets(tmp_path, assets))
    assert np.isnan(values[0]).all()
    assert (values[1] == DN).all()


def test_a_band_that_only_the_product_knows_is_a_band_too(tmp_path: Path) -> None:
    edge = one()["a"] | {"href": "b.tif", "eo:bands": [{"name": "B05"}], "raster:bands": [RASTER]}
    found = open_assets(tmp_path, one(RASTER) | {"B05": edge}, S2)
    assert found.bands.names == ("a", "B05")
    assert found.bands[1].wavelength == 704.1


def test_an_item_collection_is_a_scene_for_each_item(tmp_path: Path) -> None:
    names = ["S2A", "a/b:c", "../up"]
    items = []
    for i, name in enumerate(names):
        constant(tmp_path / f"{i}.tif", i)
        items.append(item_of({"a": one()["a"] | {"href": f"{i}.tif"}}, id=name))
    found = scenes(write_item(tmp_path / "all.json", {"type": "FeatureCollection", "features": items}))
    assert [s.name for s in found][:2] == ["S2A", "a_b_c"]
    assert "/" not in found[2].name
    assert [band(s, "a")[0, 0] for s in found] == [0, 1, 2]


def test_a_scene_that_the_user_names_keeps_that_name(tmp_path: Path) -> None:
    path = write_item(tmp_path / "item.json", item_of(one()))
    assert scene_entries({"name": "mine", "path": path}, "scenes")[0].stem == "mine"
    assert scene_entries({"name": "item", "path": path}, "scenes")[0].stem == "item"


def test_one_name_is_for_one_item(tmp_path: Path) -> None:
    items = {"type": "FeatureCollection", "features": [item_of(one(), id="x"), item_of(one(), id="y")]}
    path = write_item(tmp_path / "item.json", items)
    with pytest.raises((UsageError, LandmixError), match="'mine' in scenes is for one scene"):
        scene_entries({"name": "mine", "path": path}, "scenes")


RASTER = {"scale": 0.0001, "offset": -0.1}


@pytest.mark.parametrize(("scale", "expected"), [("stac", 0.0452), ("tiff", 29.04), ("none", DN), ("auto", None)])
def test_who_says_what_numbers_mean(tmp_path: Path, scale: Any, expected: float | None) -> None:
    constant(tmp_path / "a.tif", scale=0.02)
    if expected is not None:
        found = open_assets(tmp_path, one(RASTER), scale=scale)
        np.testing.assert_allclose(physical(found)[0], expected, rtol=1e-5)
        return
    with pytest.raises(LandmixError) as caught:
        open_assets(tmp_path, one(RASTER), scale=scale)
    for told in ("S2A_33UWP", str(tmp_path / "item.json"), str(tmp_path / "a.tif"), "0.0001", "0.02", "scene.scale="):
        assert told in str(caught.value)


def test_a_scale_of_the_users_does_not_drop_an_offset_in_silence(tmp_path: Path) -> None:
    constant(tmp_path / "a.tif")
    with pytest.raises(LandmixError, match=r"S2A_33UWP.* an offset of -0\.1 too: say scene\.offset as well"):
        open_assets(tmp_path, one(RASTER), scale=0.5)
    found = open_assets(tmp_path, one(RASTER), scale=0.5, offset=0.0)
    np.testing.assert_allclose(physical(found)[0], DN / 2, rtol=1e-5)


def test_an_item_and_a_file_that_say_the_same_do_not_contradict_each_other(tmp_path: Path) -> None:
    constant(tmp_path / "a.tif", scale=0.0001, offset=-0.1)
    np.testing.assert_allclose(band(open_assets(tmp_path, one(RASTER)), "a"), 0.0452, rtol=1e-5)


def test_an_offset_alone_is_a_contradiction_too(tmp_path: Path) -> None:
    constant(tmp_path / "a.tif", scale=0.0001)
    with pytest.raises(LandmixError, match=r"offset -0\.1 .*a\.tif say 0\.0001 and 0: settle"):
        open_assets(tmp_path, one(RASTER))


def test_the_catalogue_must_say_something_where_it_is_believed(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match=r"scene\.scale=stac needs a STAC item that says .* S2A_33UWP"):
        open_assets(tmp_path, one(), scale="stac")


def test_inherited_numbers_count_only_where_an_item_is_silent(tmp_path: Path) -> None:
    constant(tmp_path / "a.tif")
    for raster, expected in ((RASTER, 0.0452), (None, DN / 2)):
        (entry,) = scene_entries(write_item(tmp_path / "item.json", item_of(one(raster))), "scenes")
        found = open_entry(entry, ReadOptions(scale=0.5), inherited=True)
        np.testing.assert_allclose(band(found, "a"), expected, rtol=1e-5)


APPLIED = {**S2, "properties": {"earthsearch:boa_offset_applied": True}}


def test_an_offset_that_was_applied_and_is_given_again_must_be_settled(tmp_path: Path) -> None:
    scl(tmp_path)
    with pytest.raises(LandmixError, match=r"boa_offset_applied.* -0\.1 .*scene\.scale=stac, or with scene\.offset=0"):
        open_assets(tmp_path, earth_search(), APPLIED)


@pytest.mark.parametrize(("options", "expected"), [({"scale": "stac"}, 0.0452), ({"offset": 0.0}, 0.1452)])
def test_an_applied_offset_is_settled_by_the_user(tmp_path: Path, options: dict[str, Any], expected: float) -> None:
    scl(tmp_path)
    found = open_assets(tmp_path, earth_search(), APPLIED, **options)
    np.testing.assert_allclose(band(found, "red"), expected, rtol=1e-5)


LATE = {
    **S2,
    "properties": {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.10"},
}


def test_an_offset_that_was_neither_applied_nor_given_must_be_settled(tmp_path: Path) -> None:
    scl(tmp_path)
    silent = earth_search(raster={"scale": 0.0001, "offset": 0})
    with pytest.raises(LandmixError, match=r"baseline was not applied, and gives none.*scene\.offset=-1000"):
        open_assets(tmp_path, silent, LATE)
    found = open_assets(tmp_path, silent, LATE, offset=-1000.0)
    np.testing.assert_allclose(band(found, "red"), 0.0452, rtol=1e-5)
    early = {**S2, "properties": {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "02.08"}}
    np.testing.assert_allclose(band(open_assets(tmp_path, silent, early), "red"), 0.1452, rtol=1e-5)


def test_a_scale_without_an_offset_leaves_the_offset_of_sentinel_2_open(tmp_path: Path) -> None:
    scl(tmp_path)
    silent = earth_search(raster={"scale": 0.0001})
    with pytest.raises(LandmixError, match=r"scene\.offset"):
        open_assets(tmp_path, silent, S2).check_known()
    np.testing.assert_allclose(band(open_assets(tmp_path, silent, APPLIED), "red"), 0.1452, rtol=1e-5)


def test_an_applied_offset_of_zero_is_no_contradiction(tmp_path: Path) -> None:
    scl(tmp_path)
    found = open_assets(tmp_path, earth_search(raster={"scale": 0.0001, "offset": 0}), APPLIED)
    np.testing.assert_allclose(band(found, "red"), 0.1452, rtol=1e-5)


def test_sentinel_2_without_an_offset_is_unknown(tmp_path: Path) -> None:
    scl(tmp_path)
    with pytest.raises(LandmixError, match=r"S2A_33UWP .*does not say the offset.*scene\.offset=-1000"):
        open_assets(tmp_path, earth_search(raster=None), S2).check_known()


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"offset": -1000.0}, 0.0452), ({"offset": -0.1}, 0.0452), ({"offset": 0.0}, 0.1452), ({"scale": "none"}, DN)],
)
@pytest.mark.parametrize("name", ["red", "rededge1"])
def test_sentinel_2_without_an_offset_is_told_by_the_user(
    tmp_path: Path, options: dict[str, Any], expected: float, name: str
) -> None:
    scl(tmp_path)
    found = open_assets(tmp_path, earth_search(raster=None), S2, **options)
    found.check_known()
    np.testing.assert_allclose(band(found, name), expected, rtol=1e-5)


def clear_of(found: Scene) -> list[bool]:
    values: list[bool] = physical(found)[1][0].tolist()
    return values


def test_scl_decides_what_is_clear(tmp_path: Path) -> None:
    write_tif(tmp_path / "scl.tif", np.tile(np.array([4, 9, 3, 0], "uint8"), (4, 1)))
    found = open_assets(tmp_path, earth_search(), S2)
    assert clear_of(found) == [True, False, False, False]
    assert clear_of(open_assets(tmp_path, earth_search(), S2, quality="all")) == [True] * 4
    assert clear_of(open_assets(tmp_path, earth_search(), S2, quality=["cloud_high"])) == [False, True, False, False]


def test_a_quality_asset_of_half_the_resolution_is_brought_to_the_bands(tmp_path: Path) -> None:
    half = NORTH_UP @ NORTH_UP.scale(2)
    write_tif(tmp_path / "scl.tif", np.array([[4, 9], [9, 4]], "uint8"), transform=half)
    expected = np.kron([[1, 0], [0, 1]], np.ones((2, 2))).astype(bool)
    np.testing.assert_array_equal(physical(open_assets(tmp_path, earth_search(), S2))[1], expected)


def test_qa_pixel_decides_what_is_clear(tmp_path: Path) -> None:
    bits = [1 << 6, 1 << 3, 1 << 4, 1]
    write_tif(tmp_path / "LC08_QA_PIXEL.tif", np.tile(np.array(bits, "uint16"), (4, 1)))
    assert clear_of(open_assets(tmp_path, planetary_landsat(), LANDSAT)) == [True, False, False, False]


def test_fmask_decides_what_is_clear(tmp_path: Path) -> None:
    write_tif(tmp_path / "HLS.S30.Fmask.tif", np.tile(np.array([0, 2, 32, 255], "uint8"), (4, 1)))
    assets = {key: asset | {"roles": ["data"]} for key, asset in hls().items()}
    found = open_assets(tmp_path, assets, {"collection": "HLSS30.v2.0"})
    assert clear_of(found) == [True, False, True, False]


def test_an_item_of_an_unknown_collection_has_no_quality(tmp_path: Path) -> None:
    scl(tmp_path, 9)
    assert clear_of(open_assets(tmp_path, earth_search())) == [True] * 4
    assert clear_of(open_assets(tmp_path, earth_search(), product="sentinel2_l2a")) == [False] * 4


def test_an_item_without_a_raster_of_bands_is_refused(tmp_path: Path) -> None:
    assets = {"thumbnail": earth_search()["thumbnail"], "visual": earth_search()["visual"]}
    with pytest.raises(LandmixError, match=r"S2A_33UWP .*no asset that is a raster of bands: it has thumbnail, visual"):
        open_assets(tmp_path, assets)


def test_an_asset_with_fewer_bands_than_the_item_says_is_refused(tmp_path: Path) -> None:
    assets = one() | {"b": one()["a"] | {"eo:bands": [{"name": "x", "common_name": "nir"}, {"name": "y"}]}}
    with pytest.raises(LandmixError, match=r"a\.tif should hold band y as number 2, but holds only 1"):
        open_assets(tmp_path, assets)


JSON: dict[str, Any] = {
    "geojson.geojson": '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}}]}',
    "empty.json": '{"type": "FeatureCollection", "features": []}',
    "mixed.json": '{"type": "FeatureCollection", "features": [{"type": "Feature", "assets": {}}, 5]}',
    "null.json": '{"type": "FeatureCollection", "features": null}',
    "number.json": '{"type": "FeatureCollection", "features": 5}',
    "catalog.json": '{"type": "Catalog", "id": "c", "links": []}',
    "collection.json": '{"type": "Collection", "id": "c", "assets": {}}',
    "list.json": "[1, 2]",
    "word.json": '"item"',
    "no.json": "",
    "broken.json": '{"type": "Feature", ',
    "latin.json": b'{"id": "\xfc"}',
    "deep.json": '{"a":' * 100_000,
    "deeper.json": "[" * 1_000_000,
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_is_no_item_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    content = JSON[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LandmixError, match="STAC") as caught:
        scene_entries(str(tmp_path / name), "scenes")
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "told"), [("catalog.json", "a STAC Catalog"), ("collection.json", "a STAC Collection")]
)
def test_catalogues_are_called_what_they_are(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_text(str(JSON[name]))
    with pytest.raises(LandmixError, match=rf"{name} is {told}: a scene is a STAC item"):
        scene_entries(str(tmp_path / name), "scenes")


STRANGE: dict[str, dict[str, Any]] = {
    "no scale": one({"scale": 0}),
    "infinite scale": one({"scale": 1e999}),
    "a word as scale": one({"scale": "much"}),
    "a list as scale": one({"scale": [1]}),
    "an infinite offset": one({"offset": -1e999}),
}


@pytest.mark.parametrize("name", STRANGE)
def test_scales_that_no_pixel_can_be_scaled_with_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LandmixError, match="S2A_33UWP"):
        physical(open_assets(tmp_path, STRANGE[name]))


def eo(said: Any) -> dict[str, Any]:
    return {"a": one()["a"] | {"eo:bands": said}}


HARMLESS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "roles in roles": (one(roles=[["data"]]), {}),
    "roles is a number": (one(roles=5), {}),
    "no properties": (one(), {"properties": None}),
    "properties is a list": (one(), {"properties": []}),
    "bands is a word": (eo("red"), {}),
    "a name that is a list": (eo([{"name": ["a"], "common_name": ["red"]}]), {}),
    "an infinite wavelength": (eo([{"name": "a", "center_wavelength": 1e999}]), {}),
    "the id is a number": (one(), {"id": 5}),
    "an endless id": (one(), {"id": "x" * 5000}),
    "a type that is a list": (one(type=["image/tiff"]), {}),
    "assets that are none": ({**one(), "x": {"href": "x"}, "y": {"href": "y.txt"}}, {}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_an_item_with_nonsense_in_it_is_read_or_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    assets, changes = HARMLESS[name]
    try:
        found = open_assets(tmp_path, assets, changes)
    except LandmixError as error:
        assert "STAC item" in str(error)  # noqa: PT017 - it may also be read
    else:
        assert (physical(found)[0] == DN).all()
        assert len(found.name) <= 200
