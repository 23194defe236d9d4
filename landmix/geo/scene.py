"""A scene: one band stack on one grid, whatever files it came from."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from landmix.core.bands import Band, BandSet
from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.geo.grid import Grid
from landmix.geo.metadata import file_bands
from landmix.geo.opening import open_raster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import rasterio
    from numpy.typing import NDArray

    from landmix.core.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files become scenes (`scene.*` of the configuration)."""

    scale: Literal["auto", "tiff", "none"] = "auto"
    """`auto` or `tiff`: the scale and offset tags of the file; `none`: stored values are physical values."""
    allow_vrt: bool = False
    """Whether a VRT, which can name any other file, may be opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known of a scene before a pixel is read. Holds no handle, so it can be sent to a worker."""

    name: str
    """The stem: what its map is called."""
    files: tuple[str, ...]
    sources: tuple[tuple[int, int], ...]
    """For each band the position of its file in `files` and the band number in it, from 1."""
    bands: BandSet
    grid: Grid
    dtype: np.dtype[np.generic]
    """Of the stored values; wide enough for all files."""
    nodata: tuple[float | None, ...]
    """A band; NaN is invalid whatever this says."""
    scaling: Affine
    """Stored value -> physical value, a line a band."""
    masked: tuple[bool, ...]
    """Whether a file has a mask or alpha band; one a file."""
    block: int
    """Side in pixels of windows that suit the files' blocks."""
    options: ReadOptions = ReadOptions()

    @property
    def where(self) -> str:
        """How messages call it."""
        return self.files[0] if len(self.files) == 1 else f"{self.files[0]} and {len(self.files) - 1} more"

    def take(self, indices: Sequence[int]) -> Scene:
        """The scene with only the bands at `indices`, in that order."""
        chosen = list(indices)
        return replace(
            self,
            sources=tuple(self.sources[i] for i in chosen),
            bands=self.bands.take(chosen),
            nodata=tuple(self.nodata[i] for i in chosen),
            scaling=self.scaling.take(chosen),
        )

    @contextlib.contextmanager
    def open(self) -> Iterator[SceneReader]:
        """A reader with its own handles; one a thread."""
        with contextlib.ExitStack() as stack:
            # closing, not the dataset's own context: that one must end in the thread in which it began
            yield SceneReader(self, [stack.enter_context(contextlib.closing(self._file(path))) for path in self.files])

    def _file(self, path: str) -> rasterio.DatasetReader:
        return open_raster(path, allow_vrt=self.options.allow_vrt)


class SceneReader:
    """Reads windows of a scene."""

    def __init__(self, scene: Scene, datasets: list[rasterio.DatasetReader]) -> None:
        """Read `scene` through open `datasets`, one for each of its files."""
        self.scene = scene
        self._datasets = datasets

    def read(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Stored values (C, H, W) and whether a pixel lies inside the scene and its masks (H, W).

        The window may reach outside the scene; values there are 0. Nodata values are judged by `validity`, so that
        a caller can first choose its bands. Raises `LandmixError` where the file is damaged.
        """
        scene = self.scene
        stored = np.zeros((len(scene.bands), window.height, window.width), scene.dtype)
        inside = np.zeros((window.height, window.width), np.bool_)
        part = window.intersect(scene.grid.window)
        if part is None:
            return stored, inside
        rows, cols = part.relative_to(window).slices
        try:
            stored[:, rows, cols] = self._stored(part)
            inside[rows, cols] = self._mask(part)
        except (RasterioError, SystemError) as error:
            msg = f"cannot read rows {part.row} to {part.row_end} of {scene.where}: the file is damaged ({error})"
            raise LandmixError(msg) from error
        return stored, inside

    def _stored(self, part: Window) -> NDArray[np.generic]:
        """Bands of one file that follow each other are read at once."""
        pieces = []
        for position, group in groupby(self.scene.sources, key=lambda source: source[0]):
            indexes = [index for _, index in group]
            piece = self._datasets[position].read(indexes, window=_rasterio(part))
            pieces.append(piece.astype(self.scene.dtype, copy=False))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _mask(self, part: Window) -> NDArray[np.bool_]:
        mask = np.ones((part.height, part.width), np.bool_)
        used = {position for position, _ in self.scene.sources}
        for position in used:
            if self.scene.masked[position]:
                mask &= _file_mask(self._datasets[position], _rasterio(part)) > 0
        return mask


def _file_mask(dataset: rasterio.DatasetReader, window: RasterioWindow) -> NDArray[np.uint8]:
    """A file's mask, 0 where masked (H, W); where it has an alpha band that one, which a nodata tag would hide."""
    if ColorInterp.alpha in dataset.colorinterp:
        alpha: NDArray[np.uint8] = dataset.read(dataset.colorinterp.index(ColorInterp.alpha) + 1, window=window)
        return alpha
    mask: NDArray[np.uint8] = dataset.dataset_mask(window=window)
    return mask


def validity(stored: NDArray[np.generic], nodata: Sequence[float | None]) -> NDArray[np.bool_]:
    """Which pixels are valid in every band: no nodata value of the band, no NaN, no infinity.

    `stored` is (..., C, H, W) with a nodata value or None a band; the result is (..., H, W).
    """
    valid = np.ones((*stored.shape[:-3], *stored.shape[-2:]), np.bool_)
    for i, value in enumerate(nodata):
        valid &= band_validity(stored[..., i, :, :], value)
    return valid


def band_validity(band: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_]:
    """Which values of one band are valid, same shape."""
    valid = np.isfinite(band) if band.dtype.kind == "f" else np.ones(band.shape, np.bool_)
    if nodata is not None and not np.isnan(nodata) and _holds(band.dtype, nodata):
        valid &= band != band.dtype.type(nodata)
    return valid


def _holds(dtype: np.dtype[np.generic], value: float) -> bool:
    """Whether a data type can hold a nodata value at all (-9999 in a uint8 file marks nothing)."""
    if dtype.kind == "f":
        return not np.isfinite(value) or abs(value) <= float(np.finfo(np.dtype(dtype.name)).max)
    info = np.iinfo(np.dtype(dtype.name))
    return value == int(value) and info.min <= value <= info.max if np.isfinite(value) else False


def open_scene(files: Sequence[str], name: str, options: ReadOptions | None = None) -> Scene:
    """Look at the files of a scene, without reading a pixel.

    Raises `LandmixError` for files that are no rasters, complex numbers, unequal grids or equal band names.
    """
    options = options or ReadOptions()
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open_raster(path, allow_vrt=options.allow_vrt)) for path in files]
        return _assemble(list(files), opened, name, options)


