"""The rows of the table: what is measured, how it becomes a figure, and what the figure has to be."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _bench_measure import MeasureError, Row, SkippedError, middle, ratio, run
from _bench_scene import BLOCK, agreement
from _bench_work import Timed, Work, alternate, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SAME_WORK = 0.98
"""Share of the pixels in which landmix and the naive loop must agree, else they were not given the same work."""
SMALL_SCENES = 64
BOUND = Path(__file__).with_name("_bench_bound.py")
"""Run, never imported: what it sets for its own threads must not reach the peers."""


def against(work: Work, kind: str, side: int, limits: dict[str, float]) -> list[Row]:
    """Base against a peer on one scene; `limits` by back-end."""
    base, scene = work.model("base"), work.scene(side)
    peer = base if kind == "naive" else work.trees(kind)
    sides: dict[str, Callable[[], Timed]] = {kind: lambda: work.peer(kind, peer, scene)}
    for backend in limits:
        sides[f"backend={backend}"] = lambda b=backend: work.predict(base, scene, backend=b)[0]  # type: ignore[misc]
    found = alternate(work.rounds, sides)
    if kind == "naive":
        _same_work(found)
    rows = []
    for backend, limit in limits.items():
        ours, theirs = found[f"backend={backend}"], found[kind]
        what = f"base, backend={backend}, against {PEERS[kind]}"
        rates = f"{_rate(side, _scene(ours))} against {_rate(side, _scene(theirs))} Mpx/s"
        more: dict[str, Any] = {"note": f"{rates}, side {side}", "raw": raw({kind: theirs, f"backend={backend}": ours})}
        rows.append(ratio(kind, what, _scene(theirs), _scene(ours), limit=limit, **more))
        rows.append(ratio(kind, "  the same with start-up", _whole(theirs), _whole(ours)))
    return rows


PEERS = {
    "naive": "the naive loop",
    "forest": "a random forest of 100 trees",
    "lightgbm": "LightGBM with 100 rounds",
}


def naive(work: Work) -> list[Row]:
    """The same network in a plain loop."""
    return against(work, "naive", work.size, {"auto": 15, "torch": 10})


def forest(work: Work) -> list[Row]:
    """Another kind of model that people use."""
    return against(work, "forest", work.peer_size, {"auto": 8})


def lightgbm(work: Work) -> list[Row]:
    """And another."""
    return against(work, "lightgbm", work.lightgbm_size, {"auto": 50})


def bound(work: Work) -> list[Row]:
    """The share of what reading, computing and writing alone allow."""
    base, scene = work.model("base"), work.scene(work.size)
    found: list[Timed] = []
    terms: list[dict[str, float]] = []
    for _ in range(work.rounds):
        workers = ["--workers", str(work.workers)] if work.workers else []
        alone = run([sys.executable, BOUND, base, scene, work.folder, *workers])
        terms.append(json.loads(alone.output.splitlines()[-1]))
        found.append(work.predict(base, scene, backend="auto")[0])
    least = [work.size**2 / 1e6 * sum(1 / rate for rate in each.values()) for each in terms]
    rates = [(name, statistics.median(each[name] for each in terms)) for name in terms[0]]
    note = ", ".join(f"{name} {rate:.3g}" for name, rate in rates) + f" Mpx/s alone, side {work.size}"
    every = raw({"landmix": found}) | {"bound": least, "terms": terms}
    shares = ratio("bound", "share of the bound", least, _scene(found), limit=0.85, note=note, raw=every)
    return [shares, ratio("bound", "  the same with start-up", least, _whole(found))]


def memory(work: Work) -> list[Row]:
    """Peak memory, and whether it grows with the scene; one process, whose threads share it."""
    side, base = work.memory_size, work.model("base")
    torch = run([sys.executable, "-c", "import torch"]).peak_mb
    peak = _peak(work, base, side)
    note = f"import of torch {torch:.0f} MB"
    kept: dict[str, Any] = {"rounds": 1, "at_most": True, "raw": {"import torch": torch, "peak": peak}}
    what = f"peak memory over the import of torch, side {side}"
    rows = [Row(name="memory", what=what, figure=peak - torch, unit="MB", limit=1000, note=note, **kept)]
    what = "  a scene four times as large against it"
    try:
        more = _peak(work, base, 2 * side)
    except SkippedError as reason:
        return [*rows, Row(name="memory", what=what, figure=None, note=str(reason))]
    kept["raw"] = kept["raw"] | {"peak, four times as large": more}
    figure = (more - torch) / (peak - torch)
    return [
        *rows,
        Row(name="memory", what=what, figure=figure, unit="x", limit=1.1, note=f"{more - torch:.0f} MB", **kept),
    ]


def _peak(work: Work, model: Path, side: int) -> float:
    """MB that classifying a scene of this side takes, classes and confidence."""
    scene = work.memory_scene(side)
    try:
        return work.predict(model, scene, outputs="[classes,confidence]")[1].peak_mb
    finally:
        scene.unlink()


def start(work: Work) -> list[Row]:
    """Seconds from the start of the process to its first tile."""
    base, scene = work.model("base"), work.scene(work.peer_size)
    found = []
    for _ in range(work.rounds + 1):
        command = work.command(base, [scene], work.folder / "maps-start", progress="json")
        found.append(_first_tile(command))
    warm = found[1:]  # the first run brings the programs' files into the page cache
    more: dict[str, Any] = {"unit": "s", "limit": 5, "at_most": True, "raw": {"seconds": found}}
    return [middle("start", "start to first tile", warm, **more)]


def _first_tile(command: Sequence[str]) -> float:
    """Seconds until a program says that some of it is done; it is then stopped."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout or ():
            event = json.loads(line)
            if event["event"] == "step" and event["done"] > 0:
                seconds = time.perf_counter() - start
                process.send_signal(signal.SIGTERM)
                process.communicate()
                return seconds
    msg = "landmix predict ended before it said that a tile was done"
    raise MeasureError(msg)


