"""Stopped, killed, failed: what is left, and what is said."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from classify_files import model, plan_of, run, write_scene

from landmix.classify import cut
from landmix.errors import LandmixError, Stopped
from landmix.progress import Silent

if TYPE_CHECKING:
    from landmix.classify.plan import Plan


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cut, "SHARD", 32)
    return write_scene(tmp_path / "scene.tif")


def planned(scene: str, folder: Path) -> Plan:
    return plan_of(model(), scene, folder / "map.tif", outputs=("classes", "gap"), tile=16)


class StopsAt(Silent):
    """Sets an event when a share is computed."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at, self.stop = at, threading.Event()

    def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002
        if done >= self.at * total:
            self.stop.set()


@pytest.mark.parametrize("workers", [1, 3])
def test_told_to_stop_it_stops_soon_and_leaves_whole_parts(scene: str, tmp_path: Path, workers: int) -> None:
    plan = planned(scene, tmp_path / "out")
    progress = StopsAt(0.3)
    with pytest.raises(Stopped):
        run(plan, model(), progress, workers=workers, stop=progress.stop)
    assert not plan.target.exists()
    parts = list(plan.work.glob("*.tif"))
    assert len(parts) < 2 * len(plan.shards)
    assert not list(plan.work.glob(".landmix-*"))
    for part in parts:
        with rasterio.open(part) as file:
            file.read()
    assert run(plan, model()) == "done"
    whole = planned(scene, tmp_path / "whole")
    run(whole, model())
    for name in ("map.tif", "map_gap.tif"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not plan.work.parent.exists()


def test_stopped_before_it_began_it_leaves_nothing(scene: str, tmp_path: Path) -> None:
    plan = planned(scene, tmp_path / "out")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        run(plan, model(), stop=stop)
    assert not list((tmp_path / "out").iterdir())


class Slow(Silent):
    def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_said_of_a_damaged_block_is_that_it_is_damaged(tmp_path: Path, workers: int) -> None:
    """And not that the other workers were stopped then."""
    values = np.random.default_rng(0).integers(1, 99, (2, 700, 700), np.uint8)
    path = Path(write_scene(tmp_path / "big.tif", values, compress="deflate", blockxsize=64, blockysize=64))
    with rasterio.open(path) as file:
        place = int(file.get_tag_item("BLOCK_OFFSET_2_2", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[place : place + 400] = b"\xff" * 400
    path.write_bytes(content)
    for attempt in range(3):
        plan = plan_of(model(), str(path), tmp_path / f"out{attempt}" / "map.tif", tile=64)
        with pytest.raises(LandmixError, match=r"big\.tif: the file is damaged"):
            run(plan, model(), Slow(), workers=workers)


@pytest.mark.parametrize("kept", [0, 4, 150, 300, 500, 700])
@pytest.mark.parametrize("filled", [True, False])
def test_a_damaged_part_is_named_or_computed_again(scene: str, tmp_path: Path, kept: int, filled: bool) -> None:  # noqa: FBT001
    """Cut off, or zeros from some byte on, as after a loss of power; the map is right or there is none."""
    plan = planned(scene, tmp_path / "out")
    run(plan, model(), shards=plan.shards)
    part = plan.part(plan.layers[0], plan.shards[1])
    content = part.read_bytes()
    assert kept < len(content)
    part.write_bytes(content[:kept] + bytes(len(content) - kept if filled else 0))
    try:
        assert run(plan, model()) == "done"
    except LandmixError as error:
        assert part.name in str(error)  # noqa: PT017 - computing it again would be as good
        assert not plan.target.exists()
    else:
        whole = planned(scene, tmp_path / "whole")
        run(whole, model())
        assert plan.target.read_bytes() == whole.target.read_bytes()


@pytest.mark.parametrize("other", ["another share", "a share without work", "finish"])
def test_shares_of_a_scene_do_not_remove_what_others_need(scene: str, tmp_path: Path, other: str) -> None:
    """Something comes and goes while a share has not written its first part."""
    plan = planned(scene, tmp_path / "out")
    seen: list[str] = []

    class Meanwhile(Silent):
        def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002
            if seen:
                return
            seen.append(other)
            if other == "finish":
                with pytest.raises(LandmixError, match="lacks 6 of its 6 parts"):
                    run(plan, model(), only_finish=True)
            elif other == "another share":
                stop = threading.Event()
                stop.set()
                with pytest.raises(Stopped):
                    run(plan, model(), shards=plan.shards[1:2], lock="lock-2-of-2", stop=stop)
            else:
                run(plan, model(), shards=[], lock="lock-2-of-2")
            assert (plan.work / "lock-1-of-2").exists()
            assert (plan.work / "plan.json").exists()

    assert run(plan, model(), Meanwhile(), shards=plan.shards[:1], lock="lock-1-of-2") == "parts"
    assert seen == [other]
    assert plan.part(plan.layers[0], plan.shards[0]).exists()
