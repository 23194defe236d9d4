"""SIGTERM and Ctrl-C, for every command."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from landmix.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C does: by an exception that lets everything clean up.

    Libraries written in C can swallow that exception and fail with another; the signal is what is told then.
    """
    heard: list[BaseException] = []

    def end(number: int, _: object) -> None:
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
            signal.signal(number, handler)
