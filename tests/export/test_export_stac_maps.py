"""Items beside maps, and the collection of a folder."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from stac_files import TAKEN, bundle_of, legend_of, load, run, write_item, write_model, write_scene, write_tif
from stac_rules import problems

from landmix import bundle as bundles
from landmix.errors import LandmixError, UsageError
from landmix.export.stac import write
from landmix.export.stac_map import Source, map_item
from landmix.geo.paths import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.core.legend import Legend

Document = dict[str, Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path)


def checked(path: Path) -> Document:
    """A document that is valid, and that pystac opens."""
    document = load(path)
    assert problems(document) == []
    assert pystac.read_file(str(path)).id == document["id"]
    return document


def links(document: Document, rel: str) -> list[str]:
    return [link["href"] for link in document["links"] if link["rel"] == rel]


def test_an_item_beside_each_map(tmp_path: Path, model: Path) -> None:
    scenes = [write_scene(tmp_path / "in" / f"{name}.tif", seed) for seed, name in enumerate("ab")]
    out = tmp_path / "maps"
    run(model, scenes, out, outputs=["classes", "confidence", "probabilities", "gap"])
    item = checked(out / "a.stac.json")
    assert set(item["assets"]) == {"classes", "confidence", "probabilities", "gap"}
    for name, asset in item["assets"].items():
        with rasterio.open(out / asset["href"]) as file:
            assert asset["data_type"] == file.dtypes[0]
            assert asset["nodata"] == file.nodata
            assert item["properties"]["proj:shape"] == list(file.shape)
            assert Affine(*item["properties"]["proj:transform"]) == file.transform
            assert item["properties"]["proj:bbox"] == list(file.bounds)
            assert item["properties"]["proj:code"] == file.crs.to_string()
            assert asset.get("raster:scale", 1) == file.scales[0]
            assert [band["name"] for band in asset["bands"]] == list(file.descriptions)
            if name == "classes":
                values = set(np.unique(file.read())) | {file.nodata}
                assert values <= {c["value"] for c in asset["classification:classes"]}
                assert item["properties"]["landmix:digest"] == file.tags()["LANDMIX_DIGEST"]
        assert asset["file:size"] == (out / asset["href"]).stat().st_size
    told = item["assets"]["classes"]["classification:classes"]
    assert [c["value"] for c in told if c.get("nodata")] == [0]
    assert [c["title"] for c in told][:3] == ["Grün & <b>", "b", "c"]
    assert [(out / link).resolve() for link in links(item, "derived_from")] == [model, tmp_path / "in" / "a.tif"]
    whole = pystac.Collection.from_file(str(out / "collection.json"))
    assert sorted(found.id for found in whole.get_items()) == ["a", "b"]
    assert problems(load(out / "collection.json")) == []
    assert set(whole.item_assets) == {"classes", "confidence", "gap", "probabilities"}
    opened = next(whole.get_items())
    assert opened.assets["classes"].get_absolute_href() == str(out / "a.tif")
    assert opened.get_collection().id == "maps"  # type: ignore[union-attr]


def test_without_it_there_is_none(tmp_path: Path, model: Path) -> None:
    run(model, [write_scene(tmp_path / "a.tif")], tmp_path / "maps", stac=False)
    assert not list((tmp_path / "maps").glob("*.stac.json"))
    assert not (tmp_path / "maps" / "collection.json").exists()


def test_the_command_writes_them(tmp_path: Path, model: Path) -> None:
    write_scene(tmp_path / "in" / "Jürgen (1), a=b.tif")
    write_scene(tmp_path / "in" / "c#d%20.tif")
    command("predict", f"model={model}", "scenes=in/*.tif", "out_dir=maps", "stac=true", "device=cpu", cwd=tmp_path)
    item = checked(tmp_path / "maps" / "Jürgen (1), a=b.stac.json")
    assert item["assets"]["classes"]["href"] == "./Jürgen (1), a=b.tif"
    item = load(tmp_path / "maps" / "c#d%20.stac.json")  # pystac takes what follows the sign for a fragment
    assert problems(item) == []
    assert item["assets"]["classes"]["href"] == "./c%23d%2520.tif"
    assert links(checked(tmp_path / "maps" / "collection.json"), "item") == [
        "./Jürgen (1), a=b.stac.json",
        "./c%23d%2520.stac.json",
    ]
    for name in ("Jürgen (1), a=b", "c#d%20"):  # landmix reads its own items
        assert "class" in command("inspect", f"path=maps/{name}.stac.json", cwd=tmp_path)


def command(*arguments: str, cwd: Path) -> str:
    """Run landmix; what it prints."""
    program = [sys.executable, "-m", "landmix", *arguments]
    done = subprocess.run(program, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kept_map_keeps_its_item_or_gets_one(tmp_path: Path, model: Path) -> None:
    scenes, out = [write_scene(tmp_path / "a.tif")], tmp_path / "maps"
    run(model, scenes, out, stac=False)
    run(model, scenes, out)
    paths = [out / "a.stac.json", out / "collection.json"]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    run(model, scenes, out)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths] == before
    for path in paths:
        path.unlink()
    run(model, scenes, out)
    assert [path.read_bytes() for path in paths] == [content for content, _ in before]


def test_items_never_describe_an_older_map(tmp_path: Path, model: Path) -> None:
    scenes, out = [write_scene(tmp_path / "a.tif")], tmp_path / "maps"
    run(model, scenes, out, outputs=["classes", "confidence"])
    before = checked(out / "a.stac.json")
    run(model, scenes, out, stac=False, overwrite=True, tta="flips")
    now = checked(out / "a.stac.json")
    with rasterio.open(out / "a.tif") as file:
        assert now["properties"]["landmix:digest"] == file.tags()["LANDMIX_DIGEST"]
    assert now["properties"]["landmix:digest"] != before["properties"]["landmix:digest"]
    assert set(now["assets"]) == {"classes"}, "the old confidence is not that of this map"
    assert list(checked(out / "collection.json")["item_assets"]) == ["classes"]


def test_later_runs_add_to_the_collection(tmp_path: Path, model: Path) -> None:
    out = tmp_path / "maps"
    east = Affine(10, 0, 600_000, 0, -10, 5_400_000)
    early = write_item(tmp_path / "early.json", "in/a.tif", datetime="2019-01-01T00:00:00Z")
    write_scene(tmp_path / "in" / "a.tif")
    late = write_item(tmp_path / "late.json", "in/b.tif")
    write_scene(tmp_path / "in" / "b.tif", transform=east)
    run(model, [early], out)
    out = out.rename(tmp_path / "renamed")
    run(model, [late], out, outputs=["classes", "gap"])
    found = checked(out / "collection.json")
    assert found["id"] == "maps"
    assert links(found, "item") == ["./early.stac.json", "./late.stac.json"]
    assert found["extent"]["temporal"]["interval"] == [["2019-01-01T00:00:00Z", TAKEN]]
    boxes = [load(out / f"{name}.stac.json")["bbox"] for name in ("early", "late")]
    whole, *each = found["extent"]["spatial"]["bbox"]
    assert each == boxes
    assert whole == [boxes[0][0], min(b[1] for b in boxes), boxes[1][2], max(b[3] for b in boxes)]
    (out / "early.tif").unlink()
    run(model, [late], out, outputs=["classes", "gap"])
    assert links(checked(out / "collection.json"), "item") == ["./late.stac.json"]


def test_a_stac_scene_gives_its_time(tmp_path: Path, model: Path) -> None:
    write_scene(tmp_path / "a.tif")
    run(model, [write_item(tmp_path / "x.json", "a.tif")], tmp_path / "maps")
    item = checked(tmp_path / "maps" / "x.stac.json")
    assert item["properties"]["datetime"] == TAKEN
    assert item["properties"]["landmix:datetime_from"] == "the STAC item"
    assert links(item, "derived_from") == ["../model.ckpt", "../x.json"]


def test_the_model_s_item_is_linked_where_it_lies(tmp_path: Path, model: Path) -> None:
    scenes = [write_scene(tmp_path / "a.tif")]
    write(bundles.load(model), model.with_name("model.stac.json"), model)
    run(model, scenes, tmp_path / "maps")
    assert links(checked(tmp_path / "maps" / "a.stac.json"), "derived_from")[0] == "../model.stac.json"
    write(bundle_of(blocks=1), model.with_name("model.stac.json"), model)
    run(model, scenes, tmp_path / "other")
    assert links(checked(tmp_path / "other" / "a.stac.json"), "derived_from")[0] == "../model.ckpt"


def test_failed_scenes_have_none(tmp_path: Path, model: Path) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"no raster")
    with pytest.raises(LandmixError, match="1 of 2 scenes failed"):
        run(model, [broken, write_scene(tmp_path / "a.tif")], tmp_path / "maps")
    assert not (tmp_path / "maps" / "broken.stac.json").exists()
    assert links(checked(tmp_path / "maps" / "collection.json"), "item") == ["./a.stac.json"]


def test_shares_have_none_and_finish_has(tmp_path: Path, model: Path) -> None:
    scenes, out = [write_scene(tmp_path / "a.tif")], tmp_path / "maps"
    for share in ("1/2", "2/2"):
        run(model, scenes, out, shard=share)
    assert not list(out.glob("*.json"))
    run(model, scenes, out, finish=True)
    checked(out / "a.stac.json")
    checked(out / "collection.json")


def test_a_map_without_a_place(tmp_path: Path, model: Path) -> None:
    run(model, [write_scene(tmp_path / "a.tif", crs=None, transform=None)], tmp_path / "maps")
    item = checked(tmp_path / "maps" / "a.stac.json")
    assert item["geometry"] is None
    assert "bbox" not in item
    assert "gsd" not in item["properties"]
    assert item["properties"]["proj:code"] is None
    assert "proj:transform" not in item["properties"]
    assert checked(tmp_path / "maps" / "collection.json")["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]


def test_files_of_others_stay(tmp_path: Path, model: Path) -> None:
    scenes, out = [write_scene(tmp_path / "a.tif")], tmp_path / "maps"
    out.mkdir()
    for name in ("collection.json", "a.stac.json"):
        (out / name).write_text('{"type": "Collection", "id": "mine"}')
        with pytest.raises(LandmixError, match=f"{name} exists and is not by landmix"):
            run(model, scenes, out, overwrite=True)
        assert (out / name).read_text() == '{"type": "Collection", "id": "mine"}'
        assert not (out / "a.tif").exists()
        (out / name).unlink()


def test_an_input_is_never_replaced(tmp_path: Path, model: Path) -> None:
    write_scene(tmp_path / "maps" / "raw" / "x.tif")
    item = write_item(tmp_path / "maps" / "x.stac.json", "raw/x.tif")
    before = item.read_bytes()
    with pytest.raises(UsageError, match=r"the STAC item .*x\.stac\.json would replace an input"):
        run(model, {"name": "x", "path": str(item)}, tmp_path / "maps")
    assert item.read_bytes() == before


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


def test_floats_have_nan(tmp_path: Path, model: Path) -> None:
    run(model, [write_scene(tmp_path / "a.tif")], tmp_path / "maps", outputs=["classes", "gap"], dtype="float32")
    asset = checked(tmp_path / "maps" / "a.stac.json")["assets"]["gap"]
    assert (asset["data_type"], asset["nodata"], asset["raster:scale"]) == ("float32", "nan", 1.0)


EDITED = '{"type": "Feature", "id": "a", "collection": "maps", "properties": {"landmix:digest": ""}, "bbox": [1]}'
FOREIGN = '{"type": "Feature", "properties": {"landmix:digest": 1}}'


@pytest.mark.parametrize("text", ["[]", "{", '{"type": "Feature"}', FOREIGN, EDITED])
def test_what_others_did_to_an_item_breaks_nothing(tmp_path: Path, model: Path, text: str) -> None:
    out = tmp_path / "maps"
    scenes = [write_scene(tmp_path / f"{name}.tif") for name in "ab"]
    run(model, scenes, out)
    (out / "a.stac.json").write_text(text)
    run(model, scenes[1:], out)
    assert links(checked(out / "collection.json"), "item") == ["./b.stac.json"]


def test_no_secret_of_an_address_is_told(tmp_path: Path) -> None:
    raster = write_tif(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8), {"LANDMIX_DIGEST": "0"}, nodata=0)
    files = (
        "https://me:secret@example.org/s.tif?sig=secret",
        "/vsicurl/https://me:secret@example.org/t.tif?sig=secret",
    )
    item = map_item(raster, Entry(files=files, stem="a"), _source(tmp_path, legend_of("a")), "maps")
    assert links(item, "derived_from")[1:] == ["https://example.org/s.tif", "/vsicurl/https://example.org/t.tif"]
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
