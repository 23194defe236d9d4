"""What is loaded when: help is instant, and prediction needs no training library."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import world, write_classes

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "torch", "openvino", "distributed", "rasterio", "hydra", "lightning", "omegaconf", "pydantic", "matplotlib",
    "pyogrio", "scipy", "xarray", "rioxarray", "dask", "onnx", "starlette",
)  # fmt: skip


def loaded(code: str, cwd: Path) -> set[str]:
    """The top-level modules that are loaded after running `code` in a fresh process."""
    tail = "\nimport sys\nprint('\\n'.join(['LOADED', *sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], cwd=cwd, capture_output=True, text=True, timeout=120, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.rpartition("LOADED\n")[2].splitlines()}


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_loads_nothing_heavy(tmp_path: Path, argument: str) -> None:
    code = f"from landmix.cli.main import main\nassert main([{argument!r}]) == 0"
    assert loaded(code, tmp_path).isdisjoint(HEAVY)


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded("import landmix", tmp_path).isdisjoint({*HEAVY, "numpy"})


def test_import_takes_less_than_a_fifth_of_a_second(tmp_path: Path) -> None:
    """Of the processor's time: a machine that has other work to do is no reason to fail."""
    code = "import time; start = time.process_time(); import landmix; print(time.process_time() - start)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.2


@pytest.mark.parametrize("verb", ["train", "predict"])
def test_configuration_loads_neither_torch_nor_rasters(tmp_path: Path, verb: str) -> None:
    code = f"from landmix.cli.main import main\nassert main([{verb!r}, '--cfg', 'job']) == 0"
    assert loaded(code, tmp_path).isdisjoint({"torch", "rasterio", "lightning"})


@pytest.mark.parametrize("verb", ["predict", "evaluate", "inspect"])
def test_only_training_loads_lightning(tmp_path: Path, verb: str) -> None:
    w = world()
    write_classes(tmp_path / "map.tif")
    arguments = {
        "predict": [f"model={w.model}", f"scenes={w.scene}", "out_dir=maps", "device=cpu"],
        "evaluate": ["map=map.tif", f"reference={w.truth}", "out_dir=figures"],
        "inspect": [f"path={w.model}"],
    }[verb]
    code = f"from landmix.cli.main import main\nassert main({[verb, *arguments]!r}) == 0"
    found = loaded(code, tmp_path)
    assert found.isdisjoint({"lightning", "torchmetrics", "distributed"})
    assert "rasterio" in found
    if verb != "predict":
        assert "openvino" not in found


def test_the_torch_backend_does_not_load_openvino(tmp_path: Path) -> None:
    w = world()
    arguments = ["predict", f"model={w.model}", f"scenes={w.scene}", "out_dir=maps", "device=cpu", "backend=torch"]
    found = loaded(f"from landmix.cli.main import main\nassert main({arguments!r}) == 0", tmp_path)
    assert found.isdisjoint({"openvino", "lightning", "distributed"})


def test_every_module_of_prediction_does_without_lightning(tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, landmix.engines, landmix.classify\n"
        "for room in (landmix.engines, landmix.classify):\n"
        "    for module in pkgutil.iter_modules(room.__path__, room.__name__ + '.'):\n"
        "        if module.name.rpartition('.')[2] not in ('cluster', 'cluster_worker', 'cpu_openvino'):\n"
        "            importlib.import_module(module.name)\n"
        "import landmix.tasks.predict, landmix.tasks.evaluate, landmix.tasks.inspect, landmix.model"
    )
    assert loaded(code, tmp_path).isdisjoint({"lightning", "torchmetrics", "openvino", "distributed", "hydra"})


def test_python_interface_loads_no_command_line(tmp_path: Path) -> None:
    found = loaded(f"import landmix\nlandmix.load({str(world().model)!r})", tmp_path)
    assert found.isdisjoint({"hydra", "omegaconf", "pydantic", "lightning"})


@pytest.mark.parametrize("setting", ["seed=abc", "sede=1", "net=smal"])
def test_usage_errors_come_before_torch_is_loaded(tmp_path: Path, setting: str) -> None:
    arguments = ["train", setting, "data.scenes=a", "out_dir=b"]
    found = loaded(f"from landmix.cli.main import main\nassert main({arguments!r}) == 2", tmp_path)
    assert found.isdisjoint({"torch", "lightning"})
