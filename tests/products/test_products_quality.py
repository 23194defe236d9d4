from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from product_files import (
    LANDSAT_SHAPE,
    TALL,
    UTM,
    WIDE,
    X,
    Y,
    assert_tiles_agree,
    clear,
    hls,
    landsat_c2_l2,
    landsat_l1,
    look,
    noise,
    north_up,
    own,
    planetscope,
    s2_shape,
    sentinel2_bands,
    sentinel2_l2a,
    stored,
    udm2_clear,
    write,
)
from scipy.ndimage import distance_transform_edt

from landmix.errors import LandmixError
from landmix.geo.quality import QualityRule

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCL_CLEAR = {2, 4, 5, 6, 7, 11}


def in_a_row(values: list[int], shape: tuple[int, int], rest: int, dtype: str = "uint16") -> NDArray[Any]:
    """Values in the first row, and one value elsewhere."""
    array = np.full(shape, rest, dtype)
    array[0, : len(values)] = values
    return array


@pytest.fixture(scope="module")
def scl_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene classification with all twelve classes, two 10 m pixels each, in the first rows."""
    return sentinel2_l2a(
        tmp_path_factory.mktemp("scl"), pixels={"SCL": in_a_row(list(range(12)), s2_shape(20), 4, "uint8")}
    )


def scl_passes(path: Path, **options: Any) -> set[int]:
    """The classes that are let through; a class is two by two pixels of 10 m."""
    mask = clear(look(path, **options))
    assert mask[2:].all()
    blocks = mask[:2, :24].reshape(2, 12, 2)
    assert (blocks == blocks[:1, :, :1]).all()
    return set(np.flatnonzero(blocks[0, :, 0]).tolist())


def test_clear_lets_through_what_is_ground_and_water(scl_scene: Path) -> None:
    assert scl_passes(scl_scene) == SCL_CLEAR
    assert scl_passes(scl_scene, quality="clear") == SCL_CLEAR


def test_all_lets_everything_through(scl_scene: Path) -> None:
    assert clear(look(scl_scene, quality="all")).all()


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        (["vegetation", "cloud_high"], {4, 9}),
        (["4", "11"], {4, 11}),
        ([4, "water", 10], {4, 6, 10}),
        (["nodata", 4], {4}),
    ],
)
def test_names_and_numbers_of_classes_may_be_chosen(scl_scene: Path, wanted: list[Any], passing: set[int]) -> None:
    assert scl_passes(scl_scene, quality=wanted) == passing


@pytest.mark.parametrize("wanted", [["plants"], [12], ["vegetation", "Vegetation"]])
def test_an_unknown_class_is_refused_with_those_that_exist(scl_scene: Path, wanted: list[Any]) -> None:
    with pytest.raises(LandmixError, match=f"'{wanted[-1]}', but .*SCL_20m.jp2 has nodata, .*vegetation.*snow"):
        look(scl_scene, quality=wanted)


def test_classes_are_refused_where_there_is_no_quality_raster(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands")
    with pytest.raises(LandmixError, match="no quality band"):
        look(folder, quality=["vegetation"])
    assert clear(look(folder, quality="clear")).all()


OLI_QA = {
    "fill": 1, "clear": 21_824, "dilated": 21_826, "cloud": 22_280, "shadow": 23_888, "water": 21_952,
    "snow": 30_048, "cirrus": 54_596,
}  # fmt: skip
"""As USGS lists them in the Collection 2 guide."""


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        ("clear", {"clear", "water", "snow"}),
        (["clear", "water"], {"clear", "water"}),
        (["clear", "cloud", "dilated_cloud", "water", "snow", "shadow", "cirrus"], set(OLI_QA) - {"fill"}),
        ([6, 3, 1], {"clear", "cloud", "dilated"}),
    ],
)
def test_landsats_flags_are_bits(tmp_path: Path, wanted: Any, passing: set[str]) -> None:
    flags = in_a_row(list(OLI_QA.values()), LANDSAT_SHAPE, 21_824)
    mask = clear(look(landsat_c2_l2(tmp_path, pixels={"QA_PIXEL": flags}), quality=wanted))
    assert {name for name, lets in zip(OLI_QA, mask[0], strict=False) if lets} == passing
    assert mask[1:].all()


BQA = {
    "fill": 1, "clear": 2720, "cloud": 2800, "shadow": 2976, "shadow_medium": 2720 | 1 << 8 & ~(1 << 7),
    "snow": 3744, "cirrus": 6816, "cirrus_low": 2720, "terrain": 2722,
}  # fmt: skip


def test_collection_1_flags_are_two_bit_confidences_of_which_the_highest_counts(tmp_path: Path) -> None:
    # bits 7 and 8: 01 low (2720 has it), 10 medium, 11 high
    medium = (2720 & ~(0b11 << 7)) | (0b10 << 7)
    codes = {**BQA, "shadow_medium": medium}
    mask = clear(look(landsat_l1(tmp_path, pixels={"QA": in_a_row(list(codes.values()), LANDSAT_SHAPE, 2720)})))
    passing = {name for name, lets in zip(codes, mask[0], strict=False) if lets}
    assert passing == {"clear", "shadow_medium", "snow", "cirrus_low", "terrain"}


FMASK = {
    "clear": 0, "low_aerosol": 64, "high_aerosol": 192, "cirrus": 1, "cloud": 2, "adjacent": 4, "shadow": 8,
    "snow": 16, "water": 32, "cloudy_water": 34, "fill": 255,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["L30", "S30"])
def test_fmasks_flags_are_bits_and_255_is_fill(tmp_path: Path, kind: str) -> None:
    flags = in_a_row(list(FMASK.values()), LANDSAT_SHAPE, 64, "uint8")
    product = hls(tmp_path, kind, pixels={"Fmask": flags})
    mask = clear(look(product))
    passing = {name for name, lets in zip(FMASK, mask[0], strict=False) if lets}
    assert passing == {"clear", "low_aerosol", "high_aerosol", "snow", "water"}
    every = clear(look(product, quality=["cirrus", "cloud", "adjacent", "shadow", "snow", "water"]))
    assert {name for name, lets in zip(FMASK, every[0], strict=False) if not lets} == {"fill"}


def udm2_in_a_row() -> NDArray[Any]:
    """The first row has each flag of bands 1 to 6 alone, then none."""
    mask = udm2_clear((20, 25))
    mask[0, 0, :7] = 0
    for band in range(6):
        mask[band, 0, band] = 1
    return mask


@pytest.mark.parametrize(
    ("wanted", "passing"), [("clear", {0, 1}), (["clear"], {0}), (["shadow", 6], {2, 5}), (["light_haze"], {3})]
)
@pytest.mark.parametrize("count", [4, 8])
def test_planets_flags_are_bands(tmp_path: Path, count: int, wanted: Any, passing: set[int]) -> None:
    mask = clear(look(planetscope(tmp_path, count, udm2=udm2_in_a_row()), quality=wanted))
    assert set(np.flatnonzero(mask[0, :7]).tolist()) == passing
    assert mask[1:].all() == ("clear" in wanted)


def test_own_classes_may_have_several_values(tmp_path: Path) -> None:
    folder, definition = own(tmp_path, quality=in_a_row([0, 1, 2, 3, 9], (14, 17), 1, "uint8"))
    assert clear(look(folder, product=str(definition)))[0, :5].tolist() == [False, True, True, False, False]
    cloud = clear(look(folder, product=str(definition), quality=["cloud"]))
    assert cloud[0, :5].tolist() == [False, False, False, True, False]


def test_own_bits_may_stand_together_and_have_a_fill(tmp_path: Path) -> None:
    codes = [0, 1, 2, 3, 4, 8, 200, 7]
    folder, definition = own(tmp_path, kind="bits", quality=in_a_row(codes, (14, 17), 0, "uint8"))
    expected = [True, True, True, False, True, False, False, False]
    assert clear(look(folder, product=str(definition)))[0, :8].tolist() == expected


def test_own_bands_are_read_by_their_numbers(tmp_path: Path) -> None:
    mask = np.zeros((2, 14, 17), np.uint8)
    mask[0, :, 3], mask[1, :, 5] = 1, 1
    folder, definition = own(tmp_path, kind="bands", quality=mask)
    assert np.flatnonzero(clear(look(folder, product=str(definition)))[0]).tolist() == [5]
    assert np.flatnonzero(clear(look(folder, product=str(definition), quality=["poor"]))[0]).tolist() == [3]


def cloudy(shape: tuple[int, int], share: int) -> NDArray[np.bool_]:
    clouds: NDArray[np.bool_] = noise("clouds", shape, 0, share) == 0
    return clouds


@pytest.mark.parametrize("pixels", [1, 2, 3, 5])
def test_clouds_grow_by_their_exact_distance(tmp_path: Path, pixels: int) -> None:
    clouds = cloudy(LANDSAT_SHAPE, 60)
    assert clouds.sum() >= 3
    flags = np.where(clouds, 22_280, 21_824).astype(np.uint16)
    scene = look(landsat_c2_l2(tmp_path, pixels={"QA_PIXEL": flags}), quality_dilate=pixels)
    np.testing.assert_array_equal(clear(scene), distance_transform_edt(~clouds) > pixels)
    for core, margin in ((1, 0), (5, 2), (9, 7)):
        assert_tiles_agree(scene, core, margin)


def test_missing_pixels_do_not_grow(tmp_path: Path) -> None:
    classes = np.full(s2_shape(20), 4, np.uint8)
    classes[2, 3] = 0
    classes[15, 12] = 9
    expected = np.ones((TALL, WIDE), bool)
    expected[4:6, 6:8] = False
    clouds = np.zeros((TALL, WIDE), bool)
    clouds[30:32, 24:26] = True
    expected &= distance_transform_edt(~clouds) > 3
    scene = look(sentinel2_l2a(tmp_path, pixels={"SCL": classes}), quality_dilate=3)
    np.testing.assert_array_equal(clear(scene), expected)


@pytest.mark.parametrize("product", ["landsat", "hls"])
def test_fill_does_not_grow(tmp_path: Path, product: str) -> None:
    ground, fill = (21_824, 1) if product == "landsat" else (64, 255)
    flags = np.full(LANDSAT_SHAPE, ground, np.uint16)
    flags[5, 6] = fill
    path = (
        landsat_c2_l2(tmp_path, pixels={"QA_PIXEL": flags})
        if product == "landsat"
        else hls(tmp_path, "L30", pixels={"Fmask": flags.astype(np.uint8)})
    )
    assert np.argwhere(~clear(look(path, quality_dilate=4))).tolist() == [[5, 6]]


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic", "average"])
def test_classes_on_another_grid_are_never_mixed(tmp_path: Path, kernel: str) -> None:
    classes = noise("SCL", s2_shape(20), 0, 12, "uint8")
    path = sentinel2_l2a(tmp_path, pixels={"SCL": classes})
    passing = np.isin(classes, list(SCL_CLEAR))
    fine = clear(look(path, resampling=kernel))
    np.testing.assert_array_equal(fine, passing.repeat(2, 0).repeat(2, 1))
    coarse = clear(look(path, resampling=kernel, resolution=60))
    np.testing.assert_array_equal(coarse, passing[1::3, 1::3])


def test_pixels_that_the_quality_raster_does_not_cover_are_not_clear_and_do_not_grow(tmp_path: Path) -> None:
    folder, definition = own(tmp_path)
    write(folder / "q_qc.tif", np.ones((10, 17), np.uint8), north_up(X, Y, 7))
    expected = np.ones((14, 17), bool)
    expected[10:] = False
    scene = look(folder, product=str(definition), quality_dilate=3)
    np.testing.assert_array_equal(clear(scene), expected)


def test_quality_in_another_crs_is_brought_over(tmp_path: Path) -> None:
    folder, definition = own(tmp_path)
    codes = np.ones((60, 60), np.uint8)
    codes[:, 30:] = 3
    # UTM 33 in US survey feet would be odd; a scaled transverse Mercator is enough to be another CRS
    crs = "+proj=utm +zone=33 +datum=WGS84 +units=km"
    write(folder / "q_qc.tif", codes, north_up(X / 1000, Y / 1000, 0.002), crs=crs)
    mask = clear(look(folder, product=str(definition)))
    x = 7 * (np.arange(17) + 0.5)
    y = 7 * (np.arange(14) + 0.5)
    np.testing.assert_array_equal(mask, (x[None] < 60) & (y[:, None] < 120))


def test_a_masked_pixel_keeps_its_value(tmp_path: Path) -> None:
    flags = in_a_row([22_280], LANDSAT_SHAPE, 21_824)
    path = landsat_c2_l2(tmp_path, pixels={"QA_PIXEL": flags})
    masked, every = stored(look(path)), stored(look(path, quality="all"))
    np.testing.assert_array_equal(masked[0], every[0])
    assert masked[1].sum() == every[1].sum() - 1
    assert look(path).grid.crs == UTM


def test_pixels_without_any_flag_are_missing_and_do_not_grow() -> None:
    rule = QualityRule(kind="bands", values=(("clear", (1,)), ("cloud", (6,))), accepted=("clear",), dilate=2)
    flags = np.zeros((2, 1, 9), np.uint8)
    flags[0, 0, 3:8], flags[1, 0, 8] = 1, 1
    accepted, missing = rule.judge(flags)
    np.testing.assert_array_equal(missing[0], [True] * 3 + [False] * 6)
    np.testing.assert_array_equal(rule.widened(accepted, missing)[0], [False] * 3 + [True] * 3 + [False] * 3)
