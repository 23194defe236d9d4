"""DataArrays of xarray are classified: lazily where they are chunked."""

from __future__ import annotations

import functools
import importlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from landmix.classify.array_blocks import Classifier, keep
from landmix.classify.array_layers import as_layer
from landmix.classify.array_scene import in_file_order, scene_of
from landmix.classify.plan import OUTPUTS, PredictSettings, layers
from landmix.classify.prepare import reading
from landmix.core.tiling import Tiling
from landmix.core.window import Window
from landmix.errors import LandmixError, UsageError
from landmix.geo.fitting import fit_to
from landmix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from landmix.classify.loaded import Loaded
    from landmix.engines.engine import EngineSpec
    from landmix.geo.scene import Scene
    from landmix.progress import Progress

_TILE = 512
"""Side in pixels of what is computed at once of an array in memory."""


def classify_array(
    model: Loaded,
    engine: EngineSpec,
    array: xr.DataArray,
    *,
    dim: str | None,
    bands: Sequence[str | int] | None,
    settings: PredictSettings,
    said: Mapping[str, Any],
    progress: Progress,
) -> list[xr.DataArray]:
    """The layers of `settings` for an array, in the order of its outputs; lazy where the array is chunked.

    See `landmix.model.Model.classify_xarray`. Raises `LandmixError` where the array does not fit the model, and where a
    package is missing.
    """
    _check(array, settings)
    axis = _band_axis(array, dim)
    array = array.transpose(axis, array.rio.y_dim, array.rio.x_dim)
    try:
        scene = _fitted(model, array, axis, said, bands, progress)
    except UsageError as error:
        raise UsageError(_in_arguments(error)) from error
    except LandmixError as error:
        raise LandmixError(_in_arguments(error)) from error
    digest = model.bundle.digest
    work = Classifier(
        scene=scene,
        engine=engine,
        settings=settings,
        layers=layers(model.bundle.legend, settings),
        margin=model.bundle.margin,
        digest=digest,
        legend=model.bundle.legend,
    )
    model = keep(digest, model)
    stored = array.isel({axis: [band.number - 1 for band in scene.stored]}).data
    found = _lazily(work, model, stored) if hasattr(stored, "dask") else _at_once(work, model, np.asarray(stored))
    tags = {"LANDMIX_MODEL": digest, "LANDMIX_VERSION": __version__, "LANDMIX_ENGINE": engine.words}
    like = array.isel({axis: 0}, drop=True)
    made = {}
    for layer in work.layers:
        data = found[layer.name]
        data = data.transpose(2, 0, 1) if data.ndim == 3 else data  # noqa: PLR2004 - bands last
        made[layer.name] = as_layer(like, data, layer, model.bundle.legend, tags)
    return [made[name] for name in settings.outputs]


def together(made: Sequence[xr.DataArray]) -> xr.Dataset:
    """Layers as one Dataset, by name."""
    import xarray  # noqa: PLC0415 - an optional dependency

    return xarray.Dataset({layer.name: layer for layer in made})


def _check(array: xr.DataArray, settings: PredictSettings) -> None:
    """Packages and arguments."""
    try:
        import rioxarray  # noqa: F401, PLC0415 - an optional dependency, which adds `.rio`
        import xarray  # noqa: PLC0415
    except ImportError as error:
        msg = f"classify_xarray needs the package {error.name}: pip install 'landmix[xarray]'"
        raise LandmixError(msg) from error
    given: Any = array
    if not isinstance(given, xarray.DataArray):
        hint = "; a Dataset becomes one with .to_dataarray('band')" if isinstance(given, xarray.Dataset) else ""
        msg = f"classify_xarray takes a DataArray, not {type(array).__name__}{hint}"
        raise UsageError(msg)
    unknown = [name for name in settings.outputs if name not in OUTPUTS]
    if unknown or not settings.outputs or len(set(settings.outputs)) < len(settings.outputs):
        msg = f"outputs must be some of {', '.join(OUTPUTS)}, each once, not {', '.join(map(str, settings.outputs))}"
        raise UsageError(msg)


def _band_axis(array: xr.DataArray, dim: str | None) -> str:
    """The name of the band axis; the other two are rows and columns."""
    from rioxarray.exceptions import MissingSpatialDimensionError  # noqa: PLC0415 - an optional dependency

    try:
        others = [str(axis) for axis in array.dims if axis not in {array.rio.y_dim, array.rio.x_dim}]
    except MissingSpatialDimensionError as error:
        msg = f"the array needs axes for rows and columns, called y and x, but has {', '.join(map(str, array.dims))}:"
        msg += " name them with .rio.set_spatial_dims"
        raise LandmixError(msg) from error
    found = dim if dim is not None else "band" if "band" in others else others[0] if len(others) == 1 else None
    if found is None or others != [found]:
        what = ", ".join(map(str, array.dims))
        msg = f"the array needs one axis of bands beside rows and columns, but has {what}: choose one place along the"
        msg += " others with .isel, or name the axis of bands with dim="
        raise LandmixError(msg)
    return found


