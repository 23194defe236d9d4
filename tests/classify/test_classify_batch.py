"""Many scenes on one machine: side by side, failures tried once more."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_files import batch, entries, files, rows_of
from filelock import FileLock

from landmix.classify import cut
from landmix.classify.stages import STAGES, Stages
from landmix.geo.paths import Entry
from landmix.progress import Silent


@pytest.mark.parametrize("workers", [2, 5])
def test_scenes_side_by_side_give_the_bytes_of_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(cut, "SHARD", 32)
    found = entries(tmp_path, 8)
    assert {row.status for row in rows_of(batch(found, tmp_path / "many", workers))} == {"done"}
    for entry in found:
        rows_of(batch([entry], tmp_path / "single"))
    assert files(tmp_path / "many") == files(tmp_path / "single")
    assert len(files(tmp_path / "many")) >= 16


def test_a_scene_that_fails_is_tried_once_more_and_stops_no_other(tmp_path: Path) -> None:
    found = entries(tmp_path, 4)
    Path(found[1].files[0]).write_text("no raster")
    heard = Silent()
    rows = rows_of(batch(found, tmp_path / "out", 2), heard)
    assert [row.status for row in rows] == ["done", "failed", "done", "done"]
    assert [row.attempts for row in rows] == [1, 2, 1, 1]
    assert "s1.tif" in str(rows[1].error)
    assert [text for text in heard.warnings if "tried again" in text and "s1.tif" in text]


def test_what_failed_for_a_moment_is_done_in_the_end(tmp_path: Path) -> None:
    """Here a scene that is still being written when its turn comes."""
    found = entries(tmp_path, 3)
    late = Path(found[0].files[0])
    content = late.read_bytes()
    late.write_bytes(content[:100])
    rows = {}
    for number, row in batch(found, tmp_path / "out").run(Stages(), Silent()):
        rows[number] = row
        late.write_bytes(content)
    assert [rows[number].status for number in range(3)] == ["done", "done", "done"]
    assert [rows[number].attempts for number in range(3)] == [2, 1, 1]
    assert rows[0].error is None


def test_a_single_scene_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_text("no raster")
    bad = Entry(files=(str(tmp_path / "bad.tif"),), stem="bad")
    (row,) = rows_of(batch([bad], tmp_path / "out"))
    assert (row.status, row.attempts) == ("failed", 1)


def test_a_row_says_what_computed_and_how_large(tmp_path: Path) -> None:
    (row,) = rows_of(batch(entries(tmp_path, 1), tmp_path / "out"))
    assert row.megapixels == pytest.approx(70 * 60 / 1e6)
    assert "torch" in str(row.engine)
    assert "fp32" in str(row.engine)
    assert row.warnings == []
    assert row.map == str(tmp_path / "out" / "s0.tif")


def test_a_map_that_another_run_works_on_is_left_to_it(tmp_path: Path) -> None:
    found = entries(tmp_path, 2)
    work = tmp_path / "out" / ".landmix" / "s1"
    work.mkdir(parents=True)
    with FileLock(work / "lock"):
        rows = rows_of(batch(found, tmp_path / "out"))
    assert [row.status for row in rows] == ["done", "failed"]
    assert "another landmix" in str(rows[1].error)


def test_a_caller_that_goes_away_stops_the_others(tmp_path: Path) -> None:
    """As Ctrl-C does: what is left is whole, and the next run goes on."""
    found = entries(tmp_path, 6)
    for _ in batch(found, tmp_path / "out", 2).run(Stages(), Silent()):
        break
    left = files(tmp_path / "out")
    assert not [name for name in left if "/.landmix-" in name or name.startswith(".landmix-")]
    assert "s5.tif" not in left
    rows = rows_of(batch(found, tmp_path / "out", 2))
    assert {row.status for row in rows} == {"done", "kept"}
    rows_of(batch(found, tmp_path / "whole", 2))
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_the_time_is_told_by_stage(tmp_path: Path) -> None:
    stages = Stages()
    list(batch(entries(tmp_path, 2), tmp_path / "out", 2).run(stages, Silent()))
    assert tuple(stages.seconds) == STAGES == ("read", "compute", "write", "finish", "wait")
    assert all(stages.seconds[stage] > 0 for stage in ("read", "compute", "write", "finish"))
    assert all(stage in str(stages) for stage in STAGES)


def test_every_scene_makes_progress_of_the_whole(tmp_path: Path) -> None:
    class Steps(Silent):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[float, float]] = []

        def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002
            self.seen.append((done, total))

    heard = Steps()
    rows_of(batch(entries(tmp_path, 5), tmp_path / "out", 2), heard)
    assert {total for _, total in heard.seen} == {5}
    assert max(done for done, _ in heard.seen) == heard.seen[-1][0] == 5
