from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from product_files import (
    HLS_BANDS,
    HLS_STEM,
    X,
    Y,
    alphaearth,
    hls,
    hls_pixels,
    look,
    north_up,
    own,
    own_definition,
    own_pixels,
    physical,
    planet_pixels,
    planetscope,
    stored,
    tessera,
    write,
    zipped,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["L30", "S30"])
def test_hls_is_reflectance_by_ten_thousand(tmp_path: Path, kind: str) -> None:
    pixels = {"B04": hls_pixels(kind, "B04")}
    pixels["B04"][3, 4] = -9999
    pixels["B04"][5, 6] = -120
    scene = look(hls(tmp_path, kind, pixels=pixels))
    assert scene.name == HLS_STEM[kind]
    assert set(scene.bands.names) == set(HLS_BANDS[kind])
    found = physical(scene)["B04"]
    assert np.isnan(found[3, 4])
    assert np.isnan(found).sum() == 1
    assert found[5, 6] == pytest.approx(-0.012, abs=1e-7)
    expected = np.where(pixels["B04"] == -9999, np.nan, pixels["B04"] * 0.0001)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_hls_landsat_bands_are_numbered_as_landsats_and_heat_is_in_degrees(tmp_path: Path) -> None:
    scene = look(hls(tmp_path, "L30"))
    known = {band.name: band for band in scene.bands}
    assert (known["B05"].common, known["B07"].common, known["B10"].unit) == ("nir08", "swir22", "degC")
    assert known["B05"].wavelength == pytest.approx(865, abs=2)
    np.testing.assert_allclose(physical(scene)["B11"], hls_pixels("L30", "B11") * 0.01, atol=1e-4)


def test_hls_sentinel_bands_are_numbered_as_sentinels(tmp_path: Path) -> None:
    known = {band.name: band for band in look(hls(tmp_path, "S30")).bands}
    assert (known["B05"].common, known["B8A"].common, known["B12"].common) == ("rededge071", "nir08", "swir22")
    assert known["B05"].wavelength == pytest.approx(704, abs=2)


@pytest.mark.parametrize(
    ("count", "common", "about"),
    [
        (4, ["blue", "green", "red", "nir"], [485, 545, 630, 820]),
        (
            8,
            ["coastal", "blue", "green05", "green", "yellow", "red", "rededge071", "nir"],
            [443, 490, 531, 565, 610, 665, 705, 865],
        ),
    ],
)
def test_planetscope_is_one_file_of_reflectance(
    tmp_path: Path, count: int, common: list[str], about: list[float]
) -> None:
    pixels = planet_pixels(count)
    pixels[:, 2, 3] = 0
    scene = look(planetscope(tmp_path, count, pixels=pixels))
    assert [band.common for band in scene.bands] == common
    assert [band.wavelength for band in scene.bands] == pytest.approx(about, abs=5)
    assert {band.unit for band in scene.bands} == {"reflectance"}
    values, valid = stored(scene)
    assert values.dtype == np.uint16
    assert np.argwhere(~valid).tolist() == [[2, 3]]
    found = np.stack(list(physical(scene).values()))
    np.testing.assert_allclose(found[:, valid], pixels[:, valid] * 0.0001, atol=1e-7)


@pytest.mark.parametrize("count", [4, 8])
@pytest.mark.parametrize("ending", [".tif", "_clip.tif", "_harmonized.tif", "_harmonized_clip.tif"])
def test_planetscope_files_have_several_endings(tmp_path: Path, count: int, ending: str) -> None:
    product = planetscope(tmp_path, count)
    (path,) = product.rglob("*_SR*.tif")
    path.rename(path.with_name(path.name.replace("_clip.tif", ending)))
    assert look(product).product == f"PlanetScope {count} bands"


CODES = {-127: -0.99217224, -64: -0.25196463, -1: -0.00006151, 0: 0.0, 1: 0.00006151, 64: 0.25196463, 127: 0.99217224}
"""Worked out by hand: (v / 127.5)^2 with the sign of v."""


def test_alphaearth_is_decoded_and_128_below_0_is_nodata(tmp_path: Path) -> None:
    pixels = np.ones((64, 20, 24), np.int8)
    pixels[3, 0, : len(CODES)] = list(CODES)
    pixels[3, 1, 0] = -128
    scene = look(alphaearth(tmp_path, pixels))
    assert scene.bands.names == tuple(f"A{i:02d}" for i in range(64))
    assert {band.unit for band in scene.bands} == {"embedding"}
    assert all(band.wavelength is None for band in scene.bands)
    found = physical(scene)["A03"]
    np.testing.assert_allclose(found[0, : len(CODES)], list(CODES.values()), atol=1e-7)
    assert np.isnan(found[1, 0])
    assert np.isnan(found).sum() == 1
    assert not stored(scene)[1][1, 0]