def _assemble(files: list[str], opened: list[rasterio.DatasetReader], name: str, options: ReadOptions) -> Scene:
    grid = Grid.of(opened[0])
    for path, dataset in zip(files, opened, strict=True):
        if not grid.same_as(Grid.of(dataset)):
            msg = f"the files of a scene must lie on one grid, but {files[0]} has {grid} and {path} {Grid.of(dataset)}"
            raise LandmixError(msg)
    sources = [(p, i) for p, dataset in enumerate(opened) for i in _spectral(dataset)]
    if not sources:
        msg = f"{files[0]} has no band but an alpha band"
        raise LandmixError(msg)
    return Scene(
        name=name,
        files=tuple(files),
        sources=tuple(sources),
        bands=_bands(files, opened, sources),
        grid=grid,
        dtype=_common_dtype(files[0], [opened[p].dtypes[i - 1] for p, i in sources]),
        nodata=tuple(opened[p].nodatavals[i - 1] for p, i in sources),
        scaling=_scaling([(opened[p], i) for p, i in sources], files[0], options),
        masked=tuple(_has_mask(dataset) for dataset in opened),
        block=_block(opened[0]),
        options=options,
    )


def _spectral(dataset: rasterio.DatasetReader) -> list[int]:
    """Band numbers without the alpha band, which is a mask."""
    return [i for i, kind in enumerate(dataset.colorinterp, start=1) if kind != ColorInterp.alpha]


def _has_mask(dataset: rasterio.DatasetReader) -> bool:
    """Whether the file has a mask or alpha band beside or instead of nodata values."""
    return ColorInterp.alpha in dataset.colorinterp or any(
        MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums
    )


def _common_dtype(path: str, dtypes: list[str]) -> np.dtype[np.generic]:
    if any("complex" in dtype for dtype in dtypes):
        msg = f"{path} holds complex numbers; landmix classifies real ones: convert them to intensity first"
        raise LandmixError(msg)
    return np.result_type(*dtypes)


def _scaling(bands: list[tuple[rasterio.DatasetReader, int]], path: str, options: ReadOptions) -> Affine:
    if options.scale == "none":
        return Affine.identity(len(bands))
    try:
        return Affine(
            scale=tuple(float(dataset.scales[i - 1]) for dataset, i in bands),
            offset=tuple(float(dataset.offsets[i - 1]) for dataset, i in bands),
        )
    except ValueError as error:
        msg = f"the scale tags of {path} cannot be used ({error}): read stored values with scene.scale=none"
        raise LandmixError(msg) from error


def _block(dataset: rasterio.DatasetReader) -> int:
    """Longest side of the file's blocks, where they are squares of a usable size; else 512."""
    height, width = dataset.block_shapes[0]
    return int(height) if height == width and 128 <= height <= 1024 else 512  # noqa: PLR2004


def _bands(files: list[str], opened: list[rasterio.DatasetReader], sources: list[tuple[int, int]]) -> BandSet:
    """Bands by their descriptions; in a scene of several files an unnamed band is called after its file."""
    suffixes = file_suffixes(files)
    bands: list[Band] = []
    for position, dataset in enumerate(opened):
        indexes = [index for p, index in sources if p == position]
        for band in file_bands(dataset, indexes):
            name, named = band.name, band.named
            if len(files) > 1 and not named:
                name = suffixes[position] if len(indexes) == 1 else f"{suffixes[position]}.{band.number}"
                named = True
            bands.append(replace(band, name=name, named=named, number=len(bands) + 1))
    names = [band.name for band in bands]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        msg = f"the bands of a scene need different names, but {', '.join(doubled)} stands twice in {', '.join(files)}"
        raise LandmixError(msg)
    return BandSet(tuple(bands))


def common_prefix(names: list[str]) -> str:
    """What several file stems begin with, back to the last separator (`_`, `-`, `.` or a blank)."""
    prefix = os.path.commonprefix(names)  # noqa: RUF071 - letter by letter is what is wanted here
    cut = max(prefix.rfind(mark) for mark in "_-. ")
    return prefix[: cut + 1]


def file_suffixes(files: list[str]) -> list[str]:
    """What tells the files of a scene apart: their stems without what all begin with."""
    stems = [Path(path).stem for path in files]
    prefix = common_prefix(stems)
    return [stem[len(prefix) :] or stem for stem in stems]


def _rasterio(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)
