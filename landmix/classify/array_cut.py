"""An array is cut: into tiles where it lies in memory, else into its own chunks, each with the margin around it."""

from __future__ import annotations

import functools
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from landmix.core.tiling import Tiling
from landmix.core.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.classify.array_blocks import Classifier
    from landmix.classify.loaded import Loaded

_TILE = 512
"""Side in pixels of what is computed at once of an array in memory."""


def at_once(work: Classifier, model: Loaded, stored: NDArray[np.generic]) -> NDArray[np.void]:
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


def lazily(work: Classifier, model: Loaded, stored: Any) -> Any:
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
