from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from product_files import (
    LANDSAT_SHAPE,
    LANDSAT_X,
    LANDSAT_Y,
    LC08_C2,
    LC08_L1,
    LT05_C2,
    landsat_c2_l2,
    landsat_l1,
    landsat_pixels,
    look,
    north_up,
    pan_pixels,
    physical,
    stored,
)

if TYPE_CHECKING:
    from pathlib import Path

GRID = north_up(LANDSAT_X, LANDSAT_Y, 30)


def test_landsat_8_level_2_is_surface_reflectance_and_kelvin(tmp_path: Path) -> None:
    scene = look(landsat_c2_l2(tmp_path))
    assert scene.name == LC08_C2
    assert scene.bands.names == ("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7", "ST_B10")
    about = [443, 482, 561, 655, 865, 1609, 2201, 10_895]
    assert [band.wavelength for band in scene.bands] == pytest.approx(about, abs=1)
    assert [band.unit for band in scene.bands] == ["reflectance"] * 7 + ["K"]
    assert [band.common for band in scene.bands] == [
        "coastal", "blue", "green", "red", "nir08", "swir16", "swir22", "lwir11",
    ]  # fmt: skip
    assert scene.grid.transform == GRID
    found = physical(scene)
    np.testing.assert_allclose(found["SR_B3"], landsat_pixels("SR_B3") * 0.0000275 - 0.2, atol=1e-6)
    np.testing.assert_allclose(found["ST_B10"], landsat_pixels("ST_B10") * 0.00341802 + 149, atol=1e-3)


def test_0_is_nodata_in_every_landsat_band(tmp_path: Path) -> None:
    pixels = {band: landsat_pixels(band) for band in ("SR_B1", "ST_B10")}
    pixels["SR_B1"][2, 3] = pixels["ST_B10"][4, 5] = 0
    valid = stored(look(landsat_c2_l2(tmp_path, pixels=pixels)))[1]
    assert not valid[2, 3]
    assert not valid[4, 5]
    assert valid.sum() == valid.size - 2


@pytest.mark.parametrize("kinds", [("txt",), ("json",), ("xml",), ("txt", "json", "xml"), ()])
def test_all_three_forms_of_the_metadata_say_the_same(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    scene = look(landsat_c2_l2(tmp_path, mtl=kinds))
    assert scene.scaling.scale == pytest.approx([2.75e-05] * 7 + [0.00341802])
    assert scene.scaling.offset == pytest.approx([-0.2] * 7 + [149.0])
    assert len(scene.headers) == min(len(kinds), 1)


@pytest.mark.parametrize("kind", ["txt", "json", "xml"])
def test_the_metadatas_own_factors_count(tmp_path: Path, kind: str) -> None:
    scene = look(landsat_c2_l2(tmp_path, mtl=(kind,), mult="3.0E-05"))
    assert scene.scaling.scale[0] == pytest.approx(3e-5)


def test_landsat_5_level_2_has_its_own_bands(tmp_path: Path) -> None:
    scene = look(landsat_c2_l2(tmp_path, stem=LT05_C2))
    assert scene.bands.names == ("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7", "ST_B6")
    assert [band.wavelength for band in scene.bands] == pytest.approx([485, 560, 660, 830, 1650, 2215, 11_450], abs=10)
    assert [band.common for band in scene.bands] == ["blue", "green", "red", "nir08", "swir16", "swir22", "lwir"]
    found = physical(scene)
    np.testing.assert_allclose(found["SR_B7"], landsat_pixels("SR_B7") * 0.0000275 - 0.2, atol=1e-6)
    np.testing.assert_allclose(found["ST_B6"], landsat_pixels("ST_B6") * 0.00341802 + 149, atol=1e-3)


@pytest.mark.parametrize("collection", [1, 2])
def test_level_1_is_reflectance_under_the_sun_and_radiance(tmp_path: Path, collection: int) -> None:
    scene = look(landsat_l1(tmp_path, collection=collection))
    assert scene.name == LC08_L1[collection]
    assert set(scene.bands.names) == {f"B{i}" for i in range(1, 12)}
    assert scene.grid.transform == GRID
    units = {band.name: band.unit for band in scene.bands}
    assert [units["B1"], units["B8"], units["B10"], units["B11"]] == ["reflectance"] * 2 + ["W/(m2 sr um)"] * 2
    found = physical(scene)
    # the sun stands 30 degrees high, its sine is 0.5
    np.testing.assert_allclose(found["B4"], (landsat_pixels("B4") * 2.4e-5 - 0.14) / 0.5, atol=1e-5)
    np.testing.assert_allclose(found["B9"], (landsat_pixels("B9") * 2.9e-5 - 0.19) / 0.5, atol=1e-5)
    np.testing.assert_allclose(found["B10"], landsat_pixels("B10") * 10.5e-3 - 10.25, atol=1e-3)
    np.testing.assert_allclose(found["B11"], landsat_pixels("B11") * 11.5e-3 - 11.25, atol=1e-3)


def test_the_pan_band_is_averaged_over_pixels_that_it_shares(tmp_path: Path) -> None:
    found = physical(look(landsat_l1(tmp_path)))["B8"]
    pan = (pan_pixels() * 2.8e-5 - 0.18) / 0.5
    weights = {-1: 0.25, 0: 0.5, 1: 0.25}
    # 7.5 m to the left and 7.5 m down: pixel (r, c) has its middle in pan row 2r and pan column 2c + 1
    height, width = LANDSAT_SHAPE
    for row in range(1, height):
        for col in range(width - 1):
            parts = [a * b * pan[2 * row + i, 2 * col + 1 + j] for i, a in weights.items() for j, b in weights.items()]
            assert found[row, col] == pytest.approx(sum(parts), abs=1e-5), (row, col)
    assert np.isfinite(found).all()


def test_a_pan_band_of_its_own_resolution_gives_the_15_m_grid(tmp_path: Path) -> None:
    scene = look(landsat_l1(tmp_path), resolution="pan")
    assert scene.grid.transform == north_up(LANDSAT_X - 7.5, LANDSAT_Y - 7.5, 15)
    np.testing.assert_allclose(
        physical(scene)["B8"][:-1, 1:], ((pan_pixels() * 2.8e-5 - 0.18) / 0.5)[:-1, 1:], atol=1e-5
    )


def test_level_1_files_without_a_nodata_tag_still_have_nodata(tmp_path: Path) -> None:
    dark = landsat_pixels("B3")
    dark[6, 7] = 0
    valid = stored(look(landsat_l1(tmp_path, pixels={"B3": dark})))[1]
    assert not valid[6, 7]
    assert valid.sum() == valid.size - 1
