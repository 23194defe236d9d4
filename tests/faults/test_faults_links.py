"""Links where landmix keeps its unfinished work: nothing behind them is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import ended_inside, refused, world
from fault_runs import predicting, training

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("place", [".landmix", ".landmix/scene"])
def test_a_linked_folder_of_unfinished_work_is_not_entered(tmp_path: Path, place: str) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    (home / "scene").mkdir(parents=True)
    for folder in (home, home / "scene"):
        (folder / "thesis.txt").write_text("precious", encoding="utf-8")
    (out / place).parent.mkdir(parents=True)
    (out / place).symlink_to(home, target_is_directory=True)
    refused(ended_inside(*predicting([world().scene], out)), 1, "is a link to")
    assert (home / "thesis.txt").exists()
    assert (home / "scene" / "thesis.txt").exists()


def test_a_linked_folder_of_unfinished_training_is_not_entered(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    (home / "thesis.txt").write_text("precious", encoding="utf-8")
    out.mkdir()
    (out / ".landmix").symlink_to(home, target_is_directory=True)
    refused(ended_inside(*training(out)), 1, "is a link to")
    assert (home / "thesis.txt").exists()


def test_files_of_others_among_unfinished_work_stay(tmp_path: Path) -> None:
    work = tmp_path / "out" / ".landmix" / "scene"
    work.mkdir(parents=True)
    for name in ("mine.txt", "mine.tif"):
        (work / name).write_text("mine", encoding="utf-8")
    assert ended_inside(*predicting([world().scene], tmp_path / "out")).code == 0
    assert {path.name for path in work.iterdir()} == {"mine.txt", "mine.tif"}
