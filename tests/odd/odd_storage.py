"""Odd ways of storing pixels: codecs, layouts, byte orders, missing blocks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from odd_kinds import HEIGHT, WIDTH, Kind, bytes_of, tif, values, written
from rasterio.enums import Resampling
from tiff_bytes import OFFSETS, SHORT, SUBIFDS, Tiff, basic, geo, strip

if TYPE_CHECKING:
    from pathlib import Path

_BYTES, _SHORTS = values().astype(np.uint8), values().astype(np.uint16)
_LARGE = values(2, 70, 90).astype(np.uint16)
_TILES: dict[str, Any] = {"tiled": True, "blockxsize": 32, "blockysize": 16}


def _sparse(path: Path, dtype: str = "uint8", **profile: Any) -> None:
    """Most blocks are not there."""
    profile = {"nodata": None, **profile}
    shape = {"count": 2, "height": 100, "width": 130, "dtype": dtype}
    with rasterio.open(path, "w", driver="GTiff", sparse_ok=True, **_TILES, **shape, **profile) as file:
        file.write(values(2, 16, 32).astype(dtype), window=rasterio.windows.Window(32, 16, 32, 16))


def _overviews(path: Path, *, beside: bool = False, empty: bool = False) -> None:
    tif(path, _LARGE, **_TILES)
    with (
        rasterio.Env(TIFF_USE_OVR="YES" if beside else "NO", SPARSE_OK_OVERVIEW="YES" if empty else "NO"),
        rasterio.open(path, "r+") as file,
    ):
        file.build_overviews([2, 4], Resampling.nearest)


def _whole(**more: Any) -> bytes:
    """A file byte by byte, of one strip."""
    order = more.pop("order", "<")
    kept = {key: more.pop(key) for key in ("counts", "offsets", "next_directory", "sort", "big") if key in more}
    extra = more.pop("extra", {})
    tags = {**basic(HEIGHT, WIDTH, 2, **more), **geo(), **extra}
    return Tiff(tags=tags, blocks=[strip(_BYTES, order)], order=order, **kept).whole()


def _overview_without_data() -> bytes:
    """A second directory that says it is an overview, and has no strips."""
    first = {**basic(HEIGHT, WIDTH, 2), **geo()}
    length = len(Tiff(tags=first, blocks=[strip(_BYTES)]).whole())
    second = Tiff(tags={254: (4, (1,)), **basic(HEIGHT // 2, WIDTH // 2, 2)}).directory_at(length)
    return Tiff(tags=first, blocks=[strip(_BYTES)], next_directory=length).whole() + second


KINDS = (
    *(
        written(
            f"{compress}-{'tiled' if tiled else 'strips'}-{planar}",
            _LARGE,
            compress=compress,
            interleave=planar,
            **(_TILES if tiled else {}),
        )
        for compress in ("lzw", "deflate", "packbits", "lzma", "zstd", "lerc", "lerc_deflate", "lerc_zstd")
        for tiled in (False, True)
        for planar in ("pixel", "band")
    ),
    *(
        written(
            f"{compress}-predictor-{predictor}-{dtype}", values().astype(dtype), compress=compress, predictor=predictor
        )
        for compress in ("lzw", "deflate", "zstd")
        for predictor, dtype in (
            (2, "uint8"),
            (2, "uint16"),
            (2, "int32"),
            (2, "uint64"),
            (3, "float32"),
            (3, "float64"),
        )
    ),
    written("jpeg", values(3, 32, 48).astype(np.uint8), compress="jpeg", photometric="ycbcr"),
    written(
        "jpeg-rgb-tiled",
        values(3, 64, 48).astype(np.uint8),
        compress="jpeg",
        photometric="rgb",
        **{**_TILES, "blockxsize": 16},
    ),
    written("jpeg-grey", values(1, 32, 48).astype(np.uint8), compress="jpeg"),
    written("webp-lossless", values(3, 32, 48).astype(np.uint8), compress="webp", webp_lossless=True),
    written("webp", values(4, 32, 48).astype(np.uint8), compress="webp", photometric="rgb", alpha="no"),
    *(
        written(f"fax-{name}", values(1, most=1).astype(np.uint8), compress=name, nbits=1)
        for name in ("ccittrle", "ccittfax3", "ccittfax4")
    ),
    written("big-endian", _SHORTS, endianness="big"),
    written("big-endian-float", values().astype(np.float64), endianness="big", compress="deflate", predictor=3),
    written("bigtiff", _SHORTS, bigtiff="yes"),
    written("bigtiff-big-endian", _SHORTS, bigtiff="yes", endianness="big"),
    written("tiles-larger-than-the-image", _SHORTS, tiled=True, blockxsize=256, blockysize=512),
    written("one-strip", _LARGE, blockysize=70, compress="deflate"),
    written("rows-as-strips", _LARGE, blockysize=1),
    written("strip-of-seven-rows", _LARGE, blockysize=7, compress="lzw"),
    Kind(name="sparse", make=_sparse),
    Kind(name="sparse-nodata", make=lambda path: _sparse(path, nodata=0)),
    Kind(name="sparse-nan", make=lambda path: _sparse(path, "float32", nodata=np.nan)),
    Kind(name="overviews", make=_overviews),
    Kind(name="overviews-beside", make=lambda path: _overviews(path, beside=True)),
    Kind(name="overviews-that-may-be-sparse", make=lambda path: _overviews(path, empty=True)),
    bytes_of("overview-without-data", _overview_without_data, refused=None),
    Kind(name="cloud-optimised", make=lambda path: tif(path, _LARGE, driver="COG")),
    bytes_of("by-hand", _whole, refused=None),
    bytes_of("by-hand-big-endian", functools.partial(_whole, order=">"), refused=None),
    bytes_of("by-hand-bigtiff", functools.partial(_whole, big=True), refused=None),
    bytes_of("unsorted-tags", functools.partial(_whole, sort=False), refused=None),
    bytes_of("directory-that-loops", functools.partial(_whole, next_directory=8), refused=None),
    bytes_of("next-directory-outside", functools.partial(_whole, next_directory=2**31), refused=None),
    bytes_of("sub-directory-outside", functools.partial(_whole, extra={SUBIFDS: (4, (999_999,))}), refused=None),
    bytes_of(
        "unknown-tags",
        functools.partial(_whole, extra={65_000: (7, (1, 2, 3, 4, 5, 6)), 60_001: (SHORT, (1,))}),
        refused=None,
    ),
    bytes_of("unknown-codec", functools.partial(_whole, compression=50_013), refused="codec"),
    bytes_of("codec-jpeg-2000", functools.partial(_whole, compression=34_712), refused="codec"),
    bytes_of("codec-jpeg-xl", functools.partial(_whole, compression=52_546), refused="codec"),
    bytes_of(
        "predictor-255", functools.partial(_whole, compression=8, extra={317: (SHORT, (255,))}), refused="damaged"
    ),
    bytes_of("strip-beyond-the-end", functools.partial(_whole, offsets=[1_000_000]), refused="damaged"),
    bytes_of("strip-without-bytes", functools.partial(_whole, counts=[0], offsets=[0]), refused=None),
    bytes_of("strip-of-ten-bytes", functools.partial(_whole, counts=[10]), refused=None),
    bytes_of("no-strips", lambda: Tiff(tags={**basic(HEIGHT, WIDTH, 2), **geo()}).whole(), refused="."),
    bytes_of("offsets-of-a-wrong-type", functools.partial(_whole, extra={OFFSETS: (2, ("x",))}), refused=None),
)
