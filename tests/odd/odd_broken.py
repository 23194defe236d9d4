"""Files that are damaged, that lie, or that are no files."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import numpy as np
from odd_kinds import HEIGHT, WIDTH, Kind, bytes_of, damaged, tif, values
from tiff_bytes import BITS, COMPRESSION, FORMAT, LONG, PHOTOMETRIC, SHORT, Tags, Tiff, basic, geo, strip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BYTES = values().astype(np.uint8)


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


def _declared(height: int, width: int, bands: int = 1, **more: int) -> bytes:
    """A few bytes that claim to be many."""
    return Tiff(tags=basic(height, width, bands, **more), blocks=[b"\0" * 10]).whole()


def _changed(**tags: tuple[int, tuple[int, ...]]) -> bytes:
    names = {"bits": BITS, "format": FORMAT, "photometric": PHOTOMETRIC, "compression": COMPRESSION, "rows": 278}
    changed: Tags = {names[name]: value for name, value in tags.items()}
    return Tiff(tags={**basic(HEIGHT, WIDTH, 2), **geo(), **changed}, blocks=[strip(_BYTES)]).whole()


def _without(*tags: int) -> bytes:
    kept = {tag: value for tag, value in {**basic(HEIGHT, WIDTH, 2), **geo()}.items() if tag not in tags}
    return Tiff(tags=kept, blocks=[strip(_BYTES)]).whole()


def _zero_blocks(height: int) -> bytes:
    """A strip a row, each of which is not there: what keeps GDAL busy is not the file's size."""
    tags = {**basic(height, 1, 1, rows=1)}
    return Tiff(tags=tags, counts=[0], offsets=[0]).whole()


def _many_bands() -> bytes:
    return Tiff(tags={**basic(2, 2, 65535), **geo()}, blocks=[strip(np.ones((65535, 2, 2), np.uint8))]).whole()


def _good(path: Path) -> None:
    tif(path, _BYTES)


def _unreadable(path: Path) -> None:
    _good(path)
    path.chmod(0)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere.tif")


