"""Read, compute, write: workers turn shards into part files.

On a CPU everything is CPU work, so one worker a core that does all of it beats a pipeline of specialists. A worker
takes a row of tiles, goes along it with its own handle, and hands the last pixels that it read down to whoever takes
the row below: so each block inside a shard is decoded once, whatever the number of workers.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.classify.part import write_parts
from landmix.core.window import Window
from landmix.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from landmix.classify.plan import Layer, Plan
    from landmix.classify.stages import Stages
    from landmix.core.legend import Legend
    from landmix.core.tiling import Tile
    from landmix.geo.reader import SceneReader
    from landmix.predictor import Prediction, Predictor

    Pixels = tuple[NDArray[np.generic], NDArray[np.bool_]]
    """Stored values (C, H, W) and whether a pixel is inside (H, W)."""


class _Shard:
    """The outputs of a shard, in memory until its last row is computed."""

    def __init__(self, window: Window, layers: Sequence[Layer], rows: int) -> None:
        self.window = window
        self.arrays = [np.empty((len(a.bands), window.height, window.width), a.dtype) for a in layers]
        self._rows = rows
        self._lock = threading.Lock()

    def row_done(self) -> bool:
        """Count a row; whether it was the last."""
        with self._lock:
            self._rows -= 1
            return not self._rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of tiles of a shard: what a worker takes at a time."""

    shard: _Shard
    tiles: list[Tile]
    above: list[Future[Pixels]] | None
    """The last pixels of the row above, tile by tile."""
    below: list[Future[Pixels]] = field(default_factory=list)
    """Where to put one's own."""


class Workers:
    """Threads that read, compute and write, each with its own handle on the scene and one compute thread."""

    def __init__(
        self, plan: Plan, predictor: Predictor, legend: Legend, count: int, stages: Stages, stop: threading.Event
    ) -> None:
        """Workers for one scene; they end soon after `stop` is set."""
        self._plan, self._predictor, self._legend, self._count = plan, predictor, legend, count
        self._stages, self._stop = stages, stop
        self._failed = threading.Event()
        self._local = threading.local()
        self._handles = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
        self._handed: dict[tuple[int, int, int], list[Future[Pixels]]] = {}
        """Last pixels of rows that were begun: by the row below them, and the columns from and to."""
        self._done = 0
        """Pixels that were computed and not yet told of."""

    def __enter__(self) -> Workers:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, *_: object) -> None:
        self._failed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._handles.close()

    def run(self, shards: Sequence[Window], advance: Callable[[int], None]) -> None:
        """Write the parts of `shards`; `advance` hears of computed pixels.

        Raises `LandmixError` where a file cannot be read or written, `Stopped` when it was told to stop.
        """
        rows = (row for shard in shards for row in self._rows(shard))
        waiting: set[Future[None]] = set()
        more = True
        while more or waiting:
            # A few rows ahead keep every worker busy; more would only fill the memory.
            while more and len(waiting) < self._count + 1:
                row = next(rows, None)
                more = row is not None
                if row is not None:
                    waiting.add(self._pool.submit(self._classify, row))
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            with self._lock:
                pixels, self._done = self._done, 0
            if pixels:
                advance(pixels)
            if self._failed.is_set():
                # the others end soon with `Stopped`; what stopped them is to be told
                raise _cause([future for future in wait(waiting).done | done if future.done()])
            for future in done:
                future.result()

    def _rows(self, window: Window) -> Iterator[_Row]:
        """The rows of a shard, from above; each knows where the one above leaves its last pixels."""
        rows = list(self._plan.cut.tiles.rows(window))
        shard = _Shard(window, self._plan.layers, len(rows))
        for tiles in rows:
            below: list[Future[Pixels]] = [Future() for _ in tiles] if self._plan.cut.margin else []
            first, last = tiles[0].write, tiles[-1].write
            above = self._handed.pop((first.row, first.col, last.col_end), None)
            yield _Row(shard=shard, tiles=tiles, above=above, below=below)
            if below:
                self._handed[first.row_end, first.col, last.col_end] = below

    def _classify(self, row: _Row) -> None:
        try:
            for number, tile in enumerate(row.tiles):
                self._tile(row, number, tile)
        except BaseException as error:
            self._failed.set()
            for future in row.below:
                if not future.done():
                    future.set_exception(error)
            raise
        if row.shard.row_done():
            with self._stages.timed("write"):
                self._plan.check_unchanged()
                write_parts(self._plan, row.shard.window, row.shard.arrays)

    def _tile(self, row: _Row, number: int, tile: Tile) -> None:
        if self._stop.is_set() or self._failed.is_set():
            raise Stopped
        above = None
        if row.above:
            with self._stages.timed("wait"):
                above = row.above[number].result()
        with self._stages.timed("read"):
            stored, inside = self._read(tile, above)
        if row.below:
            kept = slice(inside.shape[0] - 2 * self._plan.cut.margin, None)
            row.below[number].set_result((stored[:, kept].copy(), inside[kept].copy()))
        with self._stages.timed("compute"):
            prediction = self._predictor(stored, inside)
            place = tile.write.relative_to(row.shard.window).slices
            for layer, array in zip(self._plan.layers, row.shard.arrays, strict=True):
                array[:, *place] = _render(layer, prediction, self._legend)
        with self._lock:
            self._done += tile.write.size

    def _read(self, tile: Tile, above: Pixels | None) -> Pixels:
        """A tile with its margin; `above` are its first rows, if they were read before."""
        window = tile.read
        if above is None:
            return self._reader().read(window)
        known = above[1].shape[0]
        rest = Window(row=window.row + known, col=window.col, height=window.height - known, width=window.width)
        stored, inside = self._reader().read(rest)
        return np.concatenate([above[0], stored], axis=1), np.concatenate([above[1], inside])

    def _reader(self) -> SceneReader:
        """This thread's own handle: GDAL's datasets are not to be shared."""
        reader: SceneReader | None = getattr(self._local, "reader", None)
        if reader is None:
            with self._lock:
                reader = self._handles.enter_context(self._plan.scene.open())
            self._local.reader = reader
        return reader


def _cause(futures: Sequence[Future[None]]) -> BaseException:
    """Why some rows failed."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    return next((error for error in errors if not isinstance(error, Stopped)), Stopped())


def _render(layer: Layer, prediction: Prediction, legend: Legend) -> NDArray[np.generic]:
    """One layer of a tile as it is stored, (bands, H, W)."""
    if layer.name == "classes":
        return legend.decode(prediction.index, prediction.valid)[None]
    share = prediction.shares[layer.name]
    share[:, ~prediction.valid] = layer.nodata
    return share
