"""The installed algorithm in a real QGIS, run as the Processing toolbox runs it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from commands import NAMES, done_inside, ended_inside, read, truth, world
from qgis_runs import in_qgis, needs_qgis

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_qgis

WORK = ".landmix-qgis-*"


@pytest.fixture(name="folder")
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A QGIS profile into which the verb has found its way, as a user's."""
    monkeypatch.setenv("QGIS_CUSTOM_CONFIG_PATH", str(tmp_path))
    (tmp_path / "profiles" / "default").mkdir(parents=True)
    assert ended_inside("qgis").code == 0
    (tmp_path / "maps").mkdir()
    return tmp_path


def order(scene: Path | str, output: Path | str, **more: Any) -> dict[str, Any]:
    """One run of the algorithm."""
    given = {"INPUT": scene, "MODEL": world().model, "OUTPUT": output, "DEVICE": "cpu"}
    given |= {key: value for key, value in more.items() if key.isupper()}
    outside = {key: value for key, value in more.items() if not key.isupper()}
    return {"do": "classify", "parameters": {key: str(value) for key, value in given.items()}, **outside}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_toolbox_shows_it(folder: Path) -> None:
    (found,) = in_qgis(folder, {"do": "algorithm"})
    assert (found["name"], found["group"]) == ("Classify with landmix", "landmix")
    shown = {advanced: [name for name, _, a in found["parameters"] if a is advanced] for advanced in (False, True)}
    assert shown == {False: ["INPUT", "MODEL", "OUTPUT", "CONFIDENCE"], True: ["DEVICE", "BACKEND"]}


@pytest.mark.parametrize("name", ["scene", "Jürgen (1), a=b [2] '3' ${x} 日本 #1"])
def test_the_map_is_that_of_the_command(folder: Path, name: str) -> None:
    scene = folder / f"{name}.tif"
    shutil.copy(world().scene, scene)
    done_inside(
        "predict", f"model={world().model}", f"scenes={scene}", f"out_dir={folder / 'by command'}", "device=cpu",
        "outputs=[classes,confidence]",
    )  # fmt: skip
    output, confidence = folder / "maps" / f"{name} map.tif", folder / "elsewhere" / f"{name} sure.tif"
    for stale in (output, output.with_suffix(".qml"), output.with_name(output.name + ".msk")):
        stale.write_text("stale", encoding="utf-8")
    (done,) = in_qgis(folder, order(scene, output, CONFIDENCE=confidence))
    assert done["raised"] is None
    assert done["results"] == {"OUTPUT": str(output), "CONFIDENCE": str(confidence)}
    for made, given in (("", output), ("_confidence", confidence)):
        command = folder / "by command" / f"{name}{made}.tif"
        assert given.read_bytes() == command.read_bytes()
        assert given.with_suffix(".qml").read_bytes() == command.with_suffix(".qml").read_bytes()
    ends = (".qml", ".tif", ".tif.aux.xml", ".tif.vat.dbf", ".tif.vat.cpg")
    assert names(folder / "maps") == {f"{name} map{end}" for end in ends}
    assert names(folder / "elsewhere") - {f"{name} sure.tif.aux.xml"} == {f"{name} sure{end}" for end in ends[:2]}
    shown_map, shown_confidence = done["layers"]
    assert [label for _, label, _, _ in shown_map["classes"]] == list(NAMES)
    assert shown_confidence["range"] == [0, 1]
    assert (read(output)[0] == truth()).mean() > 0.95
    assert done["steps"]
    assert max(done["steps"]) == pytest.approx(100)


def test_a_temporary_output_is_loaded_with_its_style(folder: Path) -> None:
    (done,) = in_qgis(folder, order(world().scene, "TEMPORARY_OUTPUT"))
    (layer,) = done["layers"]
    assert [label for _, label, _, _ in layer["classes"]] == list(NAMES)
    assert "CONFIDENCE" not in done["results"]


def test_cancel_leaves_no_file(folder: Path) -> None:
    when = str(folder / "maps" / WORK)
    (done,) = in_qgis(folder, order(world().scene, folder / "maps" / "map.tif", cancel_when=when))
    assert done["canceled"]
    assert done["layers"] == []
    assert names(folder / "maps") == set()


def test_what_cannot_be_is_said_in_one_sentence(folder: Path) -> None:
    scene = folder / "scene.tif"
    shutil.copy(world().scene, scene)
    before = scene.read_bytes()
    (folder / "bad.ckpt").write_text("no model", encoding="utf-8")
    output = folder / "maps" / "map.tif"
    orders = [
        (order(scene, output, MODEL=folder / "bad.ckpt"), "bad.ckpt is no landmix model"),
        (order(scene, folder / "maps" / "map.img"), "ends with .tif"),
        (order(scene, scene), "choose another name"),
        (order(scene, output, CONFIDENCE=output), "choose another name"),
        (order("type=xyz&url=http://127.0.0.1/{z}/{x}/{y}.png", output, provider="wms"), "of the kind wms"),
        (order(f"GTIFF_DIR:1:{scene}", output), "a part of a file"),
        (order(world().truth, output), "truth.tif"),
    ]
    for done, (given, told) in zip(in_qgis(folder, *(order for order, _ in orders)), orders, strict=True):
        said = [str(done["raised"]), *(text for _, text in done["said"])]
        assert any(told in text for text in said), (given, said)
        assert "Traceback" not in "".join(said)
        assert done["layers"] == []
    assert names(folder / "maps") == set()
    assert scene.read_bytes() == before


def test_an_environment_that_is_gone(folder: Path) -> None:
    path = folder / "profiles" / "default" / "processing" / "scripts" / "classify_with_landmix.py"
    text = path.read_text(encoding="utf-8")
    gone = str(folder / "gone" / "python")
    path.write_text(text.replace("COMMAND: list[str] = [", f"COMMAND: list[str] = [{gone!r}, "), encoding="utf-8")
    (done,) = in_qgis(folder, order(world().scene, folder / "maps" / "map.tif"))
    assert "landmix qgis" in done["raised"]
    assert names(folder / "maps") == set()
