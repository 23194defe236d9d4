"""Kinds of odd rasters: how each is made, and how a prediction of it is to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine as Transform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

HEIGHT, WIDTH = 20, 24
PLACE = Transform(10, 0, 500_000, 0, -10, 5_400_000)
BANDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of file."""

    name: str
    make: Callable[[Path], None]
    """Writes it at a path that ends in `suffix`."""
    refused: str | None = None
    """What the one sentence says, as a pattern; None: it is classified."""
    bands: int = BANDS
    suffix: str = ".tif"

    def __str__(self) -> str:
        return self.name


def values(bands: int = BANDS, height: int = HEIGHT, width: int = WIDTH, most: int = 200) -> NDArray[Any]:
    """(C, H, W) from 1 to `most`."""
    return np.random.default_rng(7).integers(1, most, (bands, height, width), endpoint=True, dtype=np.int64)


def tif(
    path: Path, array: NDArray[Any], *, after: Callable[[rasterio.io.DatasetWriter], None] | None = None, **profile: Any
) -> None:
    """Write (C, H, W) as a GeoTIFF; `after` may add to it before it is closed."""
    count, height, width = array.shape
    shape = {"count": count, "height": height, "width": width, "dtype": profile.pop("dtype", array.dtype.name)}
    options = {"crs": "EPSG:32633", "transform": PLACE, "driver": "GTiff", **profile}
    with rasterio.open(path, "w", **shape, **{k: v for k, v in options.items() if v is not None}) as file:
        file.write(array)
        if after is not None:
            after(file)


def written(name: str, array: NDArray[Any], *, refused: str | None = None, **profile: Any) -> Kind:
    """A kind that rasterio writes."""
    return Kind(name=name, make=lambda path: tif(path, array, **profile), refused=refused, bands=len(array))


def damaged(
    name: str, change: Callable[[bytes], bytes], *, refused: str | None = "cannot read", **profile: Any
) -> Kind:
    """A good file whose bytes are changed."""

    def make(path: Path) -> None:
        tif(path, values().astype(np.uint8), **profile)
        path.write_bytes(change(path.read_bytes()))

    return Kind(name=name, make=make, refused=refused)


def bytes_of(name: str, content: Callable[[], bytes], *, refused: str | None, bands: int = BANDS) -> Kind:
    """A file byte by byte."""
    return Kind(name=name, make=lambda path: _write(path, content()), refused=refused, bands=bands)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
