from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from geo_files import NORTH_UP, ROTATED, SOUTH_UP, coordinates, write_tif
from rasterio.control import GroundControlPoint

from landmix.geo.open import open_scene
from landmix.geo.options import ReadOptions
from landmix.geo.survey import preview, survey

if TYPE_CHECKING:
    from pathlib import Path


def test_a_small_scene_is_counted_whole(tmp_path: Path) -> None:
    values = coordinates(3, 10, 20)
    values[0, :5] = 7
    values[1, :, :4] = 7
    seen = survey(open_scene([write_tif(tmp_path / "a.tif", values, nodata=7)], "a"))
    assert seen.bands == (0.5, 0.8, 1.0)
    assert seen.valid == 0.4
    assert seen.clear == 1.0
    assert seen.pixels == seen.total == 200


def test_a_large_scene_is_sampled_the_same_way_every_time(tmp_path: Path) -> None:
    values = np.ones((1, 2000, 2000), np.uint8)
    values[0, ::2] = 0
    scene = open_scene([write_tif(tmp_path / "a.tif", values, nodata=0, tiled=True)], "a")
    first = survey(scene, most=500_000)
    assert 300_000 < first.pixels < 700_000
    assert first == survey(scene, most=500_000)
    assert first.valid == pytest.approx(0.5, abs=0.01)


def test_progress_ends_at_all_tiles(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    scene = open_scene([write_tif(tmp_path / "a.tif", np.ones((1, 300, 300), np.uint8))], "a")
    survey(scene, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("georeference", ["north", "south", "rotated", "none", "points"])
def test_a_preview_shows_every_nth_pixel(tmp_path: Path, georeference: str) -> None:
    values = coordinates(2, 90, 60, "int32")
    values[0, :30, :20] = -1
    places: dict[str, dict[str, Any]] = {
        "north": {"transform": NORTH_UP},
        "south": {"transform": SOUTH_UP},
        "rotated": {"transform": ROTATED},
        "none": {"transform": None, "crs": None},
        "points": {
            "transform": None,
            "gcps": [GroundControlPoint(r, c, c * 10, -r * 10) for r, c in ((0, 0), (0, 60), (90, 0))],
        },
    }
    place = places[georeference]
    path = write_tif(tmp_path / "a.tif", values, nodata=-1, scales=[0.5, 1], **place)
    shown, clear = preview(open_scene([path], "a"), longest=30)
    assert shown.shape == (2, 30, 20)
    expected = np.where(values[:, 1::3, 1::3] == -1, np.nan, values[:, 1::3, 1::3] * [[[0.5]], [[1]]])
    near = np.abs(shown - expected) <= 31  # a neighbour of the middle pixel is as good in a picture
    assert (near | (np.isnan(shown) & np.isnan(expected))).mean() > 0.97
    assert clear.all()


def test_a_preview_of_bands_on_two_grids(tmp_path: Path) -> None:
    fine = write_tif(tmp_path / "s_a.tif", np.full((1, 80, 80), 3, np.uint16))
    coarse = write_tif(tmp_path / "s_b.tif", np.full((1, 40, 40), 5, np.uint16), transform=NORTH_UP @ NORTH_UP.scale(2))
    shown, clear = preview(open_scene([fine, coarse], "s", ReadOptions()), longest=20)
    assert shown.shape == (2, 20, 20)
    assert (shown == [[[3]], [[5]]]).all()
    assert clear.all()
