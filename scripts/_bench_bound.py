"""The bound that no program on this machine passes: reading, computing and writing, each measured alone.

    python _bench_bound.py MODEL SCENE FOLDER [--workers N]

prints the terms as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: each worker computes in one thread, as in landmix

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from landmix import bundle as bundles
from landmix.engines.choose import choose
from landmix.engines.engine import Wanted
from landmix.engines.load import Engines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_TILE = 512
_SECONDS = 3.0
"""How long each term is measured at least."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Mpx/s of each kind of work alone, with all workers."""

    read: float
    compute: float
    write: float


def terms(model: Path, scene: Path, folder: Path, workers: int | None) -> Terms:
    """Measure the terms once; files that are written for it go into `folder`."""
    count = workers or os.cpu_count() or 1
    bundle = bundles.load(model)
    engine = Engines(bundle.network(), choose("cpu"), threads=count)
    compute, margin = engine.get(Wanted()), engine.margin
    lines = bundle.scaling.then(bundle.normalise).arrays
    side = _TILE + 2 * margin
    with rasterio.open(scene) as dataset:
        tiles = [
            dataset.read(window=Window(0, row * _TILE, side, side))
            for row in range((dataset.height - side) // _TILE + 1)
        ][:8]
        size = dataset.width
    valid = np.ones((side, side), np.bool_)
    classes = [compute(tile, valid, *lines).index for tile in tiles]

    def computing(worker: int) -> Callable[[int], object]:
        return lambda i: compute(tiles[(worker + i) % len(tiles)], valid, *lines)

    return Terms(
        read=_together(count, lambda worker: _reading(scene, worker, count)),
        compute=_together(count, computing),
        write=_writing(classes, size, folder),
    )


def _together(count: int, work: Callable[[int], Callable[[int], object]]) -> float:
    """Mpx/s of `count` threads that each do tile after tile for a few seconds."""

    def one(worker: int) -> float:
        do = work(worker)
        do(0)
        start, done = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < _SECONDS:
            done += 1
            do(done)
        return done * _TILE * _TILE / 1e6 / spent

    with rasterio.Env(GDAL_CACHEMAX=64 * 2**20), ThreadPoolExecutor(count) as pool:  # blocks are decoded, not kept
        return sum(pool.map(one, range(count)))


def _reading(scene: Path, worker: int, count: int) -> Callable[[int], object]:
    """Read whole blocks, each once while there are some, with a handle of one's own."""
    dataset = rasterio.open(scene, sharing=False)
    across = dataset.width // _TILE
    total = across * (dataset.height // _TILE)

    def read(number: int) -> NDArray[np.generic]:
        row, col = divmod((worker + number * count) % total, across)
        values: NDArray[np.generic] = dataset.read(window=Window(col * _TILE, row * _TILE, _TILE, _TILE))
        return values

    return read


def _writing(classes: Sequence[NDArray[np.generic]], size: int, folder: Path) -> float:
    """Mpx/s of writing one cloud-optimised GeoTIFF with overviews of real classes, from an uncompressed file."""
    rows = size // _TILE
    place = np.random.default_rng(0).integers(0, len(classes), (rows, rows))
    values = np.block([[classes[number] for number in row] for row in place])
    plain, cog = folder / "bound.tif", folder / "bound-cog.tif"
    height, width = values.shape
    with rasterio.open(plain, "w", driver="GTiff", count=1, dtype=np.uint8, height=height, width=width) as sink:
        sink.write(values, 1)
    options = {"BLOCKSIZE": "512", "COMPRESS": "DEFLATE", "OVERVIEW_RESAMPLING": "MODE", "NUM_THREADS": "2"}
    start = time.perf_counter()
    rasterio.shutil.copy(plain, cog, driver="COG", **options)
    spent = time.perf_counter() - start
    for path in (plain, cog):
        path.unlink()
    return float(values.size / 1e6 / spent)


def main() -> None:
    """Measure in a process of its own, so that nothing of it stays behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "scene", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    found = terms(arguments.model, arguments.scene, arguments.folder, arguments.workers)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
