"""Items beside maps, and the collection of a folder."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from stac_files import TAKEN, bundle_of, load, run, write_item, write_model, write_scene
from stac_rules import checked, links, problems

from landmix import bundle as bundles
from landmix.errors import LandmixError
from landmix.export.stac import write

if TYPE_CHECKING:
    from pathlib import Path


Document = dict[str, Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path)


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
    command("predict", f"model={model}", "scenes=in/*.tif", "out_dir=maps", "stac=true", "backend=torch", cwd=tmp_path)
    item = checked(tmp_path / "maps" / "Jürgen (1), a=b.stac.json")
    assert item["assets"]["classes"]["href"] == "./Jürgen (1), a=b.tif"
    item = load(tmp_path / "maps" / "c#d%20.stac.json")  # pystac takes what follows the sign for a fragment
    assert problems(item) == []
    assert item["assets"]["classes"]["href"] == "./c%23d%2520.tif"
    assert links(checked(tmp_path / "maps" / "collection.json"), "item") == [
        "./Jürgen (1), a=b.stac.json",
        "./c%23d%2520.stac.json",
    ]
    # landmix reads its own items
    assert "class" in command("inspect", "path=maps/c#d%20.stac.json", cwd=tmp_path)


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


def test_a_scene_of_a_day(tmp_path: Path, model: Path) -> None:
    run(model, [write_scene(tmp_path / "LE70220491999322EDC01_stack.tif")], tmp_path / "maps")
    found = checked(tmp_path / "maps" / "collection.json")
    assert links(found, "item") == ["./LE70220491999322EDC01_stack.stac.json"]
    assert found["extent"]["temporal"]["interval"] == [["1999-11-18T00:00:00Z", "1999-11-18T23:59:59Z"]]


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


def test_floats_have_nan(tmp_path: Path, model: Path) -> None:
    run(model, [write_scene(tmp_path / "a.tif")], tmp_path / "maps", outputs=["classes", "gap"], dtype="float32")
    asset = checked(tmp_path / "maps" / "a.stac.json")["assets"]["gap"]
    assert (asset["data_type"], asset["nodata"], asset["raster:scale"]) == ("float32", "nan", 1.0)
