"""What helps against wrong labels, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from commands import NAMES, TINY, distance, ended_inside, load_json, on_ground, refused, train, world, write_labels

if TYPE_CHECKING:
    from pathlib import Path


def test_eroded_borders_do_not_train_but_validate(tmp_path: Path) -> None:
    plain = load_json(world().run / "metrics.json")
    eroded = load_json(train(tmp_path / "run", "data.erode=1") / "metrics.json")
    assert eroded["n"] == plain["n"], "validation pixels stay"
    # fields of 10 x 10 pixels keep 8 x 8
    ratio = sum(eroded["trained_on"].values()) / sum(plain["trained_on"].values())
    assert ratio == pytest.approx(0.64, abs=0.1)


def test_with_all_labels_too(tmp_path: Path) -> None:
    run = train(tmp_path / "run", "data.erode=2", "split.kind=none")
    assert set(load_json(run / "metrics.json")["trained_on"].values()) == {12 * 6 * 6}


def test_erosion_that_leaves_nothing_names_the_class(tmp_path: Path) -> None:
    found = ended_inside("train", *world().data, f"out_dir={tmp_path / 'run'}", *TINY, "data.erode=5")
    refused(found, 1, "data.erode=5", *NAMES, "smaller")


def test_small_polygons_that_vanish_are_counted(tmp_path: Path) -> None:
    cells = [(NAMES[i % 3], shapely.box(4 + 30 * i, 4, 16 + 30 * i, 16)) for i in range(3)]
    cells += [(NAMES[i % 3], shapely.box(4 + 30 * i, 60, 16 + 30 * i, 72)) for i in range(3)]
    cells += [(NAMES[0], shapely.box(40, 40, 42, 42)), (NAMES[1], shapely.Point(80.5, 40.5).buffer(0.4))]
    labels = write_labels(
        tmp_path / "labels.gpkg", [(name, shapely.transform(shape, on_ground)) for name, shape in cells]
    )
    arguments = [f"data.labels={labels}", "data.erode=1", "split.kind=none", f"out_dir={tmp_path / 'run'}", *TINY]
    found = ended_inside("train", f"data.scenes={world().scene}", *arguments)
    assert found.code == 0, found.err
    assert "data.erode=1 takes every pixel of 2 of 8 labelled features" in found.err


def test_points_have_no_borders(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = rng.integers(0, 96, (60, 2))
    points = [
        (NAMES[(r // 16 + c // 16) % 3], shapely.Point(*on_ground(np.array([c + 0.5, r + 0.5])))) for r, c in places
    ]
    labels = write_labels(tmp_path / "points.gpkg", points)
    both = [
        load_json(
            train(tmp_path / str(erode), f"data.labels={labels}", f"data.erode={erode}", "split.kind=none")
            / "metrics.json"
        )
        for erode in (0, 1)
    ]
    assert both[0]["trained_on"] == both[1]["trained_on"]


@pytest.mark.parametrize("loss", ["focal", "gce"])
def test_other_losses_train(tmp_path: Path, loss: str) -> None:
    run = train(tmp_path / "run", f"optim.loss={loss}")
    assert load_json(run / "metrics.json")["overall_accuracy"] > 0.9
    assert distance(run, world().run) > 1e-3


def test_losses_that_cannot_be(tmp_path: Path) -> None:
    out = [f"out_dir={tmp_path / 'run'}", *TINY]
    refused(ended_inside("train", *world().data, *out, "optim.loss=gces"), 2, "optim.loss", "gce")
    refused(ended_inside("train", *world().data, *out, "optim.gce_q=0"), 2, "optim.gce_q")
