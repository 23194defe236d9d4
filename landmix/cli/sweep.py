"""Sweeps (`-m`): a folder a job, and a table and a picture at the end."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from landmix.files import make_folder, replacing, write_json, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.report.seeds import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a sweep, a row of `sweep.json`."""

    overrides: str
    out_dir: str
    status: str
    """`done` or `failed`."""
    macro_f1: float | None
    seconds: float
    error: str | None
    group: str = ""
    """The overrides without the seed: jobs of one group differ in their seed alone."""
    seed: int | None = None
    overall_accuracy: float | None = None
    parameters: int | None = None
    megapixels_per_s: float | None = None


def without_seed(overrides: list[str]) -> str:
    """The group of a job."""
    return ",".join(o for o in overrides if not o.startswith("seed="))


def figures_of(folder: Path) -> dict[str, Any]:
    """What a finished training says of itself, as fields of `Job`; empty for another verb."""
    try:
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    network = found.get("network") or {}
    cost = {key: network.get(key) for key in ("parameters", "megapixels_per_s")}
    return {"overall_accuracy": found.get("overall_accuracy"), **cost}


def swept(task_overrides: list[str], arguments: list[str]) -> list[str]:
    """What makes a job differ from its siblings: the overrides not given as they are on the command line, sorted."""
    parser = OverridesParser.create()
    fixed = set()
    for argument in arguments:
        if "=" in argument and not argument.startswith("-"):
            override = parser.parse_override(argument)
            if not override.is_sweep_override():
                fixed.add(override.get_key_element())
    return sorted(o for o in task_overrides if parser.parse_override(o).get_key_element() not in fixed)


_LONGEST = 200
"""Bytes of a folder's name, less the digest."""


def folder_name(overrides: list[str]) -> str:
    """`net=spectral,seed=1`, as a name that every file system takes, and that no other job has."""
    said = ",".join(overrides)
    name = "".join("_" if c in '/\\:*?"<>|' or ord(c) < ord(" ") else c for c in said)
    if name == said and len(name.encode()) <= _LONGEST:
        return name or "job"
    short = name.encode()[:_LONGEST].decode(errors="ignore")
    return f"{short}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def write_sweep(root: Path, jobs: list[Job]) -> str:
    """Write `sweep.json`, `sweep.csv` and `sweep.png`; returns the table for the console.

    A row is a job, and says also how its group does: `seeds` that are done, mean and standard deviation over them.
    """
    from landmix.report.figures import sweep  # noqa: PLC0415 - matplotlib is slow to load
    from landmix.report.seeds import over_seeds  # noqa: PLC0415

    make_folder(root)
    rows = [asdict(job) for job in jobs]
    groups = over_seeds(rows)
    spread = {group.name: _spread(group) for group in groups}
    rows = [row | spread[row["group"]] for row in rows]
    write_json(root / "sweep.json", rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(root / "sweep.csv", buffer.getvalue())
    with replacing(root / "sweep.png") as temporary:
        temporary.write_bytes(sweep(rows))
    return "\n".join([*_table(groups), *_failed(jobs), f"sweep.json, sweep.csv, sweep.png are in {root}{os.sep}"])


def _spread(group: Group) -> dict[str, Any]:
    figures = {"macro_f1": group.macro_f1, "overall_accuracy": group.overall_accuracy}
    measures = {f"{name}_{of}": getattr(spread, of) for name, spread in figures.items() for of in ("mean", "std")}
    return {"seeds": len(group.macro_f1.values), **measures}


def _table(groups: list[Group]) -> list[str]:
    """A row a group, the best macro F1 first."""
    width = max(len("mean over seeds"), *(len(group.label) for group in groups))
    lines = [
        f"{'mean over seeds':{width}} {'n':>3}  {'macro F1':13}  {'accuracy':13}  {'parameters':>10}  {'Mpx/s':>6}"
    ]
    for group in groups:
        speed = "-" if group.megapixels_per_s is None else f"{group.megapixels_per_s:.3g}"
        size = "-" if group.parameters is None else f"{group.parameters:,}"
        lines.append(
            f"{group.label:{width}} {len(group.macro_f1.values):>3}  {group.macro_f1!s:13}  "
            f"{group.overall_accuracy!s:13}  {size:>10}  {speed:>6}"
        )
    return lines


def _failed(jobs: list[Job]) -> list[str]:
    return [f"failed: {job.overrides}: {job.error}" for job in jobs if job.status == "failed"]
