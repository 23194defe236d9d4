"""task=fractions from training to the comparison with the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import yaml
from commands import NAMES, TINY, done_inside, ended_inside, load_json, read, refused, train, tree, weights, world

from landmix.demo import write_demo

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("fractions") / "run", "task=fractions") / "model.ckpt"


def predict(model: Path, out: Path, *arguments: str) -> Any:
    what = (f"model={model}", f"scenes={world().scene}", f"out_dir={out}", "device=cpu", "progress=off")
    return ended_inside("predict", *what, *arguments)


def test_a_model_of_fractions_says_so(model: Path) -> None:
    metrics = load_json(model.with_name("metrics.json"))
    assert metrics["overall_accuracy"] > 0.9
    assert set(metrics["fractions"]["rmse"]) == set(NAMES)
    assert max(metrics["fractions"]["rmse"].values()) < 0.3
    assert metrics["fractions"]["n"] == metrics["n"]
    assert "synthetic mixtures" in model.with_name("report.html").read_text(encoding="utf-8")
    assert "model of fractions" in ended_inside("inspect", f"path={model}").out
    assert "fractions" not in load_json(world().run / "metrics.json")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fractions_sum_to_1_and_the_map_is_the_largest(
    model: Path, tmp_path: Path, backend: str, precision: str
) -> None:
    computes = (f"backend={backend}", f"precision={precision}")
    ended = predict(model, tmp_path, *computes)
    if "precision=bf16 needs" in ended.last:
        pytest.skip("this processor does not compute in bf16, or this torch does not know")
    assert ended.code == 0, ended.err
    made = {name for name in tree(tmp_path) if name.endswith(".tif")}
    assert made == {"scene.tif", "scene_fractions.tif"}
    stored, classes = read(tmp_path / "scene_fractions.tif"), read(tmp_path / "scene.tif")[0]
    with rasterio.open(tmp_path / "scene_fractions.tif") as file:
        assert file.descriptions == NAMES
        assert (file.dtypes[0], file.nodata, file.scales[0]) == ("uint8", 255, 1 / 200)
    valid = classes > 0
    assert (stored[:, valid].sum(0, dtype=int) == 200).all()
    assert (stored[:, ~valid] == 255).all()
    largest = np.take_along_axis(stored, classes[None].clip(min=1).astype(int) - 1, 0)[0]
    assert (largest[valid] == stored[:, valid].max(0)).all()
    assert predict(model, tmp_path / "float", *computes, "dtype=float32").code == 0
    floats = read(tmp_path / "float" / "scene_fractions.tif")
    assert np.abs(floats[:, valid].sum(0) - 1).max() < 1e-6
    assert floats[:, valid].min() >= 0
    assert np.isnan(floats[:, ~valid]).all()
    assert np.abs(floats - stored / 200)[:, valid].max() < 1 / 200 + 1e-6


def test_tiles_do_not_show(model: Path, tmp_path: Path) -> None:
    for core in (16, 64):
        assert predict(model, tmp_path / str(core), f"tiling.core={core}").code == 0
    one, other = (read(tmp_path / core / "scene_fractions.tif") for core in ("16", "64"))
    np.testing.assert_array_equal(one, other)


def test_shares_that_a_model_does_not_know(model: Path, tmp_path: Path) -> None:
    for share in ("probabilities", "confidence", "gap"):
        refused(predict(model, tmp_path, f"outputs=[classes,{share}]"), 2, share, "ask for fractions")
    refused(predict(world().model, tmp_path, "outputs=[classes,fractions]"), 2, "fractions", "task=fractions")
    assert predict(model, tmp_path, "outputs=[classes]").code == 0
    assert not (tmp_path / "scene_fractions.tif").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data.features=[ndvi]"], ["data.features", "mixture"]),
        (["data.cell=4"], ["data.cell=1"]),
        (["optim.loss=gce"], ["optim.loss"]),
        (["optim.label_smoothing=0.1"], ["optim.label_smoothing"]),
    ],
)
def test_what_cannot_be_mixed(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    what = [*world().data, f"out_dir={tmp_path / 'run'}", "task=fractions", *TINY]
    refused(ended_inside("train", *what, *arguments), 2, "task=fractions", *words)


def test_noise_is_left_out_where_none_is_asked_for(model: Path, tmp_path: Path) -> None:
    def noise(run: Path) -> float:
        return float(yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["data"]["augment"]["noise"])

    assert (noise(model.parent), noise(world().run)) == (0, 0.025)
    asked = train(tmp_path / "run", "task=fractions", "data.augment.noise=0.01", "optim.steps=2")
    assert noise(asked) == 0.01


def test_cross_validation_measures_fractions_of_all_folds(tmp_path: Path) -> None:
    run = train(tmp_path / "run", "task=fractions", "split.folds=2", "optim.steps=10")
    metrics = load_json(run / "metrics.json")
    assert metrics["fractions"]["n"] == metrics["n"]
    bare = train(tmp_path / "bare", "task=fractions", "split.kind=none", "optim.steps=2")
    found = load_json(bare / "metrics.json")["fractions"]
    assert found["n"] == 0
    assert set(found["rmse"].values()) == {None}


def test_the_same_seed_gives_the_same_model(model: Path, tmp_path: Path) -> None:
    first, second = weights(model.parent), weights(train(tmp_path / "run", "task=fractions"))
    assert all((first[name] == second[name]).all() for name in first)


# evaluate


def write(path: Path, fractions: np.ndarray, names: tuple[str, ...] = ("a", "b"), **changes: Any) -> Path:
    count, height, width = fractions.shape
    profile: dict[str, Any] = {"dtype": "float32", "nodata": float("nan"), "crs": "EPSG:32633"} | changes
    transform = rasterio.Affine(10, 0, 0, 0, -10, 0)
    size = {"count": count, "height": height, "width": width, "transform": transform}
    with rasterio.open(path, "w", driver="GTiff", **size, **profile) as file:
        file.write(fractions.astype(profile["dtype"]))
        file.descriptions = names
    return path


def test_errors_of_fractions_by_hand(tmp_path: Path) -> None:
    true = np.array([[[1.0, 0.5, 0.0, 0.2]], [[0.0, 0.5, 1.0, 0.8]]])
    found = np.array([[[0.9, 0.7, 0.0, np.nan]], [[0.1, 0.3, 1.0, np.nan]]])
    # the bands of the reference stand the other way round
    truth = write(tmp_path / "truth.tif", true[::-1], ("b", "a"))
    mapped = write(tmp_path / "map.tif", found)
    done = ended_inside("evaluate", f"map={mapped}", f"reference={truth}", f"out_dir={tmp_path / 'out'}")
    assert done.code == 0, done.err
    figures = load_json(tmp_path / "out" / "accuracy.json")
    fractions = figures["fractions"]
    assert fractions["n"] == figures["n"] == 3
    assert figures["unmapped"] == 1
    assert fractions["rmse"]["a"] == pytest.approx(np.sqrt((0.1**2 + 0.2**2) / 3), abs=1e-6)
    assert fractions["mae"]["b"] == pytest.approx(0.1, abs=1e-6)
    assert fractions["bias"]["a"] == pytest.approx(0.1 / 3, abs=1e-6)
    assert figures["overall_accuracy"] == 1
    assert "RMSE" in done.out
    assert "largest fraction" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_fractions_that_cannot_be_compared(tmp_path: Path) -> None:
    half = np.full((2, 3, 3), 0.5)
    mapped, out = write(tmp_path / "map.tif", half), f"out_dir={tmp_path / 'out'}"
    for name, values, changes, words in (
        ("other", half, {"names": ("a", "c")}, ["map.tif has a, b", "a, c", "name the bands alike"]),
        ("bare", half, {"names": ("a", None)}, ["bare.tif", "name"]),
        ("small", half[:, :2], {}, ["grids"]),
        ("counts", 100 * half, {}, ["counts.tif", "between 0 and 1", "50"]),
    ):
        truth = write(tmp_path / f"{name}.tif", values, **changes)
        refused(ended_inside("evaluate", f"map={mapped}", f"reference={truth}", out), 1, *words)
    same = [f"map={mapped}", f"reference={mapped}", out, "design=random"]
    refused(ended_inside("evaluate", *same), 2, "design")


def demo(folder: Path, size: int, *arguments: str) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """On a demo scene: what a classifier's probabilities and a model's fractions are off, (K, H, W), and the RMSE."""
    files = write_demo(folder, seed=0, size=size)
    data = [f"data.scenes={files.scene}", f"data.labels={files.labels}", "data.field=class"]
    errors, figures = {}, {}
    for task, layer in (("fractions", "fractions"), ("classes", "probabilities")):
        out = folder / task
        done_inside("train", *data, f"task={task}", f"out_dir={out}", "device=cpu", "progress=off", *arguments)
        what = [f"model={out / 'model.ckpt'}", f"scenes={files.scene}", f"out_dir={out}", "device=cpu", "progress=off"]
        done_inside("predict", *what, f"outputs=[classes,{layer}]")
        made = out / f"scene_{layer}.tif"
        done_inside("evaluate", f"map={made}", f"reference={files.fractions}", f"out_dir={out}")
        figures[task] = load_json(out / "accuracy.json")["fractions"]["rmse"]
        with rasterio.open(str(files.fractions)) as truth, rasterio.open(made) as found:
            order = [truth.descriptions.index(name) + 1 for name in found.descriptions]
            true, said = truth.read(order) / 200, found.read(masked=True) / 200
        errors[task] = (said - true)[:, (true.max(0) < MIXED) & ~said.mask[0]].data
        np.testing.assert_allclose(
            list(figures[task].values()), np.sqrt(((said - true) ** 2).mean((1, 2)).data), atol=1e-6
        )
    return errors, figures


MIXED = 0.9
"""Pixels in which no class has more are mixed."""


def test_fractions_of_mixed_pixels_are_nearer_to_the_truth_than_probabilities(tmp_path: Path) -> None:
    errors, figures = demo(tmp_path, 256, "optim.steps=150", "net=small", "split.kind=none", "calibration.folds=0")
    assert errors["fractions"].shape[1] > 1000
    mixed = {task: float(np.sqrt((found**2).mean())) for task, found in errors.items()}
    assert mixed["fractions"] < 0.97 * mixed["classes"]
    assert max(figures["fractions"].values()) < 0.25


@pytest.mark.slow
def test_the_demo_scene_s_fractions(tmp_path: Path) -> None:
    _, figures = demo(tmp_path, 1024)
    fractions, probabilities = figures["fractions"], figures["classes"]
    assert all(fractions[name] < probabilities[name] for name in fractions)
    assert max(fractions.values()) <= 0.1
