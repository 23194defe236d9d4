"""STAC items as files and addresses: reading them, and which links of theirs may be followed.

An item is a stranger's file.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit

from landmix.errors import LandmixError
from landmix.files import is_remote, read_bytes
from landmix.geo import remote

_LIMIT = 64 * 2**20
"""Bytes of an item or item collection."""

RASTERS = {".tif", ".tiff", ".jp2", ".j2k", ".vrt", ".img", ".dat", ".bsq", ".png", ".gtif", ".gtiff"}
"""Extensions of rasters."""


@dataclass(frozen=True, slots=True)
class Item:
    """A STAC item and where it came from."""

    href: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its id."""
        return "".join(c if c.isprintable() else " " for c in str(self.data.get("id") or "item"))[:200]

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"the STAC item {self.name} ({self.href})"


def read_items(path: str) -> list[Item] | None:
    """The items of a file or address; None where it is no JSON, so that it may be a raster.

    Raises `LandmixError` for JSON that is no STAC item or item collection.
    """
    content = _content(path)
    if content is None:
        return None
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"cannot read {path} as a STAC item: {error}"
        raise LandmixError(msg) from error
    kind = data.get("type") if isinstance(data, dict) else None
    found = data.get("features") if kind == "FeatureCollection" else [data] if kind == "Feature" else []
    found = found if isinstance(found, list) else []
    items = [Item(path, item) for item in found if isinstance(item, dict) and isinstance(item.get("assets"), dict)]
    if not items or len(items) != len(found):
        what = f"a STAC {kind}" if kind in {"Catalog", "Collection"} else "no STAC item"
        msg = f"{path} is {what}: a scene is a STAC item, or an item collection of several"
        raise LandmixError(msg)
    return items


def _content(path: str) -> bytes | None:
    """The text of a file that could be JSON."""
    if not is_remote(path):
        return read_bytes(path, _LIMIT) if Path(path).suffix.lower() in {".json", ".geojson"} else None
    if not path.lower().startswith(("http://", "https://")) or remote.suffix(path) in RASTERS:
        return None
    request = urllib.request.Request(path, headers={"Accept": "application/geo+json, application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - http(s), as the user wrote it
            content = b""
            while block := answer.read(2**20):
                content += block
                if not content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
                    return None
                if len(content) > _LIMIT:
                    msg = f"{path} has more than {_LIMIT} bytes, too many for a STAC item"
                    raise LandmixError(msg)
            return content
    except (OSError, ValueError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        msg = f"cannot read {path}: {_why(error)}"
        raise LandmixError(msg) from error


def _why(error: Exception) -> str:
    """An error in a line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:200]


def resolve(href: str, item: Item) -> str:
    """The path that a link of an item means.

    Raises `LandmixError` for one that an item may not name: anything local outside its folder, GDAL's own schemes,
    and addresses of this machine or its network, unless the item came from there.
    """
    try:
        return _resolved(href, item)
    except (OSError, ValueError, RuntimeError) as error:  # no address, no file name, a loop of links
        msg = f"{item.where} links to {href[:100]!r}, which cannot be followed: {_why(error)}"
        raise LandmixError(msg) from error


def _resolved(href: str, item: Item) -> str:
    scheme = urlsplit(href).scheme.lower() if "://" in href else ""
    if href.startswith("/vsi") or (scheme and scheme not in {"http", "https", "s3", "gs"}):
        msg = f"{item.where} links to {href[:100]}, which an item may not: only files beside it, http(s), s3 and gs"
        raise LandmixError(msg)
    if scheme in {"s3", "gs"}:
        return href
    if is_remote(item.href) or scheme:
        address = urljoin(item.href, href) if is_remote(item.href) else href
        _check_host(address, item)
        return address
    folder = Path(item.href).resolve().parent
    target = (folder / unquote(href)).resolve() if not (folder / href).exists() else (folder / href).resolve()
    if not target.is_relative_to(folder):
        msg = f"{item.where} links to {href[:100]}, outside its folder: name the files in a list instead"
        raise LandmixError(msg)
    return str(target)


def _check_host(address: str, item: Item) -> None:
    """No stranger's item makes landmix ask machines that only the user can reach."""
    host, own = urlsplit(address).hostname or "", urlsplit(item.href).hostname if "://" in item.href else None
    if host == own or not _private(host):
        return
    msg = f"{item.where} links to {address[:100]}, a machine inside this network: name the files in a list instead"
    raise LandmixError(msg)


def _private(host: str) -> bool:
    """Whether a host is this machine or in a network of its own; one that cannot be found is not."""
    host = unquote(host).lower().rstrip(".")
    with contextlib.suppress(ValueError):
        return not ipaddress.ip_address(host.split("%")[0]).is_global
    if not host or ":" in host or "%" in host or host == "localhost":
        return True
    if host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        found = {str(row[4][0]) for row in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(address.split("%")[0]).is_global for address in found)
