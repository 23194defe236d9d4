"""`messages.txt`: every message that landmix ends with, or warns of, for a person to read through.

`python tests/messages/page.py` writes it anew; what has changed is then for `git diff` to show.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

if __name__ == "__main__":  # pytest has these from pyproject.toml
    TESTS = Path(__file__).parents[1]
    sys.path[:0] = [str(TESTS / name) for name in ("classify", "cli", "geo", "nn", "seam")]
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import said_command
import said_deliveries
import said_files
import said_maps
import said_models
import said_networks
import said_python
import said_scenes
import said_training
from provoking import Ending, Group, endings
from scan import Site, sites
from unprovoked import UNPROVOKED

PAGE = Path(__file__).with_name("messages.txt")
GROUPS: list[Group] = [
    group
    for module in (
        said_command,
        said_files,
        said_scenes,
        said_deliveries,
        said_training,
        said_models,
        said_networks,
        said_maps,
        said_python,
    )
    for group in module.GROUPS
]
HEAD = """\
What landmix says when it cannot go on, and what it warns of. Written by `python tests/messages/page.py`.
After the name of a case stands the exit code; in rio landmix, click puts `Error: ` before a message.
"""
LAST = "Messages that no case provokes"


def section(group: Group, ended: list[Ending]) -> str:
    """A group's part of the page."""
    return "\n".join([f"## {group.title}", "", *map(str, ended), ""])


def unprovoked() -> str:
    """The last part of the page: what stands in the source and is in no case, and why."""
    rows = [f"{file}: {words}\n    {why}" for (file, words), why in sorted(UNPROVOKED.items())]
    return "\n".join([f"## {LAST}", "", *rows, ""])


def sections() -> dict[str, str]:
    """The parts of the page by their titles."""
    parts = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part}".rstrip("\n") + "\n" for part in parts}


def unsaid() -> list[Site]:
    """Messages of the source that neither stand on the page nor are said to be without a case."""
    said = [line for title, part in sections().items() if title != LAST for line in part.splitlines()]
    known = {Site(*key) for key in UNPROVOKED}
    return [site for site in sites() if site not in known and not any(site.pattern.search(line) for line in said)]


def write() -> None:
    """Write the page."""
    parts = [HEAD]
    for group in GROUPS:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts.append(section(group, list(endings(group, Path(folder).resolve()))))
    PAGE.write_text("\n".join([*parts, unprovoked()]), encoding="utf-8")
    for site in unsaid():
        print(f"no case: {site}")  # noqa: T201


if __name__ == "__main__":
    write()
