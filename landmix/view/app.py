"""The page and its answers over HTTP. No path that a browser sends ever becomes a file name."""

from __future__ import annotations

from functools import wraps
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from landmix.errors import LandmixError
from landmix.view.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from landmix.view.shown import Shown

    Endpoint = Callable[[Request], Response]

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}

_KEEP = {"Cache-Control": "private, max-age=3600, immutable"}
"""A tile's address holds the version of what it shows."""


def application(shown: Shown) -> Starlette:
    """What the server runs."""
    page = _page()

    def static(request: Request) -> Response:
        content = page.get(request.path_params.get("name") or "index.html")
        return _nothing() if content is None else Response(content[0], media_type=content[1])

    def view(_: Request) -> Response:
        return JSONResponse(shown.facts())

    def areas(_: Request) -> Response:
        return JSONResponse(shown.areas.state())

    def pixel(request: Request) -> Response:
        row, col = (_whole(request.query_params.get(name, "")) for name in ("row", "col"))
        found = None if row is None or col is None else shown.pixel(row, col)
        return _nothing() if found is None else JSONResponse(found)

    def tile(request: Request) -> Response:
        at = request.path_params
        content = shown.tile(at["layer"], at["level"], at["x"], at["y"])
        if content is None:
            return _nothing()
        if at["layer"] == "classes":
            coded = {**_KEEP, "Content-Encoding": "gzip"}
            return Response(content, media_type="application/octet-stream", headers=coded)
        return Response(content, media_type="image/png", headers=_KEEP)

    routes = [
        Route("/", static),
        Route("/api/view", _told(view)),
        Route("/api/areas", _told(areas)),
        Route("/api/pixel", _told(pixel)),
        Route("/tiles/{layer}/{level:int}/{x:int}/{y:int}", _told(tile)),
        Route("/static/{name:path}", static),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard)])


def _told(endpoint: Endpoint) -> Endpoint:
    """Tell the page what went wrong, in one sentence."""

    @wraps(endpoint)
    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except LandmixError as error:
            return JSONResponse({"error": str(error)}, 500)
        except Exception as error:  # noqa: BLE001 - a user never sees a traceback
            return JSONResponse({"error": f"failed unexpectedly ({type(error).__name__}: {error})"}, 500)

    return answer


def _nothing() -> Response:
    return JSONResponse({"error": "there is nothing here"}, 404)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004


def _page() -> dict[str, tuple[bytes, str]]:
    """Every file of the page by its name: content and type."""
    root = files("landmix.view").joinpath("static")
    found: dict[str, tuple[bytes, str]] = {}
    for prefix, folder in (("", root), ("vendor/", root.joinpath("vendor"))):
        for file in folder.iterdir():
            kind = _TYPES.get(file.name.rpartition(".")[2])
            if kind is not None and file.is_file():
                found[prefix + file.name] = file.read_bytes(), kind
    return found