def test_alphaearth_keeps_its_grid_whose_rows_run_north(tmp_path: Path) -> None:
    scene = look(alphaearth(tmp_path))
    assert (scene.grid.transform.e, scene.grid.transform.f) == (10, Y - 200)
    assert (scene.grid.height, scene.grid.width) == (20, 24)


def test_alphaearth_is_decoded_before_it_is_resampled(tmp_path: Path) -> None:
    pixels = np.zeros((64, 20, 24), np.int8)
    pixels[:, :, 1::2] = 100
    scene = look(alphaearth(tmp_path, pixels), resolution=20)
    assert (scene.grid.height, scene.grid.width) == (10, 12)
    # the mean of 0 and (100 / 127.5)^2, not the decoded mean of 0 and 100
    np.testing.assert_allclose(physical(scene)["A00"], 0.61514802 / 2, atol=1e-6)


def test_alphaearth_stays_as_stored_where_the_user_says_so(tmp_path: Path) -> None:
    pixels = np.full((64, 20, 24), 100, np.int8)
    values, _ = stored(look(alphaearth(tmp_path, pixels), scale="none"))
    assert values.dtype == np.int8
    assert (values == 100).all()


def test_tessera_is_as_it_is_stored(tmp_path: Path) -> None:
    scene = look(tessera(tmp_path))
    assert scene.bands.names == tuple(f"Tessera_Band_{i}" for i in range(128))
    assert scene.product == "TESSERA embedding"
    values, valid = stored(scene)
    np.testing.assert_array_equal(values, np.random.default_rng(5).normal(0, 3, (128, 18, 22)).astype(np.float32))
    assert valid.all()


def test_a_file_that_only_looks_like_an_embedding_is_a_plain_raster(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((64, 5, 6), np.int16), north_up(X, Y, 10))
    scene = look(path)
    assert scene.product is None
    assert scene.bands.names[0] == "B1"


def test_a_sensor_of_the_users_own_is_read_as_the_file_says(tmp_path: Path) -> None:
    pixels = {band: own_pixels(band) for band in ("sea", "leaf", "heat")}
    pixels["sea"][1, 1] = 65535
    pixels["leaf"][2, 2] = 7
    pixels["leaf"][3, 3] = 65535
    folder, definition = own(tmp_path, pixels=pixels)
    scene = look(folder, product=str(definition))
    assert scene.bands.names == ("sea", "leaf", "heat")
    assert [band.wavelength for band in scene.bands] == [481, 851.5, 10_900]
    assert [band.unit for band in scene.bands] == ["reflectance", "reflectance", "K"]
    assert [band.common for band in scene.bands] == ["blue", None, None]
    found = physical(scene)
    expected = np.where(pixels["sea"] == 65535, np.nan, pixels["sea"] * 0.002 - 0.5)
    np.testing.assert_allclose(found["sea"], expected, atol=1e-5)
    assert np.argwhere(np.isnan(found["leaf"])).tolist() == [[2, 2]]
    np.testing.assert_allclose(found["heat"], pixels["heat"] * 0.1 + 100, atol=1e-3)


def test_a_sensor_may_be_given_as_content_and_in_a_zip_file(tmp_path: Path) -> None:
    folder, definition = own(tmp_path)
    content = yaml.safe_load(definition.read_text())
    assert content == own_definition()
    named, given = look(folder, product=str(definition)), look(zipped(folder), product=content)
    assert (named.bands, named.scaling) == (given.bands, given.scaling)
    np.testing.assert_array_equal(stored(named)[0], stored(given)[0])


def test_a_product_may_be_named_where_it_would_be_recognised_too(tmp_path: Path) -> None:
    folder = hls(tmp_path, "S30")
    assert look(folder, product="hls_s30").bands == look(folder).bands


def test_several_bands_of_a_raster_may_be_a_products_bands(tmp_path: Path) -> None:
    write(tmp_path / "many" / "cube.tif", planet_pixels(4), north_up(X, Y, 3))
    bands = {name: {"number": i} for i, name in ((3, "r"), (1, "b"))}
    scene = look(tmp_path / "many", product={"title": "Cube", "file": "cube.tif", "bands": bands})
    assert scene.bands.names == ("r", "b")
    np.testing.assert_array_equal(stored(scene)[0], planet_pixels(4)[[2, 0]])
