"""landmix inspect of a model: what people and programs read of it, also of a stranger's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from commands import BANDS, NAMES, Done, done_inside, ended_inside, executable, read, refused, run, world
from packaging.version import Version
from safetensors.torch import save_file

import landmix
from landmix.bundle import load, save
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass

if TYPE_CHECKING:
    from landmix.bundle import Bundle

EVIL = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202eevil\r\nnew line \udcff"
KEYS = {
    "kind", "file", "bands", "inputs", "band_count", "classes", "map", "margin", "parameters", "multiply_adds",
    "network", "read", "training", "accuracy", "sha256", "temperature", "applicability", "task",
}  # fmt: skip
LAYER = {
    "name", "kind", "kernel", "dilation", "groups", "output", "parameters", "arithmetic", "multiply_adds", "sees",
}  # fmt: skip


def inspected(path: Path | str) -> str:
    done = ended_inside("inspect", f"path={path}")
    assert done.code == 0, done.err
    return done.out


def facts_of(path: Path | str) -> dict[str, Any]:
    done = ended_inside("inspect", f"path={path}", "format=json")
    assert done.code == 0, done.err
    assert {c for c in done.out if not c.isprintable()} == {"\n"}

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    facts: dict[str, Any] = json.loads(done.out, parse_constant=refuse)
    return facts


def places(line: str) -> int:
    """Columns of a terminal, counted another way than landmix does: marks that combine and wide letters apart."""
    composed = unicodedata.normalize("NFC", line)
    return sum(2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in composed)


def check_text(text: str) -> None:
    """It obeys nothing, and fits a console of 80 columns."""
    assert {c for c in text if not c.isprintable()} == {"\n"}
    assert [line for line in text.splitlines() if places(line) > 80] == []


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    done_inside("export", f"model={world().model}", "format=safetensors", f"out={tmp_path / 'm.st'}")
    return tmp_path / "m.st"


def test_the_table_says_what_there_is() -> None:
    text = inspected(world().model)
    check_text(text)
    for word in (
        *BANDS,
        *NAMES,
        "842",
        "conv 3x3",
        "H-2, W-2",
        "mult-adds",
        "scene.tif",
        "labels.gpkg",
        "optim",
        "blocks",
    ):
        assert word in text, word
    facts = facts_of(world().model)
    for entry in facts["classes"]:
        assert re.search(rf"\b{entry['value']}  {entry['color']}  {entry['name']}\b", text)
    for layer in facts["network"]["layers"]:
        assert re.search(rf"{re.escape(layer['arithmetic'])} += +{layer['parameters']:,}\b", text), layer
    assert f"{2 * facts['multiply_adds'] / 1000:,.1f} kFLOP" in text
    assert "\x1b" not in text


def test_json_holds_all_of_it() -> None:
    facts = facts_of(world().model)
    assert facts.keys() == KEYS
    bundle = load(world().model)
    network = bundle.network()
    weights = {name.rpartition(".")[0] for name, _ in network.named_parameters()}
    layers = facts["network"]["layers"]
    assert {layer["name"] for layer in layers} == weights
    assert all(layer.keys() == LAYER for layer in layers)
    assert (
        sum(layer["parameters"] for layer in layers)
        == facts["parameters"]
        == sum(p.numel() for p in network.parameters())
    )
    assert sum(layer["multiply_adds"] for layer in layers) == facts["multiply_adds"]
    assert facts["network"]["sees"] == [2 * facts["margin"] + 1] * 2
    assert facts["sha256"] == bundle.digest
    assert facts["map"] == {"nodata": 0, "dtype": "uint8"}
    assert facts["accuracy"]["classes"][0]["name"] in NAMES
    for i, band in enumerate(facts["bands"]):
        value = band["mean"] + 2 * band["std"]
        assert value * bundle.normalise.scale[i] + bundle.normalise.offset[i] == pytest.approx(2)
    assert [entry["scale"] for entry in facts["inputs"]] == pytest.approx([0.0001] * 4)


def test_safetensors_are_read_like_a_checkpoint(exported: Path) -> None:
    one, other = facts_of(world().model), facts_of(exported)
    assert one.pop("file")["format"] == "checkpoint"
    assert other.pop("file") == {"path": str(exported), "format": "safetensors", "bytes": exported.stat().st_size}
    assert one == other
    assert "safetensors" in inspected(exported)


def test_a_map_of_one_format_is_done_for_the_other(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = (f"scenes={world().scene}", "device=cpu")
    done_inside("predict", f"model={world().model}", *arguments, "out_dir=maps")
    assert "done already" in ended_inside("predict", f"model={exported}", *arguments, "out_dir=maps").out
    done_inside("predict", f"model={exported}", *arguments, "out_dir=own")
    assert Path("own/scene.tif").read_bytes() == Path("maps/scene.tif").read_bytes()
    pixels = read(world().scene)
    assert np.array_equal(landmix.load(exported, device="cpu").classify(pixels), read(Path("maps/scene.tif"))[0])


def test_export_goes_from_format_to_format(exported: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.ckpt"  # the name says nothing
    done = ended_inside("export", f"model={exported}", "format=safetensors", f"out={again}")
    assert done.code == 0
    assert "again.ckpt" in done.out
    assert again.read_bytes() == exported.read_bytes()
    refused(ended_inside("export", f"model={exported}", "format=safetensors", f"out={exported}"), 2, "the model itself")


def test_strangers_files_are_refused(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"weight": torch.zeros(3)}, "other.safetensors", {"format": "pt"})
    Path("cut.safetensors").write_bytes(exported.read_bytes()[:-1])
    for name, word in (("other.safetensors", "no landmix model"), ("cut.safetensors", "damaged")):
        refused(ended_inside("inspect", f"path={name}"), 1, name, word)
        refused(ended_inside("predict", f"model={name}", f"scenes={world().scene}", "out_dir=maps"), 1, name, word)
        refused(ended_inside("export", f"model={name}", "format=safetensors", "out=x"), 1, name, word)
    assert not Path("maps").exists()
    assert not Path("x").exists()


def strange(count: int = 250) -> Bundle:
    """Names that no console likes, and many classes."""
    bundle = load(world().model)
    names = ["水田と畑の混合" * 20, "é" * 250, '<b>&amp;"x"'] + [
        f"class {i} with a name that goes on and on" for i in range(247)
    ]
    legend = Legend(tuple(LegendClass(value=i + 1, name=name, color=f"#{i:02x}80ff") for i, name in enumerate(names)))
    bands = (
        Band(name=EVIL, unit=EVIL, wavelength=1e300, number=1),
        Band(name="y" * 10_000, number=2),
        Band(name="水" * 100, number=3),
        Band(name="b", number=4),
    )
    row = {"users_accuracy": None, "producers_accuracy": 0.5, "f1": 0.5, "iou": 0.1, "support": 3, "mapped": 4}
    weights = {
        name: tensor.repeat(250, *[1] * (tensor.ndim - 1))[:count] if "classifier" in name else tensor
        for name, tensor in bundle.weights.items()
    }
    return replace(
        bundle,
        net=replace(bundle.net, classes=count),
        legend=Legend(legend.classes[:count]),
        weights=weights,
        bands=BandSet(bands),
        nodata=(float("nan"), float("inf"), None, 0.0),
        training={
            "scenes": [{"name": EVIL + "x" * 5000}] * 40,
            "labels": [{"name": "水" * 300}],
            "settings": {EVIL: {EVIL: EVIL, "a": [1] * 10_000, "rate": float("inf")}},
            "bands_left_out": [EVIL * 9] * 500,
            "versions": {"a": EVIL},
        },
        accuracy={
            **dict.fromkeys(("overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou"), 0.5),
            "n": 5,
            "split": {"kind": EVIL, EVIL: EVIL},
            "warnings": [EVIL],
            "trained_on": {names[1]: 123_456_789},
            "classes": [{"value": c.value, "name": c.name + EVIL, **row} for c in legend],
        },
    )


def test_nothing_in_a_strangers_model_reaches_the_terminal(tmp_path: Path) -> None:
    save(strange(), tmp_path / "m.ckpt")
    text = inspected(tmp_path / "m.ckpt")
    check_text(text)
    assert len(text.splitlines()) < 620  # 250 classes, twice
    assert "class 246" in text
    assert "123,456,789" in text
    facts = facts_of(tmp_path / "m.ckpt")
    assert facts["bands"][0]["name"] == EVIL
    assert [entry["nodata"] for entry in facts["inputs"]] == ["nan", "inf", None, 0.0]
    assert len(facts["classes"]) == 250


def test_the_installed_command_prints_a_strangers_model(tmp_path: Path) -> None:
    save(strange(3), tmp_path / "m.ckpt")
    for form in ("table", "json"):
        done = run("inspect", "path=m.ckpt", f"format={form}", cwd=tmp_path)
        assert done.code == 0, done.err
        assert {c for c in done.out if not c.isprintable()} == {"\n"}


@pytest.mark.parametrize("record", [{"scenes": 3}, {"scenes": [{}]}, {"settings": {"a": 1}}, {"grids": [{"crs": 1}]}])
def test_a_record_of_another_kind_does_not_hide_the_rest(tmp_path: Path, record: dict[str, Any]) -> None:
    save(replace(load(world().model), training=record, accuracy={"n": "x", "trained_on": []}), tmp_path / "m.ckpt")
    text = inspected(tmp_path / "m.ckpt")
    check_text(text)
    for word in (*BANDS, "conv 3x3", "training: not as landmix writes it", "validation: not as landmix writes it"):
        assert word in text, word


def on_a_terminal(*arguments: str, cwd: Path) -> Done:
    """Run the installed command as on a terminal that shows all colours."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    leader, follower = pty.openpty()
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": "80",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [executable(), *arguments], cwd=cwd, stdout=follower, stderr=follower, env=environment
    ) as process:
        os.close(follower)
        out = b""
        while True:
            try:
                block = os.read(leader, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not block:
                break
            out += block
    os.close(leader)
    return Done(process.returncode, out.decode(), "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_the_colours_of_the_legend(tmp_path: Path) -> None:
    done = on_a_terminal("inspect", f"path={world().model}", cwd=tmp_path)
    assert done.code == 0
    for c in load(world().model).legend:
        assert "\x1b[48;2;{};{};{}m    \x1b[0m".format(*c.rgb) in done.out, c
    silent = on_a_terminal("inspect", f"path={world().model}", "progress=json", cwd=tmp_path)
    assert "\\u001b" not in silent.out


def test_inspecting_is_quick_to_start(tmp_path: Path) -> None:
    """Neither Lightning nor what torch needs for tensors without numbers, which takes as long as torch itself."""
    code = (
        "import sys\nfrom landmix.cli.main import main\n"
        f"assert main(['inspect', 'path={world().model}']) == 0\n"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.rpartition("LOADED ")[2].split()}
    assert "torch" in loaded
    assert loaded.isdisjoint({"lightning", "matplotlib", "openvino", "rich"})
    assert "sympy" not in loaded or Version(torch.__version__) < Version("2.13")
