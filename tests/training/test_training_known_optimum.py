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
from landmix.training.settings import SplitSettings

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


def unseen_hits(folder: Path, files: DemoFiles, net: NetShape) -> NDArray[np.bool_]:
    """Where the map is right, (H, W); True too at pixels that were labelled."""
    data = DataSettings(scenes=str(files.scene), labels=str(files.labels))
    split = SplitSettings(kind="none")
    train(TrainSettings(data=data, out_dir=str(folder / "model"), net=net, split=split, device="cpu"), Silent())
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


def test_a_network_with_neighbours_sees_fields(tmp_path: Path) -> None:
    files = write_two_class(tmp_path, seed=1, size=256, field=32)
    right = unseen_hits(tmp_path, files, NEIGHBOURS)
    inside = np.zeros((32, 32), np.bool_)
    inside[4:-4, 4:-4] = True
    interiors = np.tile(inside, (8, 8)) & (read(files.labels) == 0)
    assert right[interiors].mean() >= 0.99
    assert right[interiors].mean() <= best_accuracy(2.0, 1, pixels=9) + 0.003


def test_permuted_labels_teach_nothing(tmp_path: Path) -> None:
    files = write_two_class(tmp_path, seed=1, size=256, shuffle=True)
    data = DataSettings(scenes=str(files.scene), labels=str(files.labels))
    settings = TrainSettings(data=data, out_dir=str(tmp_path / "model"), net=PIXEL, device="cpu")
    train(settings, Silent())
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    majority = max(row["support"] for row in metrics["classes"]) / metrics["n"]
    error = float(np.sqrt(majority * (1 - majority) / metrics["n"]))
    assert metrics["overall_accuracy"] <= majority + 3 * error
