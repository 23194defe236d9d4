"""landmix sample and evaluate design=: a sample is drawn, looked up, and gives areas with intervals."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from commands import TRANSFORM, done_inside, ended_inside, load_json, read, refused, tree, truth, write_classes

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 300


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a map that is wrong in places, and the truth."""
    monkeypatch.chdir(tmp_path)
    right = truth(SIZE)
    rng = np.random.default_rng(0)
    mapped = np.where(rng.random(right.shape) < 0.1, rng.integers(1, 4, right.shape), right).astype(np.uint8)
    mapped[:20] = 0
    write_classes(tmp_path / "map.tif", mapped)
    write_classes(tmp_path / "truth.tif", right)
    return tmp_path


def columns(path: Path) -> dict[str, Any]:
    meta, _, geometry, values = pyogrio.raw.read(path)
    return {**dict(zip(meta["fields"], values, strict=True)), "geometry": geometry, "crs": meta["crs"]}


def look_up(here: Path, names: Any = None) -> Path:
    """Write the truth into the sample, as somebody would by hand: its value, or its name."""
    found = columns(here / "drawn" / "sample.gpkg")
    right = read(here / "truth.tif")[0]
    kept = {key: found[key] for key in ("id", "row", "col")}
    known = right[found["row"], found["col"]].astype(np.int64)
    if names is not None:
        known = np.array([names[number % len(names)][value - 1] for number, value in enumerate(known)], object)
    pyogrio.raw.write(
        here / "known.gpkg",
        geometry=found["geometry"],
        field_data=[*kept.values(), known],
        fields=[*kept, "reference"],
        geometry_type="Point",
        crs=found["crs"],
        driver="GPKG",
    )
    return here / "known.gpkg"


@pytest.mark.parametrize("allocation", ["proportional", "equal", "neyman"])
def test_what_is_drawn(here: Path, allocation: str) -> None:
    done_inside("sample", "map=map.tif", "n=200", f"allocation={allocation}", "out_dir=drawn", "progress=off")
    assert tree(here / "drawn") == {"sample.gpkg", "sample.json"}
    found, said = columns(here / "drawn/sample.gpkg"), load_json(here / "drawn/sample.json")
    mapped = read(here / "map.tif")[0]
    assert len(found["id"]) == said["n"] == 200
    assert len(set(zip(found["row"].tolist(), found["col"].tolist(), strict=True))) == 200
    assert (mapped[found["row"], found["col"]] == found["stratum"]).all()
    assert (found["map_value"] == found["stratum"]).all()
    for row in said["classes"]:
        here_too = found["stratum"] == row["value"]
        assert row["pixels"] == (mapped == row["value"]).sum()
        assert here_too.sum() == row["drawn"] >= 2
        assert found["probability"][here_too] == pytest.approx(row["inclusion_probability"])
    points = shapely.from_wkb(found["geometry"])
    x, y = TRANSFORM @ (found["col"] + 0.5, found["row"] + 0.5)
    np.testing.assert_allclose(shapely.get_coordinates(points), np.stack([x, y], axis=1))


def test_areas_hold_the_truth(here: Path) -> None:
    done_inside("sample", "map=map.tif", "n=400", "out_dir=drawn", "progress=off", "seed=3")
    look_up(here)
    ended = ended_inside(
        "evaluate", "map=map.tif", "reference=known.gpkg", "field=reference", "design=stratified", "out_dir=out"
    )
    assert ended.code == 0, ended.err
    assert "95 %, stratified sample" in ended.out
    design = json.loads((here / "out/accuracy.json").read_text(encoding="utf-8"))["design"]
    mapped, right = read(here / "map.tif")[0], read(here / "truth.tif")[0]
    inside = mapped > 0
    for row in design["classes"]:
        true = (right[inside] == row["value"]).sum() / 100  # hectares of 10 m pixels
        low, high = row["area_ha"]["low"], row["area_ha"]["high"]
        assert low - row["area_ha"]["half"] < true < high + row["area_ha"]["half"]
        assert row["area_km2"]["value"] == pytest.approx(row["area_ha"]["value"] / 100)
        assert row["mapped_pixels"] == (mapped == row["value"]).sum()
    assert sum(row["area_ha"]["value"] for row in design["classes"]) == pytest.approx(inside.sum() / 100)
    accuracy = (mapped == right)[inside].mean()
    assert abs(design["overall_accuracy"]["value"] - accuracy) < 2 * design["overall_accuracy"]["half"]
    page = (here / "out/report.html").read_text(encoding="utf-8")
    assert "Areas and accuracies of the map" in page
    assert load_json(here / "out/accuracy.json")["classes"][0]["f1_interval"] is None  # the design says more


def test_se_draws_as_many_as_it_needs(here: Path) -> None:
    done_inside("sample", "map=map.tif", "se=0.02", "expected=0.9", "out_dir=drawn", "progress=off")
    assert load_json(here / "drawn/sample.json")["n"] == 225  # 0.9 * 0.1 / 0.02^2


