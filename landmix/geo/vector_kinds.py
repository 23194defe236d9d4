"""What a vector file may be, by its first bytes: GDAL chooses among many drivers, and some of them open other files.

A text can name any file or address, whatever it is called: virtual files, descriptions of web services, pipelines. None
of these is a file of labels.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pyogrio

from landmix.errors import LandmixError
from landmix.files import is_remote, open_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = 65536
"""Bytes that are looked at; GDAL's drivers decide by fewer."""

_POINTERS = re.compile(rb"<OGR\w|gdal_streamed_alg|<!ENTITY|<NetworkLink|\"type\"\s*:\s*\"link\"")
"""Virtual files, web services, pipelines, texts that include others, links."""

_DRIVERS = {
    "CSV", "DGN", "DXF", "ESRI Shapefile", "ESRIJSON", "FlatGeobuf", "GeoJSON", "GeoJSONSeq", "GML", "GPKG", "GPX",
    "JML", "JSONFG", "KML", "LIBKML", "MapInfo File", "MapML", "MBTiles", "MVT", "ODS", "OGR_GMT", "OpenFileGDB", "OSM",
    "PMTiles", "S57", "SQLite", "SXF", "Selafin", "TopoJSON", "XLSX",
}  # fmt: skip
"""GDAL's drivers whose files hold their own features."""


def check_content(path: str) -> None:
    """Raise `LandmixError` for a file that names others, before GDAL opens it."""
    if is_remote(path) or Path(path).is_dir():
        return
    with open_bytes(path) as file:
        head = file.read(_HEAD)
    _check(path, head)
    if head.startswith(b"PK\x03\x04") and Path(path).suffix.lower() not in {".ods", ".xlsx"}:
        _check_zip(path)


def _check(path: str, head: bytes) -> None:
    text = head.replace(b"\0", b"")  # in UTF-16 as well
    if _POINTERS.search(text):
        msg = f"{path} is a virtual file that names others: give the labels themselves"
        raise LandmixError(msg)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<VRTDataset", b"<GDAL_")):
        msg = f"{path} describes a raster elsewhere: give the labels themselves"
        raise LandmixError(msg)


def _check_zip(path: str) -> None:
    """GDAL looks for anything in a zip file that any driver knows."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            for name in names:
                with archive.open(name) as member:
                    _check(f"{name} in {path}", member.read(_HEAD))
    except (OSError, RuntimeError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        msg = f"cannot read {path}: {error}"
        raise LandmixError(msg) from error


@contextlib.contextmanager
def network(path: str) -> Iterator[None]:
    """While GDAL reads a local file, nothing in it makes it ask another machine: all requests go to a closed port."""
    if is_remote(path):
        yield
        return
    before = {name: pyogrio.get_gdal_config_option(name) for name in _OFFLINE}
    pyogrio.set_gdal_config_options(_OFFLINE)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


_OFFLINE = {"GDAL_HTTP_PROXY": "127.0.0.1:1", "GML_DOWNLOAD_SCHEMA": "NO", "GDAL_HTTP_MAX_RETRY": "0"}


def check_driver(path: str, driver: str) -> None:
    """Raise `LandmixError` where GDAL took a file for something that holds no features of its own."""
    if driver not in _DRIVERS:
        msg = f"{path} is a {driver} file, which landmix does not read as labels: convert it to a GeoPackage first"
        raise LandmixError(msg)
