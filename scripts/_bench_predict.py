"""`scripts/bench`: measure the rows that are asked for, print the table, write the JSON."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from _bench_measure import MeasureError, Row, SkippedError, load, machine, table
from _bench_rows import ROWS
from _bench_work import Work


def main(arguments: list[str]) -> int:
    """Returns 1 where something could not be measured because it failed; limits that are not met are no failure."""
    options = _options(arguments)
    work = Work(
        folder=_folder(options.out),
        **{key: getattr(options, key) for key in ("size", "peer_size", "lightgbm_size", "memory_size")},
        rounds=options.rounds,
        workers=options.workers,
    )
    target = options.json or work.folder / "bench.json"
    report: dict[str, Any] = {
        "machine": machine(),
        "load_before": load(),
        "load_at_rows": {},
        "settings": _settings(options),
    }
    for key, value in report["machine"].items():
        print(f"{key}: {value}")
    rows: list[Row] = []
    for name in options.only:
        print(f"== {name}, load {load()[0]}", flush=True)
        report["load_at_rows"][name] = load()
        rows += _measured(name, work)
        # after each: an interrupted run has said what it measured
        report |= {"load_after": load(), "rows": [row.to_json() for row in rows]}
        target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{table(rows)}\n\nload before {report['load_before']}, after {report['load_after']}")
    print(f"everything measured is in {target}")
    return int(any(row.what == "failed" for row in rows))


def _measured(name: str, work: Work) -> list[Row]:
    try:
        return ROWS[name](work)
    except SkippedError as reason:
        return [Row(name=name, what="skipped", figure=None, note=str(reason))]
    except MeasureError as reason:
        return [Row(name=name, what="failed", figure=None, note=str(reason))]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure landmix beside its peers. See also: bench train."
    )
    parser.add_argument("--out", type=Path, help="scenes, models and maps; kept and used again")
    parser.add_argument("--json", type=Path, help="default: bench.json in the folder of --out")
    parser.add_argument("--size", type=_count, default=8192, help="side of the large scene in pixels")
    parser.add_argument("--peer-size", type=_count, default=4096, help="... of the one for forest and start")
    parser.add_argument("--lightgbm-size", type=_count, default=3072, help="... of the one for lightgbm")
    parser.add_argument("--memory-size", type=_count, default=10980, help="... of the one for memory, then twice that")
    parser.add_argument("--rounds", type=_count, default=3)
    parser.add_argument("--only", type=_names, default=list(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--workers", type=_count, help="of landmix, and threads of its peers; default: all cores")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"it must be a whole number from 1 on, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        msg = f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}"
        raise argparse.ArgumentTypeError(msg)
    return names


def _folder(wanted: Path | None) -> Path:
    """Where everything goes; by default a folder of this user's under the system's folder for temporary files.

    Models are loaded from it, and those of scikit-learn run code: nobody else may have written them.
    """
    folder = wanted or Path(tempfile.gettempdir()) / "landmix-bench"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if wanted is None and folder.stat().st_uid != os.getuid():
        raise SystemExit(f"error: {folder} belongs to somebody else: name another folder with --out")  # noqa: EM102, TRY003
    return folder.resolve()


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
