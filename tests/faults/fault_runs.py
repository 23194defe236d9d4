"""Runs of the installed command that something happens to, and a watcher of what is visible meanwhile."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import torch
import yaml
from commands import Done, _environment, executable, reflectance, world, write_scene
from rasterio.errors import RasterioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREDICT = ("device=cpu", "backend=torch", "executor.workers=2", "tiling.core=128", "outputs=[classes,confidence]")
TRAIN = (
    "net=small",
    "optim.steps=40",
    "optim.epochs=60",
    "optim.batch=256",
    "calibration.folds=0",
    "device=cpu",
    "progress=off",
)


def scenes(folder: Path, count: int = 6, times: int = 4) -> list[Path]:
    """Scenes of 96 x 96 pixels, `times` times side by side each way, with noise of their own."""
    made = []
    for number in range(count):
        values = np.rint((reflectance(number) + 0.1) / 0.0001).astype(np.uint16)
        made.append(write_scene(folder / f"scene{number}.tif", np.tile(values, (1, times, times))))
    return made


def predicting(inputs: list[Path], out: Path, *more: str) -> list[str]:
    listed = ",".join(map(str, inputs))
    return ["predict", f"model={world().model}", f"scenes=[{listed}]", f"out_dir={out}", *PREDICT, *more]


def training(out: Path, *more: str) -> list[str]:
    return ["train", *world().data, f"out_dir={out}", *TRAIN, *more]


def start(arguments: list[str], cwd: Path, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start the installed command in a session of its own, with signals as a shell would leave them."""
    before = options.pop("preexec_fn", lambda: None)

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before()

    return subprocess.Popen(
        [executable(), *arguments],
        cwd=cwd,
        env=_environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        preexec_fn=prepare,  # noqa: PLW1509 - it only sets what is inherited
        start_new_session=True,
        **options,
    )


def ended(process: subprocess.Popen[str], timeout: float = 300) -> Done:
    out, err = process.communicate(timeout=timeout)
    return Done(process.returncode, out, err)


def run(arguments: list[str], cwd: Path, **options: Any) -> Done:
    return ended(start(arguments, cwd, **options))


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str], limit: float = 120) -> bool:
    """Whether it became true while the process ran."""
    end = time.monotonic() + limit
    while process.poll() is None and time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.002)
    return False


def timed(arguments: list[str], cwd: Path, out: Path) -> float:
    """Run to the end; seconds from the first file on."""
    process = start(arguments, cwd)
    assert wait_until(out.exists, process), ended(process)
    begin = time.monotonic()
    done = ended(process)
    assert done.code == 0, done.err
    return time.monotonic() - begin


def digests(folder: Path, *without: str) -> dict[str, str]:
    """sha256 of everything in a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in without
    }


class Watcher:
    """Opens every final name in a folder as often as what it names changes, and reads all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[str] = []
        self.looked = 0
        """How many files were opened."""
        self._seen: set[tuple[str, int, int, int]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            for root, folders, names in os.walk(self.folder):
                folders[:] = [name for name in folders if not name.startswith(".landmix")]
                for name in names:
                    if not name.startswith(".landmix"):
                        self._look(Path(root) / name)
            time.sleep(0.001)

    def _look(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            key = (str(path), found.st_ino, found.st_mtime_ns, found.st_size)
            if key not in self._seen:
                self._seen.add(key)
                self.looked += 1
                try:
                    check_whole(path)
                except FileNotFoundError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, it is not whole
                    if path.exists():
                        self.faults.append(f"{path}: {type(error).__name__}: {error}")


def check_whole(path: Path) -> None:
    """Read all of a file of landmix's. Raises whatever its reader does."""
    readers: dict[str, Callable[[Path], object]] = {
        ".tif": _raster,
        ".json": lambda p: json.loads(p.read_text(encoding="utf-8")),
        ".ckpt": lambda p: torch.load(p, weights_only=True),
        ".csv": _table,
        ".yaml": lambda p: yaml.safe_load(p.read_text(encoding="utf-8"))["out_dir"],
        ".html": lambda p: p.read_text(encoding="utf-8").rindex("</html>"),
        ".qml": lambda p: ET.fromstring(p.read_text(encoding="utf-8")),  # noqa: S314 - our own
        ".xml": lambda p: ET.fromstring(p.read_text(encoding="utf-8")),  # noqa: S314
        ".dbf": _dbase,
        ".cpg": lambda p: p.read_text(encoding="utf-8").index("UTF-8"),
    }
    readers[path.suffix](path)


def _raster(path: Path) -> None:
    try:
        with rasterio.open(path, driver="GTiff", sharing=False) as file:
            file.read()
    except RasterioError:
        if not path.exists():
            raise FileNotFoundError from None
        raise


def _table(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    rows = list(csv.reader(text.splitlines()))
    assert len({len(row) for row in rows}) == 1


def _dbase(path: Path) -> None:
    """A dBASE file says how many records of which length follow its header."""
    content = path.read_bytes()
    records, header, length = (int.from_bytes(content[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
    assert len(content) >= header + records * length


@contextlib.contextmanager
def small_disk(folder: Path, size: int, *options: str) -> Iterator[Path]:
    """A file system of `size` bytes; skips where none can be mounted."""
    folder.mkdir(exist_ok=True)
    wanted = ",".join([f"size={size}", *options])
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", wanted, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine mounts no small disks")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
