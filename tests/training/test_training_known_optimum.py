"""The scene whose best possible accuracy is known holds training and prediction from both sides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio

from landmix.demo import best_accuracy, write_two_class
from landmix.nn.spec import EncoderSpec, HeadSpec, NetShape
from landmix.progress import Silent
from landmix.tasks.predict import predict
from landmix.tasks.settings import DataSettings, PredictTask, TrainSettings
from landmix.tasks.train import train
from landmix.training.settings import CalibrationSettings, SplitSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.demo import DemoFiles

PIXEL = NetShape(encoder=EncoderSpec(widths=(16, 16)), head=HeadSpec(blocks=0))
NEIGHBOURS = NetShape(encoder=EncoderSpec(widths=(16, 16)), head=HeadSpec(blocks=1, reduced=8, width=16))


def read(path: Path | str) -> NDArray[np.uint8]:
    with rasterio.open(path) as dataset:
        values: NDArray[np.uint8] = dataset.read(1)
    return values


def unseen_hits(folder: Path, files: DemoFiles, net: NetShape, seed: int = 0) -> NDArray[np.bool_]:
    """Where the map is right, (H, W); True too at pixels that were labelled."""
    data = DataSettings(scenes=str(files.scene), labels=str(files.labels))
    settings = TrainSettings(
        data=data,
        out_dir=str(folder / "model"),
        net=net,
        split=SplitSettings(kind="none"),
        calibration=CalibrationSettings(folds=0),
        device="cpu",
        seed=seed,
    )
    train(settings, Silent())
    model = str(folder / "model" / "model.ckpt")
    predict(PredictTask(model=model, scenes=str(files.scene), out_dir=str(folder / "map"), device="cpu"), Silent())
    mapped = read(folder / "map" / "scene.tif")
    assert set(np.unique(mapped)) == {1, 2}
    return np.asarray(mapped == read(files.reference))


@pytest.mark.parametrize("bands", [1, 3])
def test_a_pixel_network_comes_to_the_optimum_and_never_passes_it(tmp_path: Path, bands: int) -> None:
    files = write_two_class(tmp_path, seed=1, size=384, bands=bands)
    unlabelled = read(files.labels) == 0
    right = unseen_hits(tmp_path, files, PIXEL)[unlabelled]
    best = best_accuracy(2.0, bands)
    error = float(np.sqrt(best * (1 - best) / right.size))
    assert best - 0.005 < right.mean() < best + 3 * error


def interiors(files: DemoFiles) -> NDArray[np.bool_]:
    """(H, W): unlabelled pixels 4 pixels inside fields of 32."""
    inside = np.zeros((32, 32), np.bool_)
    inside[4:-4, 4:-4] = True
    unlabelled = read(files.labels) == 0
    return np.asarray(np.tile(inside, [side // 32 for side in unlabelled.shape]) & unlabelled)


def test_a_network_with_neighbours_sees_fields(tmp_path: Path) -> None:
    files = write_two_class(tmp_path, seed=1, size=256, field=32)
    right = unseen_hits(tmp_path, files, NEIGHBOURS)[interiors(files)]
    assert right.mean() >= 0.99
    assert right.mean() <= best_accuracy(2.0, 1, pixels=9) + 0.003


def above_chance(folder: Path, net: NetShape, seed: int) -> float:
    """By how many standard errors a network that learnt permuted labels beats the majority's share of them."""
    files = write_two_class(folder, seed=seed, size=256, shuffle=True)
    data = DataSettings(scenes=str(files.scene), labels=str(files.labels))
    settings = TrainSettings(
        data=data,
        out_dir=str(folder / "model"),
        net=net,
        calibration=CalibrationSettings(folds=0),
        device="cpu",
        seed=seed,
    )
    train(settings, Silent())
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    majority = max(row["support"] for row in metrics["classes"]) / metrics["n"]
    error = float(np.sqrt(majority * (1 - majority) / metrics["n"]))
    return float((metrics["overall_accuracy"] - majority) / error)


def test_permuted_labels_teach_nothing(tmp_path: Path) -> None:
    assert above_chance(tmp_path, PIXEL, 1) <= 3


SEEDS = 1, 2, 3


@pytest.mark.slow
@pytest.mark.parametrize("bands", [1, 3])
def test_the_spectral_network_comes_to_the_optimum(tmp_path: Path, bands: int) -> None:
    """`net=spectral` as it is, three seeds: on average near the best that any rule can do, never above by 3 errors."""
    spectral, shares = NetShape(head=HeadSpec(blocks=0)), []
    best = best_accuracy(2.0, bands)
    for seed in SEEDS:
        files = write_two_class(tmp_path / str(seed), seed=seed, size=512, bands=bands)
        right = unseen_hits(tmp_path / str(seed), files, spectral, seed)[read(files.labels) == 0]
        assert right.mean() <= best + 3 * float(np.sqrt(best * (1 - best) / right.size))
        shares.append(right.mean())
    assert np.mean(shares) >= best - 0.005


@pytest.mark.slow
def test_base_and_small_see_fields(tmp_path: Path) -> None:
    """A 3 x 3 network as it is, and `net=base`, inside fields; three seeds."""
    small = NetShape(encoder=EncoderSpec(widths=(32, 32)), head=HeadSpec(blocks=1, reduced=8, width=32))
    for name, net in (("small", small), ("base", NetShape())):
        shares = []
        for seed in SEEDS:
            folder = tmp_path / f"{name}-{seed}"
            files = write_two_class(folder, seed=seed, size=384, field=32)
            shares.append(unseen_hits(folder, files, net, seed)[interiors(files)].mean())
        assert np.mean(shares) >= 0.99
        if name == "small":  # it sees 9 pixels of one class
            assert np.mean(shares) <= best_accuracy(2.0, 1, pixels=9) + 0.001


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [0, 2])
def test_permuted_labels_teach_three_seeds_nothing(tmp_path: Path, blocks: int) -> None:
    net = NetShape(head=HeadSpec(blocks=blocks))
    assert max(above_chance(tmp_path / str(seed), net, seed) for seed in SEEDS) <= 3
