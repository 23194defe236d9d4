"""Stopped at any moment: nothing half written, and going on gives what an uninterrupted run gives."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from commands import (
    cells,
    distance,
    done_inside,
    ended_inside,
    inside,
    load_json,
    read,
    reflectance,
    refused,
    run,
    start,
    stop_when,
    train,
    tree,
    world,
    write_labels,
    write_scene,
)

from landmix.errors import Terminated

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

LONG = (
    "net=small",
    "optim.steps=30",
    "optim.epochs=40",
    "optim.batch=256",
    "calibration.folds=0",
    "device=cpu",
    "progress=off",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupts."""
    return train(tmp_path_factory.mktemp("whole") / "out", *LONG)


def unfinished(folder: Path) -> bool:
    """Whether there is something to go on from, and no model yet."""
    return (folder / "last.ckpt").is_file() and (folder / "train.csv").is_file()


def figures(folder: Path) -> dict[str, Any]:
    """What a run measured, but for its speed, which is another each time."""
    return {key: value for key, value in load_json(folder / "metrics.json").items() if key != "network"}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.slow),
    ],
    ids=["interrupted", "terminated", "killed"],
)
def test_training_goes_on_to_the_same_weights(tmp_path: Path, whole: Path, number: signal.Signals, code: int) -> None:
    out = tmp_path / "out"
    process = start("train", *world().data, f"out_dir={out}", *LONG, cwd=tmp_path)
    done = stop_when(process, lambda: unfinished(out), number)
    assert done.code == code, (done.out, done.err)
    assert not (out / "model.ckpt").exists()
    assert not (out / "metrics.json").exists()
    if number != signal.SIGKILL:
        assert done.last.startswith("error: ")
        assert "Traceback" not in done.err
        assert not [name for name in tree(out) if ".landmix-" in name]
    train(out, *LONG, "resume=true")
    assert distance(out, whole) == 0
    assert (out / "train.csv").read_bytes() == (whole / "train.csv").read_bytes()
    assert figures(out) == figures(whole)
    assert not (out / ".landmix").exists()


def test_a_run_does_not_go_on_with_other_labels(tmp_path: Path) -> None:
    out, labels = tmp_path / "out", write_labels(tmp_path / "labels.gpkg")
    data = (f"data.scenes={world().scene}", f"data.labels={labels}")
    process = start("train", *data, f"out_dir={out}", *LONG, cwd=tmp_path)
    assert stop_when(process, lambda: unfinished(out), signal.SIGTERM).code == 143
    write_labels(labels, cells()[:20])
    refused(ended_inside("train", *data, f"out_dir={out}", *LONG, "resume=true"), 1, "changed", "overwrite=true")


def test_an_unfinished_run_is_not_begun_anew_by_accident(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import landmix.training.callbacks as callbacks  # noqa: PLC0415, PLR0402

    out = tmp_path / "out"
    seen: list[int] = []
    before = callbacks.as_csv

    def interrupt(rows: list[callbacks.Figures]) -> str:
        seen.append(len(rows))
        if len(seen) == 5:
            raise Terminated
        return before(rows)

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "as_csv", interrupt)
        code = inside("train", *world().data, f"out_dir={out}", *LONG)
    assert code == 143
    assert inside("train", *world().data, f"out_dir={out}", *LONG) == 1
    assert inside("train", *world().data, f"out_dir={out}", *LONG, "seed=1", "resume=true") == 1
    train(out, *LONG, "resume=true")
    assert distance(out, whole) == 0


def test_what_had_stopped_early_trains_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import landmix.tasks.train as task  # noqa: PLC0415

    def interrupt(*_: object) -> None:
        raise Terminated

    few = (*LONG, "optim=constant", "optim.lr=0.02", "optim.patience=2", "optim.epochs=25")
    whole, out = train(tmp_path / "whole", *few), tmp_path / "out"
    rows = (whole / "train.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) < 26, "it stops early"
    with monkeypatch.context() as patched:
        patched.setattr(task, "_write", interrupt)
        assert inside("train", *world().data, f"out_dir={out}", *few) == 143
    train(out, *few, "resume=true")
    assert (out / "train.csv").read_text(encoding="utf-8").splitlines() == rows
    assert distance(out, whole) == 0


def test_parts_that_were_held_back_are_not_fitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import landmix.training.callbacks as callbacks  # noqa: PLC0415, PLR0402

    few = (*LONG, "optim.epochs=4", "calibration.folds=2")
    whole, out = train(tmp_path / "whole", *few), tmp_path / "out"
    seen: list[int] = []
    before = callbacks.as_csv

    def interrupt(rows: list[callbacks.Figures]) -> str:
        seen.append(len(rows))
        if len(seen) == 6:  # in the second part
            raise Terminated
        return before(rows)

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "as_csv", interrupt)
        assert inside("train", *world().data, f"out_dir={out}", *few) == 143
    assert {path.name for path in (out / ".landmix").glob("inner-*")} == {"inner-1", "inner-1.npz", "inner-2"}
    train(out, *few, "resume=true")
    assert distance(out, whole) == 0
    assert figures(out) == figures(whole)


