from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from product_files import (
    L2A,
    S2_METRES,
    TALL,
    UTM,
    WIDE,
    X,
    Y,
    clear,
    look,
    north_up,
    physical,
    s2_pixels,
    s2_shape,
    sentinel2_bands,
    sentinel2_l1c,
    sentinel2_l2a,
    stored,
    write,
    zipped,
)

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.geo.scene import Scene

L2A_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    blue = s2_pixels("B02")
    blue[0, 0], blue[0, 1], blue[5, 5] = 1452, 0, 1000
    red = s2_pixels("B04")
    red[0, 0] = 1452
    red[7, 9] = 0
    edge = s2_pixels("B05")
    edge[4, 6] = 0
    return sentinel2_l2a(tmp_path_factory.mktemp("safe"), pixels={"B02": blue, "B04": red, "B05": edge})


@pytest.fixture(scope="module")
def scene(safe: Path) -> Scene:
    return look(safe)


def test_the_fixture_holds_lossless_jpeg_2000(safe: Path) -> None:
    (path,) = safe.rglob("*_B12_20m.jp2")
    with rasterio.open(path) as file:
        assert (file.driver, file.dtypes[0], file.nodata) == ("JP2OpenJPEG", "uint16", None)
        assert (file.crs, file.transform) == (UTM, north_up(X, Y, 20))
        np.testing.assert_array_equal(file.read(1), s2_pixels("B12"))


def test_a_safe_folder_is_twelve_bands_on_the_10_m_grid(scene: Scene) -> None:
    assert scene.bands.names == L2A_BANDS
    assert scene.name == L2A.removesuffix(".SAFE")
    assert (scene.grid.transform, scene.grid.crs) == (north_up(X, Y, 10), UTM)
    assert (scene.grid.height, scene.grid.width) == (TALL, WIDE)
    assert scene.missing == ()
    assert scene.unknown is None
    scene.check_known()


def test_bands_know_their_wavelengths_units_and_common_names(scene: Scene) -> None:
    about = [443, 492, 560, 665, 704, 740, 783, 833, 865, 945, 1614, 2202]
    assert [band.wavelength for band in scene.bands] == pytest.approx(about, abs=1)
    assert {band.unit for band in scene.bands} == {"reflectance"}
    assert [band.common for band in scene.bands] == [
        "coastal", "blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "nir09",
        "swir16", "swir22",
    ]  # fmt: skip


def test_1452_less_1000_is_a_reflectance_of_0_0452(scene: Scene) -> None:
    assert physical(scene)["B02"][0, 0] == pytest.approx(0.0452, abs=1e-7)


def test_0_is_nodata_and_not_a_reflectance_below_0(scene: Scene) -> None:
    found = physical(scene)["B02"]
    assert np.isnan(found[0, 1])
    assert found[5, 5] == pytest.approx(0.0, abs=1e-7)
    assert np.isnan(found).sum() == 1


def test_a_pixel_is_valid_only_where_all_bands_are(scene: Scene) -> None:
    valid = stored(scene)[1]
    expected = np.ones((TALL, WIDE), bool)
    expected[0, 1] = expected[7, 9] = False
    expected[8:10, 12:14] = False
    np.testing.assert_array_equal(valid, expected)


def test_every_band_has_its_own_offset(scene: Scene) -> None:
    # band_id in the metadata: B04 is 3, B8A is 8, B12 is 12, and their offsets go down by 10
    found = physical(scene)
    assert found["B04"][0, 0] == pytest.approx((1452 - 1020) / 10_000, abs=1e-7)
    expected = {"B03": -1010, "B08": -1060}
    for band, offset in expected.items():
        np.testing.assert_allclose(found[band], (s2_pixels(band) + float(offset)) / 10_000, atol=1e-6)


def test_offsets_of_coarse_bands_are_exact_on_their_own_grid(safe: Path) -> None:
    found = physical(look(safe, resolution="B8A"))
    for band, offset in {"B8A": -1070, "B11": -1100, "B12": -1110}.items():
        np.testing.assert_allclose(found[band], (s2_pixels(band) + float(offset)) / 10_000, atol=1e-6)
    found = physical(look(safe, resolution="B01"))
    for band, offset in {"B01": -990, "B09": -1080}.items():
        np.testing.assert_allclose(found[band], (s2_pixels(band) + float(offset)) / 10_000, atol=1e-6)


def test_the_quantification_value_is_the_metadatas(tmp_path: Path) -> None:
    found = physical(look(sentinel2_l2a(tmp_path, quantification="5000")))
    np.testing.assert_allclose(found["B02"], (s2_pixels("B02") - 1000.0) / 5000, atol=1e-6)


