from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from geo_files import NORTH_UP, ROTATED, SOUTH_UP, coordinates, grid, read_all, window, write_tif
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from landmix.errors import LandmixError
from landmix.geo.open import open_scene
from landmix.geo.options import ReadOptions
from landmix.geo.validity import band_validity, validity

if TYPE_CHECKING:
    from pathlib import Path

    from affine import Affine as Transform

    from landmix.core.window import Window

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


@pytest.fixture(scope="module")
def scene_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_tif(tmp_path_factory.mktemp("scene") / "a.tif", coordinates(3, 13, 17))


@settings(max_examples=40, deadline=None)
@given(st.builds(window, st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 30), st.integers(1, 30)))
def test_windows_may_reach_outside_the_scene(scene_file: str, wanted: Window) -> None:
    scene = open_scene([scene_file], "a")
    around = 60
    big = np.pad(coordinates(3, 13, 17), ((0, 0), (around, around), (around, around)))
    known = np.pad(np.ones((13, 17), bool), around)
    rows, cols = window(wanted.row + around, wanted.col + around, wanted.height, wanted.width).slices
    with scene.open() as reader:
        stored, inside = reader.read(wanted)
    np.testing.assert_array_equal(stored, big[:, rows, cols])
    np.testing.assert_array_equal(inside, known[rows, cols])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("layout", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"interleave": "pixel"}])
def test_every_real_type_is_read_as_it_is_stored(tmp_path: Path, dtype: str, layout: dict[str, Any]) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(2, 20, 21, dtype), **layout)
    scene = open_scene([path], "a")
    stored, valid = read_all(scene)
    assert scene.dtype == stored.dtype == dtype
    np.testing.assert_array_equal(stored, coordinates(2, 20, 21, dtype))
    assert valid.all()


def test_take_reads_only_the_chosen_bands_in_the_wanted_order(tmp_path: Path) -> None:
    a = write_tif(tmp_path / "s_a.tif", coordinates(3, 4, 5), names=["r", "g", "b"])
    b = write_tif(tmp_path / "s_b.tif", coordinates(2, 4, 5) + 5000, names=["n", "s"])
    stack = np.concatenate([coordinates(3, 4, 5), coordinates(2, 4, 5) + 5000])
    for chosen in ([4, 0, 3, 1], [2], [1, 0], [0, 4, 1, 3, 2]):
        scene = open_scene([a, b], "s").take(chosen)
        assert scene.bands.names == tuple("rgbns"[i] for i in chosen)
        np.testing.assert_array_equal(read_all(scene)[0], stack[chosen])


@pytest.mark.parametrize(
    ("shape", "transform", "crs"),
    [
        ((4, 5), NORTH_UP, "EPSG:32632"),
        ((4, 5), SOUTH_UP, "EPSG:32633"),
        ((4, 5), NORTH_UP @ NORTH_UP.translation(5, 0), "EPSG:32633"),
        ((4, 5), NORTH_UP, None),
    ],
)
def test_grids_that_do_not_meet_are_refused_and_both_are_shown(
    tmp_path: Path, shape: tuple[int, int], transform: Transform, crs: str | None
) -> None:
    a = write_tif(tmp_path / "a.tif", coordinates(1, 4, 5))
    b = write_tif(tmp_path / "b.tif", coordinates(1, *shape), transform=transform, crs=crs)
    with pytest.raises(LandmixError, match=r"but .*a\.tif \(4 x 5 .*b\.tif \(\d x \d"):
        open_scene([a, b], "s")


def test_grids_that_differ_by_rounding_only_are_one(tmp_path: Path) -> None:
    a = write_tif(tmp_path / "a.tif", coordinates(1, 4, 5))
    b = write_tif(tmp_path / "b.tif", coordinates(1, 4, 5), transform=NORTH_UP @ NORTH_UP.translation(1e-5, 0))
    assert len(open_scene([a, b], "s").bands) == 2


def test_equal_band_names_are_refused_with_the_files(tmp_path: Path) -> None:
    a = write_tif(tmp_path / "a.tif", coordinates(1, 4, 5), names=["nir"])
    b = write_tif(tmp_path / "b.tif", coordinates(1, 4, 5), names=["nir"])
    with pytest.raises(LandmixError, match=r"different names, but nir stands twice in .*a\.tif.*b\.tif"):
        open_scene([a, b], "s")