def test_the_map_can_be_hidden(here: Path) -> None:
    done_inside("sample", "map=map.tif", "n=50", "hide=true", "out_dir=drawn", "progress=off")
    found = columns(here / "drawn/sample.gpkg")
    assert not {"stratum", "probability", "map_value", "map_class"} & set(found)
    mapped = read(here / "map.tif")[0][found["row"], found["col"]]
    assert (np.diff(mapped.astype(int)) != 0).sum() > 10  # in no order that tells


def test_strata_of_another_raster(here: Path) -> None:
    halves = np.ones((SIZE, SIZE), np.uint8)
    halves[:, SIZE // 2 :] = 2
    write_classes(here / "strata.tif", halves)
    done_inside("sample", "map=map.tif", "strata=strata.tif", "n=300", "out_dir=drawn", "progress=off")
    assert [row["drawn"] for row in load_json(here / "drawn/sample.json")["classes"]] == [150, 150]
    look_up(here)
    arguments = ("map=map.tif", "reference=known.gpkg", "field=reference", "out_dir=out", "progress=off")
    done_inside("evaluate", *arguments, "design=stratified", "strata=strata.tif")
    assert [s["drawn"] for s in load_json(here / "out/accuracy.json")["design"]["strata"]] <= [150, 150]
    done_inside("evaluate", *arguments, "design=cluster")
    assert load_json(here / "out/accuracy.json")["design"]["clusters"] > 200


def test_a_stratum_ends_where_the_map_does(here: Path) -> None:
    bands = np.ones((SIZE, SIZE), np.uint8)
    bands[40:] = 2  # the map has no value in half of the upper one
    write_classes(here / "strata.tif", bands)
    mapped = read(here / "map.tif")[0]
    ended = ended_inside("sample", "map=map.tif", "strata=strata.tif", "n=300", "allocation=equal", "out_dir=drawn")
    assert ended.code == 0, ended.err
    assert "design=stratified strata=strata.tif" in ended.out
    found = columns(here / "drawn/sample.gpkg")
    assert (mapped[found["row"], found["col"]] > 0).all()
    assert [row["pixels"] for row in load_json(here / "drawn/sample.json")["classes"]] == [20 * SIZE, 260 * SIZE]
    look_up(here)
    arguments = ("map=map.tif", "reference=known.gpkg", "field=reference", "out_dir=out", "progress=off")
    done_inside("evaluate", *arguments, "design=stratified", "strata=strata.tif")
    found = load_json(here / "out/accuracy.json")
    assert [row["pixels"] for row in found["design"]["strata"]] == [20 * SIZE, 260 * SIZE]
    areas = [row["area_ha"]["value"] for row in found["design"]["classes"]]
    assert sum(areas) == pytest.approx((mapped > 0).sum() / 100)
    assert not found["warnings"]
    bands[:100] = 0
    write_classes(here / "strata.tif", bands, nodata=0)
    look_up(here)
    # what was drawn from the part that is no stratum any more
    refused(ended_inside("evaluate", *arguments, "design=stratified", "strata=strata.tif"), 1, "lie in no stratum")
    write_classes(here / "strata.tif", np.zeros((SIZE, SIZE), np.uint8), nodata=0)
    ended = ended_inside("sample", "map=map.tif", "strata=strata.tif", "n=9", "out_dir=none")
    refused(ended, 1, "strata.tif", "where the map map.tif has classes")


def test_what_is_wrong_with_a_sample_is_said(here: Path) -> None:
    (here / "legend.csv").write_text("value,name,color\n1,field,#aaaa00\n2,forest,#00aa00\n3,water,#0000aa\n")
    done_inside("sample", "map=map.tif", "n=60", "out_dir=drawn", "progress=off")
    usual, slips = ("field", "forest", "water"), ("Field", "forrest", "3")
    look_up(here, [usual, usual, usual, slips, (None,) * 3])
    arguments = ("map=map.tif", "reference=known.gpkg", "field=reference", "legend=legend.csv", "out_dir=out")
    ended = ended_inside("evaluate", *arguments, "design=stratified")
    assert ended.code == 0, ended.err
    for words in (
        "no class 3, Field, forrest",
        "is water, field, forest meant?",
        "a class are left out (12)",
    ):
        assert words in ended.err
    assert len(load_json(here / "out/accuracy.json")["warnings"]) == 2
    done_inside("evaluate", *arguments, "progress=off")  # no sample: gaps are no matter
    assert len(load_json(here / "out/accuracy.json")["warnings"]) == 1


def test_a_sample_of_another_map_is_noticed(here: Path) -> None:
    done_inside("sample", "map=map.tif", "n=60", "out_dir=drawn", "progress=off")
    look_up(here).replace(here / "drawn/sample.gpkg")
    write_classes(here / "other.tif", read(here / "truth.tif")[0])
    for given, told in (
        (("map=map.tif", "design=stratified"), None),
        (("map=other.tif", "design=stratified", "strata=map.tif"), None),
        (("map=other.tif", "design=stratified"), "strata of map.tif, which other.tif is not"),
        (("map=map.tif", "design=stratified", "strata=other.tif"), "strata of map.tif, which other.tif is not"),
        (("map=map.tif", "design=random"), "take design=stratified"),
    ):
        ended = ended_inside("evaluate", *given, "reference=drawn/sample.gpkg", "field=reference", "out_dir=out")
        assert ended.code == 0, ended.err
        assert (told or "was drawn by") in ended.err if told else "was drawn by" not in ended.err


def test_a_sample_by_other_strata_is_noticed(here: Path) -> None:
    write_classes(here / "strata.tif", (np.indices((SIZE, SIZE))[1] // 150 + 1).astype(np.uint8))
    done_inside("sample", "map=map.tif", "strata=strata.tif", "n=60", "out_dir=drawn", "progress=off")
    look_up(here).replace(here / "drawn/sample.gpkg")
    arguments = ("map=map.tif", "reference=drawn/sample.gpkg", "field=reference", "design=stratified", "out_dir=out")
    assert "was drawn by" not in ended_inside("evaluate", *arguments, "strata=strata.tif").err
    assert "strata of strata.tif, which map.tif is not" in ended_inside("evaluate", *arguments).err


def test_a_sample_says_itself_how_it_was_drawn(here: Path) -> None:
    """Renamed, elsewhere and filled in, as a GIS program would."""
    done_inside("sample", "map=map.tif", "n=60", "out_dir=drawn", "progress=off")
    with sqlite3.connect(here / "drawn" / "sample.gpkg") as opened:
        opened.create_function("ST_IsEmpty", 1, lambda _: 0)  # the triggers of the spatial index call these
        for name in ("ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
            opened.create_function(name, 1, lambda _: 0.0)
        opened.execute("UPDATE sample SET reference = map_class")
    refused(ended_inside("sample", "map=map.tif", "n=9", "out_dir=drawn", "overwrite=true"), 1, "holds answers")
    (here / "drawn" / "sample.gpkg").replace(here / "back.gpkg")
    write_classes(here / "other.tif", read(here / "truth.tif")[0])
    arguments = ("reference=back.gpkg", "field=reference", "out_dir=out")
    assert (
        "strata of map.tif, which other.tif is not"
        in ended_inside("evaluate", "map=other.tif", "design=stratified", *arguments).err
    )
    assert "design=stratified has those of the map" in ended_inside("evaluate", "map=map.tif", *arguments).err
    assert "drawn by" not in ended_inside("evaluate", "map=map.tif", "design=stratified", *arguments).err


def test_few_points_that_agree_are_no_certainty(here: Path) -> None:
    write_classes(here / "map.tif", read(here / "truth.tif")[0])
    done_inside("sample", "map=map.tif", "n=12", "allocation=equal", "out_dir=drawn", "progress=off")
    look_up(here)
    ended = ended_inside(
        "evaluate", "map=map.tif", "reference=known.gpkg", "field=reference", "design=stratified", "out_dir=out"
    )
    assert "1 (n = 4: up to 53 % may be otherwise), 2 (n = 4" in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("n=3",), "6 pixels are drawn, not 3"),
        (("n=100000",), "all 84,000 pixels of the map are drawn"),
        (("n=90", "allocation=neyman"), "is allocation=proportional as long as"),
        (("se=0.02", "allocation=equal", "expected={1: 0.99, 2: 0.6}"), "not 0.02"),
    ],
)
def test_a_sample_that_is_not_quite_what_was_asked_for(here: Path, arguments: tuple[str, ...], told: str) -> None:
    ended = ended_inside("sample", "map=map.tif", *arguments, "out_dir=drawn")
    assert ended.code == 0, ended.err
    assert told in ended.err
    assert (here / "drawn/sample.gpkg").exists()


def test_what_cannot_be_is_said(here: Path) -> None:
    ended = ended_inside("sample", "map=map.tif", "out_dir=drawn")
    refused(ended, 2, "either n", "or se")
    refused(ended_inside("sample", "map=map.tif", "n=5", "expected={swamp: 0.5}", "out_dir=drawn"), 2, "swamp")
    refused(ended_inside("sample", "map=none.tif", "n=5", "out_dir=drawn"), 1, "none.tif")
    with rasterio.open(here / "bare.tif", "w", driver="GTiff", count=1, dtype="uint8", height=9, width=9) as file:
        file.write(np.ones((1, 9, 9), np.uint8))
    refused(ended_inside("sample", "map=bare.tif", "n=5", "out_dir=drawn"), 1, "no place on the ground")
    assert not (here / "drawn").exists()
    done_inside("sample", "map=map.tif", "n=5", "out_dir=drawn", "progress=off")
    refused(ended_inside("sample", "map=map.tif", "n=5", "out_dir=drawn"), 1, "exists", "overwrite=true")
    done_inside("sample", "map=map.tif", "n=6", "out_dir=drawn", "overwrite=true", "progress=off")
    arguments = ("map=map.tif", "reference=truth.tif", "out_dir=out")
    refused(ended_inside("evaluate", *arguments, "design=cluster"), 1, "takes polygons or points")
    refused(ended_inside("evaluate", *arguments, "strata=truth.tif"), 2, "design=stratified")
