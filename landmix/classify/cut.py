"""How a scene is cut: tiles that follow the files' blocks, and shards of whole tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from landmix.core.tiling import Tiling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.classify.plan import Layer
    from landmix.geo.scene import Scene

SHARD = 4096
"""Side of a shard in pixels, about: what is lost at most when a run is killed."""

_SHARD_BYTES = 8 * SHARD * SHARD
"""Of a shard's outputs, which lie in memory until it is written."""

_TILE_BYTES = 128 * 2**20
"""Of the pixels that are read at once."""

_CACHE = 128 * 2**20, 2048 * 2**20
"""Bytes of GDAL's cache at least and at most; its own default grows with the machine's memory."""

_DECODED = 512 * 2**20
"""Bytes of the blocks that workers decode at the same time; each is in memory twice, and once more in the cache."""

_LEAST = 128
"""Rows and columns of a tile at least: less keeps no network busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Tiles are read at once, shards are written at once."""

    tile: tuple[int, int]
    """Rows, columns."""
    shard: tuple[int, int]
    """Rows, columns: multiples of the tile's."""
    margin: int

    @property
    def shards(self) -> Tiling:
        """How a scene is cut into shards."""
        return Tiling(core=self.shard[0], width=self.shard[1], early=self._early)

    @property
    def tiles(self) -> Tiling:
        """How a shard is cut into tiles."""
        return Tiling(core=self.tile[0], width=self.tile[1], margin=self.margin, early=self._early)

    @property
    def _early(self) -> int:
        """Pixels before a block's end: what a tile reads then ends with the block."""
        return self.margin if self.margin < min(self.tile) else 0


def cut_for(scene: Scene, layers: Sequence[Layer], margin: int, core: int) -> Cut:
    """Tiles of about `core` x `core` pixels in whole blocks, shards of about 4096 x 4096 in whole tiles."""
    tile = _tile(scene, core)
    bytes_a_pixel = sum(len(layer.bands) * layer.dtype.itemsize for layer in layers)
    side = min(SHARD, math.isqrt(_SHARD_BYTES // bytes_a_pixel))
    columns = _shard(scene.grid.width, tile[1], side)
    rows = _shard(scene.grid.height, tile[0], side * side // columns)
    return Cut(tile=tile, shard=(rows, columns), margin=margin)


def cache_for(scene: Scene, workers: int) -> int:
    """Bytes of GDAL's block cache: what a tile reads beside its own blocks was decoded just before."""
    return min(max(_CACHE[0], workers * 5 * _block_bytes(scene) // 2), _CACHE[1])


def workers_for(scene: Scene, workers: int) -> int:
    """At most `workers`: fewer where blocks are so large that the memory would not hold one, decoded, for each."""
    return max(1, min(workers, _DECODED // _block_bytes(scene)))


def _block_bytes(scene: Scene) -> int:
    rows, columns = scene.blocks
    return rows * columns * sum(stored.dtype.itemsize for stored in scene.stored)


def _shard(length: int, tile: int, side: int) -> int:
    """`side` in whole tiles, or up to a quarter more where that needs fewer shards, nearly equal ones.

    Blocks along the edges of a shard are decoded for both its neighbours.
    """
    tiles = -(-length // tile)
    shards = max(1, math.ceil(length / max(tile, 1.25 * side)))
    return tile * -(-tiles // shards)


def _tile(scene: Scene, core: int) -> tuple[int, int]:
    """Rows and columns of a tile: whole blocks of the files, as far as the memory allows."""
    rows, columns = scene.blocks
    if columns >= scene.grid.width and rows < scene.grid.height:  # strips: all of a strip or nothing
        wide = columns
        tall = _whole(max(_LEAST, core * core // wide), rows)
    else:
        tall, wide = _whole(core, rows), _whole(core, columns)
    pixel = len(scene.stored) * scene.dtype.itemsize
    while tall * wide * pixel > _TILE_BYTES and max(tall, wide) > _LEAST:
        tall, wide = (tall, max(_LEAST, wide // 2)) if wide > tall else (max(_LEAST, tall // 2), wide)
    return tall, wide


def _whole(length: int, block: int) -> int:
    """`length` or a little more in whole blocks; blocks that are much larger are not to be had whole."""
    return -(-length // block) * block if block <= 4 * length else length
