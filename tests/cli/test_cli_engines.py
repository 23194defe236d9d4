"""What computes a map, and what can be asked of it: backend, precision, tta, sieve, benchmark."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import rasterio.features
from commands import BLOCKS, big_values, ended_inside, load_json, read, refused, tree, truth, world, write_scene

from landmix.engines import choose

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Done


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


def predict(*arguments: str) -> Done:
    """Predict the world into `maps`."""
    given = {argument.partition("=")[0] for argument in arguments}
    fixed = (f"model={world().model}", f"scenes={world().scene}", "device=cpu", "out_dir=maps")
    return ended_inside("predict", *(a for a in fixed if a.partition("=")[0] not in given), *arguments)


def done(*arguments: str) -> Done:
    ended = predict(*arguments)
    assert ended.code == 0, ended.err
    return ended


def engine(path: Path) -> dict[str, object]:
    with rasterio.open(path) as file:
        found: dict[str, object] = json.loads(file.tags()["LANDMIX_ENGINE"])
    return found


@pytest.mark.parametrize("wrong", ["backend=onnx", "precision=fp16", "tta=rotate", "predict.sieve=-1", "dtype=int8"])
def test_what_does_not_exist_is_a_usage_error(tmp_path: Path, wrong: str) -> None:
    refused(predict(wrong), 2, wrong.partition("=")[0])
    assert not list(tmp_path.iterdir())


@needs_openvino
def test_openvino_on_a_gpu_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (60 * 2**30, 80 * 2**30))
    refused(predict("backend=openvino", "device=cuda"), 1, "backend=openvino", "device=cpu")
    assert not list(tmp_path.iterdir())


def test_bf16_without_bf16_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "has_bf16", lambda *_: False)
    refused(predict("precision=bf16"), 1, "precision=bf16", "precision=fp32")
    assert not list(tmp_path.iterdir())


@needs_openvino
def test_a_map_of_another_engine_is_kept_refused_or_replaced(tmp_path: Path) -> None:
    done("backend=torch", "precision=fp32")
    before = (tmp_path / "maps/scene.tif").read_bytes()
    done()
    assert load_json(tmp_path / "maps/predict.json")[0]["status"] == "kept"
    assert "torch" in load_json(tmp_path / "maps/predict.json")[0]["engine"]
    refused(predict("backend=openvino", "precision=fp32"), 1, "scene.tif", "another engine", "overwrite=true")
    assert (tmp_path / "maps/scene.tif").read_bytes() == before
    done("backend=openvino", "precision=fp32", "overwrite=true")
    assert engine(tmp_path / "maps/scene.tif")["backend"] == "openvino"
    assert (read(tmp_path / "maps/scene.tif") == truth()).mean() > 0.95


def test_nothing_in_the_tags_says_when_where_or_with_how_many_workers(tmp_path: Path) -> None:
    done("executor.workers=1")
    done("executor.workers=2", "out_dir=other")
    assert (tmp_path / "maps/scene.tif").read_bytes() == (tmp_path / "other/scene.tif").read_bytes()
    assert set(engine(tmp_path / "maps/scene.tif")) == {"backend", "device", "precision", "tile", "batch", "version"}


@pytest.mark.parametrize("backend", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_flips(tmp_path: Path, backend: str) -> None:
    outputs = ("outputs=[classes,probabilities]", "dtype=float32", f"backend={backend}", "precision=fp32")
    done(*outputs)
    done(*outputs, "tta=flips", "out_dir=flips")
    plain, flips = (read(tmp_path / folder / "scene_probabilities.tif") for folder in ("maps", "flips"))
    assert 0 < np.abs(plain - flips).max() < 0.5
    assert np.allclose(flips.sum(0), 1, atol=1e-5)
    classes = read(tmp_path / "flips/scene.tif")[0]
    assert (classes == truth()).mean() > 0.95
    assert (flips.argmax(0) + 1 == classes).all()
    refused(predict(*outputs, "tta=flips"), 1, "settings", "overwrite=true")


def test_sieve(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", big_values(), **BLOCKS)
    plain = ("scenes=s.tif", "outputs=[classes,confidence]", "backend=torch", "precision=fp32", "tiling.core=32")
    done(*plain, "out_dir=plain")
    done(*plain, "predict.sieve=20")
    whole, found = (read(tmp_path / folder / "s.tif")[0] for folder in ("plain", "maps"))
    expected = rasterio.features.sieve(whole, 20, mask=whole != 0)
    assert (found[whole != 0] == expected[whole != 0]).all()
    assert ((found == 0) == (whole == 0)).all()
    assert (whole == 0).any()
    confidence = [read(tmp_path / folder / "s_confidence.tif") for folder in ("plain", "maps")]
    assert (confidence[0] == confidence[1]).all()


def test_benchmark_says_where_the_time_went() -> None:
    ended = done("benchmark=true")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("time of")]
    assert re.findall(r"(\w+) [\d.]+ s \(\d+ %\)", line) == ["read", "compute", "write", "finish", "wait"]


def test_without_benchmark_nothing_is_said_of_it() -> None:
    assert "time of" not in done("executor.workers=1").out


@pytest.mark.parametrize("backend", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_coded_outputs_are_the_float_ones_rounded(tmp_path: Path, backend: str) -> None:
    outputs = ("outputs=[classes,confidence,gap]", f"backend={backend}", "precision=fp32")
    done(*outputs)
    done(*outputs, "dtype=float32", "out_dir=float")
    for share in ("confidence", "gap"):
        coded, exact = (read(tmp_path / folder / f"scene_{share}.tif") for folder in ("maps", "float"))
        assert np.abs(coded / 200 - exact).max() < 0.00251


# dask


needs_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask is not installed")


@needs_dask
def test_an_address_that_is_none_is_an_error(tmp_path: Path) -> None:
    refused(predict("executor=dask", "executor.address=nonsense://x"), 1, "executor.address=nonsense://x")
    assert tree(tmp_path) <= {"maps"}


@needs_dask
@pytest.mark.slow
def test_nobody_at_the_address_is_an_error() -> None:
    refused(predict("executor=dask", "executor.address=tcp://127.0.0.1:9"), 1, "executor.address=tcp://127.0.0.1:9")


@needs_dask
@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same_bytes(tmp_path: Path) -> None:
    for number in range(3):
        write_scene(tmp_path / f"s{number}.tif", seed=number)
    done("scenes=s?.tif", "out_dir=local")
    done("scenes=s?.tif", "executor=dask", "executor.workers=2")
    assert tree(tmp_path / "maps") == tree(tmp_path / "local")
    for name in tree(tmp_path / "local") - {"predict.json"}:
        assert (tmp_path / "maps" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    assert [row["status"] for row in load_json(tmp_path / "maps/predict.json")] == ["done"] * 3
