"""The project's own virtual environment: made once, used by every script here."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def python() -> Path:
    """The environment's Python; makes the environment if it is missing or its requirements have changed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs with whatever Python the machine has
        sys.exit(f"error: landmix needs Python 3.11 or newer, not {sys.version.split()[0]}")
    executable = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = VENV / "landmix-requirements"
    wanted = _requirements()
    if executable.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return executable
    print(f"making the environment {VENV} (a few minutes, once)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(executable), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "-c", "constraints.txt", "-e", ".[dev]"], cwd=ROOT, check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return executable


def run(*command: str | Path) -> int:
    """Run a command in the caller's folder; returns its exit code."""
    return subprocess.run([str(part) for part in command], check=False).returncode


def _requirements() -> str:
    """A digest of what decides the environment."""
    content = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return hashlib.sha256(content).hexdigest()
