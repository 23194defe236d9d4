"""inspect, help, version, python -m, sweeps, the demo."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import yaml
from commands import (
    BANDS,
    NAMES,
    TINY,
    distance,
    done_inside,
    ended_inside,
    load_json,
    run,
    train,
    tree,
    world,
    write_classes,
    write_scene,
)

import landmix
from landmix.cli.sweep import folder_name

if TYPE_CHECKING:
    from pathlib import Path

VERBS = ("demo", "train", "predict", "evaluate", "inspect")


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# help


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_verbs(tmp_path: Path, arguments: list[str]) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.code == 0
    assert all(verb in done.out for verb in VERBS)
    assert done.err == ""


def test_version(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).out.strip() == f"landmix {landmix.__version__}"


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(tmp_path: Path, verb: str) -> None:
    done = run(verb, "--help", cwd=tmp_path)
    assert done.code == 0
    assert f"landmix {verb}" in done.out
    assert "out_dir" in done.out or verb == "inspect"
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_configuration_of_a_verb(tmp_path: Path, verb: str) -> None:
    done = run(verb, "--cfg", "job", cwd=tmp_path)
    assert done.code == 0
    config = yaml.safe_load(done.out)
    assert "progress" in config
    assert "hydra" not in config
    assert tree(tmp_path) == set()


def test_python_m_is_the_same(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "landmix"]
    assert run("inspect", f"path={world().scene}", cwd=tmp_path, program=program) == run(
        "inspect", f"path={world().scene}", cwd=tmp_path
    )
    assert run("nothing", cwd=tmp_path, program=program) == run("nothing", cwd=tmp_path)


def test_own_groups_with_config_dir(tmp_path: Path) -> None:
    for group, text in {"net": "head: {blocks: 0}\nencoder: {widths: [5]}\n", "experiment": ""}.items():
        (tmp_path / "mine" / group).mkdir(parents=True)
        (tmp_path / "mine" / group / "own.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(
        "# @package _global_\noptim:\n  lr: 0.005\nseed: 6\n", encoding="utf-8"
    )
    arguments = [*world().data, "out_dir=out", "optim.steps=3", "device=cpu", "net=own", "experiment=own"]
    done_inside("train", "--config-dir", str(tmp_path / "mine"), *arguments)
    config = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text(encoding="utf-8"))
    assert (config["net"]["encoder"]["widths"], config["optim"]["lr"], config["seed"]) == ([5], 0.005, 6)


# inspect


def test_inspect_a_scene_as_table_and_json() -> None:
    table = ended_inside("inspect", f"path={world().scene}")
    assert table.code == 0
    for word in (*BANDS, "842", "0.0001", "EPSG:32633", "96 x 96"):
        assert word in table.out, word
    facts = json.loads(ended_inside("inspect", f"path={world().scene}", "format=json").out)
    assert facts["kind"] == "scene"
    assert [band["name"] for band in facts["bands"]] == list(BANDS)
    assert [band["wavelength_nm"] for band in facts["bands"]] == [490, 665, 842, 1610]
    assert {band["scale"] for band in facts["bands"]} == {0.0001}


def test_inspect_a_model_as_table_and_json() -> None:
    table = ended_inside("inspect", f"path={world().model}")
    assert table.code == 0
    for word in (*BANDS, *NAMES, "overall accuracy", "parameters"):
        assert word in table.out, word
    facts = json.loads(ended_inside("inspect", f"path={world().model}", "format=json").out)
    assert facts["kind"] == "model"
    assert [entry["name"] for entry in facts["classes"]] == list(NAMES)
    assert facts["margin"] == 1


def test_json_is_all_that_the_command_prints(tmp_path: Path) -> None:
    done = run("inspect", f"path={world().model}", "format=json", cwd=tmp_path)
    assert done.code == 0
    assert json.loads(done.out)["kind"] == "model"
    assert tree(tmp_path) == set()


def test_inspect_refuses_no_readable_scene(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", names=None, wavelengths=None, scaled=False, georeferenced=False, nodata=None)
    table = ended_inside("inspect", "path=s.tif")
    assert table.code == 0
    assert "unknown" in table.out
    facts = json.loads(ended_inside("inspect", "path=s.tif", "format=json").out)
    assert facts["crs"] is None
    assert {band["wavelength_nm"] for band in facts["bands"]} == {None}
    assert {band["nodata"] for band in facts["bands"]} == {None}


def test_inspect_nan_as_nodata_is_json(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", scaled=False, nodata=float("nan"))
    done = ended_inside("inspect", "path=s.tif", "format=json")
    assert "NaN" not in done.out
    json.loads(done.out)


def test_inspect_writes_nothing(tmp_path: Path) -> None:
    write_classes(tmp_path / "map.tif")
    assert ended_inside("inspect", "path=map.tif").code == 0
    assert tree(tmp_path) == {"map.tif"}


# sweeps


def test_sweep_makes_a_folder_a_job_and_a_table(tmp_path: Path) -> None:
    tiny = [text for text in TINY if not text.startswith("net=")]
    done = ended_inside("train", "-m", *world().data, "out_dir=sweep", *tiny, "seed=1,2", "net=small,spectral")
    assert done.code == 0, done.err
    folders = {path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()}
    jobs = [{f"seed={seed}", f"net={net}"} for seed in (1, 2) for net in ("small", "spectral")]
    assert sorted(map(sorted, (name.split(",") for name in folders))) == sorted(map(sorted, jobs))
    assert all((tmp_path / "sweep" / name / "model.ckpt").is_file() for name in folders)
    table = load_json(tmp_path / "sweep" / "sweep.json")
    assert [row["status"] for row in table] == ["done"] * 4
    assert all(row["macro_f1"] > 0.5 for row in table)
    with (tmp_path / "sweep" / "sweep.csv").open(encoding="utf-8", newline="") as file:
        assert [row["overrides"] for row in csv.DictReader(file)] == [row["overrides"] for row in table]
    assert (tmp_path / "sweep" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    _check_groups(table, done.out)
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}
    single = train(tmp_path / "single", "seed=2")
    (same,) = [name for name in folders if {"seed=2", "net=small"} == set(name.split(","))]
    assert distance(tmp_path / "sweep" / same, single) == 0


def _check_groups(table: list[dict[str, Any]], out: str) -> None:
    """Jobs that differ in their seed alone are summed up, in the files and on the console."""
    assert {row["seed"] for row in table} == {1, 2}
    assert {row["group"] for row in table} == {"net=small", "net=spectral"}
    assert all(row["megapixels_per_s"] > 0 for row in table)
    assert len({row["parameters"] for row in table}) == 2
    for name in ("net=small", "net=spectral"):
        mine = [row for row in table if row["group"] == name]
        for key in ("macro_f1", "overall_accuracy"):
            values = [row[key] for row in mine]
            for row in mine:
                assert row[f"{key}_mean"] == pytest.approx(np.mean(values))
                assert row[f"{key}_std"] == pytest.approx(np.std(values, ddof=1))
        assert {row["seeds"] for row in mine} == {2}
        (line,) = [text for text in out.splitlines() if text.startswith(name + " ")]
        assert f"{mine[0]['macro_f1_mean']:.3f} ± {mine[0]['macro_f1_std']:.3f}" in line
        assert f"{mine[0]['parameters']:,}" in line


@pytest.mark.slow
def test_installed_command_sweeps_and_leaves_nothing_else(tmp_path: Path) -> None:
    done = run("train", "-m", *world().data, "out_dir=sweep", *TINY, "seed=1,2", cwd=tmp_path)
    assert done.code == 0, done.err
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}
    names = {"sweep.json", "sweep.csv", "sweep.png", "seed=1", "seed=2"}
    assert {path.name for path in (tmp_path / "sweep").iterdir()} == names


def test_one_failed_job_does_not_stop_the_rest(tmp_path: Path) -> None:
    arguments = [*world().data[:2], "data.field=klass,class", "out_dir=sweep", *TINY]
    done = ended_inside("train", "-m", *arguments)
    assert done.code == 1
    assert done.last.startswith("error: 1 of 2 jobs failed")
    assert "klass" in done.last
    assert "Traceback" not in done.err
    table = load_json(tmp_path / "sweep" / "sweep.json")
    assert [row["status"] for row in table] == ["failed", "done"]
    assert table[0]["macro_f1"] is None
    assert "klass" in table[0]["error"]
    assert table[0]["parameters"] is None
    assert "failed: data.field=klass: " in done.out
    assert (tmp_path / "sweep" / "data.field=class" / "model.ckpt").is_file()
    assert not (tmp_path / "sweep" / "data.field=klass").exists()


def test_fixed_overrides_do_not_name_the_folder(tmp_path: Path) -> None:
    done_inside("train", "-m", *world().data, "out_dir=sweep", *TINY, "seed=3,4", "optim.lr=0.005")
    assert {path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()} == {"seed=3", "seed=4"}


def test_folders_of_jobs_differ_and_fit() -> None:
    assert folder_name(["net=spectral", "seed=1"]) == "net=spectral,seed=1"
    assert folder_name(["a=x/y"]) != folder_name(["a=x_y"])
    long = [f"net.encoder.widths=[{','.join(['64'] * 100)}]", "seed=1"]
    assert len(folder_name(long).encode()) < 255
    assert folder_name(long) != folder_name([*long[:1], "seed=2"])


def test_swept_lists_have_usable_folder_names(tmp_path: Path) -> None:
    done_inside("train", "-m", *world().data, "out_dir=sweep", *TINY, "data.bands=[nir],[red,nir]", "optim.steps=3")
    assert len([path for path in (tmp_path / "sweep").iterdir() if (path / "model.ckpt").is_file()]) == 2


# demo

DEMO = {
    "scene.tif",
    "labels.gpkg",
    "reference.tif",
    "fractions.tif",
    *(f"model/{name}" for name in ("model.ckpt", "last.ckpt", "metrics.json", "report.html", "config.yaml")),
    "model/train.csv",
    *(f"map/scene{end}" for end in (".tif", ".qml", ".tif.aux.xml", ".tif.vat.dbf", "_confidence.tif")),
    "map/scene_confidence.qml",
    "map/predict.json",
    "accuracy/accuracy.json",
    "accuracy/report.html",
}
EXTRA = {"reference.tif.aux.xml", "map/scene.tif.vat.cpg", "map/scene_confidence.tif.aux.xml"}


def test_demo_writes_all_and_says_where_it_lies(tmp_path: Path) -> None:
    done = ended_inside("demo", "out_dir=demo", "size=256", "optim.steps=60", "net=small", "device=cpu")
    assert done.code == 0, done.err
    found = {name for name in tree(tmp_path / "demo") if (tmp_path / "demo" / name).is_file()}
    assert found >= DEMO
    assert found <= DEMO | EXTRA
    assert {path.name for path in tmp_path.iterdir()} == {"demo"}
    for word in ("scene.tif", "labels.gpkg", "report.html", "accuracy"):
        assert word in done.out
    assert load_json(tmp_path / "demo" / "accuracy" / "accuracy.json")["overall_accuracy"] > 0.7
    with rasterio.open(tmp_path / "demo" / "scene.tif") as file:
        assert (file.count, file.width) == (12, 256)
    done_inside("demo", "out_dir=demo", "size=256", "optim.steps=5", "net=small", "device=cpu")


def test_demo_spares_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("all my work", encoding="utf-8")
    assert ended_inside("demo", "out_dir=mine", "size=256").code == 1
    assert tree(tmp_path) == {"mine", "mine/thesis.doc"}


@pytest.mark.slow
def test_demo_as_it_is(tmp_path: Path) -> None:
    done = run("demo", "out_dir=demo", cwd=tmp_path)
    assert done.code == 0, done.err
    assert load_json(tmp_path / "demo" / "accuracy" / "accuracy.json")["overall_accuracy"] > 0.85
