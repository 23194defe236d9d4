"""A network from the user's own file, from training to map, on every way that a model goes."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
import rasterio
import torch
from commands import (
    BLOCKS,
    big_values,
    distance,
    done_inside,
    ended_inside,
    load_json,
    read,
    refused,
    start,
    stop_when,
    train,
    tree,
    truth,
    world,
    write_scene,
)
from own_networks import GOOD, write_net

import landmix
from landmix.bundle import load

if TYPE_CHECKING:
    from pathlib import Path

BACKENDS = pytest.mark.parametrize(
    "backend",
    [
        "torch",
        pytest.param(
            "openvino",
            marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"),
        ),
    ],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`my_net.py`, a model in `run/`, and a scene of several tiles."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_net.py").write_text(GOOD)
    train(folder / "run", f"net.plugin={folder / 'my_net.py'}", "net=base", "optim.steps=60")
    write_scene(folder / "s.tif", big_values(), **BLOCKS)
    return folder


def given(folder: Path, *more: str, out: str = "maps") -> tuple[str, ...]:
    model, code = f"model={folder / 'run/model.ckpt'}", f"net.plugin={folder / 'my_net.py'}"
    return (model, code, f"scenes={folder / 's.tif'}", f"out_dir={folder / out}", "device=cpu", "progress=off", *more)


def test_it_learns(folder: Path) -> None:
    assert load_json(folder / "run/metrics.json")["overall_accuracy"] > 0.9
    assert "sees 7 x 7 pixels" in (folder / "run/report.html").read_text(encoding="utf-8")
    assert "my_net.py" in (folder / "run/config.yaml").read_text(encoding="utf-8")


@BACKENDS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_tiled_map_is_the_untiled_one(folder: Path, backend: str, precision: str) -> None:
    name = f"{backend}-{precision}"
    how = (f"backend={backend}", f"precision={precision}")
    ended = ended_inside("predict", *given(folder, *how, "tiling.core=16384", out=f"whole-{name}"))
    if "precision=bf16 needs" in ended.last:
        pytest.skip("this processor does not compute in bf16")
    assert ended.code == 0, ended.err
    done_inside("predict", *given(folder, *how, "tiling.core=32", "executor.workers=2", out=f"tiled-{name}"))
    whole, tiled = (read(folder / f"{kind}-{name}/s.tif")[0] for kind in ("whole", "tiled"))
    assert np.array_equal(whole, tiled)
    assert (whole[:96, :96] == truth()).mean() > 0.9


@BACKENDS
def test_flips_are_the_mean_over_turned_pictures(folder: Path, backend: str) -> None:
    pixels = big_values(1)
    code = folder / "my_net.py"
    model = landmix.load(folder / "run/model.ckpt", plugin=code, device="cpu", backend=backend, precision="fp32")
    write_scene(folder / "one.tif", pixels)
    found = model.classify_scene(folder / "one.tif", folder / f"flips-{backend}.tif", tta="flips")
    network, m = load(folder / "run/model.ckpt", code).network(), model.margin
    scale, offset = model.bundle.scaling.then(model.bundle.normalise).arrays
    seen = np.where((pixels == 0).any(0), 0, pixels * scale[:, None, None] + offset[:, None, None])
    seen = np.pad(seen, ((0, 0), (m, m), (m, m))).astype(np.float32)
    total = np.zeros((3, 96, 96), np.float32)
    for turns in range(4):
        for flipped in (False, True):
            picture = np.rot90(seen[..., ::-1] if flipped else seen, turns, (1, 2)).copy()
            logits = np.rot90(network(torch.from_numpy(picture)[None])[0].numpy(), -turns, (1, 2))
            total += logits[..., ::-1] if flipped else logits
    mapped = read(found)[0]
    valid = mapped != 0
    assert (mapped[valid] == total.argmax(0)[valid] + 1).mean() > 0.999


def test_the_model_holds_no_code_and_no_path(folder: Path) -> None:
    content = torch.load(folder / "run/model.ckpt", weights_only=True)
    assert set(content["bundle"]["net"]) == {"in_channels", "classes", "own"}
    assert content["bundle"]["net"]["own"]["name"] == "my_net"
    data = (folder / "run/model.ckpt").read_bytes()
    assert b"my_net.py" not in data
    assert b"nn.Conv2d" not in data


def test_without_its_code_a_model_says_what_it_can(folder: Path) -> None:
    model = f"model={folder / 'run/model.ckpt'}"
    ended = ended_inside("predict", model, f"scenes={folder / 's.tif'}", f"out_dir={folder / 'none'}")
    refused(ended, 1, "my_net", "net.plugin=FILE")
    assert not (folder / "none").exists()
    with pytest.raises(landmix.LandmixError, match="plugin=FILE"):
        landmix.load(folder / "run/model.ckpt")
    ended = ended_inside("inspect", f"path={folder / 'run/model.ckpt'}")
    assert ended.code == 0, ended.err
    for told in ("blue", "forest", "my_net", "net.plugin=FILE", "overall"):
        assert told in ended.out
    ended = ended_inside("inspect", f"path={folder / 'run/model.ckpt'}", f"net.plugin={folder / 'my_net.py'}")
    for told in ("sees 7 x 7", "own.body", "conv 3x3 every 2"):
        assert told in ended.out
    (tells,) = [line for line in ended.out.splitlines() if "parameters, sees" in line]
    counted = (4 * 16 + 16) + 2 * 16 + (9 * 16 * 16 + 16) + 2 * 16 + (9 * 16 * 3 + 3)
    assert f"{counted:,} parameters" in tells


def test_another_file_is_warned_of_and_known_by_its_own_hash(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(GOOD + "# more\n")
    with pytest.warns(UserWarning, match="is not the file that"):
        other = landmix.load(folder / "run/model.ckpt", plugin=tmp_path / "other.py")
    own = landmix.load(folder / "run/model.ckpt", plugin=folder / "my_net.py")
    assert other.bundle.digest != own.bundle.digest
    write_net(tmp_path / "narrow.py", "return self.out(x)", name="my_net")
    with (
        pytest.raises(landmix.LandmixError, match="do not fit the network"),
        pytest.warns(UserWarning, match="not the"),
    ):
        landmix.load(folder / "run/model.ckpt", plugin=tmp_path / "narrow.py")
    with pytest.raises(landmix.LandmixError, match="registers net, and none of them is 'my_net'"):
        landmix.load(folder / "run/model.ckpt", plugin=write_net(tmp_path / "n.py", "return self.out(x)"))
    with pytest.raises(landmix.LandmixError, match="leave out"):
        landmix.load(world().model, plugin=folder / "my_net.py")


def test_a_path_in_a_model_is_never_opened(folder: Path, tmp_path: Path) -> None:
    trap, mark = tmp_path / "trap.py", tmp_path / "sprung"
    trap.write_text(f"open({str(mark)!r}, 'w')\n{GOOD}")
    content = torch.load(folder / "run/model.ckpt", weights_only=True)
    for number, change in enumerate(({"path": str(trap)}, {"plugin": str(trap)}, {"name": str(trap)})):
        own = {**content["bundle"]["net"]["own"], **change}
        bundle = {**content["bundle"], "net": {**content["bundle"]["net"], "own": own}}
        path = tmp_path / f"{number}.ckpt"
        torch.save({**content, "bundle": bundle}, path)
        refused(ended_inside("predict", f"model={path}", f"scenes={folder / 's.tif'}", f"out_dir={tmp_path / 'm'}"), 1)
        ended_inside("inspect", f"path={path}")
    assert not mark.exists()


def test_other_programs_get_it(folder: Path) -> None:
    code = f"net.plugin={folder / 'my_net.py'}"
    model = f"model={folder / 'run/model.ckpt'}"
    for kind, name in (("onnx", "m.onnx"), ("safetensors", "m.safetensors"), ("stac", "m.json"), ("card", "m.md")):
        done_inside("export", model, code, f"format={kind}", f"out={folder / name}", "overwrite=true", "progress=off")
    again = landmix.load(folder / "m.safetensors", plugin=folder / "my_net.py")
    pixels = big_values(1)
    mapped = again.classify(pixels)
    assert again.bundle.digest == landmix.load(folder / "run/model.ckpt", plugin=folder / "my_net.py").bundle.digest
    session = onnxruntime.InferenceSession(folder / "m.onnx", providers=["CPUExecutionProvider"])
    scale, offset = again.bundle.scaling.arrays
    tile = np.full((1, 4, 256, 256), np.nan, np.float32)
    tile[0, :, :96, :96] = np.where(pixels == 0, np.nan, pixels * scale[:, None, None] + offset[:, None, None])
    (shares,) = session.run(None, {"pixels": tile})
    valid = mapped != 0
    assert (shares[0, :, :96, :96].argmax(0) + 1 == mapped)[valid].mean() > 0.999
    assert "my\\_net" in (folder / "m.md").read_text(encoding="utf-8")
    assert load_json(folder / "m.json")["properties"]["mlm:architecture"] == "my_net"
    refused(ended_inside("export", model, "format=onnx", f"out={folder / 'n.onnx'}"), 1, "net.plugin=FILE")


def test_shards_and_resume(folder: Path) -> None:
    how = ("backend=torch", "precision=fp32", "tiling.core=32")
    done_inside("predict", *given(folder, *how, out="plain"))
    for number in (1, 2):
        done_inside("predict", *given(folder, *how, f"shard={number}/2", out="shards"))
    done_inside("predict", *given(folder, *how, "finish=true", out="shards"))
    assert (folder / "plain/s.tif").read_bytes() == (folder / "shards/s.tif").read_bytes()


@pytest.mark.slow
def test_processes_of_a_cluster_read_the_file(folder: Path) -> None:
    pytest.importorskip("distributed")
    how = ("backend=torch", "precision=fp32")
    done_inside("predict", *given(folder, *how, out="alone"))
    done_inside("predict", *given(folder, *how, "executor=dask", "executor.workers=2", out="cluster"))
    assert (folder / "alone/s.tif").read_bytes() == (folder / "cluster/s.tif").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_training_goes_on_to_the_same_weights_and_not_with_another_file(folder: Path, tmp_path: Path) -> None:
    import signal  # noqa: PLC0415

    code = tmp_path / "n.py"
    shutil.copy(folder / "my_net.py", code)
    settings = (*world().data, f"net.plugin={code}", "device=cpu", "optim.epochs=12", "optim.batch=64", "progress=off")
    done_inside("train", *settings, f"out_dir={tmp_path / 'whole'}")
    process = start("train", *settings, f"out_dir={tmp_path / 'cut'}", cwd=tmp_path)
    state = tmp_path / "cut/last.ckpt"
    done = stop_when(process, state.is_file, signal.SIGINT)
    assert done.code == 130, done.err
    text = code.read_text()
    code.write_text(text + "# changed\n")
    ended = ended_inside("train", *settings, f"out_dir={tmp_path / 'cut'}", "resume=true")
    refused(ended, 1, "network of the unfinished run", "overwrite=true")
    code.write_text(text)
    done_inside("train", *settings, f"out_dir={tmp_path / 'cut'}", "resume=true")
    assert distance(tmp_path / "cut", tmp_path / "whole") == 0


def test_a_network_that_breaks_a_rule_is_refused_before_any_work(tmp_path: Path) -> None:
    code = write_net(tmp_path / "n.py", "return self.far(x)", "self.far = nn.Conv2d(bands, classes, 3, padding=1)")
    before = tree(tmp_path)
    ended = ended_inside("train", *world().data, f"net.plugin={code}", f"out_dir={tmp_path / 'run'}", "device=cpu")
    refused(ended, 1, "n.py", "sees farther than the 0 pixels")
    assert tree(tmp_path) == before
    ended = ended_inside("train", *world().data, f"net.plugin={code}", "net=large", f"out_dir={tmp_path / 'run'}")
    refused(ended, 2, "net.plugin brings a whole network")


def test_a_name_with_blanks_and_an_array(folder: Path, tmp_path: Path) -> None:
    xarray = pytest.importorskip("rioxarray")
    code = shutil.copy(folder / "my_net.py", tmp_path / "mein Netz, (ü).py")
    model = landmix.load(folder / "run/model.ckpt", plugin=code, backend="torch", precision="fp32")
    with xarray.open_rasterio(folder / "s.tif", chunks={"x": 64, "y": 80}, mask_and_scale=False) as array:
        lazy = model.classify_xarray(array).compute()
    done_inside(
        "predict",
        f"model={folder / 'run/model.ckpt'}",
        f"net.plugin={code}",
        f"scenes={folder / 's.tif'}",
        f"out_dir={tmp_path / 'maps'}",
        "backend=torch",
        "precision=fp32",
        "device=cpu",
        "progress=off",
    )
    with rasterio.open(tmp_path / "maps/s.tif") as file:
        assert np.array_equal(file.read(1), lazy.to_numpy())
