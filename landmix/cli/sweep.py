"""Sweeps (`-m`): a folder a job, and a table and a picture at the end."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser

from landmix.files import make_folder, replacing, write_json, write_text

if TYPE_CHECKING:
    from pathlib import Path


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


def folder_name(overrides: list[str]) -> str:
    """`net=spectral,seed=1`, as a name that every file system takes."""
    return "".join("_" if c in '/\\:*?"<>|' or ord(c) < ord(" ") else c for c in ",".join(overrides)) or "job"


def write_sweep(root: Path, jobs: list[Job]) -> None:
    """Write `sweep.json`, `sweep.csv` and `sweep.png`."""
    from landmix.report.figures import sweep  # noqa: PLC0415 - matplotlib is slow to load

    make_folder(root)
    rows = [asdict(job) for job in jobs]
    write_json(root / "sweep.json", rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(root / "sweep.csv", buffer.getvalue())
    with replacing(root / "sweep.png") as temporary:
        temporary.write_bytes(sweep(rows))
