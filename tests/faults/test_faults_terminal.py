"""Names from a stranger's model or scene never speak to a terminal, a page or a file system."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import yaml
from commands import ended_inside, world

from landmix.bundle import load, save
from landmix.cli.streams import visible
from landmix.core.bands import BandSet
from landmix.core.legend import Legend

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>&amp;'\"${oc.env:HOME}: {a: *b}\u202e../../x\x9b31m"
"""Commands of a terminal, a page, YAML and a path, and letters that turn the line around."""

PRINTABLE = "".join(letter for letter in EVIL if letter.isprintable())
"""The same for classes, of which no others load."""

COMMANDS = {"\x1b", "\x07", "\x9b", "\u202e"}


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is whole, and whose classes and bands are called so."""
    path = tmp_path_factory.mktemp("stranger") / "model.ckpt"
    bundle = load(world().model)
    legend = Legend(tuple(replace(c, name=PRINTABLE + c.name) for c in bundle.legend))
    bands = BandSet(tuple(replace(b, name=b.name if i else EVIL) for i, b in enumerate(bundle.bands)))
    training = {**bundle.training, "labels": [{"name": EVIL, "sha256": "0" * 64}], "settings": {EVIL: {EVIL: EVIL}}}
    save(replace(bundle, legend=legend, bands=bands, training=training), path)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "path=MODEL"],
        ["inspect", "path=MODEL", "format=json"],
        ["verify", "path=MODEL"],
        ["verify", "path=MODEL", "format=json"],
        ["predict", "model=MODEL", "scenes=SCENE", "out_dir=OUT"],
        ["predict", "model=MODEL", "scenes=SCENE", "out_dir=OUT", "scene.match=name"],
    ],
    ids=" ".join,
)
def test_nothing_reaches_the_terminal(tmp_path: Path, evil: Path, arguments: list[str]) -> None:
    words = {"MODEL": str(evil), "SCENE": str(world().scene), "OUT": str(tmp_path / "out")}
    for short, long in words.items():
        arguments = [argument.replace(f"={short}", f"={long}") for argument in arguments]
    done = ended_inside(*arguments)
    assert not COMMANDS & set(done.out + done.err), ascii(done.out + done.err)
    assert "Traceback" not in done.err


def test_what_a_map_holds_is_escaped(tmp_path: Path, evil: Path) -> None:
    """Side files are XML, predict.json is JSON, and nothing lies outside the folder."""
    out = tmp_path / "maps"
    done = ended_inside("predict", f"model={evil}", f"scenes={world().scene}", f"out_dir={out}", "stac=true")
    assert done.code == 0, done.err
    for name in ("scene.qml", "scene.tif.aux.xml"):
        assert "<script" not in (out / name).read_text(encoding="utf-8")
        ET.fromstring((out / name).read_text(encoding="utf-8"))  # noqa: S314 - our own
    for path in out.glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    assert ended_inside("verify", f"path={out / 'scene.tif'}").code == 0
    done = ended_inside("evaluate", f"map={out / 'scene.tif'}", f"reference={world().truth}", f"out_dir={out}")
    assert done.code == 0, done.err
    assert "<script>alert" not in (out / "report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_what_is_exported_is_escaped(tmp_path: Path, evil: Path) -> None:
    for kind, name in (("card", "CARD.md"), ("stac", "item.json")):
        done = ended_inside("export", f"model={evil}", f"format={kind}", f"out={tmp_path / name}")
        assert done.code == 0, done.err
    card = (tmp_path / "CARD.md").read_text(encoding="utf-8")
    assert "<script>" not in card
    assert not COMMANDS & set(card)
    yaml.safe_load(card.split("---")[1] if card.startswith("---") else "{}")
    json.loads((tmp_path / "item.json").read_text(encoding="utf-8"))


def test_colours_are_all_that_a_terminal_is_told() -> None:
    painted = "\x1b[48;2;1;2;3m    \x1b[0m"
    assert visible(f"{painted} a\x1b[2J", colours=True) == f"{painted} a\\x1b[2J"
    assert visible(painted) == "\\x1b[48;2;1;2;3m    \\x1b[0m"
    assert visible("Grünland\u00a0水\n\t") == "Grünland\u00a0水\n\t"
    assert visible("\udcc3") == "\\udcc3"


def test_streams_that_lack_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    import io  # noqa: PLC0415

    from landmix.cli.streams import prepare  # noqa: PLC0415

    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, "ascii"))
    prepare()
    print("水")  # noqa: T201
    sys.stdout.flush()
    assert buffer.getvalue() == b"\\u6c34\n"