def test_nodata_of_a_20_m_band_is_not_mixed_into_its_neighbours(tmp_path: Path) -> None:
    flat = np.full(s2_shape(20), 3000, np.uint16)
    flat[4, 6] = 0
    found = physical(look(sentinel2_l2a(tmp_path, pixels={"B05": flat})))["B05"]
    assert np.isnan(found[8:10, 12:14]).all()
    rest = np.delete(found.ravel(), [r * WIDE + c for r in (8, 9) for c in (12, 13)])
    np.testing.assert_allclose(rest, (3000 - 1030) / 10_000, atol=1e-6)


def test_products_before_baseline_4_have_no_offset(tmp_path: Path) -> None:
    scene = look(sentinel2_l2a(tmp_path, offsets=None))
    scene.check_known()
    np.testing.assert_allclose(physical(scene)["B02"], s2_pixels("B02") / 10_000, atol=1e-6)


def test_a_zip_file_is_the_folder_that_it_holds(safe: Path, scene: Scene) -> None:
    packed = look(zipped(safe))
    assert packed.name == scene.name
    assert packed.bands == scene.bands
    assert packed.scaling == scene.scaling
    ours, theirs = stored(packed), stored(scene)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_l1c_has_13_bands_and_radiometric_offsets(tmp_path: Path) -> None:
    scene = look(sentinel2_l1c(tmp_path))
    assert set(scene.bands.names) == set(S2_METRES)
    assert scene.grid.transform == north_up(X, Y, 10)
    found = physical(scene)
    for band, offset in {"B02": -1000, "B04": -1020, "B08": -1060}.items():
        np.testing.assert_allclose(found[band], (s2_pixels(band) + float(offset)) / 10_000, atol=1e-6)
    found = physical(look(tmp_path / scene.where, resolution="B10"))
    np.testing.assert_allclose(found["B10"], (s2_pixels("B10") - 1090.0) / 10_000, atol=1e-6)


def test_l1c_scales_by_its_own_key_and_has_no_offset_in_old_baselines(tmp_path: Path) -> None:
    found = physical(look(sentinel2_l1c(tmp_path, offsets=None, quantification="1000")))
    np.testing.assert_allclose(found["B03"], s2_pixels("B03") / 1000, atol=1e-5)


@pytest.mark.parametrize("prefix", ["X_", ""])
def test_a_bare_folder_does_not_know_its_offset(tmp_path: Path, prefix: str) -> None:
    scene = look(sentinel2_bands(tmp_path / "bands", prefix=prefix))
    assert scene.bands.names == ("B01", "B02", "B03", "B04", "B05", "B11")
    assert scene.missing == ()
    assert scene.grid.transform == north_up(X, Y, 10)
    assert scene.unknown
    with pytest.raises(LandmixError, match=r"scene\.offset=-1000 .*scene\.offset=0"):
        scene.check_known()


@pytest.mark.parametrize(("offset", "added"), [(-1000, -1000.0), (-0.1, -1000.0), (0, 0.0)])
@pytest.mark.parametrize("prefix", ["X_", ""])
def test_a_bare_folder_takes_the_offset_of_the_user(tmp_path: Path, prefix: str, offset: float, added: float) -> None:
    scene = look(sentinel2_bands(tmp_path / "bands", prefix=prefix), offset=offset)
    scene.check_known()
    np.testing.assert_allclose(physical(scene)["B02"], (s2_pixels("B02") + added) / 10_000, atol=1e-6)


def test_scale_none_reads_stored_numbers(tmp_path: Path) -> None:
    scene = look(sentinel2_bands(tmp_path / "bands"), scale="none")
    scene.check_known()
    np.testing.assert_array_equal(physical(scene)["B02"], s2_pixels("B02"))


def test_a_scale_and_an_offset_in_numbers_win_over_the_metadata(safe: Path) -> None:
    found = physical(look(safe, scale=0.5, offset=0.25))
    np.testing.assert_allclose(found["B03"], s2_pixels("B03") * 0.5 + 0.25, rtol=1e-6)
    found = physical(look(safe, scale="none"))
    np.testing.assert_array_equal(found["B03"], s2_pixels("B03"))


def test_a_bare_folder_of_jpeg_2000_files_is_the_same(tmp_path: Path) -> None:
    scene = look(sentinel2_bands(tmp_path / "bands", suffix=".jp2"), offset=0)
    np.testing.assert_allclose(physical(scene)["B03"], s2_pixels("B03") / 10_000, atol=1e-6)


def test_a_bare_folder_may_hold_a_scene_classification(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands")
    classes = np.full(s2_shape(20), 5, np.uint8)
    classes[3, 4] = 9
    write(folder / "X_SCL.tif", classes, north_up(X, Y, 20))
    expected = np.ones((TALL, WIDE), bool)
    expected[6:8, 8:10] = False
    np.testing.assert_array_equal(clear(look(folder, offset=0)), expected)


def test_a_scale_alone_does_not_settle_an_unknown_offset(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path)
    with pytest.raises(LandmixError, match=r"scene\.offset"):
        look(folder, scale=0.0001).check_known()
    look(folder, scale=0.0001, offset=-0.1).check_known()