def spectral(work: Work) -> list[Row]:
    """The network that looks at single pixels must profit from it."""
    scene, models = work.scene(work.size), {f"net={net}": work.model(net) for net in ("base", "spectral")}
    sides = {name: lambda m=model: work.predict(m, scene)[0] for name, model in models.items()}
    found = alternate(work.rounds, sides)
    base, single = (_scene(many) for many in found.values())
    note = f"{_rate(work.size, single)} against {_rate(work.size, base)} Mpx/s, side {work.size}"
    return [ratio("spectral", "net=spectral against net=base", base, single, limit=1, note=note, raw=raw(found))]


def small(work: Work) -> list[Row]:
    """Many small scenes against a large one, a pixel; the time of a single small scene stands for loading the model."""
    if work.size < 4 * BLOCK:
        msg = f"the large scene is too small to compare with: --size must be {4 * BLOCK} or more"
        raise SkippedError(msg)
    base, large = work.model("base"), work.scene(work.size)
    scenes = work.small_scenes(SMALL_SCENES)
    sides: dict[str, Callable[[], Timed]] = {
        "one small scene": lambda: work.predict(base, scenes[0])[0],
        f"{len(scenes)} small scenes": lambda: work.predict(base, *scenes)[0],
        "a large scene": lambda: work.predict(base, large)[0],
    }
    found = alternate(work.rounds, sides)
    one, many, whole = (_whole(timed) for timed in found.values())
    first = statistics.median(one)
    ours = [(seconds - first) / ((len(scenes) - 1) * BLOCK**2) for seconds in many]
    theirs = [(seconds - first) / (work.size**2 - BLOCK**2) for seconds in whole]
    what = f"{len(scenes)} scenes of {BLOCK} x {BLOCK} against a large one, time a pixel"
    return [ratio("small", what, ours, theirs, limit=2, at_most=True, raw=raw(found))]


def bf16(work: Work) -> list[Row]:
    """Whether less precision changes the map."""
    base, scene = work.model("base"), work.scene(work.size)
    exact, rough = (work.predict(base, scene, precision=precision)[0] for precision in ("fp32", "bf16"))
    more: dict[str, Any] = {"rounds": 1, "raw": raw({"fp32": [exact], "bf16": [rough]})}
    note = f"fp32 {exact.scene:.1f} s, bf16 {rough.scene:.1f} s"
    figure = agreement(exact.map, rough.map)
    return [Row(name="bf16", what="bf16 labels as in fp32", figure=figure, limit=0.999, note=note, **more)]


def gpu(work: Work) -> list[Row]:
    """On a GPU: the rate, and the naive loop there."""
    if run([sys.executable, "-c", "import torch; print(torch.cuda.is_available())"]).output.strip() != "True":
        msg = "torch finds no CUDA GPU here"
        raise SkippedError(msg)
    base, scene = work.model("base"), work.scene(work.size)
    sides: dict[str, Callable[[], Timed]] = {
        "naive": lambda: work.peer("naive", base, scene, "cuda"),
        "landmix": lambda: work.predict(base, scene, device="cuda")[0],
    }
    found = alternate(work.rounds, sides)
    _same_work(found)
    theirs, ours = (_scene(many) for many in found.values())
    rates = [work.size**2 / 1e6 / seconds for seconds in ours]
    return [
        middle("gpu", "base on the GPU", rates, unit="Mpx/s", raw=raw(found)),
        ratio("gpu", "  against the naive loop there", theirs, ours, note=f"{_rate(work.size, theirs)} Mpx/s"),
    ]


def _same_work(found: dict[str, list[Timed]]) -> None:
    """Raises `MeasureError` where the maps of all sides are not those of one model."""
    (_, theirs), *others = ((name, many[-1].map) for name, many in found.items())
    for name, ours in others:
        share = agreement(theirs, ours)
        if share < SAME_WORK:
            msg = f"the naive loop and landmix ({name}) agree in only {share:.4f} of the pixels"
            raise MeasureError(msg)


def _scene(many: Sequence[Timed]) -> list[float]:
    return [timed.scene for timed in many]


def _whole(many: Sequence[Timed]) -> list[float]:
    return [timed.whole for timed in many]


def _rate(side: int, seconds: Sequence[float]) -> str:
    """Mpx/s."""
    return f"{side**2 / 1e6 / statistics.median(seconds):.3g}"


ROWS: dict[str, Callable[[Work], list[Row]]] = {
    row.__name__: row for row in (naive, forest, lightgbm, bound, memory, start, spectral, small, bf16, gpu)
}