@pytest.mark.slow
def test_killed_twice_in_cross_validation(tmp_path: Path) -> None:
    folds = (*LONG, "split.folds=2")
    whole = train(tmp_path / "whole", *folds)
    out = tmp_path / "out"
    for fold in (1, 2):
        process = start("train", *world().data, f"out_dir={out}", *folds, "resume=true", cwd=tmp_path)
        stop_when(process, lambda n=fold: (out / ".landmix" / f"fold-{n}" / "last.ckpt").exists(), signal.SIGKILL)  # type: ignore[misc]
    train(out, *folds, "resume=true")
    assert distance(out, whole) == 0
    assert figures(out) == figures(whole)


def test_a_claimed_folder_is_left_alone(tmp_path: Path) -> None:
    from landmix.training.folder import RunFolder  # noqa: PLC0415

    with RunFolder(tmp_path / "out").claimed():
        assert inside("train", *world().data, f"out_dir={tmp_path / 'out'}", *LONG) == 1
        assert not (tmp_path / "out" / "model.ckpt").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("train", *world().data, f"out_dir={out}", *LONG, "optim.epochs=3000", cwd=tmp_path)
    try:
        stop = tmp_path / "out" / ".landmix" / "unfinished"
        while not stop.exists():
            assert process.poll() is None, process.communicate()
        assert inside("train", *world().data, f"out_dir={out}", *LONG, "overwrite=true") == 1
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 143


# prediction


def big_scene(path: Path, times: int = 2) -> Path:
    """Many copies of the world, side by side."""
    values = np.tile(np.rint((reflectance() + 0.1) / 0.0001).astype(np.uint16), (1, times, times))
    return write_scene(path, values)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_stopped_prediction_leaves_no_half_map(tmp_path: Path, number: signal.Signals, code: int) -> None:
    big_scene(tmp_path / "a.tif")
    scenes = ["scenes=[a.tif,b.tif]", "tiling.core=64", "executor.workers=1", "device=cpu", "out_dir=maps"]
    big_scene(tmp_path / "b.tif", 16)
    process = start("predict", f"model={world().model}", *scenes, cwd=tmp_path)
    work = tmp_path / "maps" / ".landmix" / "b"
    done = stop_when(process, (work / "lock").exists, number)
    assert done.code == code, (done.out, done.err)
    assert done.last.startswith("error: ")
    assert "Traceback" not in done.err
    found = tree(tmp_path / "maps")
    assert "a.tif" in found
    assert not [name for name in found if name.startswith("b")]
    assert not [name for name in found if "/.landmix-" in name]
    assert [row["status"] for row in load_json(tmp_path / "maps" / "predict.json")] == ["done"]
    done_again = run("predict", f"model={world().model}", *scenes, cwd=tmp_path)
    assert done_again.code == 0, done_again.err
    assert [row["status"] for row in load_json(tmp_path / "maps" / "predict.json")] == ["kept", "done"]
    assert not (tmp_path / "maps" / ".landmix").exists()
    with rasterio.open(tmp_path / "maps" / "b.tif") as file:
        assert file.shape == (16 * 96, 16 * 96)


# several processes


FEW = ("calibration.folds=2", "device=cpu", "progress=off")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "landmix"]


@pytest.mark.parametrize("steps", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_two_processes_give_the_weights_of_one(tmp_path: Path, steps: int) -> None:
    # a low rate: Adam divides by gradients that are nearly 0, and so makes rounding large
    settings = ["net=spectral", f"optim.steps={steps}", "optim.lr=0.001", *FEW]
    done = run("train", *world().data, *settings, "out_dir=two", cwd=tmp_path, program=TORCHRUN)
    assert done.code == 0, done.err
    train(tmp_path / "one", *settings)
    assert distance(tmp_path / "one", tmp_path / "two") < 1e-5
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert done.out.count("overall accuracy") == 1
    one, two = (load_json(tmp_path / name / "metrics.json") for name in ("one", "two"))
    assert one["confusion"] == two["confusion"]


@pytest.mark.slow
def test_two_processes_see_the_losses_of_one_with_neighbours(tmp_path: Path) -> None:
    settings = ["net=small", "optim.steps=30", *FEW]
    done = run("train", *world().data, *settings, "out_dir=two", cwd=tmp_path, program=TORCHRUN)
    assert done.code == 0, done.err
    train(tmp_path / "one", *settings)
    losses = [
        np.genfromtxt(tmp_path / name / "train.csv", delimiter=",", names=True)["loss"] for name in ("one", "two")
    ]
    assert np.abs(losses[0] - losses[1]).max() < 1e-4


@pytest.mark.slow
def test_bad_input_under_torchrun_ends(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no raster", encoding="utf-8")
    arguments = ["train", "data.scenes=text.tif", *world().data[1:], "out_dir=out", "device=cpu"]
    done = run(*arguments, cwd=tmp_path, program=TORCHRUN)
    assert done.code != 0
    assert "text.tif is no raster" in done.err
    assert not (tmp_path / "out").exists()


def test_model_of_a_resumed_run_predicts(tmp_path: Path, whole: Path) -> None:
    done_inside("predict", f"model={whole / 'model.ckpt'}", f"scenes={world().scene}", f"out_dir={tmp_path / 'm'}")
    assert read(tmp_path / "m" / "scene.tif").shape == (1, 96, 96)
