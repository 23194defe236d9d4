"""Odd numbers: types, bits, nodata, masks, palettes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from odd_kinds import HEIGHT, WIDTH, Kind, tif, values, written
from rasterio.enums import ColorInterp

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
_BYTES = values().astype(np.uint8)


def _holes(dtype: str, value: float) -> NDArray[Any]:
    """Values with some that are `value`."""
    array = values().astype(dtype)
    array[:, 3:8, 4:9] = value
    array[0, 10:12] = value
    return array


def _alpha(path: Path, dtype: str = "uint8", *, nodata: float | None = None, planar: str = "pixel") -> None:
    array = np.concatenate([values(), np.full((1, HEIGHT, WIDTH), 255)]).astype(dtype)
    array[2, 5:9] = 0
    array[2, 12] = 100

    def after(file: rasterio.io.DatasetWriter) -> None:
        file.colorinterp = ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha

    tif(path, array, after=after, nodata=nodata, alpha="yes", interleave=planar)


def _masked(path: Path, *, inside: bool, nodata: float | None = None, flipped: bool = False) -> None:
    mask = np.ones((HEIGHT, WIDTH), np.bool_)
    mask[2:6, 3:20] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES" if inside else "NO"):
        tif(path, _BYTES, after=lambda file: file.write_mask(~mask if flipped else mask), nodata=nodata)


def _palette(path: Path) -> None:
    table = {value: (value, 255 - value, 7, 255) for value in range(256)}
    tif(path, _BYTES[:1], after=lambda file: file.write_colormap(1, table), photometric="palette")


def _nodata_values(path: Path) -> None:
    array = _BYTES.copy()
    array[:, 4:7] = 9
    array[0, 15:] = 9
    tif(path, array, after=lambda file: file.update_tags(NODATA_VALUES="9 9"))


def _text_nodata(path: Path, text: str) -> None:
    """The tag holds a text of just this length."""
    tif(path, _BYTES, nodata=255)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"255\0", text.encode().ljust(3, b" ")[:3] + b"\0"))


def _extremes(dtype: str) -> NDArray[Any]:
    """The smallest and the largest values that there are."""
    array = values().astype(dtype)
    kind = np.dtype(dtype)
    low, high = (
        (np.finfo(kind).min, np.finfo(kind).max) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    )
    array[:, 2], array[:, 3], array[:, 4] = low, high, 0
    return array


KINDS = (
    *(written(f"type-{dtype}", values(most=120).astype(dtype)) for dtype in _TYPES),
    *(written(f"extremes-{dtype}", _extremes(dtype)) for dtype in _TYPES),
    *(
        written(f"bits-{bits}", values(most=2**bits - 1).astype("uint8" if bits <= 8 else "uint16"), nbits=bits)
        for bits in (1, 2, 3, 4, 5, 7, 9, 12, 15)
    ),
    written("bits-17", values().astype("uint32"), nbits=17),
    written("float16", values().astype("float32"), nbits=16),
    written("float24", values().astype("float32"), nbits=24),
    *(
        written(f"complex-{dtype}", values().astype("complex64"), dtype=dtype, refused="complex numbers")
        for dtype in ("complex_int16", "complex64", "complex128")
    ),
    written("nodata-0", _holes("uint8", 0), nodata=0),
    written("nodata-255", _holes("uint8", 255), nodata=255),
    written("nodata-nan", _holes("float32", np.nan), nodata=np.nan),
    written("nodata-nan-in-bytes", _BYTES, nodata=None, after=lambda file: file.update_tags(NODATA="nan")),
    written("no-nodata-but-nan", _holes("float32", np.nan)),
    written("no-nodata-but-inf", _holes("float64", -np.inf)),
    written("nodata-inf", _holes("float32", np.inf), nodata=np.inf),
    written(
        "nodata-lowest-float32",
        _holes("float32", float(np.finfo(np.float32).min)),
        nodata=float(np.finfo(np.float32).min),
    ),
    written("nodata-3.4e38", _holes("float32", float(np.float32(-3.4e38))), nodata=float(np.float32(-3.4e38))),
    written("nodata-1e300", _holes("float64", 1e300), nodata=1e300),
    written("nodata-fraction", _holes("float32", 0.1), nodata=0.1),
    written("nodata-lowest-int64", _holes("int64", -(2**63)), nodata=-(2**63)),
    written("nodata-int8", _holes("int8", -128), nodata=-128),
    written("every-pixel-nodata", np.zeros((2, HEIGHT, WIDTH), np.uint8), nodata=0),
    written("every-pixel-nan", np.full((2, HEIGHT, WIDTH), np.nan, np.float32)),
    Kind(name="nodata-values-of-all-bands", make=_nodata_values),
    Kind(name="nodata-999-in-bytes", make=lambda path: _text_nodata(path, "999")),
    Kind(name="nodata-minus-in-bytes", make=lambda path: _text_nodata(path, "-9")),
    Kind(name="nodata-no-number", make=lambda path: _text_nodata(path, "abc")),
    Kind(name="nodata-1e9", make=lambda path: _text_nodata(path, "1e9")),
    Kind(name="alpha", make=_alpha),
    Kind(name="alpha-uint16", make=lambda path: _alpha(path, "uint16")),
    Kind(name="alpha-float32", make=lambda path: _alpha(path, "float32")),
    Kind(name="alpha-planar", make=lambda path: _alpha(path, planar="band")),
    Kind(name="mask-inside", make=lambda path: _masked(path, inside=True)),
    Kind(name="mask-beside", make=lambda path: _masked(path, inside=False)),
    Kind(name="mask-of-nothing", make=lambda path: _masked(path, inside=True, flipped=True)),
    Kind(name="mask-and-nodata", make=lambda path: _masked(path, inside=True, nodata=77)),
    Kind(name="palette", make=_palette, bands=1),
    written("white-is-zero", _BYTES[:1], photometric="miniswhite"),
    Kind(name="cmyk", make=lambda path: tif(path, values(4).astype(np.uint8), photometric="cmyk"), bands=3),
    written("cielab", values(3).astype(np.uint8), photometric="cielab"),
    written("rgb", values(3).astype(np.uint8), photometric="rgb"),
    written("one-pixel", values(2, 1, 1).astype(np.uint8)),
    written("one-row", values(2, 1, 300).astype(np.uint8)),
    written("one-column", values(2, 300, 1).astype(np.uint8)),
    written("many-bands", values(300, 3, 4).astype(np.uint8)),
    written("band-type-of-one", values(1).astype(np.uint8)),
)
