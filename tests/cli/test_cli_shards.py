"""landmix predict shard=i/n and finish=true: work shared out over machines, and put together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from commands import BLOCKS, big_values, ended_inside, load_json, refused, tree, world, write_scene
from filelock import FileLock

from landmix.classify import cut, part

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Done


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scene of nine shards to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cut, "SHARD", 64)
    write_scene(tmp_path / "s.tif", big_values(), **BLOCKS)
    return tmp_path


def predict(*arguments: str, scenes: str = "s.tif") -> Done:
    """Predict into `maps`, in tiles of 32 pixels."""
    fixed = (f"model={world().model}", f"scenes={scenes}", "device=cpu", "tiling.core=32")
    out = () if any(argument.startswith("out_dir=") for argument in arguments) else ("out_dir=maps",)
    return ended_inside("predict", *fixed, *out, *arguments)


def done(*arguments: str, scenes: str = "s.tif") -> Done:
    ended = predict(*arguments, scenes=scenes)
    assert ended.code == 0, ended.err
    return ended


OUTPUTS = "outputs=[classes,gap]"


def test_shares_in_any_order_and_finish_give_the_bytes_of_one_run(tmp_path: Path) -> None:
    done(OUTPUTS, "out_dir=whole")
    parts: list[int] = []
    for number in (3, 1, 2):
        done(OUTPUTS, f"shard={number}/3", "executor.workers=2")
        assert not list((tmp_path / "maps").glob("*.tif"))
        parts.append(len(list((tmp_path / "maps/.landmix/s").glob("*.tif"))))
    assert parts == [6, 12, 18]
    done(OUTPUTS, "finish=true")
    assert tree(tmp_path / "maps") == tree(tmp_path / "whole")
    for name in tree(tmp_path / "whole") - {"predict.json"}:
        assert (tmp_path / "maps" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    (row,) = load_json(tmp_path / "maps/predict.json")
    assert (row["status"], row["attempts"]) == ("done", 1)


def test_a_share_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    done("shard=2/3")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "maps/.landmix/s").glob("*.tif")}
    assert len(times) == 3
    done("shard=2/3")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "maps/.landmix/s").glob("*.tif")} == times


def test_an_ordinary_run_goes_on_with_the_shares_that_are_there(tmp_path: Path) -> None:
    done("shard=1/2")
    before = {path.name for path in (tmp_path / "maps/.landmix/s").glob("*.tif")}
    assert len(before) == 5
    done()
    done("out_dir=whole")
    assert (tmp_path / "maps/s.tif").read_bytes() == (tmp_path / "whole/s.tif").read_bytes()
    assert not (tmp_path / "maps/.landmix").exists()


def test_a_share_of_a_finished_map_is_nothing_to_do(tmp_path: Path) -> None:
    done()
    before = (tmp_path / "maps/s.tif").stat().st_mtime_ns
    done("shard=1/2")
    done("finish=true")
    assert (tmp_path / "maps/s.tif").stat().st_mtime_ns == before
    assert not (tmp_path / "maps/.landmix").exists()


def test_a_share_larger_than_the_work_is_nothing_to_do(tmp_path: Path) -> None:
    done("shard=40/40")
    assert not (tmp_path / "maps/.landmix").exists()


def test_finish_names_the_parts_that_are_missing(tmp_path: Path) -> None:
    done("shard=1/3")
    done("shard=3/3")
    ended = predict("finish=true")
    refused(ended, 1, "s.tif", "lacks 3 of its 9 parts", "row 0 col 63", "shard")
    assert not (tmp_path / "maps/s.tif").exists()
    assert len(list((tmp_path / "maps/.landmix/s").glob("*.tif"))) == 6
    done("shard=2/3")
    done("finish=true")
    assert (tmp_path / "maps/s.tif").is_file()


def test_finish_without_any_part_says_so(tmp_path: Path) -> None:
    refused(predict("finish=true"), 1, "lacks 9 of its 9 parts", "and 4 more")
    assert tree(tmp_path / "maps") == {"predict.json"}


def test_shares_of_many_scenes_are_whole_scenes(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(8)]
    for number, name in enumerate(names):
        write_scene(tmp_path / f"{name}.tif", seed=number)
    scenes = "[" + ",".join(f"{name}.tif" for name in names) + "]"
    done("out_dir=whole", scenes=scenes)
    done("shard=2/2", scenes=scenes)
    assert {path.name for path in (tmp_path / "maps/.landmix").iterdir()} == set(names[1::2])
    refused(predict("finish=true", scenes=scenes), 1, "4 of 8 scenes failed", "lacks 1 of its 1 parts")
    done("shard=1/2", scenes=scenes)
    done("finish=true", scenes=scenes)
    for name in names:
        assert (tmp_path / f"maps/{name}.tif").read_bytes() == (tmp_path / f"whole/{name}.tif").read_bytes()
    assert not (tmp_path / "maps/.landmix").exists()


@pytest.mark.parametrize("share", ["0/3", "4/3", "x", "1/0", "-1/3", "1/3/5", "1.5/3"])
def test_a_share_that_is_none_is_a_usage_error(tmp_path: Path, share: str) -> None:
    before = tree(tmp_path)
    refused(predict(f"shard={share}"), 2, "shard", "3/8")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("other", ["finish=true", "executor=dask"])
def test_a_share_stands_alone(tmp_path: Path, other: str) -> None:
    before = tree(tmp_path)
    refused(predict("shard=1/3", other), 2, "shard stands alone")
    assert tree(tmp_path) == before


def test_the_same_share_twice_at_once_is_refused(tmp_path: Path) -> None:
    work = tmp_path / "maps/.landmix/s"
    work.mkdir(parents=True)
    with FileLock(work / "lock-1-of-3"):
        refused(predict("shard=1/3"), 1, "another landmix is classifying")
        done("shard=2/3")


def test_a_share_without_work_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the first share is computing its first part while the 40th, which has nothing to do, comes and goes."""
    begun, ended = threading.Event(), threading.Event()
    write = part.write_parts

    def wait(*arguments: Any) -> dict[Path, dict[int, int]]:
        begun.set()
        assert ended.wait(60)
        return write(*arguments)

    monkeypatch.setattr("landmix.classify.pipeline.write_parts", wait)
    codes: list[int] = []
    first = threading.Thread(target=lambda: codes.append(in_python(tmp_path, "1/40")))
    first.start()
    assert begun.wait(60)
    codes.append(in_python(tmp_path, "40/40"))
    ended.set()
    first.join()
    assert codes == [0, 0]
    assert len(list((tmp_path / "maps/.landmix/s").glob("*.tif"))) == 1


