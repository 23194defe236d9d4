"""What reading a Sentinel-2 scene of three resolutions costs, beside plain rasterio.

Both read the same tiles of 12 bands at 10, 20 and 60 m into the same float32 arrays on the 10 m grid, bilinear; landmix
also judges nodata. CPU time of one thread, alternately in one process; the table gives medians and their ratio.

    python scripts/bench_read.py [--side 5490] [--rounds 5] [--format GTiff|JP2OpenJPEG] [--holes 0.01]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from landmix.core.tiling import Tiling
from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries
from landmix.geo.validity import validity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

PIXEL = {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12"), 60: ("B01", "B09")}
CORE = 512
CREATION: dict[str, dict[str, str | int | bool]] = {
    "GTiff": {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": 2},
    "JP2OpenJPEG": {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "1024", "BLOCKYSIZE": "1024"},
}


def write_scene(folder: Path, side: int, driver: str, holes: float) -> None:
    """Twelve files whose values look like land: smooth, with some noise; a share of single pixels is nodata."""
    rng = np.random.default_rng(0)
    for pixel, names in PIXEL.items():
        size = side * 10 // pixel
        rows, cols = np.mgrid[:size, :size] * (pixel / 1000)
        for i, name in enumerate(names):
            land = 1500 + 900 * np.sin(rows * (1 + i / 9)) * np.cos(cols * 1.3) + rng.normal(0, 25, (size, size))
            land[rng.random(land.shape) < holes] = 0
            with rasterio.open(
                folder / f"T33UUU_{name}.{'tif' if driver == 'GTiff' else 'jp2'}",
                "w",
                driver=driver,
                height=size,
                width=size,
                count=1,
                dtype="uint16",
                nodata=0 if holes else None,
                crs="EPSG:32633",
                transform=Affine(pixel, 0, 399960, 0, -pixel, 5400000),
                **CREATION[driver],
            ) as file:
                file.write(land.astype(np.uint16), 1)


def by_landmix(scene: Scene) -> float:
    """Read all tiles through the scene; returns CPU seconds."""
    start = time.process_time()
    with scene.open() as reader:
        for tile in Tiling(core=CORE).tiles(scene.grid.window):
            values, inside = reader.read(tile.write)
            validity(values, scene.nodata)
            if not inside.all():
                raise SystemExit("the scene is whole, but pixels of it are not")  # noqa: EM101, TRY003
    return time.process_time() - start


def by_rasterio(scene: Scene) -> float:
    """Read all tiles with plain rasterio, each band into its slice; returns CPU seconds."""
    start = time.process_time()
    with ExitStack() as stack:
        files = [stack.enter_context(rasterio.open(scene.rasters[stored.file].path)) for stored in scene.stored]
        factors = [file.transform.a / scene.grid.transform.a for file in files]
        for tile in Tiling(core=CORE).tiles(scene.grid.window):
            window = tile.write
            values: NDArray[np.float32] = np.empty((len(files), window.height, window.width), np.float32)
            for out, file, factor in zip(values, files, factors, strict=True):
                place = [n / factor for n in (window.col, window.row, window.width, window.height)]
                file.read(1, window=RasterioWindow(*place), out=out, resampling=Resampling.bilinear)
    return time.process_time() - start


def main() -> None:
    """Write a scene, read it both ways, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=5490, help="of the 10 m bands in pixels, a multiple of 6")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--holes", type=float, default=0.0, help="share of nodata pixels, tagged for both")
    parser.add_argument("--format", choices=CREATION, default="GTiff")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own, whose memory is not counted
        writer = get_context("spawn").Process(
            target=write_scene, args=(Path(folder), arguments.side, arguments.format, arguments.holes)
        )
        writer.start()
        writer.join()
        (entry,) = scene_entries(folder, "scenes")
        scene = open_entry(entry, ReadOptions(offset=0.0))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with rasterio.Env(GDAL_CACHEMAX=256 * 2**20, GDAL_NUM_THREADS=1):
            rounds = [(by_landmix(scene), by_rasterio(scene)) for _ in range(arguments.rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratios = [a / b for a, b in rounds]
    print(f"{arguments.format}, {arguments.side} x {arguments.side} x 12 bands at 10, 20 and 60 m, tiles of {CORE}")
    print(f"{arguments.holes:.2%} of the pixels nodata")
    print(f"landmix {ours:.2f} s CPU, rasterio {theirs:.2f} s CPU, median of {arguments.rounds}")
    print(f"ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory {peak / 1024:.0f} MB, {(peak - before) / 1024:.0f} MB more than before reading")


if __name__ == "__main__":
    main()
