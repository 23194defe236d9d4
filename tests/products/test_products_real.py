from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from product_files import assert_tiles_agree, look, physical, stored

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(os.environ.get("LANDMIX_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real scenes in {DATA} (LANDMIX_TEST_DATA)")

PATCHES = {
    "S2A_MSIL2A_20170613T101031_87_48": 32633,
    "S2A_MSIL2A_20171221T112501_56_35": 32629,
    "S2B_MSIL2A_20170924T93020_69_24": 32635,
}


def pixels(folder: str, ending: str) -> NDArray[np.float64]:
    (path,) = (DATA / folder).glob(f"*{ending}")
    with rasterio.open(path) as file:
        return np.asarray(file.read(1), np.float64)


def test_landsat_8_collection_1_is_recognised_with_its_metadata() -> None:
    scene = look(DATA / "landsat_tiny")
    assert scene.product == "Landsat 8/9 L1"
    assert set(scene.bands.names) == {f"B{i}" for i in range(1, 12)}
    assert (scene.grid.height, scene.grid.width, scene.grid.transform.a) == (41, 41, 30)
    scene.check_known()
    found = physical(scene)
    sine = math.sin(math.radians(58.99675180))
    np.testing.assert_allclose(found["B1"], (pixels("landsat_tiny", "_B1.TIF") * 2e-5 - 0.1) / sine, atol=1e-6)
    np.testing.assert_allclose(found["B10"], pixels("landsat_tiny", "_B10.TIF") * 3.342e-4 + 0.1, atol=1e-4)
    assert found["B1"][0, 0] == pytest.approx((10_698 * 2e-5 - 0.1) / 0.857145, abs=1e-5)


def test_the_pan_band_of_landsat_8_is_averaged_over_shifted_pixels() -> None:
    pan = pixels("landsat_tiny", "_B8.TIF")
    found = physical(look(DATA / "landsat_tiny", scale="none"))["B8"]
    weights = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
    for row in range(1, 41):
        for col in range(40):
            around = pan[2 * row - 1 : 2 * row + 2, 2 * col : 2 * col + 3]
            assert found[row, col] == pytest.approx((around * weights).sum(), rel=1e-6)


def test_landsat_5_is_recognised_below_the_equator() -> None:
    scene = look(DATA / "landsat5_bands")
    assert scene.bands.names == ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
    assert scene.grid.transform.f == -410_205
    scene.check_known()
    values, valid = stored(scene)
    assert values.dtype == np.uint8
    assert valid.all()
    found = physical(scene)
    np.testing.assert_allclose(found["B1"], pixels("landsat5_bands", "_B1.TIF") * 0.671 - 2.19134, atol=1e-4)
    np.testing.assert_allclose(found["B6"], pixels("landsat5_bands", "_B6.TIF") * 0.055 + 1.18243, atol=1e-5)


@pytest.mark.parametrize("name", PATCHES)
def test_sentinel_2_patches_need_an_offset_and_lie_on_10_m(name: str) -> None:
    folder = DATA / "sentinel2_bands" / name
    scene = look(folder)
    assert scene.name == name
    assert len(scene.bands) == 12
    assert scene.bands.names[8:10] == ("B8A", "B09")
    assert (scene.grid.height, scene.grid.width, scene.grid.transform.a) == (120, 120, 10)
    assert scene.grid.crs == f"EPSG:{PATCHES[name]}"
    with pytest.raises(LandmixError, match=r"scene\.offset"):
        scene.check_known()
    found = physical(look(folder, offset=0, resampling="nearest"))
    where = f"sentinel2_bands/{name}"
    for band, times in (("B02", 1), ("B8A", 2), ("B09", 6)):
        expected = pixels(where, f"_{band}.tif").repeat(times, 0).repeat(times, 1) / 10_000
        expected[expected == 0] = np.nan
        np.testing.assert_allclose(found[band], expected, atol=1e-6)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic", "average"])
@pytest.mark.parametrize("name", ["landsat_tiny", "sentinel2_bands/S2A_MSIL2A_20170613T101031_87_48"])
def test_tiles_of_real_products_agree(name: str, kernel: str) -> None:
    assert_tiles_agree(look(DATA / name, resampling=kernel, offset=None), 31, 7)


def test_three_ways_to_mark_nodata_give_the_same_pixels() -> None:
    paths = sorted((DATA / "nodata_conventions").glob("*.tif"))
    assert len(paths) == 3
    scenes = [look(path) for path in paths]
    first, valid = stored(scenes[0])
    assert valid.all()
    for scene in scenes[1:]:
        values, mask = stored(scene)
        np.testing.assert_array_equal(mask, valid)
        np.testing.assert_array_equal(values, first)
        assert scene.scaling == scenes[0].scaling
