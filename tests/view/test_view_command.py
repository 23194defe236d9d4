from __future__ import annotations

import importlib.util
import signal
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from commands import ended_inside, refused, run, tree, write_classes
from rasterio.transform import Affine
from view_files import NORTH_UP, write_map, write_scene
from view_server import ask, viewing, write_all

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_runs_until_a_signal(tmp_path: Path, number: signal.Signals, code: int) -> None:
    write_all(tmp_path)
    before = tree(tmp_path)
    with viewing("map=maps/m.tif", cwd=tmp_path) as (process, address):
        assert ask(address).code == 200
        assert ask(f"{address}api/view").json["scene"] == "scene.tif"
        assert ask(f"{address}tiles/picture0/0/0/0").code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == code
        assert out == ""
        assert err == ""  # it is how everybody ends it
    assert tree(tmp_path) == before


def test_only_this_machine_can_reach_it(tmp_path: Path) -> None:
    write_all(tmp_path)
    with viewing("map=maps/m.tif", cwd=tmp_path) as (process, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        with open(f"/proc/{process.pid}/net/tcp", encoding="ascii") as table:  # noqa: PTH123
            own = [line.split()[1] for line in table.readlines()[1:] if line.split()[3] == "0A"]
        assert [place for place in own if place.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("Jürgen (1), a=b.tif", "Jürgen (1), a=b.tif"),
        ("plain.tif", "[plain.tif]"),
        ("plain.tif", "[[plain.tif]]"),
        ("noext", "noext"),
        ("plain.tif", "{only: plain.tif}"),
    ],
)
def test_scene_is_a_path_like_any_other(tmp_path: Path, name: str, spec: str) -> None:
    write_map(tmp_path / "m.tif")
    write_scene(tmp_path / name)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"port={taken.getsockname()[1]}"
        done = ended_inside("view", "map=m.tif", f"scene={spec}", port, "open=false")
    refused(done, 1, port)  # all is well up to the port
    assert "warning" not in done.err


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("view", "map=m.tif", f"port={taken.getsockname()[1]}", "open=false", cwd=tmp_path)
    refused(done, 1, "port=", "port=0")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["map=nothing.tif"], 1, ["nothing.tif"]),
        (["map=text.tif"], 1, ["text.tif is no raster"]),
        (["map=scene.tif"], 1, ["one band", "scene.tif"]),
        (["map=heights.tif"], 1, ["1 to 1000 classes", "heights.tif"]),
        (["map=empty.tif"], 1, ["1 to 1000 classes", "empty.tif"]),
        (["map=m.tif", "scene=gone.tif"], 1, ["gone.tif"]),
        (["map=m.tif", "scene=shifted.tif"], 1, ["same pixels", "shifted.tif"]),
        (["map=m.tif", "scene=[[scene.tif,shifted.tif]]"], 1, ["scene.tif"]),
        (["map=m.tif", "port=70000"], 2, ["port"]),
        (["map=m.tif", "scen=scene.tif"], 2, ["scen"]),
        ([], 2, ["map"]),
    ],
)
def test_bad_input(tmp_path: Path, arguments: list[str], code: int, words: list[str]) -> None:
    write_map(tmp_path / "m.tif")
    write_scene(tmp_path / "scene.tif")
    write_scene(tmp_path / "shifted.tif", transform=NORTH_UP @ Affine.translation(0, 3))
    write_classes(tmp_path / "heights.tif", np.arange(1, 50 * 50 + 1, dtype=np.uint16).reshape(50, 50))
    write_classes(tmp_path / "empty.tif", np.zeros((5, 5), np.uint8))
    (tmp_path / "text.tif").write_text("no raster", encoding="utf-8")
    refused(ended_inside("view", *arguments, "open=false"), code, *words)


@pytest.mark.parametrize("module", ["rio_tiler", "starlette", "uvicorn"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    write_map(tmp_path / "m.tif")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == module else real(name, *a))
    done = ended_inside("view", "map=m.tif", "open=false")
    refused(done, 1, module.replace("_", "-"), "pip install 'landmix[view]'")


def test_any_class_raster_is_shown(tmp_path: Path) -> None:
    write_classes(tmp_path / "other.tif", np.array([[1, 2], [5, 0]], np.uint8))
    with viewing("map=other.tif", cwd=tmp_path) as (_, address):
        assert [c["name"] for c in ask(f"{address}api/view").json["classes"]] == ["1", "2", "5"]


def test_colours_above_255_come_from_the_attribute_table(tmp_path: Path) -> None:
    from landmix.core.legend import Legend, LegendClass  # noqa: PLC0415
    from landmix.geo.maps import MapReader  # noqa: PLC0415

    legend = Legend(
        (LegendClass(value=9, name="a", color="#123456"), LegendClass(value=999, name="b", color="#abcdef"))
    )
    write_map(tmp_path / "m.tif", np.array([[9, 999], [0, 9]], np.uint16), legend)
    with MapReader("m.tif") as reader:
        assert reader.legend == legend
    with rasterio.open("m.tif") as file, pytest.raises(ValueError, match="NULL"):
        file.colormap(1)