def test_a_name_that_two_bands_of_a_file_share_names_none(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(3, 4, 5), names=["x", "red", "x"])
    bands = open_scene([path], "a").bands
    assert bands.names == ("B1", "red", "B3")
    assert [band.named for band in bands] == [False, True, False]


def test_unnamed_bands_of_one_file_are_numbered(tmp_path: Path) -> None:
    bands = open_scene([write_tif(tmp_path / "a.tif", coordinates(3, 4, 5))], "a").bands
    assert bands.names == ("B1", "B2", "B3")
    assert not any(band.named for band in bands)


@pytest.mark.parametrize(
    ("namespace", "items", "wavelength", "width"),
    [
        ("IMAGERY", {"CENTRAL_WAVELENGTH_UM": "0.665", "FWHM_UM": "0.031"}, 665.0, 31.0),
        ("IMAGERY", {"CENTRAL_WAVELENGTH_UM": "2.2"}, 2200.0, None),
        (None, {"wavelength": "842", "wavelength_units": "Nanometers"}, 842.0, None),
        (None, {"wavelength": "842.5", "wavelength_units": "nm", "fwhm": "20"}, 842.5, 20.0),
        (None, {"wavelength": "0.49", "wavelength_units": "Micrometers"}, 490.0, None),
        (None, {"Wavelength": "0.49", "Wavelength_units": "um"}, 490.0, None),
        (None, {"wavelength": "842"}, None, None),
        (None, {"wavelength": "nonsense", "wavelength_units": "nm"}, None, None),
        (None, {"wavelength": "-5", "wavelength_units": "nm"}, None, None),
        (None, {"wavelength": "nan", "wavelength_units": "nm"}, None, None),
    ],
)
def test_wavelengths_come_from_the_metadata(
    tmp_path: Path, namespace: str | None, items: dict[str, str], wavelength: float | None, width: float | None
) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(1, 4, 5), tags=[items], namespace=namespace)
    (band,) = open_scene([path], "a").bands
    assert (band.wavelength, band.width) == (wavelength, width)


def test_wavelengths_of_an_envi_header(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.img", coordinates(2, 4, 5, "int16"), driver="ENVI")
    with (tmp_path / "a.hdr").open("a", encoding="utf-8") as header:
        header.write("wavelength units = Micrometers\nwavelength = {0.49, 0.842}\nfwhm = {0.06, 0.1}\n")
    bands = open_scene([path], "a").bands
    assert [band.wavelength for band in bands] == [490.0, 842.0]


def test_scale_and_offset_tags_are_the_scaling_and_leave_stored_values_alone(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(2, 4, 5), scales=[1e-4, 2.0], offsets=[-0.1, 0.0])
    scene = open_scene([path], "a")
    np.testing.assert_array_equal(read_all(scene)[0], coordinates(2, 4, 5))
    assert scene.scaling.scale == (1e-4, 2.0)
    assert scene.scaling.offset == (-0.1, 0.0)
    assert open_scene([path], "a", ReadOptions(scale="tiff")).scaling == scene.scaling
    assert open_scene([path], "a", ReadOptions(scale="none")).scaling.scale == (1.0, 1.0)


def test_a_scale_of_0_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(1, 4, 5), scales=[0.0])
    with pytest.raises(LandmixError, match=r"a\.tif .*scene\.scale=none"):
        open_scene([path], "a")
    assert open_scene([path], "a", ReadOptions(scale="none")).scaling.scale == (1.0,)


def test_nodata_differs_by_band(tmp_path: Path) -> None:
    values = coordinates(1, 4, 5, "int16")
    files = []
    for name, nodata in (("a", 1031), ("b", None), ("c", 1064)):
        files.append(write_tif(tmp_path / f"{name}.tif", values, nodata=nodata))
    scene = open_scene(files, "s")
    assert list(scene.nodata) == [1031, None, 1064]
    _, valid = read_all(scene)
    assert np.argwhere(~valid).tolist() == [[1, 1], [2, 4]]


@pytest.mark.parametrize("nodata", [-9999.0, float("nan"), None])
def test_nan_and_infinity_are_invalid_whatever_the_tag_says(tmp_path: Path, nodata: float | None) -> None:
    values = coordinates(2, 4, 5, "float32")
    values[0, 0, 0], values[1, 1, 2], values[0, 3, 4] = np.nan, np.inf, -9999
    _, valid = read_all(open_scene([write_tif(tmp_path / "a.tif", values, nodata=nodata)], "a"))
    expected = {(0, 0), (1, 2)} | ({(3, 4)} if nodata == -9999 else set())
    assert set(map(tuple, np.argwhere(~valid).tolist())) == expected


