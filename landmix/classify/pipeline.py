"""Read, compute, write: workers turn shards into part files.

On a CPU everything is CPU work, so one worker a core that does all of it beats a pipeline of specialists. A worker
takes a row of tiles, goes along it with its own handle, and hands the last pixels that it read on to the right and down
to whoever takes the row below: so each block is decoded once, whatever the number of workers and shards.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.classify.part import write_parts
from landmix.core.fractions import whole_numbers
from landmix.core.window import Window
from landmix.engines.engine import FULL
from landmix.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

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
    """A row of tiles of a shard, or a piece of one: what a worker takes at a time."""

    shard: _Shard
    tiles: list[Tile]
    above: list[Future[Pixels] | None]
    """The last pixels of the row above, tile by tile, where that is classified in this run."""
    left: Future[Pixels] | None
    """The last pixels of the tile on the left of the first."""
    below: list[Future[Pixels]]
    """Where to put one's own for the row below."""
    right: Future[Pixels] | None


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
        self._edges: dict[tuple[str, int, int, int], Future[Pixels]] = {}
        """Last pixels of tiles that were begun, on the sides where nobody has asked for them yet."""
        self._counts: dict[Path, dict[int, int]] = {}
        self._done = 0
        """Pixels that were computed and not yet told of."""

    def __enter__(self) -> Workers:  # noqa: PYI034 - Self would say no more
        return self

    def __exit__(self, *_: object) -> None:
        self._failed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._handles.close()

    def run(self, shards: Sequence[Window], advance: Callable[[int], None]) -> dict[Path, dict[int, int]]:
        """Write the parts of `shards`; `advance` hears of computed pixels. Returns how often each part has each value.

        Raises `LandmixError` where a file cannot be read or written, `Stopped` when it was told to stop.
        """
        rows = (row for number, shard in enumerate(shards, start=1) for row in self._rows(shard, number == len(shards)))
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
        return self._counts

    def _rows(self, window: Window, last: bool) -> Iterator[_Row]:  # noqa: FBT001
        """The rows of a shard, from above; each knows where its neighbours leave their last pixels."""
        rows = list(self._plan.cut.tiles.rows(window))
        # in the end nobody should wait for one long row
        whole = len(rows) - self._count if last and self._count > 1 else len(rows)
        pieces = [[row] if number < whole else _split(row, self._count) for number, row in enumerate(rows)]
        shard = _Shard(window, self._plan.layers, sum(map(len, pieces)))
        for row in pieces:
            for number, tiles in enumerate(row, start=1):
                yield self._row(shard, tiles, end=number == len(row))

    def _row(self, shard: _Shard, tiles: list[Tile], *, end: bool) -> _Row:
        windows = [tile.write for tile in tiles]
        above = [self._edges.pop(("below", w.row, w.col, w.col_end), None) for w in windows]
        left = self._edges.pop(("right", windows[0].col, windows[0].row, windows[0].row_end), None)
        below: list[Future[Pixels]] = []
        right: Future[Pixels] | None = None
        if self._plan.cut.margin:
            below = [self._edges.setdefault(("below", w.row_end, w.col, w.col_end), Future()) for w in windows]
            if end:  # other pieces of a row are classified at the same time
                key = ("right", windows[-1].col_end, windows[-1].row, windows[-1].row_end)
                right = self._edges.setdefault(key, Future())
        return _Row(shard=shard, tiles=tiles, above=above, left=left, below=below, right=right)

    def _classify(self, row: _Row) -> None:
        try:
            left = self._handed(row.left)
            for number, tile in enumerate(row.tiles):
                left = self._tile(row, number, tile, left)
            if row.right and left:
                row.right.set_result(left)
        except BaseException as error:
            self._failed.set()
            for future in (*row.below, *([row.right] if row.right else [])):
                if not future.done():
                    future.set_exception(error)
            raise
        if row.shard.row_done():
            with self._stages.timed("write"):
                self._plan.check_unchanged()
                counts = write_parts(self._plan, row.shard.window, row.shard.arrays)
            with self._lock:
                self._counts |= counts

    def _handed(self, edge: Future[Pixels] | None) -> Pixels | None:
        if edge is None:
            return None
        with self._stages.timed("wait"):
            return edge.result()

    def _tile(self, row: _Row, number: int, tile: Tile, left: Pixels | None) -> Pixels | None:
        """Classify a tile; returns its last columns, for the tile on its right."""
        if self._stop.is_set() or self._failed.is_set():
            raise Stopped
        above = self._handed(row.above[number])
        with self._stages.timed("read"):
            stored, inside = self._read(tile, above, left)
        right = None
        if kept := 2 * self._plan.cut.margin:
            row.below[number].set_result((stored[:, -kept:].copy(), inside[-kept:].copy()))
            right = stored[:, :, -kept:].copy(), inside[:, -kept:].copy()
        with self._stages.timed("compute"):
            prediction = self._predictor(stored, inside)
            place = tile.write.relative_to(row.shard.window).slices
            for layer, array in zip(self._plan.layers, row.shard.arrays, strict=True):
                array[:, *place] = render(layer, prediction, self._legend)
        with self._lock:
            self._done += tile.write.size
        return right

    def _read(self, tile: Tile, above: Pixels | None, left: Pixels | None) -> Pixels:
        """A tile with its margin; `above` are its first rows, `left` its first columns, if they were read before."""
        window = tile.read
        down, across = above[1].shape[0] if above else 0, left[1].shape[1] if left else 0
        new = Window(
            row=window.row + down, col=window.col + across, height=window.height - down, width=window.width - across
        )
        stored, inside = pixels = self._buffer(window)
        self._reader().read(new, (stored[:, down:, across:], inside[down:, across:]))
        for number, whole in enumerate(pixels):
            if above:
                whole[..., :down, :] = above[number]
            if left:
                whole[..., :, :across] = left[number]
        return stored, inside

    def _buffer(self, window: Window) -> Pixels:
        """This thread's memory for a window, the same for windows of a size: fresh memory costs page faults."""
        pixels: Pixels | None = getattr(self._local, "pixels", None)
        if pixels is None or pixels[1].shape != (window.height, window.width):
            self._local.pixels = pixels = self._reader().empty(window)
        return pixels

    def _reader(self) -> SceneReader:
        """This thread's own handle: GDAL's datasets are not to be shared."""
        reader: SceneReader | None = getattr(self._local, "reader", None)
        if reader is None:
            with self._lock:
                reader = self._handles.enter_context(self._plan.scene.open())
            self._local.reader = reader
        return reader


