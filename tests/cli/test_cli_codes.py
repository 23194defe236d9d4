"""Each exit code means one thing, for every verb; what stopped a command is its last line."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

import pytest
from commands import TINY, ended_inside, load_json, refused, tree, world, write_scene

from landmix.cli.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEEDED = {
    "demo": ("out_dir=new",),
    "train": ("data.scenes=s.tif", "data.labels=l.gpkg", "out_dir=new"),
    "predict": ("model=m.ckpt", "scenes=s.tif", "out_dir=new"),
    "evaluate": ("map=m.tif", "reference=l.gpkg", "out_dir=new"),
    "inspect": ("path=s.tif",),
    "verify": ("path=m.ckpt",),
    "sample": ("map=m.tif", "n=5", "out_dir=new"),
    "export": ("model=m.ckpt", "format=card", "out=new"),
    "view": ("map=m.tif",),
    "qgis": ("profile=new",),
}
"""What each verb cannot do without; no such file is there."""


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Puts another function in the place of every verb's task."""

    def replace(does: Callable[[], object]) -> None:
        monkeypatch.setattr("landmix.cli.verbs.Verb.task", lambda _: lambda *_: does())

    return replace


def test_every_verb_is_tried() -> None:
    assert set(NEEDED) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_0_all_done(task: Callable[[Callable[[], object]], None], verb: str) -> None:
    task(lambda: None)
    done = ended_inside(verb, *NEEDED[verb])
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "demo"])
def test_1_for_files_that_are_not_there(tmp_path: Path, verb: str) -> None:
    refused(ended_inside(verb, *NEEDED[verb]), 1, NEEDED[verb][0].rpartition("=")[2])
    assert tree(tmp_path) <= {"new"}


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), MemoryError(), PermissionError(13, "denied", "s.tif"), OSError("x")]
)
def test_1_for_what_nobody_foresaw(task: Callable[[Callable[[], object]], None], error: Exception) -> None:
    def fail() -> NoReturn:
        raise error

    task(fail)
    refused(ended_inside("inspect", "path=s.tif"), 1)


@pytest.mark.parametrize(
    ("verb", "wrong"),
    [(verb, "progress=loud") for verb in VERBS]
    + [("train", wrong) for wrong in ("nothing=1", "progress=[", "--nothing", "nothing", "net=nothing")],
)
def test_2_before_anything_is_read_or_written(tmp_path: Path, verb: str, wrong: str) -> None:
    refused(ended_inside(verb, *NEEDED[verb], wrong), 2)
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("demo", "qgis")])
def test_2_for_what_is_not_given(verb: str) -> None:
    refused(ended_inside(verb, *NEEDED[verb][1:]), 2, f"{NEEDED[verb][0].partition('=')[0]}=...")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_for_signals(
    task: Callable[[Callable[[], object]], None], verb: str, number: signal.Signals, code: int
) -> None:
    before = signal.getsignal(number)
    task(lambda: os.kill(os.getpid(), number))
    done = ended_inside(verb, *NEEDED[verb])
    assert done.code == code
    assert "Traceback" not in done.err + done.out
    word = "interrupted" if number == signal.SIGINT else "terminated"
    # a page that is shown ends so
    assert done.err == "" if verb == "view" else done.last.startswith(f"error: {word}")
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_sweep(
    tmp_path: Path, task: Callable[[Callable[[], object]], None], number: signal.Signals, code: int
) -> None:
    task(lambda: os.kill(os.getpid(), number))
    done = ended_inside("train", *NEEDED["train"], "-m", "seed=1,2")
    assert done.code == code
    assert [row["error"] for row in load_json(tmp_path / "new" / "sweep.json")] == ["interrupted"]


def test_1_after_the_other_scenes_of_a_batch(tmp_path: Path) -> None:
    write_scene(tmp_path / "good.tif")
    (tmp_path / "bad.tif").write_text("text", encoding="utf-8")
    done = ended_inside("predict", f"model={world().model}", "scenes=[bad.tif,good.tif]", "device=cpu", "out_dir=new")
    refused(done, 1, "1 of 2 scenes failed", "bad.tif")
    assert (tmp_path / "new" / "good.tif").is_file()
    assert {row["status"] for row in load_json(tmp_path / "new" / "predict.json")} == {"done", "failed"}


def test_1_after_the_other_jobs_of_a_sweep_2_where_none_could_begin() -> None:
    train = ("train", *world().data[:2], *TINY, "out_dir=new", "optim.steps=2")
    refused(ended_inside(*train, "-m", "data.field=klass,class"), 1, "1 of 2 jobs failed", "klass")
    refused(ended_inside(*train, "data.field=class", "-m", "seed=-1,-2"), 2, "2 of 2 jobs failed", "-1")
