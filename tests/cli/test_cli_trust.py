"""Calibration and the area of applicability, from training to the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import torch
from commands import (
    TINY,
    cells,
    distance,
    done_inside,
    ended_inside,
    load_json,
    read,
    refused,
    run,
    train,
    truth,
    world,
    write_labels,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def predict(model: Path, out_dir: Path, *arguments: str) -> Path:
    done_inside("predict", f"model={model}", f"scenes={world().scene}", f"out_dir={out_dir}", "device=cpu", *arguments)
    return out_dir


def test_figures_of_calibration_are_kept_and_said(tmp_path: Path) -> None:
    done = ended_inside(
        "train", *world().data, f"out_dir={tmp_path / 'run'}", "net=small", "optim.steps=30", "progress=off"
    )
    assert done.code == 0
    assert done.out.count("confidence: logits are divided by") == 1
    metrics = load_json(tmp_path / "run" / "metrics.json")
    found = metrics["calibration"]
    assert found["folds"] == 3
    assert 0.05 <= found["temperature"] <= 20
    assert found["n"] == sum(metrics["trained_on"].values())
    assert 0 <= found["ece_before"] <= 1
    for key in ("reliability", "reliability_before"):
        assert sum(found[key]["counts"]) == metrics["n"]
        assert [c is None for c in found[key]["confidence"]] == [n == 0 for n in found[key]["counts"]]
    reach = metrics["applicability"]
    assert reach["threshold"] > 0
    assert 3 <= reach["points"] <= 64
    content = torch.load(tmp_path / "run" / "model.ckpt", weights_only=True)
    assert content["bundle"]["temperature"] == found["temperature"]
    assert content["bundle"]["reference"]["threshold"] == reach["threshold"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "How sure it is, and where" in page
    assert "Reliability diagram" in page
    text = ended_inside("inspect", f"path={tmp_path / 'run' / 'model.ckpt'}").out
    assert f"temperature {found['temperature']:.3g}" in text


def test_a_temperature_leaves_the_map_as_it_is(tmp_path: Path) -> None:
    """A run with calibration has the same network as one without, and so the same map; confidence differs."""
    plain, calibrated = world().run, train(tmp_path / "calibrated", "calibration.folds=2")
    assert load_json(plain / "metrics.json")["calibration"] is None
    assert distance(plain, calibrated) == 0
    one, other = (
        predict(model / "model.ckpt", tmp_path / name, "outputs=[classes,confidence]")
        for model, name in ((plain, "a"), (calibrated, "b"))
    )
    np.testing.assert_array_equal(read(one / "scene.tif"), read(other / "scene.tif"))
    first, second = (read(folder / "scene_confidence.tif").astype(float) for folder in (one, other))
    warmer = load_json(calibrated / "metrics.json")["calibration"]["temperature"] > 1
    valid = first != 255
    assert (second <= first + 1)[valid].all() if warmer else (second >= first - 1)[valid].all()


def test_folds_of_cross_validation_serve_for_the_temperature(tmp_path: Path) -> None:
    metrics = load_json(train(tmp_path / "run", "split.folds=3", "calibration.folds=3") / "metrics.json")
    assert metrics["calibration"]["folds"] == 3
    assert metrics["calibration"]["n"] == metrics["n"] == sum(metrics["calibration"]["reliability"]["counts"])


def test_without_validation_nothing_is_reported_of_it(tmp_path: Path) -> None:
    done = ended_inside("train", *world().data, f"out_dir={tmp_path}", *TINY, "split.kind=none", "calibration.folds=2")
    assert "not checked on a validation part" in done.out
    found = load_json(tmp_path / "metrics.json")["calibration"]
    assert found["folds"] == 2
    assert (found["ece_before"], found["ece_after"], found["reliability"]) == (None, None, None)


def test_too_few_places_are_said_and_stop_nothing(tmp_path: Path) -> None:
    """One polygon a class: nothing can be held back."""
    labels = write_labels(tmp_path / "few.gpkg", cells()[:3])
    out = train(tmp_path / "run", f"data.labels={labels}", "split.kind=none", "calibration.folds=3")
    metrics = load_json(out / "metrics.json")
    assert (metrics["calibration"]["temperature"], metrics["calibration"]["folds"]) == (1.0, 0)
    assert metrics["applicability"] is None
    assert len([text for text in metrics["warnings"] if "too few polygons" in text]) == 2
    done = ended_inside(
        "predict",
        f"model={out / 'model.ckpt'}",
        f"scenes={world().scene}",
        f"out_dir={tmp_path / 'map'}",
        "outputs=[classes,applicability]",
    )
    refused(done, 1, "applicability", "several places")
    assert not (tmp_path / "map").exists()


@pytest.mark.parametrize("folds", ["1", "-1", "101"])
def test_folds_that_cannot_be_are_refused(tmp_path: Path, folds: str) -> None:
    done = ended_inside("train", *world().data, f"out_dir={tmp_path / 'run'}", f"calibration.folds={folds}")
    refused(done, 2, "calibration.folds")


def outside(folder: Path) -> NDArray[np.float64]:
    """Dissimilarity of the scene's pixels in thresholds."""
    with rasterio.open(folder / "scene_applicability.tif") as file:
        assert file.scales == (1.0,)
        return np.asarray(file.read(1), np.float64)


def test_a_class_that_was_never_taught_lies_outside(tmp_path: Path) -> None:
    """Through the installed command: water is left out of training, and stands out in the map of applicability."""
    model = train(tmp_path / "run", "data.ignore=[water]", "optim.steps=150")
    done = run(
        "predict",
        f"model={model / 'model.ckpt'}",
        f"scenes={world().scene}",
        "out_dir=map",
        "outputs=[classes,applicability]",
        "dtype=float32",
        "device=cpu",
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    away = outside(tmp_path / "map")
    water = truth() == 3
    assert (away[water] > 1).mean() > 0.9
    assert (away[~water] > 1).mean() < 0.3
    assert np.median(away[water]) > 2 * np.median(away[~water])


def test_it_is_the_same_with_flips_and_in_tiles(tmp_path: Path) -> None:
    out = ("outputs=[classes,applicability]", "dtype=float32")
    model = world().model
    whole = predict(model, tmp_path / "whole", *out)
    turned = predict(model, tmp_path / "turned", *out, "tta=flips")
    np.testing.assert_allclose(outside(whole), outside(turned), atol=1e-4)
    cut = predict(model, tmp_path / "cut", *out, "tiling.core=32", "executor.workers=2")
    np.testing.assert_array_equal(outside(whole), outside(cut))
