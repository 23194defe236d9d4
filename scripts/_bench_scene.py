"""The scenes of the benchmark: ten classes in patches, with spectra, causes of variation and noise, from a seed.

Every block is drawn by itself from the seed and its place, so memory does not grow with the scene.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.windows import Window

from landmix.demo.files import CRS, OFFSET, SCALE, TRANSFORM
from landmix.demo.spectra import BANDS, LEGEND, directions, mean_spectra
from landmix.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK = 512
"""Side in pixels of the blocks in the files, and of the windows in which peers read."""
CLASSES = 10
MIXES = (("broadleaf", "grass"), ("water", "grass"), ("crop", "bare soil"))
"""Shrubs, wetland and stubble: with the seven classes of the demo they make ten."""
NOISE = 0.002
"""Deviation of the reflectance of each value by itself; with it, deflate makes the file 1.65 times smaller."""
PATCH, CAUSE = 48, 32
"""Pixels between the nodes of the random fields that decide the class, and of those that change its spectrum."""
LABELLED = 0.04
"""Share of the training scene's pixels that carry a label."""


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """An endless landscape of which blocks can be drawn in any order."""

    side: int
    """Pixels of the scene."""
    seed: int

    def block(self, row: int, col: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Block `row`, `col` of the scene: stored values (band, H, W) and class indices (H, W)."""
        rows = np.arange(row * BLOCK, min((row + 1) * BLOCK, self.side), dtype=np.float32)
        cols = np.arange(col * BLOCK, min((col + 1) * BLOCK, self.side), dtype=np.float32)
        index = _between(self._patches, rows, cols, PATCH).argmax(0).astype(np.uint8)
        causes = _between(self._causes, rows, cols, CAUSE)
        mean, change = _spectra()
        rng = np.random.default_rng((self.seed, row, col))
        values: NDArray[np.float32] = rng.standard_normal((len(BANDS), *index.shape), np.float32)
        values *= np.float32(NOISE)
        values += mean[:, index]
        for cause, direction in zip(causes, change, strict=True):
            values += direction[:, index] * cause
        return ((values - OFFSET) / SCALE).clip(1, 65535).astype(np.uint16), index

    @cached_property
    def _patches(self) -> NDArray[np.float32]:
        return self._nodes(CLASSES, PATCH, 1)

    @cached_property
    def _causes(self) -> NDArray[np.float32]:
        # the mean of four nodes varies less than a node
        return 1.5 * self._nodes(3, CAUSE, 2)

    def _nodes(self, count: int, distance: int, stream: int) -> NDArray[np.float32]:
        side = self.side // distance + 2
        rng = np.random.default_rng((self.seed, stream))
        return rng.standard_normal((count, side, side), np.float32)


def _between(
    nodes: NDArray[np.float32], rows: NDArray[np.float32], cols: NDArray[np.float32], distance: int
) -> NDArray[np.float32]:
    """Bilinear values at the pixels `rows` x `cols` of (field, node, node), whose nodes are `distance` pixels apart."""
    (down, below), (across, right) = (np.divmod(places, np.float32(distance)) for places in (rows, cols))
    top, left = down.astype(np.intp), across.astype(np.intp)
    below, right = (below / distance)[:, None], right / distance
    lines = nodes[:, top] * (1 - below) + nodes[:, top + 1] * below
    return np.asarray(lines[:, :, left] * (1 - right) + lines[:, :, left + 1] * right, np.float32)


def _spectra() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean reflectance (band, class), and its change (cause, band, class) by each cause of variation."""
    names = LEGEND.names
    pure = np.eye(len(names), dtype=np.float32)
    mixed = [(pure[names.index(a)] + pure[names.index(b)]) / 2 for a, b in MIXES]
    shares = np.concatenate([pure, np.stack(mixed)])  # (class, pure class)
    return (shares @ mean_spectra()).T, np.einsum("kp,pcb->cbk", shares, directions())


def write_scene(path: Path, side: int, seed: int) -> None:
    """Write a scene of `side` x `side` pixels."""
    landscape = Landscape(side=side, seed=seed)
    with replacing(path) as temporary, _create(temporary, side, predictor=2) as file:
        for (row, col), (values, _) in _drawn(landscape):
            file.write(values, window=_window(row, col, values))


def write_training(scene: Path, labels: Path, side: int, seed: int) -> None:
    """Write a scene and a raster of class values 1 to 10, which is 0 where nobody labelled; labels come in patches."""
    landscape = Landscape(side=side, seed=seed)
    truth = np.zeros((side, side), np.uint8)
    with replacing(scene) as temporary, _create(temporary, side, predictor=2) as file:
        for (row, col), (values, index) in _drawn(landscape):
            window = _window(row, col, values)
            file.write(values, window=window)
            truth[window.toslices()] = index + 1
    patch = 8
    kept = np.random.default_rng((seed, 3)).random((-(-side // patch),) * 2) < LABELLED
    truth[~kept.repeat(patch, 0).repeat(patch, 1)[:side, :side]] = 0
    with replacing(labels) as temporary, _create(temporary, side, count=1, dtype="uint8") as file:
        file.write(truth, 1)


def write_repeated(path: Path, side: int, seed: int) -> None:
    """Write a scene of any size quickly: a few blocks over and over, for measuring memory."""
    size = min(side, 4 * BLOCK)
    drawn = [block[0] for _, block in _drawn(Landscape(side=size, seed=seed))]
    with replacing(path) as temporary, _create(temporary, side, predictor=2, zlevel=1) as file:
        for number, (row, col) in enumerate(_places(side)):
            values = drawn[number % len(drawn)][:, : side - row * BLOCK, : side - col * BLOCK]
            file.write(values, window=_window(row, col, values))


def cut_small(scene: Path, folder: Path, count: int) -> list[Path]:
    """Write the first `count` whole blocks of a scene as scenes of their own; fewer where it has fewer."""
    folder.mkdir(exist_ok=True)
    paths = []
    with rasterio.open(scene) as file:
        for row, col in list(_places(file.height // BLOCK * BLOCK))[:count]:
            paths.append(folder / f"small-{row}-{col}.tif")
            if not paths[-1].exists():
                with replacing(paths[-1]) as temporary, _create(temporary, BLOCK, predictor=2) as small:
                    small.write(file.read(window=Window(col * BLOCK, row * BLOCK, BLOCK, BLOCK)))
    return paths


def agreement(one: Path, other: Path) -> float:
    """Share of the pixels in which two maps say the same class."""
    with rasterio.open(one) as a, rasterio.open(other) as b:
        windows = (window for _, window in a.block_windows(1))
        equal = sum(int((a.read(1, window=w) == b.read(1, window=w)).sum()) for w in windows)
        pixels: int = a.height * a.width
        return equal / pixels


def _places(side: int) -> Iterator[tuple[int, int]]:
    count = -(-side // BLOCK)
    return product(range(count), range(count))


def _drawn(
    landscape: Landscape,
) -> Iterator[tuple[tuple[int, int], tuple[NDArray[np.uint16], NDArray[np.uint8]]]]:
    """All blocks in order, drawn by a few threads, a row of blocks ahead at most."""
    places = list(_places(landscape.side))
    ahead = -(-landscape.side // BLOCK)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(places), ahead):
            row = places[start : start + ahead]
            yield from zip(row, pool.map(lambda place: landscape.block(*place), row), strict=True)


def _window(row: int, col: int, values: NDArray[Any]) -> Window:
    return Window(col * BLOCK, row * BLOCK, values.shape[2], values.shape[1])


def _create(
    path: Path, side: int, *, count: int = len(BANDS), dtype: str = "uint16", **options: int
) -> rasterio.io.DatasetWriter:
    """An empty GeoTIFF in blocks, compressed by every core; with the bands of the scenes, their names and scale."""
    file = rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=side,
        width=side,
        count=count,
        dtype=dtype,
        nodata=0,
        crs=CRS,
        transform=TRANSFORM,
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        interleave="band",
        compress="deflate",
        bigtiff="if_safer",
        num_threads="all_cpus",
        **options,
    )
    if count == len(BANDS):
        file.scales, file.offsets, file.descriptions = (SCALE,) * count, (OFFSET,) * count, BANDS.names
        for band in BANDS:
            tags = {"CENTRAL_WAVELENGTH_UM": (band.wavelength or 0) / 1000, "FWHM_UM": (band.width or 0) / 1000}
            file.update_tags(band.number, ns="IMAGERY", **{key: f"{value:g}" for key, value in tags.items()})
    return file
