"""What an item says of a map's rasters, and that the rules of the tests refuse what is wrong."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from stac_files import legend_of, write_scene, write_tif
from stac_rules import links, problems

from landmix.export.stac_map import Source, map_item
from landmix.geo.paths import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.core.legend import Legend


@pytest.mark.parametrize(
    "legend",
    [
        legend_of(*(f"class {i}" for i in range(250))),
        legend_of('Wald & "Wiese" <1>', "Straße", "水", first=0, step=300),
        legend_of(*(f"{i}" for i in range(256)), first=0),
    ],
    ids=["250 classes", "values above 255", "no value is left"],
)
def test_legends(tmp_path: Path, legend: Legend) -> None:
    values = np.resize(np.array(legend.values, legend.dtype), (1, 20, 20))
    raster = write_tif(tmp_path / "a.tif", values, {"LANDMIX_DIGEST": "0"}, nodata=legend.nodata)
    item = map_item(raster, Entry(files=(str(raster),), stem="a"), _source(tmp_path, legend), "maps")
    assert problems(item) == []
    asset = item["assets"]["classes"]
    assert asset["data_type"] == legend.dtype.name
    told = asset["classification:classes"]
    assert [c["value"] for c in told] == [*legend.values, legend.nodata]
    assert [c["title"] for c in told[:-1]] == list(legend.names)
    assert asset["nodata"] == told[-1]["value"]


def _source(folder: Path, legend: Legend) -> Source:
    return Source(model=folder / "model.ckpt", legend=legend, model_item=None)


def test_no_secret_of_an_address_is_told(tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8), {"LANDMIX_DIGEST": "0"}, nodata=0)
    files = (
        "https://me:secret@example.org/s.tif?sig=secret",
        "/vsicurl/https://me:secret@example.org/t.tif?sig=secret",
    )
    item = map_item(raster, Entry(files=files, stem="a"), _source(tmp_path, legend_of("a")), "maps")
    _, *scenes = links(item, "derived_from")
    assert scenes == [
        "https://example.org/s.tif",
        "/vsicurl/https://example.org/t.tif",
    ]
    assert "secret" not in str(item)


def test_the_same_map_gives_the_same_item(tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8), {"LANDMIX_DIGEST": "0"}, nodata=0)
    scene = write_scene(tmp_path / "LC08_L2SP_193023_20200401_20200820_02_T1.tif")
    first = map_item(raster, Entry(files=(str(scene),), stem="a"), _source(tmp_path, legend_of("a")), "maps")
    for path in (raster, scene):
        os.utime(path, (1, 1))
    again = map_item(raster, Entry(files=(str(scene),), stem="a"), _source(tmp_path, legend_of("a")), "maps")
    assert again == first


CLASS = {"value": 1, "name": "a", "title": "a", "description": "a"}
WRONG: dict[str, tuple[Any, ...]] = {
    "no classes": ("assets", {}),
    "an asset that is no COG": ("assets", "classes", "type", "image/png"),
    "no role": ("assets", "classes", "roles", ["overview"]),
    "a class twice": ("assets", "classes", "classification:classes", [CLASS, CLASS]),
    "a class name with a blank": ("assets", "classes", "classification:classes", 0, "name", "a b"),
    "nodata in words": ("assets", "classes", "nodata", "none"),
    "a shape of three": ("properties", "proj:shape", [1, 2, 3]),
    "a transform of five": ("properties", "proj:transform", [1, 2, 3, 4, 5]),
    "a code that is a number": ("properties", "proj:code", 32633),
    "an unknown field": ("properties", "proj:epsg", 32633),
    "a scale in words": ("assets", "classes", "raster:scale", "0.005"),
    "software as a list": ("properties", "processing:software", ["landmix"]),
    "no collection": ("links", [{"rel": "collection", "href": ""}]),
    "a local time": ("properties", "datetime", "2020-01-01T00:00:00"),
    "an extension more": ("stac_extensions", ["https://stac-extensions.github.io/eo/v2.0.0/schema.json"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_rules_refuse(tmp_path: Path, what: str) -> None:
    raster = write_tif(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8), {"LANDMIX_DIGEST": "0"}, nodata=0)
    item = map_item(raster, Entry(files=(str(raster),), stem="a"), _source(tmp_path, legend_of("a")), "maps")
    assert problems(item) == []
    *path, last, value = WRONG[what]
    wrong = place = copy.deepcopy(item)
    for key in path:
        place = place[key]
    place[last] = value
    assert problems(wrong), what
