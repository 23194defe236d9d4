"""A web server on this machine that knows ranges, counts what it is asked for, and misbehaves where told to."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Site:
    """What is served, how, and what was asked for."""

    folder: Path
    port: int = 0
    status: int | None = None
    """Answer everything with this."""
    cut: int | None = None
    """Break the connection after so many bytes of a body."""
    junk: bool = False
    """Answer with something that is no HTTP."""
    fail_next: int = 0
    """Answer so many requests with 503 first."""
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    """Bytes of bodies."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.requests.append(self.path)
        file = site.folder / unquote(urlsplit(self.path).path).lstrip("/")
        if site.fail_next:
            site.fail_next -= 1
            self.send_error(503)
        elif site.junk:
            self.wfile.write(b"hello\r\n\r\n")
        elif site.status is not None or not file.is_file():
            self.send_error(site.status or 404)
        else:
            self._send(file.read_bytes())

    def _send(self, content: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        end = min(int(wanted[2]) + 1 if wanted and wanted[2] else len(content), len(content))
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        body = content[start:end][: self.site.cut]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)
            self.site.sent += len(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextlib.contextmanager
def serving(folder: Path, **behaviour: Any) -> Iterator[Site]:
    """Serve a folder on a port of its own."""
    site = Site(folder, **behaviour)
    handler = type("Handler", (_Handler,), {"site": site})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
