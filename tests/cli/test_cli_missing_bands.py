"""Scenes that lack bands of the model, where the user allows it: they count as the mean of the training pixels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner
from commands import (
    BANDS,
    BLOCKS,
    TINY,
    WAVELENGTHS,
    big_values,
    done_inside,
    ended_inside,
    load_json,
    read,
    refused,
    train,
    world,
    write_scene,
)

import landmix
from landmix.cli.rio import landmix as rio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from commands import Done
    from numpy.typing import NDArray

GONE = 1
"""red"""


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lacking(path: Path, *gone: int) -> Path:
    """A scene without some of the world's bands, in other order."""
    kept = [i for i in reversed(range(4)) if i not in gone]
    values = big_values()[kept]
    return write_scene(
        path, values, names=[BANDS[i] for i in kept], wavelengths=[WAVELENGTHS[i] for i in kept], **BLOCKS
    )


def predict(scene: Path, *arguments: str, model: Path | None = None, out: str = "maps") -> Done:
    fixed = (f"model={model or world().model}", f"scenes={scene}", f"out_dir={out}", "device=cpu")
    return ended_inside("predict", *fixed, *arguments)


def expected(model: Path, values: NDArray[Any], missing: Sequence[str]) -> NDArray[Any]:
    """Class values by the plain network, with 0 after normalising where a band is missing."""
    bundle = landmix.load(model).bundle
    scale, offset = bundle.scaling.then(bundle.normalise).arrays
    seen = values * scale[:, None, None] + offset[:, None, None]
    here = [name not in missing for name in bundle.bands.names]
    valid = (values[here] != 0).all(0)
    seen[:, ~valid] = 0
    seen[~np.array(here)] = 0
    padded = np.pad(seen, ((0, 0), *((bundle.margin, bundle.margin),) * 2)).astype(np.float32)
    logits = bundle.network()(torch.from_numpy(padded)[None])[0].numpy()
    return bundle.legend.decode(logits.argmax(0).astype(np.uint8), valid)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_an_allowed_band_counts_as_the_mean(tmp_path: Path, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    scene = lacking(tmp_path / "s.tif", GONE)
    how = (f"backend={backend}", "precision=fp32", "allow_missing=[red]")
    ended = predict(scene, *how, "tiling.core=32", "executor.workers=2")
    assert ended.code == 0, ended.err
    assert "lacks red" in ended.err
    assert "net.encoder.band_dropout" in ended.err
    assert predict(scene, *how, "tiling.core=16384", out="whole").code == 0
    found = read(tmp_path / "maps/s.tif")[0]
    assert np.array_equal(found, read(tmp_path / "whole/s.tif")[0])
    assert (found == expected(world().model, big_values(), ["red"])).mean() > 0.9999
    assert len(np.unique(found)) > 2
    (row,) = load_json(tmp_path / "maps/predict.json")
    assert row["missing"] == ["red"]
    assert any("lacks red" in warning for warning in row["warnings"])
    with rasterio.open(tmp_path / "maps/s.tif") as file:
        assert json.loads(file.tags()["LANDMIX_MISSING"]) == ["red"]


def test_nothing_is_missing_unasked(tmp_path: Path) -> None:
    scene = lacking(tmp_path / "s.tif", GONE)
    refused(predict(scene), 1, "needs band red", "allow_missing=[red]")
    refused(predict(scene, "allow_missing=[blue]"), 1, "needs band red", "allow_missing=[red]")
    refused(predict(scene, "allow_missing=[green]", out="none"), 1, "no band 'green' in the model")
    assert not (tmp_path / "none").exists()
    refused(predict(lacking(tmp_path / "t.tif", 0, 1, 2), "allow_missing=[red,blue]"), 1, "needs band nir")


def test_something_must_be_there(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "s.tif", big_values()[:1], names=["thermal"], wavelengths=[10900.0])
    refused(predict(scene, "allow_missing=[blue,red,nir,swir]"), 1, "none of the bands of the model")


def test_a_name_of_another_wavelength_is_no_missing_band(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "s.tif", wavelengths=(490.0, 705.0, 842.0, 1610.0))
    refused(predict(scene, "allow_missing=[red]"), 1, "another sensor")


def test_a_scene_that_lacks_nothing_is_the_same_map(tmp_path: Path) -> None:
    assert predict(world().scene).code == 0
    ended = predict(world().scene, "allow_missing=[red,swir]")
    assert ended.code == 0
    (row,) = load_json(tmp_path / "maps/predict.json")
    assert (row["status"], row["missing"]) == ("kept", [])
    with rasterio.open(tmp_path / "maps/scene.tif") as file:
        assert "LANDMIX_MISSING" not in file.tags()


def test_what_is_computed_from_a_missing_band_is_missing_too(tmp_path: Path) -> None:
    model = train(tmp_path / "run", "data.features=[ndvi]", "data.bands=[nir,swir]") / "model.ckpt"
    scene = lacking(tmp_path / "s.tif", GONE)
    refused(predict(scene, model=model), 1, "needs band red")
    assert predict(scene, "allow_missing=[red]", "precision=fp32", model=model).code == 0
    (row,) = load_json(tmp_path / "maps/predict.json")
    assert row["missing"] == ["ndvi"]
    values = big_values()[2:]
    found = read(tmp_path / "maps/s.tif")[0]
    bundle = landmix.load(model).bundle
    scale, offset = bundle.scaling.take([0, 1]).then(bundle.normalise.take([0, 1])).arrays
    seen = values * scale[:, None, None] + offset[:, None, None]
    seen[:, (values == 0).any(0)] = 0
    m = bundle.margin
    padded = np.pad(seen, ((0, 1), (m, m), (m, m))).astype(np.float32)
    logits = bundle.network()(torch.from_numpy(padded)[None])[0].numpy()
    valid = (values != 0).all(0)
    assert (found[valid] == logits.argmax(0)[valid] + 1).mean() > 0.999


def test_a_whole_date_is_missing(tmp_path: Path) -> None:
    w = world()
    scenes = f"data.scenes=[{{jan: {w.scene}, jul: {w.scene}}}]"
    settings = ("net=fusion", "net.encoder.band_dropout=0.3", "optim.steps=60", *TINY[2:])
    done_inside("train", scenes, *w.data[1:], "out_dir=run", *settings)
    model = tmp_path / "run/model.ckpt"
    given = f"scenes=[{{name: one, path: {{jan: {w.scene}}}}}]"
    refused(ended_inside("predict", f"model={model}", given, "out_dir=maps"), 1, "jul.", "allow_missing")
    ended = ended_inside("predict", f"model={model}", given, "out_dir=maps", "allow_missing=[jul]")
    assert ended.code == 0, ended.err
    assert "lacks jul.blue, jul.red, jul.nir, jul.swir, which" in ended.err
    assert "band_dropout" not in ended.err
    assert (read(tmp_path / "maps/one.tif") == read(w.truth)).mean() > 0.9
    ended = ended_inside("predict", f"model={model}", given.replace("jan", "jul"), "out_dir=m", "allow_missing=[jul]")
    refused(ended, 1, "jan.")


def test_a_whole_date_without_names(tmp_path: Path) -> None:
    w = world()
    plain = write_scene(tmp_path / "p.tif", names=None, wavelengths=None)
    scenes = f"data.scenes=[{{jan: {plain}, jul: {plain}}}]"
    settings = ("net=fusion", "net.encoder.band_dropout=0.3", "optim.steps=30", *TINY[2:])
    done_inside("train", scenes, *w.data[1:], "out_dir=run", *settings)
    given = f"scenes=[{{name: one, path: {{jul: {plain}}}}}]"
    fixed = ("predict", f"model={tmp_path / 'run/model.ckpt'}", given, "out_dir=maps", "device=cpu")
    refused(ended_inside(*fixed), 1, "training scene had 8")
    ended = ended_inside(*fixed, "allow_missing=[jan]")
    assert ended.code == 0, ended.err
    (row,) = load_json(tmp_path / "maps/predict.json")
    assert row["missing"] == [f"jan.B{i}" for i in range(1, 5)]


def test_python_arrays_and_rio_do_the_same(tmp_path: Path) -> None:
    rioxarray = pytest.importorskip("rioxarray")
    scene = lacking(tmp_path / "s.tif", GONE)
    model = landmix.load(world().model, backend="torch", precision="fp32")
    found = read(model.classify_scene(scene, tmp_path / "map.tif", allow_missing=["red"]))[0]
    with (
        rioxarray.open_rasterio(scene, chunks={"x": 50, "y": 60}, mask_and_scale=False) as array,
        pytest.warns(UserWarning, match="lacks red"),
    ):
        lazy = model.classify_xarray(array, allow_missing=["red"]).compute().to_numpy()
    assert np.array_equal(found, lazy)
    given = [str(scene), str(tmp_path / "rio.tif"), "--model", str(world().model), "--backend", "torch"]
    ended = CliRunner().invoke(rio, given)
    assert ended.exit_code == 1
    assert "--allow-missing red" in ended.output
    ended = CliRunner().invoke(rio, [*given, "--precision", "fp32", "--allow-missing", "red"])
    assert ended.exit_code == 0, ended.output
    assert np.array_equal(found, read(tmp_path / "rio.tif")[0])