def test_the_lowest_float32_is_found_though_the_tag_is_rounded(tmp_path: Path) -> None:
    lowest = float(np.finfo(np.float32).min)
    values = coordinates(1, 4, 5, "float32")
    values[0, 2, 2] = lowest
    _, valid = read_all(open_scene([write_tif(tmp_path / "a.tif", values, nodata=lowest)], "a"))
    assert np.argwhere(~valid).tolist() == [[2, 2]]


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", -9999.0), ("uint8", 256.0), ("uint16", 0.5), ("int16", float("inf")), ("uint8", np.nan)],
)
def test_a_nodata_value_that_the_type_cannot_hold_marks_nothing(dtype: str, nodata: float) -> None:
    assert band_validity(np.arange(256).astype(dtype), nodata).all()


def test_nodata_that_the_file_cannot_hold_marks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    write_tif(path, values, nodata=123)
    content = path.read_bytes()
    assert content.count(b"123\0") == 1
    path.write_bytes(content.replace(b"123\0", b"-99\0"))
    _, valid = read_all(open_scene([str(path)], "a"))
    assert valid.all()


def test_validity_of_batches_is_that_of_each() -> None:
    stored = np.random.default_rng(0).integers(0, 4, (5, 2, 3, 3))
    together = validity(stored, [0, 3])
    for i in range(5):
        np.testing.assert_array_equal(together[i], (stored[i, 0] != 0) & (stored[i, 1] != 3))


@pytest.mark.parametrize("internal", [True, False])
def test_a_mask_of_the_file_is_respected(tmp_path: Path, *, internal: bool) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(2, 20, 30))
    mask = np.full((20, 30), 255, np.uint8)
    mask[3:5, 7:9] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    assert (tmp_path / "a.tif.msk").exists() is not internal
    scene = open_scene([path], "a")
    assert tuple(raster.masked for raster in scene.rasters) == (True,)
    np.testing.assert_array_equal(read_all(scene)[1], mask > 0)
    with scene.open() as reader:
        _, inside = reader.read(window(2, 6, 30, 4))
    np.testing.assert_array_equal(inside, np.pad(mask[2:, 6:10] > 0, ((0, 12), (0, 0))))


def test_an_alpha_band_is_a_mask_and_no_band(tmp_path: Path) -> None:
    values = coordinates(4, 6, 7, "uint8")
    values[3] = 255
    values[3, 2, 3:5] = 0
    path = write_tif(tmp_path / "a.tif", values, photometric="RGB", alpha="YES")
    scene = open_scene([path], "a")
    assert len(scene.bands) == 3
    stored, valid = read_all(scene)
    np.testing.assert_array_equal(stored, values[:3])
    np.testing.assert_array_equal(valid, values[3] > 0)


def test_a_mask_of_a_file_that_is_not_used_masks_nothing(tmp_path: Path) -> None:
    a = write_tif(tmp_path / "a.tif", coordinates(1, 6, 7))
    b = write_tif(tmp_path / "b.tif", coordinates(1, 6, 7))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(b, "r+") as file:
        file.write_mask(np.zeros((6, 7), np.uint8))
    scene = open_scene([a, b], "s")
    assert not read_all(scene)[1].any()
    assert read_all(scene.take([0]))[1].all()


def test_only_an_alpha_band_is_no_scene(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(1, 6, 7, "uint8"))
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.alpha]
    with pytest.raises(LandmixError, match="no band but an alpha band"):
        open_scene([path], "a")


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED])
def test_centres_are_those_of_the_pixels(transform: Transform) -> None:
    rows, cols = np.array([0, 3, 2]), np.array([0, 1, 9])
    expected = [transform @ (c + 0.5, r + 0.5) for r, c in zip(rows, cols, strict=True)]
    np.testing.assert_allclose(grid(5, 10, transform).centres(rows, cols), expected)


def test_a_scene_can_be_sent_to_another_process(scene_file: str) -> None:
    import pickle  # noqa: PLC0415

    scene = pickle.loads(pickle.dumps(open_scene([scene_file], "a")))  # noqa: S301
    np.testing.assert_array_equal(read_all(scene)[0], coordinates(3, 13, 17))
