"""What a map was made of: roles, and files that change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from classify_files import model, plan_of, write_scene

from landmix.classify.loaded import Loaded
from landmix.classify.run import Work, classify
from landmix.errors import LandmixError
from landmix.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path


def test_a_scene_that_changes_before_its_parts_are_written_becomes_no_map(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif")
    plan = plan_of(model(), scene, tmp_path / "out" / "map.tif")
    os.utime(scene, ns=(1, 1))
    with pytest.raises(LandmixError, match=r"scene\.tif changed while it was read"):
        classify(plan, Loaded(model()), Work(), Silent())
    assert not plan.target.exists()
    assert not list(plan.work.glob("*.tif")) if plan.work.exists() else True


def test_the_same_files_read_as_other_bands_are_another_map(tmp_path: Path) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from landmix.classify.plan import provenance  # noqa: PLC0415

    plan = plan_of(model(), write_scene(tmp_path / "scene.tif"), tmp_path / "map.tif")
    scene = plan.scene
    swapped = replace(scene, origins=(scene.origins[1], scene.origins[0], *scene.origins[2:]))
    made = [provenance(model(), s, plan.settings, plan.engine, ["x"], "1") for s in (scene, swapped)]
    assert made[0] != made[1]
    assert made[0]["input"] == made[1]["input"]
