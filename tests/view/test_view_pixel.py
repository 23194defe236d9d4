from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.warp import transform as warp
from view_files import LEGEND, NORTH_UP, SHAPE, opened, scene_values, write_map, write_scene

from landmix.geo.grid import Grid
from landmix.view.areas import Areas
from landmix.view.pixel import Places, Spectra

if TYPE_CHECKING:
    from pathlib import Path

UTM = Grid(crs=rasterio.crs.CRS.from_epsg(32633), transform=NORTH_UP, height=SHAPE[0], width=SHAPE[1])


@pytest.mark.parametrize("turn", [0, 30])
def test_places_agree_with_gdal(turn: float) -> None:
    grid = replace(UTM, transform=NORTH_UP @ Affine.rotation(turn))
    found = Places(grid).at(17, 40)
    x, y = grid.transform @ (40.5, 17.5)
    (lon,), (lat,) = warp(grid.crs, "EPSG:4326", [x], [y])
    assert [found["x"], found["y"]] == pytest.approx([x, y])
    assert [found["lon"], found["lat"]] == pytest.approx([lon, lat], abs=1e-7)


def test_no_places_without_a_crs() -> None:
    places = Places(Grid(crs=None, transform=Affine.identity(), height=5, width=5))
    assert set(places.at(1, 1).values()) == {None}
    assert places.north() is None


@pytest.mark.parametrize(
    ("epsg", "transform", "north"),
    [
        (32633, NORTH_UP, 0),
        (32633, NORTH_UP @ Affine.scale(1, -1), 180),  # the file's first row is the southernmost
        (32633, NORTH_UP @ Affine.rotation(-90), 90),  # columns go north
        (3031, Affine(1000, 0, 1e6, 0, -1000, 0), 90),  # right of the south pole
    ],
)
def test_north(epsg: int, transform: Affine, north: float) -> None:
    grid = Grid(crs=rasterio.crs.CRS.from_epsg(epsg), transform=transform, height=4, width=4)
    here = Places(grid).north()
    row, col = grid.height / 2, grid.width / 2
    assert here is not None
    # one step that way: latitude grows, longitude does not
    angle = np.radians(here)
    there = Places(grid).at(row - np.cos(angle), col + np.sin(angle))
    start = Places(grid).at(row, col)
    assert (there["lat"] or 0) > (start["lat"] or 0)
    assert there["lon"] == pytest.approx(start["lon"], abs=1e-4)
    assert (here - north + 180) % 360 - 180 == pytest.approx(0, abs=1)


def test_spectra_are_physical_values(tmp_path: Path) -> None:
    stored = write_scene(tmp_path / "s.tif")
    spectra = Spectra(opened(tmp_path / "s.tif"))
    found = spectra.at(211, 333)
    assert found["values"] == pytest.approx(stored[:, 211, 333] * 1e-4, rel=1e-6)
    assert found["clear"]
    assert spectra.at(35, 60)["values"][2] is None
    assert spectra.at(35, 60)["values"][1] == pytest.approx(stored[1, 35, 60] * 1e-4)
    names = [(band["name"], band["nm"]) for band in spectra.bands()]
    assert names[:3] == [("blue", 490), ("green", 560), ("red", 665)]
    spectra.close()


def test_masked_pixels_are_not_clear(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", nodata=None)
    mask = np.full(SHAPE, 255, np.uint8)
    mask[5, 6] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(tmp_path / "s.tif", "r+") as file:
        file.write_mask(mask)
    spectra = Spectra(opened(tmp_path / "s.tif"))
    assert not spectra.at(5, 6)["clear"]
    assert spectra.at(5, 7)["clear"]
    spectra.close()


def counted(path: Path) -> dict[str, Any]:
    areas = Areas(str(path), LEGEND)
    areas.start()
    limit = time.monotonic() + 30
    while areas.state()["share"] < 1 and areas.state()["error"] is None and time.monotonic() < limit:
        time.sleep(0.01)
    areas.close()
    return areas.state()


def test_areas_are_counted(tmp_path: Path) -> None:
    values = write_map(tmp_path / "m.tif")
    state = counted(tmp_path / "m.tif")
    for row in state["classes"]:
        assert row["pixels"] == (values == row["value"]).sum()
        assert row["m2"] == pytest.approx(100 * row["pixels"])
    assert state["seen"] == values.size
    assert state["classified"] == values.size - 200


def test_areas_in_degrees_shrink_towards_the_pole(tmp_path: Path) -> None:
    size = 0.01
    shape = (3000, 30)  # from 80 to 50 degrees north
    values = np.full(shape, 2, np.uint8)
    values[1500:] = 7
    write_map(tmp_path / "m.tif", values, crs="EPSG:4326", transform=Affine(size, 0, 10, 0, -size, 80))
    state = counted(tmp_path / "m.tif")
    geod = pyproj.Geod(ellps="WGS84")
    for row, (south, north) in zip(state["classes"], [(65, 80), (50, 65)], strict=False):
        edge = np.linspace(10, 10.3, 50)
        lons, lats = np.concatenate([edge, edge[::-1]]), np.repeat([south, north], 50).astype(float)
        true, _ = geod.polygon_area_perimeter(lons, lats)
        assert row["m2"] == pytest.approx(true, rel=0.01)


def test_areas_without_a_place_are_pixels(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif", crs=None, transform=Affine.identity())
    assert {row["m2"] for row in counted(tmp_path / "m.tif")["classes"]} == {None}


def test_areas_of_a_damaged_map_say_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).choice(np.array([2, 7, 40], np.uint8), SHAPE)
    write_map(tmp_path / "m.tif", noise, compress="deflate")
    path = tmp_path / "m.tif"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(400))
    assert "m.tif" in (counted(path)["error"] or "")


def test_scene_values_know_their_place() -> None:
    values = scene_values()
    assert len({tuple(values[:, r, c]) for r, c in [(0, 0), (0, 1), (1, 0), (7, 9)]}) == 4
