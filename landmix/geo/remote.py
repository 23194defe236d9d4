"""Files that are not in the local file system: how GDAL is told to read them."""

from __future__ import annotations

import contextlib
import hashlib
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import rasterio

from landmix.files import archive_parts, file_hash, is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEMES = {"s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/", "http": "/vsicurl/http://", "https": "/vsicurl/https://"}

OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no listing, no search for sidecars
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "8",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_LOW_SPEED_TIME": "8",  # a server that says nothing must not keep Ctrl-C waiting
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",  # the header of a COG in one request
    "CPL_VSIL_CURL_USE_HEAD": "NO",  # signed addresses allow GET alone
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "8388608",  # bytes a file
}
"""GDAL's options for range requests; they hold in the thread that enters them."""


def gdal_path(path: str) -> str:
    """How GDAL calls a remote path; local ones and `/vsi...` stay as they are.

    Braces in the name of a zip file would end the braces around it, so GDAL is left to find its end by the extension.
    """
    parts = archive_parts(path)
    if parts and {"{", "}"} & set(parts[0]):
        return f"/vsizip/{parts[0]}/{parts[1]}"
    scheme, separator, rest = path.partition("://")
    return _SCHEMES[scheme.lower()] + rest if separator and scheme.lower() in _SCHEMES else path


def settings(paths: Iterable[str]) -> contextlib.AbstractContextManager[object]:
    """GDAL's options for reading `paths`; nothing where all are local."""
    return rasterio.Env(**OPTIONS) if any(map(is_remote, paths)) else contextlib.nullcontext()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes an answer that points elsewhere as the answer."""

    def redirect_request(self, *_: object) -> None:
        """No request to another place."""


def content_hash(path: str) -> str:
    """sha256 of a file's bytes; of a remote one what the server says of them, else its name.

    Raises `LandmixError` for a local file that cannot be read.
    """
    if not is_remote(path):
        return file_hash(path)
    told = [shown(path)]
    if path.lower().startswith(("http://", "https://")):
        request = urllib.request.Request(path, headers={"Range": "bytes=0-0"})  # noqa: S310 - http(s), looked at above
        opener = urllib.request.build_opener(_NoRedirect)  # who knows where it leads
        with contextlib.suppress(OSError, ValueError, HTTPException), opener.open(request, timeout=8) as answer:
            told += [answer.headers.get(key, "") for key in ("ETag", "Last-Modified", "Content-Range")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def shown(path: str) -> str:
    """A path without what only its reader may know: user, password and query of an address."""
    if "://" not in path:
        return path
    scheme, _, rest = path.partition("://")
    host, slash, name = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{name.partition('?')[0]}"


def suffix(path: str) -> str:
    """The file extension in lower case, of an address without its query."""
    try:
        name = urlsplit(path).path if "://" in path else path
    except ValueError:  # no address at all; opening it will say so
        return ""
    last = name.rsplit("/", 1)[-1]
    return f".{last.rsplit('.', 1)[-1].lower()}" if "." in last else ""
