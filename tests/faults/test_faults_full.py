"""A full disk: a clear error, and what was there before is untouched. A full temporary folder: no error at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import done_inside, refused, world, write_scene
from fault_runs import digests, predicting, run, scenes, small_disk, training

if TYPE_CHECKING:
    from collections.abc import Callable

resource = pytest.importorskip("resource")

SHARES = [0.4, 0.5, 0.9, 0.97]

FAST = [0.4, *(pytest.param(share, marks=pytest.mark.slow) for share in SHARES[1:])]
"""The same, but one with the slow tests."""


def at_most(size: float) -> Callable[[], None]:
    """No file of the process may become larger than `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough that its map is more than a few pages."""
    return scenes(tmp_path_factory.mktemp("in"), 1, 8)[0]


@pytest.mark.parametrize("share", FAST)
def test_a_map_that_may_not_become_so_large(tmp_path: Path, scene: Path, share: float) -> None:
    """The limit is a share of the finished confidence raster, the largest file."""
    out = tmp_path / "out"
    done = run(predicting([scene], out), tmp_path)
    assert done.code == 0, done.err
    size = max(path.stat().st_size for path in out.glob("*.tif"))
    before = digests(out, "predict.json")
    done = run(predicting([scene], out, "overwrite=true", "tta=flips"), tmp_path, preexec_fn=at_most(share * size))
    refused(done, 1, "cannot write", str(out))
    left = digests(out, "predict.json")
    assert {name: left[name] for name in before if name in left} == {name: before[name] for name in before}
    assert not [name for name in left if ".landmix-" in name]


@pytest.mark.parametrize("share", FAST)
def test_a_disk_that_becomes_full(tmp_path: Path, scene: Path, share: float) -> None:
    """The disk has room for an older map, the parts of the new one and a share of the new one."""
    trial = tmp_path / "trial"
    assert run(predicting([scene], trial, "tta=flips", "shard=1/1"), tmp_path).code == 0
    parts = _bytes(trial)
    assert run(predicting([scene], trial, "tta=flips"), tmp_path).code == 0
    largest = max(path.stat().st_size for path in trial.glob("*.tif"))
    old = tmp_path / "old"
    assert run(predicting([scene], old), tmp_path).code == 0
    with small_disk(tmp_path / "disk", _pages(_bytes(old) + parts + share * largest) + 2 * 4096) as disk:
        out = disk / "out"
        assert run(predicting([scene], out), tmp_path).code == 0
        before = digests(out, "predict.json")
        done = run(predicting([scene], out, "overwrite=true", "tta=flips"), tmp_path)
        refused(done, 1, "cannot write", "full" if share < 0.9 else "")
        assert {name: digest for name, digest in digests(out).items() if name in before} == before
        assert not [name for name in digests(out) if ".landmix-" in name]


def _bytes(folder: Path) -> int:
    """What a folder takes on a disk, in whole pages."""
    return sum(_pages(path.stat().st_size) for path in folder.rglob("*") if path.is_file())


def _pages(size: float) -> int:
    return -(-int(size) // 4096) * 4096


@pytest.mark.parametrize("share", FAST)
def test_a_model_that_may_not_become_so_large(tmp_path: Path, share: float) -> None:
    out = tmp_path / "out"
    done_inside(*training(out, "optim.epochs=2"))
    model = (out / "model.ckpt").read_bytes()
    limit = share * (out / "model.ckpt").stat().st_size
    done = run(training(out, "optim.epochs=2", "seed=1", "overwrite=true"), tmp_path, preexec_fn=at_most(limit))
    refused(done, 1, "cannot write", str(out))
    assert (out / "model.ckpt").read_bytes() == model
    assert not list(out.rglob(".landmix-*"))


@pytest.mark.parametrize("share", [0.2, 0.9])
@pytest.mark.parametrize("verb", ["export", "sample", "evaluate", "demo"])
def test_every_verb_says_that_the_disk_is_full(tmp_path: Path, verb: str, share: float) -> None:
    """A share of the largest file that it writes."""
    if verb in {"sample", "evaluate"}:
        done_inside("predict", f"model={world().model}", f"scenes={world().scene}", f"out_dir={tmp_path / 'maps'}")
    out = tmp_path / "out"
    arguments = {
        "export": ["export", f"model={world().model}", "format=safetensors", f"out={out / 'model.safetensors'}"],
        "sample": ["sample", f"map={tmp_path / 'maps' / 'scene.tif'}", "n=300", f"out_dir={out}", "overwrite=true"],
        "evaluate": [
            "evaluate", f"map={tmp_path / 'maps' / 'scene.tif'}", f"reference={world().truth}", f"out_dir={out}"
        ],
        "demo": ["demo", f"out_dir={out}", "size=256", "optim.steps=30", "device=cpu", "net=small"],
    }[verb]  # fmt: skip
    if verb == "demo" and share > 0.5:
        pytest.skip("its scene is most of what it writes")
    if verb == "demo":
        size = 256 * 256 * 12.0
    else:
        done_inside(*arguments)
        size = max(path.stat().st_size for path in out.iterdir())
    before = digests(out) if out.exists() else {}
    if verb == "export":
        arguments += ["overwrite=true"]
    done = run(arguments, tmp_path, preexec_fn=at_most(share * size))
    refused(done, 1, "cannot write")
    left = digests(out)
    changed = [name for name in before if left.get(name) != before[name]]
    assert changed in ([], ["accuracy.json"])  # whole, and smaller than the report
    assert not [name for name in left if ".landmix-" in name]


def test_a_full_temporary_folder_is_in_nobodys_way(tmp_path: Path, scene: Path) -> None:
    with small_disk(tmp_path / "tmp", 64 * 1024, "nr_inodes=10") as full:
        (full / "junk").write_bytes(bytes(64 * 1024))
        for number in range(20):
            try:
                (full / str(number)).touch()
            except OSError:
                break
        env = {"TMPDIR": str(full)}
        done = run(training(tmp_path / "model", "optim.epochs=2"), tmp_path, env=env)
        assert done.code == 0, done.err
        done = run(predicting([scene], tmp_path / "out"), tmp_path, env=env)
        assert done.code == 0, done.err


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a second file system")  # noqa: S108
def test_a_temporary_folder_on_another_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint has its whole size from the first moment on: all sizes that are seen under its name are one."""
    import threading  # noqa: PLC0415

    import torch  # noqa: PLC0415

    from landmix.training.checkpoint import WholeCheckpointIO  # noqa: PLC0415

    monkeypatch.setenv("TMPDIR", "/dev/shm")  # noqa: S108
    monkeypatch.setattr("tempfile.tempdir", None)
    target, sizes, stop = tmp_path / "last.ckpt", set(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if target.exists():
                sizes.add(target.stat().st_size)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for number in range(5):
            WholeCheckpointIO().save_checkpoint({"weights": torch.full((2_000_000,), number)}, target)
    finally:
        stop.set()
        thread.join()
    assert sizes == {target.stat().st_size}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_path_of_250_characters(tmp_path: Path) -> None:
    """A folder so deep, and in it a file whose name is as long as file systems take."""
    deep = tmp_path / "d"
    while len(str(deep)) < 240:
        deep /= "x" * min(60, 249 - len(str(deep)))
    scene = write_scene(deep / f"{'s' * 251}.tif")
    done = run(predicting([scene], deep / "out"), tmp_path)
    assert done.code == 0, done.err
    (found,) = [path for path in (deep / "out").glob("*.tif") if "confidence" not in path.name]
    assert len(str(found)) > 250
    assert len(found.stem) == 150
    done = run(training(deep / "model", "optim.epochs=2"), tmp_path)
    assert done.code == 0, done.err
    assert run(["verify", f"path={found}"], tmp_path).code == 0
