"""landmix qgis: where the script goes, and that it is one that QGIS can load."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from commands import ended_inside, refused, tree

from landmix.errors import LandmixError
from landmix.qgis.install import MARK, NAME, find_profile, install, script

WHERE = f"processing/scripts/{NAME}"


def command_in(text: str) -> list[str]:
    """What the script runs, read as Python reads it."""
    (found,) = [
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "COMMAND" and node.value
    ]
    return list(ast.literal_eval(found))


def test_the_verb_installs_and_says_where(tmp_path: Path) -> None:
    done = ended_inside("qgis", f"profile={tmp_path}", "progress=off")
    assert done.code == 0, done.err
    assert str(tmp_path / WHERE) in done.out
    assert "Classify with landmix" in done.out
    assert tree(tmp_path) == {"processing", "processing/scripts", WHERE}
    assert command_in((tmp_path / WHERE).read_text(encoding="utf-8")) == [sys.executable, "-P", "-m", "landmix"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    refused(ended_inside("qgis", f"profile={tmp_path / 'none'}"), 1, "none", "profile")
    assert tree(tmp_path) == set()


def test_an_older_version_is_replaced_and_a_foreign_file_is_not(tmp_path: Path) -> None:
    target = install(tmp_path)
    fresh = target.read_text(encoding="utf-8")
    target.write_text(f"{MARK}, long ago\n", encoding="utf-8")
    install(tmp_path)
    assert target.read_text(encoding="utf-8") == fresh
    target.write_text("# mine\n", encoding="utf-8")
    refused(ended_inside("qgis", f"profile={tmp_path}"), 1, NAME, "overwrite=true")
    assert target.read_text(encoding="utf-8") == "# mine\n"
    assert ended_inside("qgis", f"profile={tmp_path}", "overwrite=true").code == 0
    assert target.read_text(encoding="utf-8") == fresh


def test_a_folder_in_the_scripts_place(tmp_path: Path) -> None:
    (tmp_path / WHERE).mkdir(parents=True)
    refused(ended_inside("qgis", f"profile={tmp_path}"), 1, NAME)


HARD = ['C:\\Users\\Jürgen\\o\'x "y"\\python.exe', "日本😀", "\\x41\\", "", "\n"]


def test_any_interpreter_path_survives() -> None:
    text = script(HARD)
    assert command_in(text) == HARD
    assert text.startswith(MARK)


def test_the_script_is_python_3_9_and_imports_only_what_qgis_has() -> None:
    tree_of = ast.parse(script(["python"]), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree_of):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported - {"qgis"} <= sys.stdlib_module_names
    assert "qgis" in imported


def profiles(base: Path, *names: str, ini: str | None = None) -> Path:
    """A folder as QGIS makes it."""
    for name in names:
        (base / "profiles" / name).mkdir(parents=True)
    if ini is not None:
        (base / "profiles" / "profiles.ini").write_text(ini, encoding="utf-8")
    return base / "profiles"


@pytest.mark.parametrize(
    ("platform", "variable", "below"),
    [
        ("linux", "XDG_DATA_HOME", "QGIS/QGIS3"),
        ("linux", "HOME", ".local/share/QGIS/QGIS3"),
        ("linux", "HOME", ".local/share/QGIS/QGIS4"),
        ("darwin", "HOME", "Library/Application Support/QGIS/QGIS3"),
        ("win32", "APPDATA", "QGIS/QGIS3"),
        ("linux", "QGIS_CUSTOM_CONFIG_PATH", ""),
    ],
)
def test_where_qgis_keeps_its_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, below: str
) -> None:
    for name in ("XDG_DATA_HOME", "APPDATA", "QGIS_CUSTOM_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    if variable != "HOME":
        monkeypatch.setenv(variable, str(tmp_path))
    folder = profiles(tmp_path / below, "default", "work")
    assert find_profile() == folder / "default"


@pytest.mark.parametrize(
    ("ini", "found"),
    [
        (None, "default"),
        ("[core]\ndefaultProfile=work\n", "work"),
        ("[core]\ndefaultProfile=gone\n", "default"),
        ('[core]\ndefaultProfile="J\\xfcrgen, 2"\n', "Jürgen, 2"),
        ("[core]\ndefaultProfile=default\nlastProfile=work\nselectionPolicy=0\n", "work"),
        ("[core]\ndefaultProfile=default\nlastProfile=work\nselectionPolicy=1\n", "default"),
        ("[General]\nx=1\n", "default"),
        ("no ini at all\x00", "default"),
    ],
)
def test_the_profile_that_qgis_starts_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ini: str | None, found: str
) -> None:
    monkeypatch.setenv("QGIS_CUSTOM_CONFIG_PATH", str(tmp_path))
    folder = profiles(tmp_path, "default", "work", "Jürgen, 2", ini=ini)
    assert find_profile() == folder / found


def test_no_profile_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QGIS_CUSTOM_CONFIG_PATH", str(tmp_path))
    with pytest.raises(LandmixError, match=r"no QGIS profile found.*profile=DIR"):
        find_profile()
    refused(ended_inside("qgis"), 1, "start QGIS once")
