"""Running things in a real QGIS, where there is one: Debian's python3-qgis."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PYTHON = "/usr/bin/python3"


@cache
def has_qgis() -> bool:
    """Whether the system's Python has QGIS."""
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0


needs_qgis = [
    pytest.mark.qgis,
    pytest.mark.skipif(not has_qgis(), reason=f"{PYTHON} has no QGIS (Debian: python3-qgis, qgis-providers)"),
]


def in_qgis(folder: Path, *orders: dict[str, Any]) -> list[Any]:
    """Do things of `in_qgis.py`, in one QGIS; its profile lies in `folder`, and so do its temporary files."""
    (folder / "tmp").mkdir(0o700, parents=True, exist_ok=True)
    path = folder / "orders.json"
    path.write_text(json.dumps(orders), encoding="utf-8")
    done = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("in_qgis.py")), str(path)],
        env={
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "QGIS_CUSTOM_CONFIG_PATH": str(folder),
            "XDG_RUNTIME_DIR": str(folder / "tmp"),
            "TMPDIR": str(folder / "tmp"),
            "OMP_NUM_THREADS": "1",
            # as some QGIS sets them; any other Python breaks on them
            "PYTHONHOME": "/usr",
            "PROJ_LIB": "/usr/share/proj",
            "PROJ_DATA": "/usr/share/proj",
        },
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == len(orders)
    return list(answers)
