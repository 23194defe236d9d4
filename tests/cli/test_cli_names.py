"""Any file name works wherever a path is asked for."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from commands import TINY, done_inside, ended_inside, load_json, read, run, tree, world, write_classes

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["Jürgen (1), a=b", "[1] {2}  '3'", "${oc.env:HOME}", "-dash", "日本 #1 & %20", "a'b\"c", "null"]
if os.name != "nt":
    NAMES += ["back\\slash", "quoted\\'", "star*"]


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_every_path_of_train_predict_evaluate(inside_tmp: Path, name: str) -> None:
    folder = inside_tmp / f"{name} in"
    folder.mkdir()
    scene, labels = folder / f"{name}.tif", folder / f"{name}.gpkg"
    shutil.copy(world().scene, scene)
    shutil.copy(world().labels, labels)
    given = {path.name for path in inside_tmp.iterdir()}
    out = inside_tmp / f"{name} out"
    data = [f"data.scenes={scene}", f"data.labels={labels}", "data.field=class"]
    done_inside("train", *data, f"out_dir={out}", *TINY)
    model = folder / f"{name}.ckpt"
    shutil.copy(out / "model.ckpt", model)
    maps = inside_tmp / f"{name} maps"
    done_inside("predict", f"model={model}", f"scenes={scene}", f"out_dir={maps}", "device=cpu")
    assert (maps / "predict.json").is_file()
    (row,) = load_json(maps / "predict.json")
    figures = inside_tmp / f"{name} figures"
    done_inside("evaluate", f"map={row['map']}", f"reference={labels}", "field=class", f"out_dir={figures}")
    assert load_json(figures / "accuracy.json")["overall_accuracy"] > 0.9
    assert {path.name for path in inside_tmp.iterdir()} == given | {out.name, maps.name, figures.name}


@pytest.mark.parametrize("name", ["-leading dash", "a, (b)=[c]", "'quoted'", "[list]", "{map}", "@at"])
def test_relative_folder(inside_tmp: Path, name: str) -> None:
    shutil.copy(world().scene, inside_tmp / "scene.tif")
    done_inside("predict", f"model={world().model}", "scenes=scene.tif", f"out_dir=./{name}")
    assert (inside_tmp / name / "scene.tif").is_file()


def test_leading_dash_without_a_dot(inside_tmp: Path) -> None:
    done_inside("predict", f"model={world().model}", f"scenes={world().scene}", "out_dir=-maps")
    assert (inside_tmp / "-maps" / "scene.tif").is_file()


def test_comma_in_a_path_is_no_sweep(inside_tmp: Path) -> None:
    scene = inside_tmp / "a,b.tif"
    shutil.copy(world().scene, scene)
    data = [f"data.scenes={scene}", f"data.labels={world().labels}", "data.field=class"]
    done_inside("train", "-m", *data, "out_dir=x, y", "seed=1,2", *TINY)
    assert {path.name for path in (inside_tmp / "x, y").iterdir() if path.is_dir()} == {"seed=1", "seed=2"}


def test_list_of_hard_names(inside_tmp: Path) -> None:
    for name in ("a b.tif", "ü.tif"):
        shutil.copy(world().scene, inside_tmp / name)
    done_inside("predict", f"model={world().model}", "scenes=['a b.tif','ü.tif']", "out_dir=maps")
    assert {path.name for path in (inside_tmp / "maps").glob("*.tif")} == {"a b.tif", "ü.tif"}


def test_list_file_of_hard_names(inside_tmp: Path) -> None:
    for name in ("a, b.tif", "${x}.tif", "[1].tif"):
        shutil.copy(world().scene, inside_tmp / name)
    (inside_tmp / "scenes.txt").write_text("a, b.tif\n\n# no scene\n${x}.tif\n[1].tif\n", encoding="utf-8")
    done_inside("predict", f"model={world().model}", "scenes=@scenes.txt", "out_dir=maps")
    assert {path.name for path in (inside_tmp / "maps").glob("*.tif")} == {"a, b.tif", "${x}.tif", "[1].tif"}


def test_glob_that_is_also_a_name(inside_tmp: Path) -> None:
    for name in ("s[1].tif", "s1.tif"):
        shutil.copy(world().scene, inside_tmp / name)
    done_inside("predict", f"model={world().model}", "scenes=s[1].tif", "out_dir=maps")
    assert {path.name for path in (inside_tmp / "maps").glob("*.tif")} == {"s[1].tif"}


def test_quoted_list_sign(inside_tmp: Path) -> None:
    shutil.copy(world().scene, inside_tmp / "[1].tif")
    done_inside("predict", f"model={world().model}", "scenes='[1].tif'", "out_dir='{maps}'")
    assert (inside_tmp / "{maps}" / "[1].tif").is_file()


def test_map_with_a_hard_name_and_legend(inside_tmp: Path) -> None:
    write_classes(inside_tmp / "m, 1.tif")
    (inside_tmp / "l, 1.csv").write_text("value,name,color\n1,field,#aaaa00\n2,forest,#00aa00\n3,water,#0000aa\n")
    arguments = ["map=m, 1.tif", f"reference={world().labels}", "field=class", "legend=l, 1.csv", "out_dir=a, 1"]
    done_inside("evaluate", *arguments)
    figures = load_json(inside_tmp / "a, 1" / "accuracy.json")
    assert [row["name"] for row in figures["classes"]] == ["field", "forest", "water"]
    assert figures["overall_accuracy"] == 1


def test_file_name_with_html_in_it_is_escaped(inside_tmp: Path) -> None:
    write_classes(inside_tmp / "<b>&.tif")
    done_inside("evaluate", "map=<b>&.tif", f"reference={world().truth}", "out_dir=a")
    page = (inside_tmp / "a" / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;.tif" in page
    assert "<b>&.tif" not in page


def test_command_leaves_the_names_of_its_inputs_alone(inside_tmp: Path) -> None:
    shutil.copy(world().scene, inside_tmp / "a.tif")
    before = tree(inside_tmp)
    assert ended_inside("inspect", "path=a.tif").code == 0
    assert tree(inside_tmp) == before
    assert read(inside_tmp / "a.tif").shape == (4, 96, 96)


def test_installed_command_takes_any_name(inside_tmp: Path) -> None:
    scene = inside_tmp / "Jürgen's (1), a=b ${x}.tif"
    shutil.copy(world().scene, scene)
    done = run("predict", f"model={world().model}", f"scenes={scene}", "out_dir=[ü], 1", cwd=inside_tmp)
    assert done.code == 2  # it begins like a list
    done = run("predict", f"model={world().model}", f"scenes={scene}", "out_dir=ü, [1]", cwd=inside_tmp)
    assert done.code == 0, done.err
    assert (inside_tmp / "ü, [1]" / scene.name).is_file()
