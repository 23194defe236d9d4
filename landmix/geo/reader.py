"""Reading windows of a scene: from files on any grid to one stack."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from landmix.core.scaling import decode
from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo import remote
from landmix.geo.compose import compose, decoded, valid_values
from landmix.geo.ground import covered, pixel_size
from landmix.geo.opening import FAILURES, band_kinds, cause
from landmix.geo.resample import Placement, Sampling

if TYPE_CHECKING:
    import rasterio
    from numpy.typing import NDArray

    from landmix.geo.scene import QualityLayer, Scene, Stored


class SceneReader:
    """Reads windows of a scene."""

    def __init__(self, scene: Scene, datasets: list[rasterio.DatasetReader], handles: contextlib.ExitStack) -> None:
        """Read `scene` through open `datasets`, one for each of its rasters; `handles` closes what is opened more."""
        self.scene = scene
        self._datasets = datasets
        self._moved = scene.resampled
        self._placements = [
            Placement.of(scene.grid, raster.grid) if moved and not scene.overview else None
            for raster, moved in zip(scene.rasters, self._moved, strict=True)
        ]
        self._plain = scene.plain
        self._dtype = scene.dtype
        self._handles = handles
        self._warped: dict[tuple[int, Resampling, float | None], WarpedVRT] = {}
        self._paths = [raster.path for raster in scene.rasters]

    def empty(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Arrays for the pixels of a window, (C, H, W) and (H, W), with anything in them."""
        shape = window.height, window.width
        return np.empty((len(self.scene.bands), *shape), self._dtype), np.empty(shape, np.bool_)

    def read(
        self, window: Window, into: tuple[NDArray[np.generic], NDArray[np.bool_]] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Values (C, H, W) as `scene.scaling` expects them, and whether a pixel is in the scene and clear (H, W).

        The window may reach outside the scene; values there are 0. Bands that are resampled or computed are NaN where
        they are invalid; nodata values of the others are judged by `validity`, so that a caller can first choose its
        bands. `into`: arrays to put them in, like those of `empty`. Raises `LandmixError` where a file is damaged.
        """
        scene = self.scene
        values, inside = into or self.empty(window)
        part = window.intersect(scene.grid.window)
        if part != window:
            values[...], inside[...] = 0, False
        if part is None:
            return values, inside
        rows, cols = part.relative_to(window).slices
        try:
            with remote.settings(self._paths):
                mask = self._fill(values[:, rows, cols], part)
                for layer in scene.quality:
                    mask &= self._quality(layer, part)
        except FAILURES as error:
            msg = (
                f"cannot read rows {part.row} to {part.row_end} of {scene.where}: the file is damaged ({cause(error)})"
            )
            raise LandmixError(msg) from error
        inside[rows, cols] = mask
        return values, inside

    def _fill(self, target: NDArray[np.generic], part: Window) -> NDArray[np.bool_]:
        """Put all bands of a window into `target`; returns where no file is masked."""
        scene = self.scene
        mask = np.ones((part.height, part.width), np.bool_)
        if self._plain and all(origin == (i,) for i, origin in enumerate(scene.origins)):
            self._read_stored(target, part, mask)
            return mask
        stored = np.empty((len(scene.stored), part.height, part.width), self._dtype)
        self._read_stored(stored, part, mask)
        compose(scene, stored, self._moved, target)
        return mask

    def _read_stored(self, target: NDArray[np.generic], part: Window, mask: NDArray[np.bool_]) -> None:
        """Read the stored bands in `target` (n, H, W), file by file, and take masked pixels out of `mask`."""
        for file in dict.fromkeys(s.file for s in self.scene.stored):
            places = [i for i, s in enumerate(self.scene.stored) if s.file == file]
            if not self._moved[file]:
                self._read_same(target, places, part, mask)
            elif self._placements[file] is not None:
                self._read_parallel(target, places, part)
            else:
                self._read_warped(target, places, part)

    def _read_same(self, target: NDArray[np.generic], places: list[int], part: Window, mask: NDArray[np.bool_]) -> None:
        """A file on the scene's own grid."""
        stored = [self.scene.stored[i] for i in places]
        dataset, window = self._datasets[stored[0].file], _rasterio(part)
        numbers = [s.number for s in stored]
        step = stored[0].decode
        in_order = places == list(range(places[0], places[0] + len(places)))
        if step is None and in_order and {s.dtype for s in stored} == {target.dtype}:
            dataset.read(numbers, window=window, out=target[places[0] : places[-1] + 1])
        else:
            for i, values in zip(places, dataset.read(numbers, window=window), strict=True):
                target[i] = decoded(values, self.scene.stored[i])
        for i in places:
            if (fill := self.scene.stored[i].fill) is not None and step is None:
                mask &= target[i] != fill
        if self.scene.rasters[stored[0].file].masked:
            mask &= file_mask(dataset, window) > 0

    def _read_parallel(self, target: NDArray[np.generic], places: list[int], part: Window) -> None:
        """A file whose grid is parallel to the scene's: only the rows and columns that matter are read."""
        stored = [self.scene.stored[i] for i in places]
        file = stored[0].file
        placement = self._placements[file]
        assert placement is not None  # noqa: S101 - the caller looked
        sampling = Sampling.of(placement, part, self.scene.options.resampling)
        if sampling is None:
            target[places] = np.nan
            return
        window = RasterioWindow(sampling.col, sampling.row, sampling.width, sampling.height)
        dataset = self._datasets[file]
        seen = file_mask(dataset, window) > 0 if self.scene.rasters[file].masked else None
        for i, s, values in zip(places, stored, dataset.read([s.number for s in stored], window=window), strict=True):
            valid = valid_values(values, s)
            valid = valid if seen is None else valid & seen
            mixed = decode(values, s.decode).astype(np.float32, copy=False)
            target[i] = sampling.mix(mixed, None if valid.all() else valid)

    def _read_warped(self, target: NDArray[np.generic], places: list[int], part: Window) -> None:
        """A file in another CRS, or rotated. Values that must be decoded are not mixed before."""
        for i in places:
            s = self.scene.stored[i]
            smooth = "average" if self._coarser(s.file) and self.scene.options.resampling != "nearest" else None
            kernel = Resampling["nearest" if s.decode else smooth or self.scene.options.resampling]
            values = self._warped_band(s, kernel, part)
            if kernel not in {Resampling.nearest, Resampling.average}:
                # GDAL fills holes from their neighbours
                values[~valid_values(self._warped_band(s, Resampling.nearest, part), s)] = np.nan
            elif s.fill is not None:
                values[values == s.fill] = np.nan
            target[i] = decode(values, s.decode)

    def _warped_band(self, stored: Stored, kernel: Resampling, part: Window) -> NDArray[np.float32]:
        """One band (H, W), NaN where invalid."""
        vrt = self._warp(stored.file, kernel, dtype="float32", nodata=float("nan"), src_nodata=stored.nodata)
        values: NDArray[np.float32] = _by_block(vrt, [stored.number], part)[0].astype(np.float32, copy=False)
        return values

    def _coarser(self, file: int) -> bool:
        """Whether the scene's pixels are clearly larger than a file's in another CRS."""
        here, there = pixel_size(self.scene.grid), pixel_size(self.scene.rasters[file].grid)
        return here is not None and there is not None and max(here) > 1.5 * max(there)

    def _warp(self, file: int, kernel: Resampling, **options: Any) -> WarpedVRT:
        """A file on the scene's grid by way of GDAL's warper.

        Its shortcut between exactly placed pixels is limited to a millionth of a pixel (rasterio takes no 0).
        """
        key = (file, kernel, options.get("src_nodata"))
        if key not in self._warped:
            grid = self.scene.grid
            vrt = WarpedVRT(
                self._datasets[file],
                crs=grid.crs,
                transform=grid.transform,
                height=grid.height,
                width=grid.width,
                resampling=kernel,
                tolerance=1e-6,
                UNIFIED_SRC_NODATA="NO",  # each band has its own nodata pixels
                # else the width of a kernel follows from the block that is warped; an average needs it
                **({} if kernel == Resampling.average else {"XSCALE": "1", "YSCALE": "1"}),
                **options,
            )
            self._warped[key] = self._handles.enter_context(contextlib.closing(vrt))
        return self._warped[key]

    def _quality(self, layer: QualityLayer, part: Window) -> NDArray[np.bool_]:
        """Which pixels of a window a quality raster lets through; nothing where it has no pixel."""
        around = layer.rule.around(part).intersect(self.scene.grid.window)
        assert around is not None  # noqa: S101 - `part` is inside
        accepted, missing = layer.rule.judge(self._quality_values(layer, around))
        if self._moved[layer.file]:
            outside = self._outside(layer.file, around)
            if outside is not None:
                accepted, missing = accepted & ~outside, missing | outside
        rows, cols = part.relative_to(around).slices
        return layer.rule.widened(accepted, missing)[rows, cols]

    def _quality_values(self, layer: QualityLayer, window: Window) -> NDArray[np.generic]:
        """The quality raster's bands (n, H, W) by nearest neighbour."""
        numbers = layer.rule.numbers
        dataset, placement = self._datasets[layer.file], self._placements[layer.file]
        if not self._moved[layer.file]:
            values: NDArray[np.generic] = dataset.read(numbers, window=_rasterio(window))
            return values
        if placement is None:
            vrt = self._warp(layer.file, Resampling.nearest)
            return _by_block(vrt, numbers, window)
        sampling = Sampling.of(placement, window, "nearest")
        if sampling is None:
            return np.zeros((len(numbers), window.height, window.width), dataset.dtypes[0])
        source = RasterioWindow(sampling.col, sampling.row, sampling.width, sampling.height)
        return sampling.pick(dataset.read(numbers, window=source))

    def _outside(self, file: int, window: Window) -> NDArray[np.bool_] | None:
        """Pixels of a window that a file does not cover; None if it covers all."""
        placement = self._placements[file]
        if placement is None:
            inside = covered(self.scene.grid, window, self.scene.rasters[file].grid)
            return None if inside.all() else ~inside
        sampling = Sampling.of(placement, window, "nearest")
        return np.ones((window.height, window.width), np.bool_) if sampling is None else sampling.outside


def _by_block(vrt: WarpedVRT, numbers: list[int], window: Window) -> NDArray[np.generic]:
    """Bands (n, H, W) of a window, read block by block.

    GDAL warps larger windows in one piece, whose last bits depend on the window; a block is always the same.
    """
    values = np.empty((len(numbers), window.height, window.width), vrt.dtypes[numbers[0] - 1])
    height, width = vrt.block_shapes[0]
    for row in range(window.row // height * height, window.row_end, height):
        for col in range(window.col // width * width, window.col_end, width):
            part = window.intersect(Window(row=row, col=col, height=height, width=width))
            assert part is not None  # noqa: S101 - the blocks touch the window
            values[:, *part.relative_to(window).slices] = vrt.read(numbers, window=_rasterio(part))
    return values


def file_mask(dataset: rasterio.DatasetReader, window: RasterioWindow) -> NDArray[np.uint8]:
    """A file's mask, 0 where masked (H, W); where it has an alpha band that one, which a nodata tag would hide."""
    kinds = band_kinds(dataset)
    if ColorInterp.alpha in kinds:
        alpha: NDArray[np.uint8] = dataset.read(kinds.index(ColorInterp.alpha) + 1, window=window)
        return alpha
    mask: NDArray[np.uint8] = dataset.dataset_mask(window=window)
    return mask


def _rasterio(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)
