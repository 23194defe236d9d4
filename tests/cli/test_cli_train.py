"""landmix train: what it writes, what it repeats exactly, and how it splits."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
import torch
import yaml
from commands import (
    BANDS,
    CELL,
    NAMES,
    SIZE,
    TINY,
    WAVELENGTHS,
    cells,
    distance,
    done_inside,
    ended_inside,
    load_json,
    on_ground,
    read,
    reflectance,
    refused,
    run,
    train,
    tree,
    truth,
    world,
    write_classes,
    write_labels,
    write_scene,
)
from rasterio.transform import Affine

import landmix
from landmix.cli.config import config_folder

FILES = {"model.ckpt", "last.ckpt", "metrics.json", "report.html", "config.yaml", "train.csv"}
OVERALL = {"overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou", "n", "unmapped"}
ROW = {"value", "name", "users_accuracy", "producers_accuracy", "f1", "iou", "support", "mapped"}


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def metrics(folder: Path) -> Any:
    """What a run says of itself."""
    return load_json(folder / "metrics.json")


# files


def test_exactly_the_files_of_the_contract(inside_tmp: Path) -> None:
    for name in ("scene.tif", "labels.gpkg"):
        shutil.copy(world().folder / name, inside_tmp / name)
    before = {path.name: path.read_bytes() for path in inside_tmp.iterdir()}
    data = ["data.scenes=scene.tif", "data.labels=labels.gpkg", "data.field=class"]
    done = run("train", *data, "out_dir=deep/er", *TINY, cwd=inside_tmp)
    assert done.code == 0, done.err
    assert tree(inside_tmp) == set(before) | {"deep", "deep/er"} | {f"deep/er/{name}" for name in FILES}
    assert {name: (inside_tmp / name).read_bytes() for name in before} == before
    assert "Traceback" not in done.err


def test_console_ends_with_a_table_and_where_the_files_lie(inside_tmp: Path) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", *TINY)
    assert done.code == 0
    for word in (*NAMES, "F1", "support", "overall accuracy", "kappa", "model.ckpt", "report.html", "out"):
        assert word in done.out, word
    assert "nan" not in done.out
    assert inside_tmp.is_dir()


def test_config_is_all_that_it_ran_with(tmp_path: Path) -> None:
    out = train(tmp_path / "out", "optim.lr=0.004", "seed=3")
    config = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
    assert config["optim"]["lr"] == 0.004
    assert config["seed"] == 3
    assert config["data"]["field"] == "class"
    assert config["data"]["scenes"] == str(world().scene)
    assert {"data", "scene", "split", "net", "optim", "trainer", "logger"} <= set(config)


def test_config_trains_the_same_model_again(tmp_path: Path) -> None:
    first = train(tmp_path / "first", "seed=4", "optim.lr=0.004")
    config = yaml.safe_load((first / "config.yaml").read_text(encoding="utf-8"))

    def flat(data: dict[str, Any], prefix: str = "") -> list[str]:
        found: list[str] = []
        for key, value in data.items():
            if isinstance(value, dict):
                found += flat(value, f"{prefix}{key}.")
            elif value is not None:
                found.append(f"{prefix}{key}={str(value).replace(' ', '')}")
        return found

    kept = [text for text in flat(config) if not text.startswith(("out_dir", "logger.", "trainer."))]
    done_inside("train", *kept, f"out_dir={tmp_path / 'second'}")
    assert distance(first, tmp_path / "second") == 0


def test_rows_of_train_csv(tmp_path: Path) -> None:
    out = train(tmp_path / "out", "optim.epochs=4")
    with (out / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    assert all(float(row["loss"]) > 0 for row in rows)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert 0 <= float(rows[-1]["val_macro_f1"]) <= 1


def test_metrics_hold_all_of_the_contract() -> None:
    figures = metrics(world().run)
    assert set(figures) >= OVERALL | {"classes", "confusion", "split", "distance_m"}
    assert [row["name"] for row in figures["classes"]] == list(NAMES)
    assert [row["value"] for row in figures["classes"]] == [1, 2, 3]
    assert all(set(row) >= ROW for row in figures["classes"])
    assert all(f"{name}_accuracy_interval" in row for row in figures["classes"] for name in ("users", "producers"))
    assert np.sum(figures["confusion"]) == figures["n"] == sum(row["support"] for row in figures["classes"])
    assert np.sum(figures["confusion"], axis=1).tolist() == [row["support"] for row in figures["classes"]]
    assert np.sum(figures["confusion"], axis=0).tolist() == [row["mapped"] for row in figures["classes"]]
    assert figures["overall_accuracy"] > 0.9
    assert figures["split"]["kind"] == "blocks"
    assert figures["distance_m"]["min"] > 10 * (1 + 1)


def test_report_is_alone_and_escaped() -> None:
    page = (world().run / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in NAMES)
    assert not re.search(r'(src|href)="https?:', page)


def test_model_is_plain_data_that_says_where_it_comes_from() -> None:
    content = torch.load(world().model, weights_only=True)
    text = str({key: value for key, value in content.items() if key != "weights"})
    for word in ("scene.tif", "labels.gpkg", *NAMES, *BANDS, "842", "sha256"):
        assert word in text, word
    assert str(world().folder) not in text


def test_model_says_where_it_was_trained() -> None:
    (grid,) = landmix.load(world().model).bundle.training["grids"]
    with rasterio.open(world().scene) as scene:
        assert grid["transform"] == list(scene.transform)[:6]
        assert (grid["height"], grid["width"]) == scene.shape
        assert grid["crs"] == scene.crs.to_string()
    assert tuple(grid["pixel_m"]) == (10.0, 10.0)


def test_last_checkpoint_is_plain_data_too() -> None:
    assert torch.load(world().run / "last.ckpt", weights_only=True)


# the same again


def test_same_seed_same_weights_other_seed_others(tmp_path: Path) -> None:
    assert distance(train(tmp_path / "again"), world().run) == 0
    assert distance(train(tmp_path / "other", "seed=1"), world().run) > 0


def test_same_seed_same_figures(tmp_path: Path) -> None:
    again, first = metrics(train(tmp_path / "again")), metrics(world().run)
    assert again["network"].pop("megapixels_per_s") > 0  # how busy the machine is
    assert first["network"].pop("megapixels_per_s") > 0
    assert again == first


def test_folder_with_the_same_model_is_refused(tmp_path: Path) -> None:
    out = train(tmp_path / "out")
    before = (out / "model.ckpt").read_bytes()
    refused(ended_inside("train", *world().data, f"out_dir={out}", *TINY), 1, str(out), "overwrite=true")
    assert (out / "model.ckpt").read_bytes() == before


def test_folder_with_another_model_names_what_differs(tmp_path: Path) -> None:
    out = train(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    arguments = ["train", *world().data, f"out_dir={out}", *TINY, "seed=5", "optim.lr=0.001"]
    refused(ended_inside(*arguments), 1, "seed", "optim.lr", str(out))
    refused(ended_inside(*arguments, "resume=true"), 1, "seed", "optim.lr", str(out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_overwrite_replaces(tmp_path: Path) -> None:
    out = train(tmp_path / "out", "seed=5")
    train(out, "overwrite=true")
    assert distance(out, world().run) == 0
    assert tree(out) == FILES


def test_resume_of_a_finished_run_says_so(tmp_path: Path) -> None:
    out = train(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = ended_inside("train", *world().data, f"out_dir={out}", *TINY, "resume=true")
    assert done.code == 0
    assert "finished" in done.out
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_resume_where_nothing_is_begins(tmp_path: Path) -> None:
    assert distance(train(tmp_path / "out", "resume=true"), world().run) == 0


def test_cache_on_disk_gives_the_same_weights(tmp_path: Path) -> None:
    out = train(tmp_path / "out", "data.memory_gb=0")
    assert distance(out, world().run) == 0
    assert tree(out) == FILES


@pytest.mark.parametrize("net", sorted(path.stem for path in Path(config_folder()).glob("net/*.yaml")))
def test_each_network_trains_and_predicts(tmp_path: Path, net: str) -> None:
    two = f"[{{name: two, path: {{jan: {world().scene}, jul: {world().scene}}}}}]"
    scene = two if net == "fusion" else str(world().scene)
    out = train(tmp_path / "out", f"net={net}", "optim.steps=25", "split.kind=none", f"data.scenes={scene}")
    model = (f"model={out / 'model.ckpt'}", f"scenes={scene}", "device=cpu", "progress=off")
    done_inside("predict", *model, f"out_dir={tmp_path / 'maps'}", "backend=torch", "precision=fp32")
    (found,) = (tmp_path / "maps").glob("*.tif")
    assert (read(found)[0] == truth()).mean() > 0.8


# splits


def test_fusion_needs_roles(tmp_path: Path) -> None:
    ended = ended_inside("train", *world().data, f"out_dir={tmp_path / 'run'}", "net=fusion", "device=cpu")
    refused(ended, 1, "net.fusion", "roles")


def test_fusion_of_two_dates(tmp_path: Path) -> None:
    w = world()
    scenes = f"data.scenes=[{{jan: {w.scene}, jul: {w.scene}}}]"
    settings = ("net=fusion", "net.encoder.band_dropout=0.3", "optim.steps=20", *TINY[2:])
    done_inside("train", scenes, *w.data[1:], f"out_dir={tmp_path / 'run'}", *settings)
    model = tmp_path / "run/model.ckpt"
    assert landmix.load(model).bundle.net.inputs == (4, 4)
    scenes = f"scenes=[{{name: both, path: {{jan: {w.scene}, jul: {w.scene}}}}}]"
    done_inside("predict", f"model={model}", scenes, f"out_dir={tmp_path / 'maps'}", "device=cpu", "progress=off")
    assert (read(tmp_path / "maps/both.tif") > 0).any()


def test_plain_classifiers_stand_beside_the_network(tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "baseline=true")
    found = load_json(folder / "metrics.json")
    assert {(row["name"], row["features"]) for row in found["baselines"]} >= {("LDA", "1x1"), ("SVM", "3x3")}
    for row in found["baselines"]:
        assert row["difference"] == pytest.approx(found["overall_accuracy"] - row["overall_accuracy"])
        assert 0 < row["overall_accuracy"] <= 1
    assert found["overall_accuracy_interval"]["groups"] > 0
    assert "Is the network worth it?" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["blocks", "polygons", "random"])
def test_split_is_recorded(tmp_path: Path, kind: str) -> None:
    out = train(tmp_path / "out", f"split.kind={kind}", "optim.steps=10")
    figures = metrics(out)
    assert figures["split"]["kind"] == kind
    assert figures["n"] > 0
    assert all(row["support"] > 0 for row in figures["classes"])


def test_random_split_warns_that_it_flatters(tmp_path: Path) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", *TINY, "split.kind=random", "optim.steps=5")
    assert done.code == 0
    assert "warning:" in done.err
    assert "flatter" in done.err
    assert any("flatter" in text for text in metrics(tmp_path / "out")["warnings"])
    assert "flatter" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_split_none_has_no_figures(tmp_path: Path) -> None:
    figures = metrics(train(tmp_path / "out", "split.kind=none", "optim.steps=5"))
    assert figures["n"] == 0
    assert all(figures[key] is None for key in OVERALL - {"n", "unmapped"})
    assert figures["distance_m"] is None
    assert all(row["f1"] is None and row["support"] == 0 for row in figures["classes"])


def test_split_by_files(tmp_path: Path) -> None:
    for seed in range(3):
        there = Affine(10.0, 0.0, 500_000.0 + 20 * SIZE * seed, 0.0, -10.0, 5_300_000.0)
        write_scene(tmp_path / f"s{seed}.tif", seed=seed, transform=there)
        write_classes(tmp_path / "labels" / f"s{seed}.tif", transform=there)
    out = train(
        tmp_path / "out", "data.scenes=s*.tif", "data.labels=labels/*.tif", "split.kind=files", "optim.steps=10"
    )
    figures = metrics(out)
    assert figures["split"]["kind"] == "files"
    assert figures["n"] == SIZE * SIZE


def test_folds_are_in_table_and_metrics(tmp_path: Path) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", *TINY, "split.folds=3", "optim.steps=10")
    assert done.code == 0
    figures = metrics(tmp_path / "out")
    assert [row["fold"] for row in figures["folds"]] == [1, 2, 3]
    assert sum(row["n"] for row in figures["folds"]) == figures["n"] == 36 * 100
    assert figures["split"]["folds"] == 3
    assert sum(figures["trained_on"].values()) == 36 * 100
    assert all(f"fold {number}" in done.out for number in (1, 2, 3))
    assert tree(tmp_path / "out") == FILES


def test_refit_trains_on_all_labels(tmp_path: Path) -> None:
    out = train(tmp_path / "out", "refit=true")
    assert sum(metrics(out)["trained_on"].values()) == 36 * 100
    single = metrics(world().run)
    assert sum(single["trained_on"].values()) < 36 * 100
    assert metrics(out)["confusion"] == single["confusion"]
    assert distance(out, world().run) > 0


def test_own_validation_part(tmp_path: Path) -> None:
    write_scene(tmp_path / "other.tif", seed=7)
    write_classes(tmp_path / "reference.tif")
    own = ["data.validation.scenes=other.tif", "data.validation.labels=reference.tif"]
    figures = metrics(train(tmp_path / "out", *own, "data.field=code"))
    assert figures["split"]["kind"] == "own"
    assert figures["n"] == SIZE * SIZE
    assert sum(figures["trained_on"].values()) == 36 * 100
    assert figures["overall_accuracy"] > 0.9


def test_pairs_of_scenes_and_label_rasters(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_scene(tmp_path / "deep" / f"{name}.tif", seed=ord(name))
        write_classes(tmp_path / "deep" / f"{name}_labels.tif")
    rows = "image,mask\na.tif,a_labels.tif\nb.tif,b_labels.tif\n"
    (tmp_path / "deep" / "pairs.csv").write_text(rows, encoding="utf-8")
    done_inside("train", "data.scenes=@deep/pairs.csv", "out_dir=out", *TINY)
    figures = metrics(tmp_path / "out")
    assert sum(figures["trained_on"].values()) > SIZE * SIZE
    assert [row["name"] for row in figures["classes"]] == ["1", "2", "3"]


def test_class_in_one_polygon_is_never_validated(tmp_path: Path) -> None:
    snow = shapely.transform(shapely.box(4, 4, 12, 12), on_ground)
    write_labels(tmp_path / "l.gpkg", [("snow", snow), *cells()[1:]])
    done = ended_inside(
        "train", world().data[0], "data.labels=l.gpkg", "data.field=class", "out_dir=out", *TINY, "split.kind=polygons"
    )
    assert done.code == 0
    assert re.search("warning: .*snow", done.err)
    figures = metrics(tmp_path / "out")
    (row,) = [row for row in figures["classes"] if row["name"] == "snow"]
    assert row["support"] == 0
    assert row["producers_accuracy"] is None
    assert figures["trained_on"]["snow"] == 64
    assert any("snow" in text for text in figures["warnings"])


def test_nothing_to_validate_on_is_an_error(tmp_path: Path) -> None:
    write_labels(tmp_path / "l.gpkg", cells()[:3])
    data = [world().data[0], "data.labels=l.gpkg", "data.field=class"]
    refused(ended_inside("train", *data, "out_dir=out", *TINY, "split.kind=polygons"), 1, "split.kind")
    assert not (tmp_path / "out").exists()


def test_overlapping_classes_are_left_out_and_counted(tmp_path: Path) -> None:
    box = shapely.transform(shapely.box(3, 3, 8, 13), on_ground)
    write_labels(tmp_path / "l.gpkg", [*cells(), ("water", box)])
    data = [world().data[0], "data.labels=l.gpkg", "data.field=class"]
    done = ended_inside("train", *data, "out_dir=out", *TINY, "split.kind=none")
    assert done.code == 0
    assert re.search(r"warning: 50 pixels.*overlap", done.err)
    assert sum(metrics(tmp_path / "out")["trained_on"].values()) == 36 * 100 - 50


def test_constant_rate_stops_early(tmp_path: Path) -> None:
    out = train(tmp_path / "out", "optim=constant", "optim.epochs=60", "optim.patience=2")
    assert len((out / "train.csv").read_text(encoding="utf-8").splitlines()) - 1 < 60
    assert metrics(out)["n"] > 0


# labels, bands, scales


def test_numbered_field_keeps_its_values(tmp_path: Path) -> None:
    figures = metrics(train(tmp_path / "out", "data.field=code", "optim.steps=3"))
    assert [(row["value"], row["name"]) for row in figures["classes"]] == [(1, "1"), (2, "2"), (3, "3")]


def test_labels_in_longitude_and_latitude(tmp_path: Path) -> None:
    import pyproj  # noqa: PLC0415

    to_lonlat = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    moved = [
        (name, shapely.transform(shape, lambda xy: np.column_stack(to_lonlat.transform(xy[:, 0], xy[:, 1]))))
        for name, shape in cells()
    ]
    write_labels(tmp_path / "l.geojson", moved, crs="EPSG:4326")
    out = train(tmp_path / "out", "data.labels=l.geojson")
    assert distance(out, world().run) == 0


def test_points_train_too(tmp_path: Path) -> None:
    write_labels(tmp_path / "l.gpkg", [(name, shape.centroid) for name, shape in cells()])
    figures = metrics(train(tmp_path / "out", "data.labels=l.gpkg", "split.kind=random"))
    assert sum(figures["trained_on"].values()) + figures["n"] == 36


def test_legend_file_gives_values_names_and_order(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("value,name,colour\n30,water,#0000ff\n10,field,#ffff00\n20,forest,#00ff00\n")
    figures = metrics(train(tmp_path / "out", "data.legend=l.csv", "optim.steps=3"))
    assert {row["name"]: row["value"] for row in figures["classes"]} == {"water": 30, "field": 10, "forest": 20}


@pytest.mark.parametrize(
    ("bands", "names"),
    [
        ("[nir,red]", ["nir", "red"]),
        ("[3,1]", ["nir", "blue"]),
        ("[665nm,1610nm]", ["red", "swir"]),
        ("[NIR]", ["nir"]),
    ],
)
def test_bands_by_name_number_and_wavelength(tmp_path: Path, bands: str, names: list[str]) -> None:
    out = train(tmp_path / "out", f"data.bands={bands}", "optim.steps=3")
    content = torch.load(out / "model.ckpt", weights_only=True)
    assert [band["name"] for band in content["bundle"]["bands"]] == names


def test_constant_and_empty_bands_are_left_out_and_said(tmp_path: Path) -> None:
    values = np.concatenate([reflectance(), np.ones((1, SIZE, SIZE), np.float32), np.full((1, SIZE, SIZE), np.nan)])
    names = [*BANDS, "flat", "void"]
    write_scene(tmp_path / "s.tif", values.astype(np.float32), names=names, scaled=False, nodata=None)
    done = ended_inside("train", "data.scenes=s.tif", *world().data[1:], "out_dir=out", *TINY)
    assert done.code == 0
    assert "void" in done.out + done.err
    assert "flat" in done.out + done.err
    content = torch.load(tmp_path / "out" / "model.ckpt", weights_only=True)
    assert [band["name"] for band in content["bundle"]["bands"]] == list(BANDS)


def test_scaled_integers_and_reflectance_give_one_map(tmp_path: Path) -> None:
    physical = reflectance(seed=9)
    write_scene(tmp_path / "a" / "s.tif", np.rint((physical + 0.1) / 0.0001).astype(np.uint16))
    write_scene(tmp_path / "b" / "s.tif", physical, scaled=False)
    for name in ("a", "b"):
        done_inside("predict", f"model={world().model}", f"scenes={name}/s.tif", f"out_dir=map_{name}", "device=cpu")
    one, other = read(tmp_path / "map_a" / "s.tif"), read(tmp_path / "map_b" / "s.tif")
    assert (one == other).mean() > 0.995
    assert (one[0] == truth()).mean() > 0.9


def test_scale_is_recorded_in_the_map(tmp_path: Path) -> None:
    import rasterio  # noqa: PLC0415

    arguments = [f"model={world().model}", f"scenes={world().scene}", "out_dir=maps", "device=cpu"]
    done_inside("predict", *arguments, "scene.scale=none")
    with rasterio.open(tmp_path / "maps" / "scene.tif") as file:
        assert '"scale": "none"' in str(file.tags())
    assert (read(tmp_path / "maps" / "scene.tif")[0] == truth()).mean() < 0.9


def test_nodata_never_trains(tmp_path: Path) -> None:
    stored = np.rint((reflectance() + 0.1) / 0.0001).astype(np.uint16)
    stored[:, : 2 * CELL] = 0
    write_scene(tmp_path / "s.tif", stored)
    out = train(tmp_path / "out", "data.scenes=s.tif", "split.kind=none", "optim.steps=3")
    assert sum(metrics(out)["trained_on"].values()) == 24 * 100


def test_several_processes_start_with_torchrun_only(tmp_path: Path) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", *TINY, "trainer.devices=3")
    refused(done, 2, "torchrun", "--nproc-per-node=3")
    assert tree(tmp_path) == set()


def test_json_progress_is_a_line_an_event(tmp_path: Path) -> None:
    import json  # noqa: PLC0415

    done = ended_inside("train", *world().data, "out_dir=out", *TINY[:-1], "progress=json")
    assert done.code == 0
    events = [json.loads(line) for line in done.out.splitlines()]
    assert {"step", "say"} <= {event["event"] for event in events}
    steps = [event for event in events if event["event"] == "step" and event["what"] == "train"]
    assert steps[-1]["done"] == steps[-1]["total"]
    assert (tmp_path / "out" / "model.ckpt").is_file()


def test_scene_of_several_files(tmp_path: Path) -> None:
    stored = np.rint((reflectance() + 0.1) / 0.0001).astype(np.uint16)
    for i, name in enumerate(BANDS):
        write_scene(tmp_path / f"s_{name}.tif", stored[i : i + 1], names=None, wavelengths=WAVELENGTHS[i : i + 1])
    files = ",".join(f"s_{name}.tif" for name in BANDS)
    out = train(tmp_path / "out", f"data.scenes=[[{files}]]")
    content = torch.load(out / "model.ckpt", weights_only=True)
    assert [band["name"] for band in content["bundle"]["bands"]] == list(BANDS)
    assert distance(out, world().run) == 0


def test_a_class_with_fewer_polygons_than_folds_is_in_as_many_as_it_has(tmp_path: Path) -> None:
    features = [feature for name in NAMES for feature in [f for f in cells() if f[0] == name][:2]]
    write_labels(tmp_path / "few.gpkg", features)
    few = (f"data.scenes={world().scene}", "data.labels=few.gpkg", "split.kind=polygons", "split.folds=9")
    done = ended_inside("train", *few, "out_dir=out", *TINY, "optim.steps=5")
    assert done.code == 0, done.err
    figures = load_json(tmp_path / "out" / "metrics.json")
    assert all(row["support"] > 0 for row in figures["classes"])
    assert 2 <= len(figures["folds"]) <= 6
    assert all(row["n"] > 0 for row in figures["folds"])
