"""The server: on this machine only, beside the thread that hears signals."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import webbrowser
from typing import TYPE_CHECKING

import uvicorn

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"
"""Nobody on another machine can reach it."""

_PATIENCE = 5.0
"""Seconds that answers may still take when the server ends."""


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket on the loopback address; `port` 0 is any that is free. Raises `LandmixError` where it is taken."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as bound:
        if os.name != "nt":  # there it would let two programs share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
        except OSError as error:
            msg = f"port={port} cannot be used ({error.strerror}): choose another, or port=0 for any that is free"
            raise LandmixError(msg) from error
        yield bound


@contextlib.contextmanager
def serving(app: ASGIApp, bound: socket.socket) -> Iterator[threading.Thread]:
    """Answer in a thread of its own until the block ends."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",  # the page itself says what went wrong
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(_PATIENCE),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([bound],), name="landmix-view", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield thread
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        server.force_exit = True
        thread.join(_PATIENCE / 2)
        if thread.is_alive():  # on a crowded machine; it would complain of a socket that is closed under it
            bound.detach()


def wait(thread: threading.Thread) -> None:
    """Until the server ends or a signal raises."""
    while thread.is_alive():
        thread.join(0.5)  # not for ever: Windows hears Ctrl-C only in between


def open_browser(address: str) -> None:
    """Open the user's browser where there is a screen; a browser in the terminal would only be in the way."""
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(address)
