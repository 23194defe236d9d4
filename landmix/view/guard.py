"""Who may ask, and what the browser may do with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = frozenset({"127.0.0.1", "localhost"})
"""What a browser on this machine calls it. Any other name was made to point here by somebody else's name server."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Lets only this machine's own page through, and seals every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = _refusal(Headers(scope=scope), scope["method"])
        await (refusal or self._app)(scope, receive, sealed)


def _refusal(headers: Headers, method: str) -> PlainTextResponse | None:
    """What is said to a stranger; None to a request that is let through."""
    host = headers.get("host", "").rsplit(":", 1)[0].lower()
    if host not in HOSTS:
        return PlainTextResponse("landmix view answers only at 127.0.0.1 or localhost", 421)
    if method not in ("GET", "HEAD"):
        return PlainTextResponse("landmix view only shows", 405)
    # a page from elsewhere may link here, but not take anything
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return PlainTextResponse("landmix view answers only its own page", 403)
    return None
