"""The parts of the Processing script that need no QGIS: another program is started, heard, ended; files are moved."""

from __future__ import annotations

import json
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from geo_files import write_tif

from landmix.core.legend import Legend, LegendClass
from landmix.geo.sidecars import sidecar_paths, write_sidecars
from landmix.qgis.install import script

if TYPE_CHECKING:
    from pathlib import Path


class Refused(Exception):  # noqa: N818
    """Stands for QgsProcessingException."""


class Feedback:
    """Stands for QgsProcessingFeedback."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.steps: list[float] = []
        self.canceled = False

    def isCanceled(self) -> bool:  # noqa: N802
        return self.canceled

    def setProgress(self, percent: float) -> None:  # noqa: N802
        self.steps.append(percent)

    def pushInfo(self, text: str) -> None:  # noqa: N802
        self.said.append(("info", text))

    def pushWarning(self, text: str) -> None:  # noqa: N802
        self.said.append(("warning", text))

    def pushConsoleInfo(self, text: str) -> None:  # noqa: N802
        self.said.append(("console", text))


@pytest.fixture(name="shipped")
def loaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module, with stand-ins for the three classes of QGIS that it needs when it is loaded."""
    qgis = ModuleType("qgis")
    qgis.core = SimpleNamespace(  # type: ignore[attr-defined]
        QgsProcessingAlgorithm=object,
        QgsProcessingLayerPostProcessorInterface=object,
        QgsProcessingException=Refused,
    )
    monkeypatch.setitem(sys.modules, "qgis", qgis)
    module = ModuleType("classify_with_landmix")
    exec(compile(script([sys.executable]), "script", "exec"), module.__dict__)  # noqa: S102
    return module


def program(text: str) -> list[str]:
    return [sys.executable, "-c", "import json, os, signal, sys, time\n" + text]


def test_progress_and_words_are_passed_on(shipped: Any) -> None:
    feedback = Feedback()
    events = [
        {"event": "step", "what": "x", "done": 1, "total": 4, "note": "Mpx", "seconds_left": None},
        {"event": "say", "text": "Grün 日本"},
        {"event": "say", "text": "/a/.landmix-qgis-x/b.tif: done"},
        {"event": "warning", "text": "careful"},
        {"event": "step", "what": "x", "done": 0, "total": 0, "note": "", "seconds_left": None},
        [1],
    ]
    lines = [json.dumps(event, ensure_ascii=False) for event in events]
    shipped._run(program(f"for line in {lines!r}: print(line)\nprint('no json')"), feedback)
    assert feedback.steps == [25, 0]
    assert feedback.said == [("info", "Grün 日本"), ("warning", "careful"), ("console", "[1]"), ("console", "no json")]


def test_qgis_own_variables_stay_behind(shipped: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "QGIS_PREFIX_PATH")
    for name in (*foreign, "MINE"):
        monkeypatch.setenv(name, "/nowhere")
    feedback = Feedback()
    shipped._run(program("print(json.dumps(dict(event='say', text=json.dumps(dict(os.environ)))))"), feedback)
    given = json.loads(feedback.said[0][1])
    assert not set(foreign) & set(given)
    assert given["MINE"] == "/nowhere"
    assert given["PATH"]


def test_the_last_error_line_is_what_is_told(shipped: Any) -> None:
    text = "print('warning: w', file=sys.stderr)\nprint('error: the file x is no model', file=sys.stderr)\nsys.exit(1)"
    with pytest.raises(Refused) as told:
        shipped._run(program(text), Feedback())
    assert str(told.value) == "the file x is no model"


