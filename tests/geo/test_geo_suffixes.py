"""Commit 6c9605b replaced os.path.commonprefix by commonpath in geo/scene.py: names and stems of several-file scenes
are wrong. Once fixed, these tests may be copied into tests/geo/ as they are (less the sys.path line)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from geo_files import coordinates, read_all, write_tif

from landmix.geo.assemble import file_suffixes
from landmix.geo.open import open_scene
from landmix.geo.paths import entries

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("names", "suffixes"),
    [
        (["S2_B02.tif", "S2_B03.tif"], ["B02", "B03"]),
        (["B02.tif", "B03.tif"], ["B02", "B03"]),
        (["x.y-red.tif", "x.y-nir.tif"], ["red", "nir"]),
    ],
)
def test_files_of_a_scene_are_told_apart_by_their_ends(names: list[str], suffixes: list[str]) -> None:
    assert file_suffixes(names) == suffixes


def test_stem_of_several_files() -> None:
    assert entries([["S2_T33_B02.tif", "S2_T33_B03.tif"]], "scenes")[0].stem == "S2_T33"


def test_several_files_on_one_grid_are_one_scene_with_the_wider_type(tmp_path: Path) -> None:
    files = [
        write_tif(tmp_path / "S2_2024_B02.tif", coordinates(1, 4, 5, "uint16")),
        write_tif(tmp_path / "S2_2024_B8A.tif", -coordinates(1, 4, 5, "int16")),
        write_tif(tmp_path / "S2_2024_dem.tif", coordinates(2, 4, 5, "float32") / 7),
    ]
    scene = open_scene(files, "S2")
    assert scene.bands.names == ("B02", "B8A", "dem.1", "dem.2")
    assert [band.number for band in scene.bands] == [1, 2, 3, 4]
    assert scene.dtype == np.float32
    stored, _ = read_all(scene)
    np.testing.assert_array_equal(stored[0], coordinates(1, 4, 5)[0])
    np.testing.assert_array_equal(stored[1], -coordinates(1, 4, 5)[0].astype(int))
    np.testing.assert_allclose(stored[2:], coordinates(2, 4, 5) / 7, rtol=1e-7)
