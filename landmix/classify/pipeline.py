"""Read, compute, write: one shard of a plan becomes one part file a layer."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import torch
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from landmix.classify.plan import FULL, Layer, Plan
from landmix.errors import LandmixError
from landmix.files import replacing
from landmix.geo.writing import read_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.core.legend import Legend
    from landmix.core.tiling import Tile
    from landmix.core.window import Window
    from landmix.geo.reader import SceneReader
    from landmix.predictor import Prediction, Predictor


class Workers:
    """Threads that read and compute tiles, each with its own handle on the scene and one compute thread.

    Everything is CPU work, so one worker a core that does all of it beats a pipeline of specialists.
    """

    def __init__(self, plan: Plan, predictor: Predictor, legend: Legend, count: int) -> None:
        self._plan, self._predictor, self._legend, self._count = plan, predictor, legend, count
        self._local = threading.local()
        self._handles = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> Workers:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._handles.close()

    def tiles(self, shard: Window) -> Iterator[tuple[Tile, list[NDArray[np.generic]]]]:
        """Classified tiles of a shard in any order: one array (bands, H, W) a layer."""
        waiting: set[Future[tuple[Tile, list[NDArray[np.generic]]]]] = set()
        for tile in self._plan.tiling.tiles(shard):
            waiting.add(self._pool.submit(self._classify, tile))
            # A few tiles ahead keep every worker busy; more would only fill the memory.
            if len(waiting) > 2 * self._count:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)

    def _classify(self, tile: Tile) -> tuple[Tile, list[NDArray[np.generic]]]:
        prediction = self._predictor(*self._reader().read(tile.read))
        return tile, [_render(layer, prediction, self._legend) for layer in self._plan.layers]

    def _reader(self) -> SceneReader:
        """This thread's own handle: GDAL's datasets are not to be shared."""
        reader: SceneReader | None = getattr(self._local, "reader", None)
        if reader is None:
            with self._lock:
                reader = self._handles.enter_context(self._plan.scene.open())
            self._local.reader = reader
        return reader


def _render(layer: Layer, prediction: Prediction, legend: Legend) -> NDArray[np.generic]:
    """One layer of a tile as it is stored, (bands, H, W)."""
    if layer.name == "classes":
        return legend.decode(prediction.index, prediction.valid)[None]
    assert prediction.probabilities is not None  # noqa: S101 - the predictor was told to keep them
    if layer.name == "probabilities":
        shares = prediction.probabilities
    elif layer.name == "confidence":
        shares = prediction.probabilities.max(0, keepdims=True)
    else:
        best = np.sort(prediction.probabilities, axis=0)[-2:]
        shares = (best[1:] - best[:1]) if len(best) > 1 else best
    if layer.dtype.kind != "f":
        shares = np.rint(shares * FULL)
    return np.where(prediction.valid, shares, layer.nodata).astype(layer.dtype)


def classify_shard(plan: Plan, workers: Workers, shard: Window, advance: Callable[[int], None]) -> None:
    """Write the parts of one shard, whole or not at all; `advance` hears the pixels of each tile."""
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(replacing(plan.part(layer, shard))) for layer in plan.layers]
        try:
            _write_parts(plan, workers, shard, paths, advance)
            for path in paths:
                read_back(path)
        except (RasterioError, SystemError) as error:
            msg = f"cannot write {plan.work}: {error}"
            raise LandmixError(msg) from error


def _write_parts(
    plan: Plan, workers: Workers, shard: Window, paths: list[Path], advance: Callable[[int], None]
) -> None:
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(_part(path, layer, shard)) for path, layer in zip(paths, plan.layers, strict=True)]
        for tile, arrays in workers.tiles(shard):
            place = tile.write.relative_to(shard)
            window = RasterioWindow(place.col, place.row, place.width, place.height)
            for part, array in zip(parts, arrays, strict=True):
                part.write(array, window=window)
            advance(tile.write.size)


def _part(path: Path, layer: Layer, shard: Window) -> rasterio.io.DatasetWriter:
    """An empty part; blocks of 512, so that a tile of 512 is written once."""
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=shard.height,
        width=shard.width,
        count=len(layer.bands),
        dtype=layer.dtype,
        nodata=layer.nodata,
        tiled=True,
        blockxsize=512,
        blockysize=512,
        compress="deflate",
        zlevel=1,
        interleave="band",
        bigtiff="if_safer",
    )
