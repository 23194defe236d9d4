"""Honest numbers of a split: how far apart, over what pixels are alike, what a random split would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from commands import (
    OFFSET,
    SCALE,
    SIZE,
    TINY,
    ended_inside,
    load_json,
    reflectance,
    refused,
    train,
    tree,
    weights,
    world,
    write_classes,
    write_scene,
)
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from pathlib import Path

QUICK = "optim.steps=10"


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def metrics(folder: Path) -> Any:
    """What a run says of itself."""
    return load_json(folder / "metrics.json")


def smooth_scene(path: Path, sigma: float = 6.0) -> Path:
    """The world's scene, whose pixels vary over about 20 pixels within each class."""
    rng = np.random.default_rng(5)
    waves = np.stack([gaussian_filter(rng.normal(size=(SIZE, SIZE)), sigma) for _ in range(4)])
    physical = reflectance() + 0.02 * waves / waves.std()
    return write_scene(path, np.rint((physical.clip(0.001) - OFFSET) / SCALE).astype(np.uint16))


def test_white_noise_has_no_range_and_distances_a_histogram() -> None:
    figures = metrics(world().run)
    found = figures["split"]["variogram"]
    assert found["range_m"] == 0
    assert found["n"] > 1000
    histogram = figures["distance_m"]["histogram"]
    assert sum(histogram["counts"]) == figures["n"]
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1
    assert histogram["edges"][-1] == pytest.approx(figures["distance_m"]["max"], rel=1e-4)
    assert not any("variogram" in text for text in figures["warnings"])
    assert 'aria-label="Histogram of the distances' in (world().run / "report.html").read_text(encoding="utf-8")


def test_blocks_narrower_than_the_range_are_a_warning(tmp_path: Path) -> None:
    scene = smooth_scene(tmp_path / "smooth.tif")
    data = [f"data.scenes={scene}", *world().data[1:]]
    done = ended_inside("train", *data, "out_dir=out", *TINY, QUICK)
    assert done.code == 0
    figures = metrics(tmp_path / "out")
    reach = figures["split"]["variogram"]["range_m"]
    assert reach > figures["split"]["side_m"]
    (said,) = [text for text in figures["warnings"] if "variogram" in text]
    wide = int(said.partition("split.side_m=")[2].split()[0])
    assert wide >= reach
    assert f"{figures['split']['side_m']:.0f} m" in said
    assert f"warning: {said}" in done.err
    assert said in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    mended = ended_inside("train", *data, "out_dir=mended", *TINY, QUICK, f"split.side_m={wide}")
    assert mended.code == 0
    assert "variogram" not in mended.err


def test_polygons_within_the_range_are_a_warning(tmp_path: Path) -> None:
    scene = smooth_scene(tmp_path / "smooth.tif", sigma=9)
    out = train(tmp_path / "out", f"data.scenes={scene}", QUICK, "split.kind=polygons", "split.buffer_m=0")
    assert any("split.kind=blocks split.side_m=" in text for text in metrics(out)["warnings"])


def test_a_validation_part_of_ones_own_has_them_too(tmp_path: Path) -> None:
    there = Affine(10.0, 0.0, 500_000.0 + 20 * SIZE, 0.0, -10.0, 5_300_000.0)
    write_scene(tmp_path / "other.tif", seed=1, transform=there)
    write_classes(tmp_path / "other_labels.tif", transform=there)
    own = ["data.validation.scenes=other.tif", "data.validation.labels=other_labels.tif"]
    labels = ["data.labels=" + str(world().truth), "data.field=null", "split.compare_random=true"]
    figures = metrics(train(tmp_path / "out", *own, *labels, QUICK))
    assert figures["split"]["kind"] == "own"
    assert figures["split"]["variogram"]["sill"] is not None
    assert sum(figures["distance_m"]["histogram"]["counts"]) == figures["n"] == SIZE * SIZE
    assert figures["random_split"]["n"] == SIZE * SIZE // 2


def test_random_split_is_printed_beside_as_a_warning(tmp_path: Path) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", *TINY, "split.compare_random=true")
    assert done.code == 0
    figures = metrics(tmp_path / "out")
    random = figures["random_split"]
    assert random["n"] == 900
    assert random["gap"] == pytest.approx(random["overall_accuracy"] - figures["overall_accuracy"])
    (said,) = [text for text in figures["warnings"] if "random split" in text]
    assert "do not quote it" in said
    assert done.err.count(f"warning: {said}") == 1
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert said in page
    assert "A random split would say" in page
    assert tree(tmp_path / "out") == tree(world().run)
    plain = metrics(world().run)
    assert plain["random_split"] is None
    assert plain["confusion"] == figures["confusion"]
    same, other = weights(world().run), weights(tmp_path / "out")
    assert all((same[name] == other[name]).all() for name in same)


def test_random_split_of_folds_has_their_share(tmp_path: Path) -> None:
    out = train(tmp_path / "out", QUICK, "split.folds=3", "split.compare_random=true")
    assert metrics(out)["random_split"]["n"] == 1200


def test_random_split_is_not_fitted_again_on_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["train", *world().data, "out_dir=out", *TINY, QUICK, "split.compare_random=true", "split.folds=2"]
    with monkeypatch.context() as broken:
        broken.setattr("landmix.tasks.train.bundles.save", lambda *_: 1 / 0)
        assert ended_inside(*arguments).code == 1
    kept = tmp_path / "out" / ".landmix" / "fold-random.npz"
    with np.load(kept) as held:
        np.savez(kept, **{**held, "logits": np.zeros_like(held["logits"])})  # what is there is believed
    assert ended_inside(*arguments, "resume=true").code == 0
    first = metrics(tmp_path / "out")["random_split"]
    assert first["overall_accuracy"] == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("kind", ["random", "none"])
def test_random_split_needs_one_to_compare_with(tmp_path: Path, kind: str) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", f"split.kind={kind}", "split.compare_random=true")
    refused(done, 2, "split.compare_random", f"split.kind={kind}", "split.kind=blocks")
    assert tree(tmp_path) == set()


def test_mean_and_spread_of_folds(tmp_path: Path) -> None:
    done = ended_inside("train", *world().data, "out_dir=out", *TINY, QUICK, "split.folds=3")
    figures = metrics(tmp_path / "out")
    for key in ("overall_accuracy", "macro_f1", "kappa"):
        each = [row[key] for row in figures["folds"]]
        assert figures["folds_summary"][key]["mean"] == pytest.approx(np.mean(each))
        assert figures["folds_summary"][key]["std"] == pytest.approx(np.std(each, ddof=1))
    summary = figures["folds_summary"]["overall_accuracy"]
    assert f"mean of folds: overall accuracy {summary['mean']:.3f} ± {summary['std']:.3f}" in done.out
    assert "Standard deviation" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert metrics(world().run)["folds_summary"] is None
