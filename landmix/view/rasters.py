"""Tiles of the map itself and of the confidence beside it."""

from __future__ import annotations

import contextlib
import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.windows import Window as RasterioWindow
from rio_tiler import reader as rio_tiler_reader
from rio_tiler.colormap import cmap
from rio_tiler.models import ImageData

from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo.opening import FAILURES, open_raster
from landmix.view.frame import TILE
from landmix.view.sharing import Pool

if TYPE_CHECKING:
    import rasterio
    from numpy.typing import NDArray

    from landmix.core.legend import Legend
    from landmix.view.frame import Frame

_READERS = 2

_BYTE = 255
"""How many classes a tile of bytes can tell apart; 0 is no class."""


class Raster:
    """One band that lies on the map's grid."""

    def __init__(self, path: str, frame: Frame) -> None:
        """Read from the raster `path`, whose grid the caller has checked."""
        self.path, self.frame = path, frame
        self._pool: Pool[rasterio.DatasetReader] = Pool(lambda: contextlib.closing(open_raster(path)), _READERS)

    def close(self) -> None:
        """Close its files."""
        self._pool.close()

    def _read(self, window: Window, level: int = 0) -> np.ma.MaskedArray[Any, Any]:
        """Stored values (h, w) of a window of a level, masked where nodata; through the file's overviews."""
        step = 2**level
        whole = RasterioWindow(window.col * step, window.row * step, window.width * step, window.height * step)
        try:
            with self._pool.take() as dataset:
                image = rio_tiler_reader.read(
                    dataset,
                    window=whole,
                    height=window.height,
                    width=window.width,
                    indexes=1,
                    resampling_method="nearest",
                )
        except FAILURES as error:
            msg = f"cannot read {self.path}: the file is damaged ({error})"
            raise LandmixError(msg) from error
        values: np.ma.MaskedArray[Any, Any] = image.array[0]
        return values

    def pixel(self, row: int, col: int) -> np.ma.MaskedArray[Any, Any]:
        """The stored value (1, 1) of a pixel of the file."""
        return self._read(Window(row=row, col=col, height=1, width=1))


class ClassRaster(Raster):
    """The map. Its tiles hold class indices, which the page colours: so classes can be hidden at once."""

    def __init__(self, path: str, frame: Frame, legend: Legend) -> None:
        super().__init__(path, frame)
        self.legend = legend

    @property
    def bytes_an_index(self) -> int:
        """Bytes of a number in a tile."""
        return 1 if len(self.legend) < _BYTE else 2

    def tile(self, level: int, window: Window) -> bytes:
        """256 x 256 numbers, little-endian, gzipped: 0 where there is no class, else 1 + the index in the legend."""
        tile = np.zeros((TILE, TILE), f"<u{self.bytes_an_index}")
        tile[: window.height, : window.width] = self.frame.drawn(self._indices(self._read(window, level)) + 1)
        return gzip.compress(tile.tobytes(), compresslevel=1, mtime=0)

    def index_at(self, row: int, col: int) -> int | None:
        """The class of a pixel of the file as its index in the legend; None where it has none."""
        index = int(self._indices(self.pixel(row, col))[0, 0])
        return None if index < 0 else index

    def _indices(self, values: np.ma.MaskedArray[Any, Any]) -> NDArray[np.int16]:
        return np.where(np.ma.getmaskarray(values), np.int16(-1), self.legend.encode(values.data))


class ConfidenceRaster(Raster):
    """Confidence from 0 to 1, whether it is stored so or as 0 to 200."""

    def __init__(self, path: str, frame: Frame) -> None:
        super().__init__(path, frame)
        with contextlib.closing(open_raster(path)) as dataset:
            self._scale, self._offset = float(dataset.scales[0]), float(dataset.offsets[0])

    def tile(self, level: int, window: Window) -> bytes:
        """A PNG in the colours of `ramp`, transparent where there is no value."""
        shares, valid = self._shares(self._read(window, level))
        bright = (shares.clip(0, 1) * 255).round().astype(np.uint8)
        return render(self.frame.drawn(bright[None]), self.frame.drawn(valid), colormap=cmap.get("viridis"))

    def at(self, row: int, col: int) -> float | None:
        """Of a pixel of the file; None where there is none."""
        shares, valid = self._shares(self.pixel(row, col))
        return float(shares[0, 0]) if valid[0, 0] else None

    def _shares(self, stored: np.ma.MaskedArray[Any, Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Confidence (h, w), 0 where it is not valid, and where it is."""
        shares = stored.data.astype(np.float32) * np.float32(self._scale) + np.float32(self._offset)
        valid = ~np.ma.getmaskarray(stored) & np.isfinite(shares)
        return np.where(valid, shares, np.float32(0)), valid

    @staticmethod
    def ramp(count: int = 9) -> list[str]:
        """Colours `#rrggbb` from 0 to 1."""
        colors = cmap.get("viridis")
        places = np.linspace(0, 255, count).round().astype(int).tolist()
        return ["#" + "".join(f"{int(channel):02x}" for channel in colors[place][:3]) for place in places]


def render(values: NDArray[np.uint8], valid: NDArray[np.bool_], **options: Any) -> bytes:
    """A PNG of 256 x 256 pixels with bytes (1 or 3, h, w) in its upper left, transparent where not `valid` (h, w)."""
    count, height, width = values.shape
    tile = np.zeros((count, TILE, TILE), np.uint8)
    hidden = np.ones((count, TILE, TILE), np.bool_)
    tile[:, :height, :width], hidden[:, :height, :width] = values, ~valid
    png: bytes = ImageData(np.ma.MaskedArray(tile, mask=hidden)).render(img_format="PNG", **options)
    return png