def _fitted(
    model: Loaded,
    array: xr.DataArray,
    axis: str,
    said: Mapping[str, Any],
    bands: Sequence[str | int] | None,
    progress: Progress,
) -> Scene:
    """The array as a scene with the model's bands in the model's order."""
    bundle = model.bundle
    options, inherited = reading(bundle, said)
    scene = scene_of(array, axis, options, inherited=inherited)
    if scene.unknown:
        raise LandmixError(scene.unknown)
    nameless = not any(band.named or band.wavelength is not None for band in scene.bands)
    if bands is None and nameless and not in_file_order(array, axis):
        msg = f"{scene.where} has unnamed bands in another order than a file's: say which are the model's with bands="
        raise LandmixError(msg)
    return fit_to(
        scene,
        bundle.bands,
        trained_count=bundle.band_count,
        nodata=bundle.nodata,
        bands=bands,
        warn=progress.warn,
        say=progress.say,
    )


def _in_arguments(error: LandmixError) -> str:
    """A message that speaks of settings, in the words of Python's arguments."""
    text = str(error).replace("scene.scale=none", "scale=1 and offset=0")
    return re.sub(r"\bscene\.(scale|offset|match)\b", r"\1", text)


def _at_once(work: Classifier, model: Loaded, stored: NDArray[np.generic]) -> NDArray[np.void]:
    """Classify (n, H, W) in memory, tile by tile, a thread a core."""
    height, width = stored.shape[1:]
    found = np.empty((height, width), work.dtype)
    if not found.size:
        return found
    area = Window(row=0, col=0, height=height, width=width)

    def classify(tile: Window) -> None:
        around = tile.grow(work.margin).intersect(area)
        assert around is not None  # noqa: S101 - tiles are inside
        read = tile.grow(work.margin)
        rows = around.row - read.row, read.row_end - around.row_end
        cols = around.col - read.col, read.col_end - around.col_end
        found[tile.slices] = work(stored[:, *around.slices], model.bundle, (rows, cols))

    with ThreadPoolExecutor(model.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(classify, [tile.write for tile in Tiling(core=_TILE).tiles(area)]))
    return found


def _lazily(work: Classifier, model: Loaded, stored: Any) -> Any:
    """Classify a dask array (n, H, W) block by block, when it is wanted."""
    from dask.delayed import delayed  # noqa: PLC0415 - an optional dependency

    # dask says nothing of its types
    least, overlap, map_blocks = (_of_dask(name) for name in ("ensure_minimum_chunksize", "overlap", "map_blocks"))

    margin = work.margin
    sides = [least(min(margin, sum(chunks)), chunks) for chunks in stored.chunks[1:]]
    stored = stored.rechunk({0: -1, 1: sides[0], 2: sides[1]})
    # what has no neighbour needs no halo, and may be smaller than one
    depth = {axis: margin if len(chunks) > 1 else 0 for axis, chunks in enumerate(sides, start=1)}
    around = overlap(stored, depth={0: 0, **depth}, boundary="none", allow_rechunk=False)
    bundle = delayed(model.bundle, name=f"landmix-model-{work.digest}", traverse=False)
    return map_blocks(
        functools.partial(_block, work, (len(sides[0]), len(sides[1]))),
        around,
        bundle,
        dtype=work.dtype,
        chunks=tuple(sides),
        drop_axis=0,
        meta=np.empty((0, 0), work.dtype),
        token="landmix-classify",  # noqa: S106 - how its keys begin
    )


def _of_dask(name: str) -> Any:
    return getattr(importlib.import_module("dask.array.overlap"), name)


def _block(
    work: Classifier,
    blocks: tuple[int, int],
    stored: NDArray[np.generic],
    bundle: Any,
    block_id: tuple[int, ...],
) -> NDArray[np.void]:
    """One block with its halo, which it lacks where the array ends."""
    rows, cols = (
        (work.margin if place == 0 else 0, work.margin if place == count - 1 else 0)
        for place, count in zip(block_id[-2:], blocks, strict=True)
    )
    return work(stored, bundle, (rows, cols))
