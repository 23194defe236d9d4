"""SIGINT and SIGTERM at random moments: gone within 10 s, with 130 and 143, and nothing half written is left."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from commands import tree
from fault_runs import (
    Watcher,
    check_whole,
    digests,
    ended,
    predicting,
    run,
    scenes,
    start,
    timed,
    training,
    wait_until,
)

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes as Linux shows them")

TIMES = [1, pytest.param(10, marks=pytest.mark.slow)]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def stop(process: subprocess.Popen[str], number: signal.Signals, code: int, delay: float) -> float | None:
    """Send a signal `delay` seconds after landmix begins; seconds until it is gone, None where it had ended before."""
    wait_until(lambda: listens(process.pid), process)
    time.sleep(delay)
    if process.poll() is not None:
        assert ended(process).code == 0
        return None
    process.send_signal(number)
    begin = time.monotonic()
    done = ended(process, 60)
    seconds = time.monotonic() - begin
    assert done.code in {code, 0}, (done.code, delay, done.err)
    assert "Traceback" not in done.err
    if done.code:
        assert done.last.startswith("error: ")
    return seconds


def listens(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM: before, it is Python that starts, and no landmix."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_prediction_ends_soon(tmp_path: Path, number: signal.Signals, code: int, times: int) -> None:
    inputs, out, whole = scenes(tmp_path / "in", 3, 8), tmp_path / "out", tmp_path / "whole"
    seconds = timed(predicting(inputs, whole), tmp_path, whole)
    rng, slowest = np.random.default_rng(times), 0.0
    with Watcher(out) as watcher:
        for _ in range(times):
            process = start(predicting(inputs, out), tmp_path)
            slowest = max(slowest, stop(process, number, code, rng.uniform(0, 3 + seconds)) or 0)
            assert not [name for name in tree(out) if ".landmix-" in name]
    assert slowest < 10
    assert watcher.faults == []
    done = run(predicting(inputs, out), tmp_path)
    assert done.code == 0, done.err
    assert digests(out, "predict.json") == digests(whole, "predict.json")
    print(f"{times} x {number.name}: at most {slowest:.1f} s")  # noqa: T201 - pytest -s


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_training_ends_soon(tmp_path: Path, number: signal.Signals, code: int, times: int) -> None:
    out = tmp_path / "out"
    rng, slowest = np.random.default_rng(times), 0.0
    with Watcher(out) as watcher:
        for _ in range(times):
            process = start(training(out, "optim.epochs=2000", "resume=true"), tmp_path)
            slowest = max(slowest, stop(process, number, code, rng.uniform(0, 8)) or 0)
            assert not [name for name in tree(out) if ".landmix-" in name]
            assert not (out / "model.ckpt").exists()
    assert slowest < 10
    assert watcher.faults == []
    for path in out.glob("*"):
        if path.is_file():
            check_whole(path)
    print(f"{times} x {number.name}: at most {slowest:.1f} s")  # noqa: T201