def in_python(folder: Path, share: str) -> int:
    """A share without the command line, which is not made for threads; how many scenes failed."""
    from landmix.bundle import load  # noqa: PLC0415
    from landmix.classify.batch import Batch  # noqa: PLC0415
    from landmix.classify.plan import PredictSettings  # noqa: PLC0415
    from landmix.classify.prepare import as_trained  # noqa: PLC0415
    from landmix.classify.settle import Wish  # noqa: PLC0415
    from landmix.classify.share import Share  # noqa: PLC0415
    from landmix.classify.stages import Stages  # noqa: PLC0415
    from landmix.geo.options import ReadOptions  # noqa: PLC0415
    from landmix.geo.paths import scene_entries  # noqa: PLC0415
    from landmix.progress import Silent  # noqa: PLC0415

    bundle = load(str(world().model))
    batch = Batch(
        bundle=bundle,
        entries=scene_entries(str(folder / "s.tif"), "scenes"),
        folder=folder / "maps",
        settings=PredictSettings(tile=32),
        wish=Wish(),
        options=ReadOptions(**as_trained(bundle)),
        inherited=True,
        workers=1,
        share=Share.parse(share),
    )
    return sum(row.status == "failed" for _, row in batch.run(Stages(), Silent()))


@pytest.mark.parametrize("damage", ["zeros", "another shape"])
def test_a_damaged_part_never_becomes_a_wrong_map(tmp_path: Path, damage: str) -> None:
    """It is an error that names it, or it is computed again."""
    done("out_dir=whole")
    for number in (1, 2):
        done(f"shard={number}/2")
    damaged, other = sorted((tmp_path / "maps/.landmix/s").glob("*.tif"))[3:5]
    content = damaged.read_bytes()
    if damage == "another shape":
        with rasterio.open(other) as source, rasterio.open(damaged, "w", **{**source.profile, "width": 17}) as target:
            target.write(np.ones((1, source.height, 17), np.uint8))
    else:
        damaged.write_bytes(content[:300] + bytes(len(content) - 300))
    ended = predict("finish=true")
    if ended.code == 0:
        assert (tmp_path / "maps/s.tif").read_bytes() == (tmp_path / "whole/s.tif").read_bytes()
        return
    refused(ended, 1, damaged.name)
    assert not (tmp_path / "maps/s.tif").exists()


def test_a_scene_that_changed_between_shares_is_not_mixed(tmp_path: Path) -> None:
    done("shard=1/2")
    shutil.copy(tmp_path / "s.tif", tmp_path / "old.tif")
    write_scene(tmp_path / "s.tif", big_values()[:, ::-1], **BLOCKS)
    done("shard=2/2")
    refused(predict("finish=true"), 1, "lacks 5 of its 9 parts")


# killed


SMALL_SHARDS = (
    "import sys\nfrom landmix.classify import cut\ncut.SHARD = 64\nfrom landmix.cli.main import main\nsys.exit(main())"
)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    write_scene(tmp_path / "big.tif", np.tile(big_values(), (1, 3, 3)), **BLOCKS)
    done(OUTPUTS, "out_dir=whole", scenes="big.tif")
    arguments = (f"model={world().model}", "scenes=big.tif", "device=cpu", "tiling.core=32", "out_dir=maps", OUTPUTS)
    work = tmp_path / "maps/.landmix/big"
    counts = []
    for after in (3, 40):
        process = subprocess.Popen(
            [sys.executable, "-c", SMALL_SHARDS, "predict", *arguments, "executor.workers=1"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        limit = time.monotonic() + 120
        while len(list(work.glob("*.tif"))) < after and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        process.wait()
        assert not list((tmp_path / "maps").glob("*.tif"))
        counts.append(len(list(work.glob("*.tif"))))
    assert 3 <= counts[0] < counts[1] < 2 * 36
    done(OUTPUTS, scenes="big.tif")
    assert tree(tmp_path / "maps") == tree(tmp_path / "whole")
    for name in tree(tmp_path / "whole") - {"predict.json"}:
        assert (tmp_path / "maps" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