@pytest.mark.parametrize(("text", "said"), [("sys.exit(3)", "exit code 3"), ("raise ValueError('x')", "ValueError: x")])
def test_an_end_without_a_sentence(shipped: Any, text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        shipped._run(program(text), Feedback())


def test_much_on_standard_error_blocks_nothing(shipped: Any) -> None:
    with pytest.raises(Refused, match="the end"):
        shipped._run(program("sys.stderr.write(('y' * 99 + '\\n') * 20000)\nsys.exit('error: the end')"), Feedback())


def test_a_program_that_is_gone(shipped: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot start .*python \(No such file.*landmix qgis again"):
        shipped._run([str(tmp_path / "python"), "-m", "landmix"], Feedback())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_cancel_sends_sigterm_and_waits(shipped: Any, tmp_path: Path) -> None:
    feedback = Feedback()
    text = f"""
def end(number, frame):
    time.sleep(0.5)
    open({str(tmp_path / "cleaned up")!r}, "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
print(json.dumps(dict(event="step", done=1, total=2)), flush=True)
time.sleep(60)
"""

    def cancel() -> None:
        while not feedback.steps:
            time.sleep(0.01)
        feedback.canceled = True

    threading.Thread(target=cancel).start()
    start = time.monotonic()
    shipped._run(program(text), feedback)
    assert time.monotonic() - start < 30
    assert (tmp_path / "cleaned up").exists()
    assert feedback.steps == [50]


def made_by_landmix(folder: Path, name: str) -> Path:
    folder.mkdir()
    path = folder / f"{name}.tif"
    write_tif(path, np.ones((1, 4, 5), np.uint8))
    write_sidecars(path, Legend((LegendClass(value=1, name="a", color="#00ff00"),)), {1: 20})
    return path


@pytest.mark.parametrize("name", ["map.tif", "Jürgen (1), a=b.tiff", "a.b.TIF"])
def test_a_map_is_moved_with_its_side_files_and_stale_ones_go(shipped: Any, tmp_path: Path, name: str) -> None:
    made = made_by_landmix(tmp_path / ".work", "scene")
    before = {kind: path.read_bytes() for kind, path in sidecar_paths(made).items() if path.exists()}
    target = tmp_path / name
    for path in (target, *sidecar_paths(target).values()):
        path.write_text("stale")
    raster = made.read_bytes()
    shipped._move(made, target, ".work")
    assert target.read_bytes() == raster
    assert {kind: path.read_bytes() for kind, path in sidecar_paths(target).items() if path.exists()} == before
    assert len(list(tmp_path.iterdir())) == 1 + 1 + len(before)


def test_where_a_map_cannot_be_moved_nothing_is_left(shipped: Any, tmp_path: Path) -> None:
    made = made_by_landmix(tmp_path / ".work", "scene")
    (tmp_path / "map.tif").mkdir()
    with pytest.raises(Refused, match=r"cannot write .*map\.tif"):
        shipped._move(made, tmp_path / "map.tif", ".work")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".work", "map.tif"]


def test_outputs_that_would_share_a_style_are_refused(shipped: Any, tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    scene.touch()
    link = tmp_path / "link.tif"
    link.symlink_to(scene)
    for path in (scene, link, tmp_path / "scene.tiff"):
        with pytest.raises(Refused, match="choose another name"):
            shipped._target(path, [scene])
    with pytest.raises(Refused, match=r"ends with \.tif"):
        shipped._target(tmp_path / "map.img", [scene])
    assert shipped._target(tmp_path / "map.tif", [scene]) == tmp_path / "map.tif"


@pytest.mark.parametrize(
    ("kind", "source", "told"),
    [
        ("wms", "url=https://x", "of the kind wms"),
        ("gdal", "NETCDF:a.nc:t", "a part of a file"),
        ("gdal", "a.tif|option:x=1", "a part of a file"),
        ("gdal", "/vsicurl/https://x/a.tif|layername=b", "a part of a file"),
    ],
)
def test_layers_that_are_no_file_are_refused(shipped: Any, kind: str, source: str, told: str) -> None:
    layer = SimpleNamespace(name=lambda: "Ebene", providerType=lambda: kind, source=lambda: source)
    with pytest.raises(Refused, match=f"Ebene.*{told}.*GeoTIFF"):
        shipped._source(layer)


def test_files_and_addresses_are_taken(shipped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a|b.tif").touch()
    for source, found in (("a|b.tif", str(tmp_path / "a|b.tif")), ("/vsicurl/https://x/a.tif",) * 2):
        layer = SimpleNamespace(name=lambda: "x", providerType=lambda: "gdal", source=lambda given=source: given)
        assert shipped._source(layer) == found
