"""Inputs, folders, clocks and locales that are not as they should be."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from commands import NAMES, TINY, cells, done_inside, load_json, refused, world, write_labels, write_scene
from fault_runs import (
    Watcher,
    digests,
    ended,
    predicting,
    run,
    scenes,
    small_disk,
    start,
    training,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX")

SLOWLY = ("executor.workers=1", "tiling.core=32")


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def replaced(path: Path) -> None:
    other = write_scene(path.with_name("other.tif"), seed=99)
    other.replace(path)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [cut, pytest.param(replaced, marks=pytest.mark.slow), grown, gone])
def test_an_input_that_changes_while_it_is_read(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (scene,) = scenes(tmp_path / "in", 1, 16)
    out = tmp_path / "out"
    process = start(predicting([scene], out, *SLOWLY), tmp_path)
    assert wait_until((out / ".landmix" / "scene0" / "plan.json").exists, process), ended(process)
    change(scene)
    done = ended(process)
    refused(done, 1, "scene0.tif")
    assert not list(out.glob("*.tif*"))
    assert not [name for name in digests(out) if ".landmix-" in name]


@pytest.mark.parametrize("verbs", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_folder_that_cannot_be_written(tmp_path: Path, verbs: int) -> None:
    with small_disk(tmp_path / "disk", 2**20, "ro") as folder:
        every = [
            predicting([world().scene], folder / "out"),
            training(folder / "model"),
            predicting([world().scene], folder),
            ["evaluate", f"map={world().truth}", f"reference={world().truth}", f"out_dir={folder / 'a'}"],
            ["sample", f"map={world().truth}", "n=20", f"out_dir={folder / 'b'}"],
            ["export", f"model={world().model}", "format=card", f"out={folder / 'CARD.md'}"],
            ["inspect", f"path={world().scene}", f"quicklook={folder / 'a.png'}"],
            ["demo", f"out_dir={folder / 'c'}"],
        ]
        for arguments in every[:verbs]:
            refused(run(arguments, tmp_path), 1, "cannot write", str(folder), "Read-only")


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_two_runs_on_one_output(tmp_path: Path, times: int) -> None:
    """Each ends well, or says that the other is there; the maps are those of one run."""
    inputs, whole = scenes(tmp_path / "in", 2, 4), tmp_path / "whole"
    assert run(predicting(inputs, whole), tmp_path).code == 0
    for number in range(times):
        out = tmp_path / f"out{number}"
        with Watcher(out) as watcher:
            both = [start(predicting(inputs, out), tmp_path) for _ in range(2)]
            done = [ended(process) for process in both]
        assert watcher.faults == []
        assert 0 in {d.code for d in done} <= {0, 1}, done
        for one in done:
            if one.code:
                refused(one, 1, "another landmix")
        assert digests(out, "predict.json") == digests(whole, "predict.json")


def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Watcher(out) as watcher:
        both = [start(training(out, "optim.epochs=10"), tmp_path) for _ in range(2)]
        done = [ended(process) for process in both]
    assert watcher.faults == []
    assert sorted(d.code for d in done) == [0, 1], done
    refused(next(d for d in done if d.code), 1, str(out))


def by_name(scene: Path, target: Path) -> None:
    """The folder of the scene itself."""
    assert scene == target


def by_symbolic_link(scene: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    target.symlink_to(scene)


def by_hard_link(scene: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    target.hardlink_to(scene)


def by_linked_folder(scene: Path, target: Path) -> None:
    target.parent.symlink_to(scene.parent, target_is_directory=True)


@pytest.mark.parametrize("link", [by_name, by_symbolic_link, by_hard_link, by_linked_folder])
@pytest.mark.parametrize("overwrite", ["true", "false"])
def test_an_output_that_is_the_input(tmp_path: Path, link: Callable[[Path, Path], None], overwrite: str) -> None:
    scene = write_scene(tmp_path / "in" / "scene.tif")
    out = scene.parent if link is by_name else tmp_path / "out"
    link(scene, out / "scene.tif")
    before = digests(tmp_path)
    done = run(predicting([scene], out, f"overwrite={overwrite}"), tmp_path)
    refused(done, 2 if link in {by_name, by_linked_folder, by_symbolic_link} else 1, "scene.tif")
    assert {k: v for k, v in digests(tmp_path).items() if not k.endswith("predict.json")} == before


@pytest.mark.parametrize("overwrite", ["true", "false"])
def test_an_output_that_is_a_link_to_elsewhere(tmp_path: Path, overwrite: str) -> None:
    elsewhere = write_scene(tmp_path / "archive" / "theirs.tif")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scene.tif").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    refused(run(predicting([world().scene], tmp_path / "out", f"overwrite={overwrite}"), tmp_path), 1, "is a link to")
    assert elsewhere.read_bytes() == before
    assert (tmp_path / "out" / "scene.tif").is_symlink()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.ckpt").symlink_to(elsewhere)
    refused(run(training(tmp_path / "model", f"overwrite={overwrite}"), tmp_path), 1, "model")
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("years", [-50, pytest.param(50, marks=pytest.mark.slow)])
def test_a_clock_that_jumps(tmp_path: Path, years: int) -> None:
    """Files of the future, or of long ago: what is done is done, what is unfinished is gone on with."""
    scene = write_scene(tmp_path / "scene.tif")
    out = tmp_path / "out"
    when = max(time.time() + years * 365 * 86_400, 1.0)
    done_inside(*predicting([scene], out, "shard=1/1"))
    for path in out.rglob("*"):
        os.utime(path, (when, when))
    done = run(predicting([scene], out), tmp_path)
    assert done.code == 0, done.err
    for path in out.rglob("*"):
        os.utime(path, (when, when))
    assert run(predicting([scene], out), tmp_path).code == 0
    assert load_json(out / "predict.json")[0]["status"] == "kept"
    model = tmp_path / "model"
    done_inside(*training(model, "optim.epochs=2"))
    for path in model.rglob("*"):
        os.utime(path, (when, when))
    done = run(training(model, "optim.epochs=2", "resume=true"), tmp_path)
    assert done.code == 0, done.err
    assert "finished already" in done.out


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "env", [ASCII, *(pytest.param(e, marks=SLOW) for e in ({"LC_ALL": "POSIX"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}))]
)
def test_a_locale_that_is_not_utf8(tmp_path: Path, env: dict[str, str]) -> None:
    """File names, classes and messages in any script, in the same files as ever."""
    folder = tmp_path / "Jürgen 原"
    scene = write_scene(folder / "Szene ß.tif")
    words = dict(zip(NAMES, ("Grünland", "Лес", "水"), strict=True))
    labels = write_labels(folder / "Flächen.gpkg", [(words[name], shape) for name, shape in cells()])
    common = [f"data.scenes={scene}", f"data.labels={labels}", "data.field=class", *TINY, "optim.steps=20"]
    done = run(["train", *common, f"out_dir={folder / 'modèle'}"], tmp_path, env=env)
    assert done.code == 0, done.err
    model = folder / "modèle" / "model.ckpt"
    done = run(["predict", f"model={model}", f"scenes={scene}", f"out_dir={folder / 'карты'}"], tmp_path, env=env)
    assert done.code == 0, done.err
    assert (folder / "карты" / "Szene ß.tif").exists()
    rows = load_json(folder / "карты" / "predict.json")
    assert rows[0]["scene"] == str(scene)
    done = run(["inspect", f"path={model}"], tmp_path, env=env)
    assert done.code == 0, done.err
    assert ("水" if "PYTHONIOENCODING" not in env else r"\u6c34") in done.out
    done = run(["verify", f"path={folder / 'nichts ü.tif'}"], tmp_path, env=env)
    refused(done, 1, "nichts")


def test_an_older_map_stays_while_a_new_one_is_made(tmp_path: Path) -> None:
    """A run that replaces it, and fails, leaves it as it was with all its side files."""
    (scene,) = scenes(tmp_path / "in", 1, 8)
    out = tmp_path / "out"
    assert run(predicting([scene], out), tmp_path).code == 0
    before = digests(out, "predict.json")
    process = start(predicting([scene], out, "overwrite=true", "tta=flips", *SLOWLY), tmp_path)
    assert wait_until((out / ".landmix" / "scene0" / "plan.json").exists, process), ended(process)
    shutil.move(scene, tmp_path / "away.tif")
    refused(ended(process), 1, "scene0.tif")
    assert digests(out, "predict.json") == before
