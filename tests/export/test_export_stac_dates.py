"""When scenes were taken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import rasterio
from stac_files import write_item, write_scene

from landmix.export.stac_dates import named, when
from landmix.geo.items import Item
from landmix.geo.paths import Entry, scene_entries

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {
    "S2A_MSIL2A_20200601T101031_N0214_R022_T33UVP_20200601T131145.SAFE": "2020-06-01T10:10:31Z",
    "T33UVP_20200601T101031_B02_10m.jp2": "2020-06-01T10:10:31Z",
    "S2B_33UVP_20200601_0_L2A": "2020-06-01",
    "LC08_L2SP_193023_20200401_20200820_02_T1": "2020-04-01",
    "LC08_L2SP_193023_20200401_20200820_02_T1_SR_B4.TIF": "2020-04-01",
    "LE70220491999322EDC01_stack.gtif": "1999-11-18",
    "HLS.S30.T33UVP.2020153T101031.v2.0.B04.tif": "2020-06-01T10:10:31Z",
    "ENMAP01-____L2A-DT0000001049_20220612T105735Z_028_V010303-SPECTRAL_IMAGE.TIF": "2022-06-12T10:57:35Z",
    "PRS_L2D_STD_20200601101031_20200601101035_0001.tif": "2020-06-01T10:10:31Z",
    "20200601_101031_1032_3B_AnalyticMS_SR.tif": "2020-06-01T10:10:31Z",
    "S2A_MSIL2A_20201301T101031_N0214": None,
    "map_20200601.tif": None,
    "scene.tif": None,
}


def entry(*files: Path | str, **more: Any) -> Entry:
    return Entry(files=tuple(map(str, files)), stem="scene", **more)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_products(name: str) -> None:
    found, expected = named([name]), NAMES[name]
    if expected is None:
        assert found is None
    elif len(expected) > 10:
        assert found
        assert found.fields == {"datetime": expected}
    else:
        assert found
        assert found.fields == {
            "datetime": None,
            "start_datetime": f"{expected}T00:00:00Z",
            "end_datetime": f"{expected}T23:59:59Z",
        }


def test_the_file_s_own_tag_goes_before_its_name(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "LC08_L2SP_193023_20200401_20200820_02_T1.tif")
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2020-04-01 09:58:07.5")
    assert when(entry(path), path).fields == {"datetime": "2020-04-01T09:58:07.500Z"}


def test_files_in_a_folder_of_another_name(tmp_path: Path) -> None:
    write_scene(tmp_path / "landsat" / "LT52240631988227CUB02_B1.TIF")
    (tmp_path / "landsat" / "notes_1999.txt").write_text("")
    found = when(entry(tmp_path / "landsat"), tmp_path)
    assert found.fields["start_datetime"] == "1988-08-14T00:00:00Z"


def test_where_nobody_says_it_is_the_file_s_time_and_said_so(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif")
    os.utime(path, (1e9, 1e9))
    found = when(entry(path), path)
    assert found.fields == {"datetime": "2001-09-09T01:46:40Z"}
    assert "nobody says" in found.source
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_DATETIME="2019:05:04 03:02:01")
    found = when(entry(path), path)
    assert found.fields == {"datetime": "2019-05-04T03:02:01Z"}
    assert "TIFFTAG_DATETIME" in found.source
    assert "nobody says" in found.source


def test_a_remote_file_without_a_date_takes_the_map_s(tmp_path: Path) -> None:
    raster = write_scene(tmp_path / "map.tif")
    os.utime(raster, (1e9, 1e9))
    found = when(entry("https://example.org/scene.tif"), raster)
    assert found.fields == {"datetime": "2001-09-09T01:46:40Z"}
    assert found.source.startswith("the map's time of change")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"datetime": "2020-06-01T12:10:31.5+02:00"}, {"datetime": "2020-06-01T10:10:31.500Z"}),
        ({"datetime": "2020-06-01 10:10:31"}, {"datetime": "2020-06-01T10:10:31Z"}),
        (
            {"datetime": None, "start_datetime": "2020-06-02T00:00:00Z", "end_datetime": "2020-06-01T00:00:00Z"},
            {"datetime": None, "start_datetime": "2020-06-01T00:00:00Z", "end_datetime": "2020-06-02T00:00:00Z"},
        ),
        ({"datetime": "yesterday"}, None),
        ({"datetime": 5}, None),
        ({"datetime": "0001-01-01T00:00:00+14:00"}, None),
        ({"start_datetime": "2020-06-02T00:00:00Z"}, None),
        ("nothing", None),
    ],
)
def test_a_stac_item_says_it(tmp_path: Path, said: Any, expected: Any) -> None:
    item = Item("scene.json", {"id": "x", "properties": said, "assets": {}})
    raster = write_scene(tmp_path / "map.tif")
    os.utime(raster, (1e9, 1e9))
    found = when(entry("scene.json", item=item), raster)
    assert found.fields == (expected or {"datetime": "2001-09-09T01:46:40Z"})


def test_roles_span_their_acquisitions(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.tif")
    july = write_item(tmp_path / "july.json", "a.tif", datetime="2020-07-01T00:00:00Z")
    spring = write_scene(tmp_path / "LC08_L2SP_193023_20200401_20200820_02_T1.tif")
    (found,) = scene_entries([{"jan": str(spring), "jul": str(july)}], "scenes")
    taken = when(found, july)
    assert taken.fields == {
        "datetime": None,
        "start_datetime": "2020-04-01T00:00:00Z",
        "end_datetime": "2020-07-01T00:00:00Z",
    }
    assert taken.source == "the name of the file, the STAC item"
