"""Whose an unfinished file is: its name says on which host it was begun, and by which process."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from pathlib import Path

PATTERN = r"[0-9a-f]{8}-\d+-[0-9a-f]{8}"
"""What `mark` gives, as a regular expression."""

_UNKNOWN = "0" * 8
"""The start of a process where the system does not tell it."""


def mark() -> str:
    """Host, number and start of this process, for the names of its unfinished files."""
    return f"{_host()}-{os.getpid()}-{_start(os.getpid()) or _UNKNOWN}"


def is_dead(marked: str) -> bool | None:
    """Whether the process with a `mark` has ended; None where that cannot be told from here.

    A number that another process has got since is told apart by its start. On another host, in another container and
    where the system says no starts (all but Linux), nothing can be told; nor where it hides other users' processes.
    """
    host, number, start = marked.split("-")
    if host != _host() or start == _UNKNOWN:
        return None
    found = _start(int(number))
    if found is None:
        try:
            os.kill(int(number), 0)  # asks only
        except PermissionError:
            return None
        except (OSError, OverflowError):
            pass
    return found != start


@functools.cache
def _host() -> str:
    """This machine, or this container: where a process number means one process.

    The first PID namespace has one number on every Linux at all times, so a machine stays itself over a restart.
    """
    parts = [platform.node()]
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            parts.append(path.read_text(encoding="ascii").strip())
            break
        except (OSError, ValueError):
            continue
    try:
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        parts.append("")
    return _short("\n".join(parts))


def _start(number: int) -> str | None:
    """When a process began, in a form that no other one has; None where there is none, or it cannot be told."""
    try:
        # the name in brackets can hold blanks and brackets itself
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return None
    state, ticks = fields[0], fields[19]  # 3 and 22 in proc(5), which counts from 1
    return None if state in "ZX" else _short(f"{boot.strip()} {ticks}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]
