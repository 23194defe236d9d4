"""The project's own virtual environments: made once, used by every script here."""

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
    return _made(VENV, [["-c", "constraints.txt", "-e", ".[dev]"]])


def tools() -> Path:
    """Python of an environment that has pip-audit and uv, apart from what they look at."""
    return _made(ROOT / ".venv-supply", [["-c", "constraints.txt", "pip-audit", "uv"]])


def lowest() -> Path:
    """Python of an environment that has the lowest versions that pyproject.toml allows."""
    folder = ROOT / ".venv-lowest"
    uv = [str(tools()), "-m", "uv", "pip", "install", "--quiet", "--resolution", "lowest-direct"]
    return _made(folder, [[*uv, "--python", str(_executable(folder)), "-e", ".[dev]"]])


def _made(folder: Path, installs: list[list[str]]) -> Path:
    """Python of an environment; each of `installs` is what pip installs there, or a command of its own."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs with whatever Python the machine has
        sys.exit(f"error: landmix needs Python 3.11 or newer, not {sys.version.split()[0]}")
    executable = _executable(folder)
    stamp = folder / "landmix-requirements"
    wanted = _requirements()
    if executable.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return executable
    print(f"making the environment {folder} (a few minutes, once)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(executable), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    for install in installs:
        command = install if Path(install[0]).is_absolute() else [*pip, *install]
        subprocess.run(command, cwd=ROOT, check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return executable


def _executable(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*command: str | Path) -> int:
    """Run a command in the caller's folder; returns its exit code."""
    return subprocess.run([str(part) for part in command], check=False).returncode


def _requirements() -> str:
    """A digest of what decides the environments."""
    content = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return hashlib.sha256(content).hexdigest()
