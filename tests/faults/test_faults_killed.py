"""SIGKILL at random moments, then again: nothing half written is ever seen, and the end is an undisturbed run's."""

from __future__ import annotations

import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from commands import distance, load_json, tree
from fault_runs import Watcher, digests, predicting, run, scenes, start, timed, training, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")

KILLS = [1, pytest.param(20, marks=pytest.mark.slow)]


def killed_until_done(
    arguments: list[str], out: Path, kills: int, seconds: float, ended: Callable[[], None]
) -> Watcher:
    """Run again and again, killed at `kills` random moments in all; `ended` looks at each run that got to its end."""
    rng = np.random.default_rng(kills)
    done = 0
    with Watcher(out) as watcher:
        while done < kills:
            process = start(arguments, out.parent)
            wait_until(out.exists, process)
            try:
                process.wait(rng.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
                done += 1
            process.communicate()
            if process.returncode == 0:
                ended()
                shutil.rmtree(out)
            else:
                assert process.returncode == -signal.SIGKILL
        last = run(arguments, out.parent)
        assert last.code == 0, last.err
        ended()
    print(f"{done} kills in up to {seconds:.1f} s: {watcher.looked} files looked at")  # noqa: T201 - pytest -s
    return watcher


@pytest.mark.parametrize("kills", KILLS)
def test_prediction_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    inputs = scenes(tmp_path / "in", *((6, 4) if kills > 1 else (2, 2)))
    whole = tmp_path / "whole"
    seconds = timed(predicting(inputs, whole), tmp_path, whole)
    expected = digests(whole, "predict.json")
    out = tmp_path / "out"

    def compare() -> None:
        assert digests(out, "predict.json") == expected
        assert not [name for name in tree(out) if ".landmix" in name]

    watcher = killed_until_done(predicting(inputs, out), out, kills, seconds, compare)
    assert watcher.faults == []
    assert watcher.looked >= len(expected)


def figures(folder: Path) -> dict[str, Any]:
    """`metrics.json` without the speed, which is measured anew."""
    found: dict[str, Any] = load_json(folder / "metrics.json")
    return {key: value for key, value in found.items() if key != "network"}


@pytest.mark.parametrize("kills", KILLS)
def test_training_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    fewer = ("calibration.folds=3",) if kills > 1 else ("calibration.folds=2", "optim.epochs=6")
    whole = tmp_path / "whole"
    seconds = timed(training(whole, *fewer), tmp_path, whole)
    out = tmp_path / "out"

    def compare() -> None:
        assert distance(out, whole) == 0
        assert (out / "train.csv").read_bytes() == (whole / "train.csv").read_bytes()
        assert figures(out) == figures(whole)
        assert tree(out) == tree(whole)

    watcher = killed_until_done(training(out, *fewer, "resume=true"), out, kills, seconds, compare)
    assert watcher.faults == []
    assert watcher.looked >= 6
