"""What killed runs leave is removed by the next run; what belongs to a living one never is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from landmix import files, owner
from landmix.files import STALE, make_folder, replacing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="starts of processes are known on Linux")

FOREIGN = "deadbeef-4711-0badcafe"
"""The mark of a process on another host."""


def unfinished(folder: Path, marked: str | None, end: str = ".tif", age: float = 0) -> Path:
    path = folder / (f".landmix-{marked}-12345678{end}" if marked else f".landmix-12345678{end}")
    path.touch()
    os.utime(path, (path.stat().st_mtime - age,) * 2)
    return path


def dead_mark() -> str:
    """The mark of a process that has ended."""
    code = "from landmix import owner; print(owner.mark())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("end", [".tif", ".tif.aux.xml", ".tif.ovr.tmp", ".tif.msk", ".gpkg-journal", ".cpg", ""])
def test_files_of_dead_processes_go_at_once(tmp_path: Path, end: str) -> None:
    stale = unfinished(tmp_path, dead_mark(), end)
    make_folder(tmp_path)
    assert not stale.exists()


def test_files_of_living_processes_stay_however_old(tmp_path: Path) -> None:
    own = unfinished(tmp_path, owner.mark(), age=10 * STALE)
    with subprocess.Popen(
        [sys.executable, "-c", "from landmix import owner; print(owner.mark(), flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        mark = process.stdout.readline().strip()
        other = unfinished(tmp_path, mark, age=10 * STALE)
        make_folder(tmp_path)
        assert own.exists()
        assert other.exists()
        process.communicate("\n")
    make_folder(tmp_path)
    assert own.exists()
    assert not other.exists()


def test_a_process_that_has_ended_and_waits_for_its_parent_is_dead(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = owner._start(process.pid)
    path = unfinished(tmp_path, f"{owner._host()}-{process.pid}-{start}")
    make_folder(tmp_path)
    assert path.exists()
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    make_folder(tmp_path)
    assert not path.exists()
    process.wait()


def test_another_process_with_the_same_number_is_not_the_owner(tmp_path: Path) -> None:
    host, number, _ = owner.mark().split("-")
    path = unfinished(tmp_path, f"{host}-{number}-00c0ffee")
    make_folder(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("mark", [FOREIGN, None, "deadbeef-4711-00000000"], ids=["host", "old name", "no start"])
def test_where_nobody_can_be_asked_age_decides(tmp_path: Path, mark: str | None) -> None:
    fresh = unfinished(tmp_path, mark, ".csv", age=STALE - 60)
    stale = unfinished(tmp_path, mark, ".tif", age=STALE + 60)
    future = unfinished(tmp_path, mark, ".json", age=-10 * STALE)
    make_folder(tmp_path)
    assert (fresh.exists(), stale.exists(), future.exists()) == (True, False, True)
    make_folder(tmp_path, stale_after=60.0)
    assert not fresh.exists()


def test_another_hosts_clock_and_our_own_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ages are differences of the file system's own times: nobody asks this machine what time it is."""
    import time  # noqa: PLC0415

    path = unfinished(tmp_path, FOREIGN)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    make_folder(tmp_path)
    assert path.exists()


def test_what_is_written_to_is_alive(tmp_path: Path) -> None:
    path = unfinished(tmp_path, FOREIGN, age=2 * STALE)
    with path.open("a") as file:
        file.write("x")
    make_folder(tmp_path)
    assert path.exists()


@pytest.mark.parametrize(
    "name", [".landmix-lock", ".landmix-qgis-ab12cd34", ".landmix", ".landmix-notes.txt", "scene.tif", ".landmix-12345"]
)
def test_other_files_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    make_folder(tmp_path)
    assert (tmp_path / name).exists()


def test_a_folder_with_such_a_name_stays(tmp_path: Path) -> None:
    folder = tmp_path / f".landmix-{dead_mark()}-12345678"
    folder.mkdir()
    make_folder(tmp_path)
    assert folder.is_dir()


def test_containers_are_hosts_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number is another process there."""
    before = owner.mark()
    owner._host.cache_clear()
    try:
        monkeypatch.setattr("platform.node", lambda: socket.gethostname() + "-container")
        assert owner.mark() != before
        assert owner.is_dead(before) is None
    finally:
        owner._host.cache_clear()


def test_processes_that_are_hidden_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with /proc mounted with hidepid."""

    def refuse(*_: int) -> None:
        raise PermissionError

    mark = owner.mark()
    monkeypatch.setattr(owner, "_start", lambda _: None)
    monkeypatch.setattr(os, "kill", refuse)
    assert owner.is_dead(mark) is None


def test_what_is_being_written_carries_the_mark(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.tif") as temporary:
        found = files._UNFINISHED.fullmatch(temporary.name)
        assert found is not None
        assert found[1] == owner.mark()
        temporary.touch()
        make_folder(tmp_path)
        assert temporary.exists()
