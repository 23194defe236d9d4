"""The benchmark's folder: scenes and models that are made once, and the commands that classify with them."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from _bench_measure import MeasureError, Run, SkippedError, run
from _bench_scene import cut_small, write_repeated, write_scene, write_training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PEERS = Path(__file__).with_name("_bench_peers.py")
TRAINING_SIDE, STEPS = 1024, 300
"""Side of the scene that is trained on, and steps of training: speed does not depend on how good the model is."""
NEEDS = {"forest": "sklearn", "lightgbm": "lightgbm"}


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One classification."""

    whole: float
    """Seconds of the process, from its start to its end."""
    scene: float
    """Seconds from the scene to its map: less start-up, imports and the loading of the model. Of several scenes the
    sum, which is more than the whole where they are classified side by side."""
    cpu: float
    """CPU seconds of the process: what else the machine does changes them less."""
    map: Path


@dataclass(frozen=True, kw_only=True)
class Work:
    """A folder for everything that the benchmark makes; what is there is taken as it is."""

    folder: Path
    size: int
    """Side of the large scene in pixels."""
    peer_size: int
    """Side of the scene that the naive loop and the random forest classify too."""
    lightgbm_size: int
    """Side of the scene that LightGBM classifies too."""
    memory_size: int
    """Side of the scene that memory is measured with, and half of that of the other."""
    rounds: int
    workers: int | None
    """Of landmix, and threads of the peers; None: as many as there are cores."""

    def scene(self, side: int) -> Path:
        """A scene of this side, with its bytes in the page cache."""
        path = self.folder / f"scene-{side}.tif"
        if not path.exists():
            print(f"making a scene of {side} x {side} pixels", flush=True)
            write_scene(path, side, seed=0)
        with path.open("rb") as file:
            while file.read(2**24):
                pass
        return path

    def memory_scene(self, side: int) -> Path:
        """A scene for measuring memory, which the caller removes. Raises `SkippedError` where the disk is too full."""
        needed = 20 * side**2  # with its map; it is stored in about 15 bytes a pixel
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            msg = f"{self.folder} has {free / 1e9:.0f} GB free, a scene of side {side} needs {needed / 1e9:.0f}"
            raise SkippedError(msg)
        path = self.folder / f"memory-{side}.tif"
        print(f"making a scene of {side} x {side} pixels for measuring memory", flush=True)
        write_repeated(path, side, seed=0)
        return path

    def small_scenes(self, count: int) -> list[Path]:
        """Scenes of one block."""
        return cut_small(self.scene(self.size), self.folder / "small", count)

    def training(self) -> tuple[Path, Path]:
        """The scene that everything learns from, and its labels."""
        scene, labels = self.folder / "training.tif", self.folder / "labels.tif"
        if not (scene.exists() and labels.exists()):
            write_training(scene, labels, TRAINING_SIDE, seed=1)
        return scene, labels

    def model(self, net: str) -> Path:
        """A landmix model."""
        path = self.folder / net / "model.ckpt"
        if not path.exists():
            print(f"training net={net}", flush=True)
            scene, labels = self.training()
            settings = [f"data.scenes={scene}", f"data.labels={labels}", f"net={net}", f"out_dir={path.parent}"]
            quick = [f"optim.steps={STEPS}", "device=cpu", "overwrite=true", "progress=off"]
            run([sys.executable, "-m", "landmix", "train", *settings, *quick])
        return path

    def trees(self, kind: str) -> Path:
        """A random forest (`forest`) or boosted trees (`lightgbm`). Raises `SkippedError` where they are missing."""
        if find_spec(NEEDS[kind]) is None:
            msg = f"{NEEDS[kind]} is not installed: pip install landmix[bench] brings it"
            raise SkippedError(msg)
        path = self.folder / f"{kind}.model"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            run([sys.executable, PEERS, "train", kind, unfinished, *self.training()])
            unfinished.replace(path)
        return path

    def command(self, model: Path, scenes: Sequence[Path], out: Path, **settings: str) -> list[str]:
        """`landmix predict` on the CPU unless `settings` say otherwise; what earlier runs left in `out` is removed."""
        shutil.rmtree(out, ignore_errors=True)
        listed = self.folder / "scenes.txt"
        listed.write_text("".join(f"{scene}\n" for scene in scenes), encoding="utf-8")
        said = {"device": "cpu", "progress": "off", "overwrite": "true"} | settings
        if self.workers:
            said["executor.workers"] = str(self.workers)
        words = [f"model={model}", f"scenes=@{listed}", f"out_dir={out}", *(f"{k}={v}" for k, v in said.items())]
        return [sys.executable, "-m", "landmix", "predict", *words]

    def predict(self, model: Path, *scenes: Path, **settings: str) -> tuple[Timed, Run]:
        """Classify with landmix; the maps stay until it is done with the same back-end and precision again."""
        out = self.folder / f"maps-{settings.get('backend', 'auto')}-{settings.get('precision', 'auto')}"
        done = run(self.command(model, scenes, out, **settings))
        rows = json.loads((out / "predict.json").read_text(encoding="utf-8"))
        if [row["status"] for row in rows] != ["done"] * len(scenes):
            msg = f"{out / 'predict.json'} does not say that all of {len(scenes)} scenes were classified"
            raise MeasureError(msg)
        seconds = sum(row["seconds"] for row in rows)
        return Timed(whole=done.seconds, scene=seconds, cpu=done.cpu_seconds, map=Path(rows[0]["map"])), done

    def peer(self, kind: str, model: Path, scene: Path, device: str = "cpu") -> Timed:
        """Classify with a peer."""
        target = self.folder / f"map-{kind}.tif"
        target.unlink(missing_ok=True)
        threads = ["--threads", str(self.workers)] if self.workers else []
        done = run([sys.executable, PEERS, "classify", kind, model, scene, target, "--device", device, *threads])
        return Timed(whole=done.seconds, scene=float(done.output), cpu=done.cpu_seconds, map=target)


def alternate(rounds: int, sides: Mapping[str, Callable[[], Timed]]) -> dict[str, list[Timed]]:
    """Measure A, B, A, B, ...: what else the machine does then meets both."""
    found: dict[str, list[Timed]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            found[name].append(side())
            took = found[name][-1]
            print(f"  round {number + 1}: {name} {took.scene:.2f} s, whole process {took.whole:.2f} s", flush=True)
    return found


def raw(found: Mapping[str, Sequence[Timed]]) -> dict[str, list[float]]:
    """All seconds, for the JSON."""
    return {
        f"{name}, {part}": [round(getattr(timed, part), 4) for timed in many]
        for name, many in found.items()
        for part in ("whole", "scene", "cpu")
    }