def _text(content: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text(content, encoding="utf-8")

    return make


_VRT = (
    '<VRTDataset rasterXSize="4" rasterYSize="3"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    "<SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
)
_WMS = "<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>"
_NOISE = np.random.default_rng(3).bytes(3000)

KINDS = (
    *(
        damaged(
            f"cut-at-{share:.0%}-{compress}",
            _cut(share),
            refused="cannot read|cut short",
            compress=compress,
            blockysize=1,
        )
        for share in (0.01, 0.2, 0.5, 0.8, 0.95)
        for compress in ("none", "deflate", "lzw", "zstd")
    ),
    damaged("cut-by-a-byte", lambda content: content[:-1], compress="deflate", blockysize=1),
    damaged("doubled", lambda content: content + content, refused=None),
    damaged("with-noise-behind", lambda content: content + _NOISE, refused=None),
    damaged("with-noise-before", lambda content: _NOISE + content, refused="no raster"),
    damaged("another-version", lambda content: content[:2] + b"\x2c\0" + content[4:], refused="no raster"),
    damaged("first-directory-outside", lambda content: content[:4] + struct.pack("<I", 2**31) + content[8:]),
    damaged("first-directory-in-the-header", lambda content: content[:4] + struct.pack("<I", 2) + content[8:]),
    bytes_of("empty", lambda: b"", refused="no raster"),
    bytes_of("four-bytes", lambda: b"II*\0", refused="cannot read"),
    bytes_of("eight-bytes", lambda: b"II*\0\x08\0\0\0", refused="cannot read"),
    bytes_of("noise", lambda: _NOISE, refused="no raster"),
    bytes_of("zeros", lambda: bytes(3000), refused="no raster"),
    bytes_of("no-directory-entries", lambda: b"II*\0\x08\0\0\0" + bytes(6), refused="cannot read"),
    bytes_of("65535-directory-entries", lambda: b"II*\0\x08\0\0\0\xff\xff" + _NOISE, refused="cannot read"),
    bytes_of("width-0", lambda: _declared(20, 0), refused="cannot read", bands=1),
    bytes_of("height-0", lambda: _declared(0, 20), refused="cannot read", bands=1),
    bytes_of("no-width", lambda: _without(256), refused="cannot read"),
    bytes_of("no-height", lambda: _without(257), refused="cannot read"),
    bytes_of("no-bits", lambda: _without(258), refused=None),
    bytes_of("no-photometric", lambda: _without(262), refused=None),
    bytes_of("no-planar", lambda: _without(284), refused=None),
    bytes_of("no-rows-a-strip", lambda: _without(278), refused=None),
    bytes_of("0-rows-a-strip", lambda: _changed(rows=(LONG, (0,))), refused="."),
    bytes_of("2-31-square", lambda: _declared(2**31 - 1, 2**31 - 1, rows=1), refused=".", bands=1),
    bytes_of("2-32-square", lambda: _declared(2**32 - 1, 2**32 - 1), refused=".", bands=1),
    bytes_of("2-31-in-one-row", lambda: _declared(1, 2**31 - 1), refused=".", bands=1),
    bytes_of("2-31-rows-that-are-not-there", lambda: _zero_blocks(2**31 - 1), refused=".", bands=1),
    bytes_of(
        "600-million-pixels-in-a-few-bytes",
        lambda: _declared(20_000, 30_000, rows=1),
        refused=r"limits\.pixels=600000000",
        bands=1,
    ),
    bytes_of("strip-of-a-gigabyte", lambda: _declared(21_000, 100_000, compression=8), refused="limits", bands=1),
    bytes_of("65535-bands", _many_bands, refused=r"limits\.bands=65535", bands=1),
    bytes_of("13-bits", lambda: _changed(bits=(SHORT, (13, 13))), refused="."),
    bytes_of("200-bits", lambda: _changed(bits=(SHORT, (200, 200))), refused="cannot read"),
    bytes_of("bits-of-two-kinds", lambda: _changed(bits=(SHORT, (8, 16))), refused="."),
    bytes_of("format-9", lambda: _changed(format=(SHORT, (9, 9))), refused="cannot read"),
    bytes_of("format-of-two-kinds", lambda: _changed(format=(SHORT, (1, 2))), refused="."),
    bytes_of("photometric-999", lambda: _changed(photometric=(SHORT, (999,))), refused=None),
    bytes_of("pixels-that-are-no-deflate", lambda: _changed(compression=(SHORT, (8,))), refused="damaged"),
    bytes_of("pixels-that-are-no-lzw", lambda: _changed(compression=(SHORT, (5,))), refused="damaged"),
    bytes_of("pixels-that-are-no-zstd", lambda: _changed(compression=(SHORT, (50_000,))), refused="damaged"),
    bytes_of("pixels-that-are-no-jpeg", lambda: _changed(compression=(SHORT, (7,))), refused="."),
    bytes_of("pixels-that-are-no-webp", lambda: _changed(compression=(SHORT, (50_001,))), refused="."),
    bytes_of("pixels-that-are-no-lerc", lambda: _changed(compression=(SHORT, (34_887,))), refused="damaged"),
    Kind(name="vrt", make=_text(_VRT), refused="is a VRT"),
    Kind(name="wms", make=_text(_WMS), refused="no raster"),
    Kind(name="html", make=_text("<!DOCTYPE html><html>not found</html>"), refused="no raster"),
    Kind(
        name="git-lfs",
        make=_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        refused="no raster",
    ),
    Kind(name="address", make=_text("https://example.invalid/a.tif\n"), refused="no raster"),
    Kind(name="folder", make=lambda path: path.mkdir(), refused="."),
    Kind(name="symbolic-link-to-itself", make=_loop, refused="cannot read"),
    Kind(name="symbolic-link-to-nothing", make=_dangling, refused="cannot read"),
    Kind(name="pipe", make=os.mkfifo, refused="no regular file"),
    *(
        [Kind(name="not-to-be-read", make=_unreadable, refused="cannot read")]
        if os.name != "nt" and os.getuid()
        else []
    ),
    Kind(name="with (odd), [letters] {in} = its 'name' ü€&;", make=_good),
    Kind(name="line\nbreak", make=_good),
    Kind(name="called-png", make=_good, suffix=".png"),
    Kind(name="called-nothing", make=_good, suffix=""),
)
