"""SIGTERM and Ctrl-C, for every command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from landmix.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator

_importing = threading.Event()


@contextlib.contextmanager
def signals(*, last: bool = False) -> Iterator[None]:
    """SIGTERM ends like Ctrl-C does: by an exception that lets everything clean up.

    Libraries written in C can swallow that exception and fail with another; the signal is what is told then. `last`:
    nothing but the end of the process comes afterwards, which no signal shall make look like a failure.
    """
    heard: list[BaseException] = []

    def end(number: int, _: object) -> None:
        if _importing.is_set():
            _leave(number)
        heard.append(Terminated() if number == signal.SIGTERM else KeyboardInterrupt())
        raise heard[-1]

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, end)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it ignored
        before[signal.SIGINT] = signal.signal(signal.SIGINT, end)
    try:
        yield
    except Exception as error:
        if heard:
            raise heard[0] from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if last else handler)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """While libraries are imported, a signal ends the process at once.

    Nothing is begun then, and an exception would go through C++ code of torch's that aborts.
    """
    _importing.set()
    try:
        yield
    finally:
        _importing.clear()


def _leave(number: int) -> None:
    """End as a command does that was stopped, without cleaning up."""
    what = "terminated" if number == signal.SIGTERM else "interrupted"
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a stream that was closed, or is being written to
        sys.stdout.flush()
        print(f"error: {what}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(128 + number)