def _split(tiles: list[Tile], count: int) -> list[list[Tile]]:
    """At most `count` pieces of about equal length."""
    length = -(-len(tiles) // count)
    return [tiles[start : start + length] for start in range(0, len(tiles), length)]


def _cause(futures: Sequence[Future[None]]) -> BaseException:
    """Why some rows failed."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    return next((error for error in errors if not isinstance(error, Stopped)), Stopped())


def render(layer: Layer, prediction: Prediction, legend: Legend) -> NDArray[np.generic]:
    """One layer of a tile as it is stored, (bands, H, W)."""
    if layer.name == "classes":
        return legend.decode(prediction.index, prediction.valid)[None]
    if layer.name == "fractions":
        return _fractions(layer, prediction)
    share = prediction.shares[layer.name]
    if share.dtype != layer.dtype:  # beside fractions nothing comes coded
        known = np.where(prediction.valid, share, 0)
        share = np.rint((known / layer.scale).clip(max=FULL)).astype(layer.dtype)
    share[:, ~prediction.valid] = layer.nodata
    return share


def _fractions(layer: Layer, prediction: Prediction) -> NDArray[np.generic]:
    """Fractions that sum to 1 as they are stored: coded together, because single roundings add up."""
    shares = prediction.shares["probabilities"]
    # a processor that computes in bf16 rounds each
    fractions = np.where(prediction.valid, shares / shares.sum(0).clip(min=_LEAST_SUM), 0)
    found = fractions if layer.dtype.kind == "f" else whole_numbers(fractions, FULL)
    found[:, ~prediction.valid] = layer.nodata
    return found


_LEAST_SUM = 1e-3
"""What is computed sums to nearly 1, what lies in pixels that are not valid to anything."""
