"""The server on its own, and the installed command."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from commands import start
from view_files import write_confidence, write_map, write_scene

from landmix.progress import Silent
from landmix.tasks.settings import ViewSettings
from landmix.tasks.view import opened
from landmix.view.app import application
from landmix.view.serve import listening, serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(address: str, method: str = "GET", **headers: str) -> Answer:
    """One request; `headers` with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, method=method, headers=named)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


@contextlib.contextmanager
def served(path: Path, **settings: Any) -> Iterator[str]:
    """The server in this process; its address."""
    with contextlib.closing(opened(ViewSettings(map=str(path), **settings), Silent())) as shown:
        shown.areas.start()
        with listening(0) as bound, serving(application(shown), bound):
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


@contextlib.contextmanager
def viewing(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The installed command as a user runs it, and the address that it prints first."""
    process = start("view", *arguments, "open=false", cwd=cwd)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, (line, process.communicate() if process.poll() is not None else "")
        yield process, found[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def write_all(folder: Path) -> Path:
    """A map with its confidence and its scene."""
    write_map(folder / "maps" / "m.tif")
    write_confidence(folder / "maps" / "m_confidence.tif")
    write_scene(folder / "scene.tif")
    return folder / "maps" / "m.tif"
