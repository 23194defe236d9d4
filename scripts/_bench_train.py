"""`scripts/bench train`: what feeds the training, beside a data set that yields a pixel, and the steps that eat it.

Pixel tables are made in memory. One thread prepares batches; a step takes the cores that torch takes. All is measured
in turn, round by round, and the table gives medians of million labelled pixels a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from _bench_measure import Row, load, machine, ratio, table
from _bench_train_rates import (
    BANDS,
    CLASSES,
    ByPixel,
    crops_of,
    fit_rate,
    input_rate,
    loop_rate,
    noise_rate,
    samples_of,
)
from torch.utils.data import DataLoader

from landmix.training.settings import Augmentation, OptimSettings

Sides = dict[str, Callable[[], float]]
"""What is measured in turn: names, and functions that give million labelled pixels a second."""

LIMIT = 5.0
"""Of the pixel table."""
USUAL = OptimSettings().batch
MARGIN = 2
"""Of net=base: crops of 5 x 5."""
KINDS = {
    "no augmentation": Augmentation(flips=False, noise=0),
    "flips": Augmentation(noise=0),
    "flips and noise (default)": Augmentation().for_task("classes"),
}
PEER = "a data set with an item a pixel"


def feeding(options: argparse.Namespace) -> Sides:
    """The input path: ours, the peer's, and what the noise alone would allow."""
    pixels, crops = samples_of(options.pixels, 0), samples_of(max(options.batch, options.pixels // 10), MARGIN)
    peer = DataLoader(ByPixel(pixels), batch_size=options.batch, shuffle=True)
    found: Sides = {
        PEER: partial(input_rate, peer, options.seconds),
        "drawing the noise alone": partial(noise_rate, options.batch, options.seconds),
    }
    for size, samples in (("1x1", pixels), ("5x5", crops)):
        for kind, augmentation in KINDS.items():
            for batch in (options.batch, USUAL):
                loader = crops_of(samples, augmentation).loader(batch)
                found[f"crops {size}, {kind}, batch {batch}"] = partial(input_rate, loader, options.seconds)
    return found


def steps(options: argparse.Namespace) -> Sides:
    """Whole training: with batches of the usual size, and with larger ones."""
    found: Sides = {}
    for net, blocks, margin, many in (("spectral", 0, 0, 200), ("base", 2, MARGIN, 60)):
        for batch, number in ((USUAL, many), (8 * USUAL, many // 4)):
            samples = samples_of(batch * number, margin)
            found[f"training, net={net}, batch {batch}"] = partial(fit_rate, samples, blocks, batch, options.device)
            if options.device == "cpu":
                found[f"  without Lightning, net={net}, batch {batch}"] = partial(loop_rate, samples, blocks, batch)
    return found


def rows_of(found: dict[str, list[float]], batch: int) -> list[Row]:
    """Medians; the limit is that of the pixel table, in batches of the size that was asked for."""
    rows = []
    for name, rates in found.items():
        middle, limit, note = statistics.median(rates), None, ""
        if name.startswith("crops 1x1") and name.endswith(f"batch {batch}"):
            limit, note = LIMIT, f"{middle / LIMIT:.2f} x the limit"
        elif "5x5" in name:
            note = f"{25 * middle:.3g} Mpx/s with the margins"
        elif "net=" in name:
            note = f"{int(name.split()[-1]) / middle / 1e3:.3g} ms a step"
        more: dict[str, Any] = {"low": min(rates), "high": max(rates), "rounds": len(rates), "raw": {"rates": rates}}
        rows.append(Row(name="train", what=name, figure=middle, unit="Mpx/s", limit=limit, note=note, **more))
    slow = [1 / rate for rate in found[PEER]]
    for kind in KINDS:
        fast = [1 / rate for rate in found[f"crops 1x1, {kind}, batch {batch}"]]
        rows.append(ratio("train", f"crops 1x1, {kind}, against {PEER}", slow, fast))
    return rows


def main(arguments: list[str]) -> int:
    """Measure, print the table, write the JSON; limits that are not met are no failure."""
    options = _options(arguments)
    gpu = torch.cuda.get_device_name() if options.device == "cuda" else None
    report: dict[str, Any] = {"machine": machine() | {"gpu": gpu}, "load_before": load()}
    report["settings"] = {key: value for key, value in vars(options).items() if key != "json"}
    for key, value in report["machine"].items():
        print(f"{key}: {value}")
    print(f"pixel table: {options.pixels} pixels x {BANDS} bands uint16, {CLASSES} classes", flush=True)
    measured = feeding(options) | steps(options)
    found: dict[str, list[float]] = {name: [] for name in measured}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}, load {load()[0]}", flush=True)
        for name, measure in measured.items():
            found[name].append(measure())
    rows = rows_of(found, options.batch)
    report |= {"load_after": load(), "rows": [row.to_json() for row in rows]}
    print(f"\n{table(rows)}\n\nload before {report['load_before']}, after {report['load_after']}")
    print("million labelled pixels a second; batches are made by one thread")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench train", description="Measure training's input path and steps.")
    parser.add_argument("--pixels", type=int, default=2_000_000, help="in the table")
    parser.add_argument("--batch", type=int, default=8192, help="of the input path, beside the usual one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of the input path's measurements")
    parser.add_argument("--json", type=Path, help="where everything measured is written")
    usual = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cpu", "cuda"), default=usual, help="of the steps")
    return parser.parse_args(arguments)
