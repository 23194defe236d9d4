"""What landmix is compared with: loops over windows that an ordinary user would write, each a process of its own.

    python _bench_peers.py classify naive|forest|lightgbm MODEL SCENE MAP [--threads N] [--device cpu|cuda]
    python _bench_peers.py train forest|lightgbm MODEL SCENE LABELS

`naive` takes landmix's own model file and runs its network as any PyTorch program does. All read windows of 512, write
a deflate GeoTIFF of class values, and print the seconds of their loop, less imports and the loading of the model.
"""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Missing = tuple[tuple[int, int], tuple[int, int]]
    """Rows missing above and below, columns missing left and right."""
    Classify = Callable[[NDArray[np.uint16], Missing], NDArray[np.uint8]]
    """Stored values (band, H, W) with margin, and what of the margin lies outside the scene -> class values (H, W)."""

SIDE = 512
"""Of the windows that are read."""
TREES, ROUNDS, PIXELS = 100, 100, 10_000
"""Trees of the random forest, rounds of LightGBM, and labelled pixels that both learn from."""


def windows(height: int, width: int) -> Iterator[Window]:
    """The scene in windows of `SIDE`, smaller at its right and lower edge."""
    for row in range(0, height, SIDE):
        for col in range(0, width, SIDE):
            yield Window(col, row, min(SIDE, width - col), min(SIDE, height - row))


def grown(window: Window, margin: int, height: int, width: int) -> tuple[Window, Missing]:
    """A window with `margin` more pixels on each side as far as the scene goes, and how many are missing there."""
    row, col = max(window.row_off - margin, 0), max(window.col_off - margin, 0)
    bottom = min(window.row_off + window.height + margin, height)
    right = min(window.col_off + window.width + margin, width)
    missing = (
        (margin - (window.row_off - row), margin - (bottom - window.row_off - window.height)),
        (margin - (window.col_off - col), margin - (right - window.col_off - window.width)),
    )
    return Window(col, row, right - col, bottom - row), missing


def loop(scene: Path, target: Path, margin: int, classify: Classify) -> None:
    """Read, classify and write window by window."""
    with rasterio.open(scene) as source:
        profile = {
            "driver": "GTiff",
            "height": source.height,
            "width": source.width,
            "count": 1,
            "dtype": "uint8",
            "nodata": 0,
            "crs": source.crs,
            "transform": source.transform,
            "tiled": True,
            "blockxsize": SIDE,
            "blockysize": SIDE,
            "compress": "deflate",
        }
        with rasterio.open(target, "w", **profile) as sink:
            for window in windows(source.height, source.width):
                read, missing = grown(window, margin, source.height, source.width)
                sink.write(classify(source.read(window=read), missing), 1, window=window)


def naive(model: Path, threads: int | None, device: str) -> tuple[int, Classify]:
    """The network of a landmix model, eager, float32, NCHW: its margin, and a function from pixels to class values."""
    import torch  # noqa: PLC0415 - other peers do without it

    import landmix  # noqa: PLC0415

    if threads:
        torch.set_num_threads(threads)
    bundle = landmix.load(model).bundle
    network = bundle.network().to(device)
    scale, offset = (
        torch.from_numpy(line)[:, None, None].to(device) for line in bundle.scaling.then(bundle.normalise).arrays
    )
    values = np.asarray(bundle.legend.values, np.uint8)

    @torch.inference_mode()
    def classify(stored: NDArray[np.uint16], missing: Missing) -> NDArray[np.uint8]:
        pixels = torch.from_numpy(stored.astype(np.float32)).to(device)
        pixels = pixels * scale + offset
        pixels = torch.nn.functional.pad(pixels, (*missing[1], *missing[0]))  # outside is 0, as in landmix
        classes: NDArray[np.uint8] = values[network(pixels[None]).argmax(1)[0].cpu().numpy()]
        return classes

    return network.margin, classify


def forest(model: Path, threads: int | None) -> Classify:
    """The random forest in `model`."""
    trees = import_module("joblib").load(model)
    trees.n_jobs = threads or -1
    return lambda stored, _: trees.predict(table(stored)).reshape(stored.shape[1:])


def lightgbm(model: Path, threads: int | None) -> Classify:
    """The boosted trees in `model`, whose class 0 has the value 1."""
    trees = import_module("lightgbm").Booster(model_file=model)

    def classify(stored: NDArray[np.uint16], _: object) -> NDArray[np.uint8]:
        shares: NDArray[np.float64] = trees.predict(table(stored), num_threads=threads or 0)
        return np.asarray(shares.argmax(1) + 1, np.uint8).reshape(stored.shape[1:])

    return classify


def table(stored: NDArray[np.uint16]) -> NDArray[np.float32]:
    """(band, H, W) -> (pixel, band), as trees want it."""
    return np.ascontiguousarray(stored.reshape(len(stored), -1).T, np.float32)


def train(kind: str, model: Path, scene: Path, labels: Path) -> None:
    """Train trees on some of the labelled pixels and keep them in `model`."""
    with rasterio.open(scene) as pixels, rasterio.open(labels) as raster:
        values, classes = pixels.read(), raster.read(1)
    labelled = np.flatnonzero(classes)
    chosen = np.random.default_rng(0).permutation(labelled)[:PIXELS]
    x, y = table(values)[chosen], classes.ravel()[chosen]
    if kind == "forest":
        trees = import_module("sklearn.ensemble").RandomForestClassifier(TREES, n_jobs=-1, random_state=0)
        import_module("joblib").dump(trees.fit(x, y), model)
    else:
        gbm = import_module("lightgbm")
        settings = {"objective": "multiclass", "num_class": int(y.max()), "seed": 0, "verbose": -1}
        gbm.train(settings, gbm.Dataset(x, y - 1), num_boost_round=ROUNDS).save_model(model)


def classify(kind: str, model: Path, scene: Path, target: Path, *, threads: int | None, device: str) -> float:
    """Classify a scene; returns the seconds of the loop."""
    margin = 0
    if kind == "naive":
        margin, function = naive(model, threads, device)
    else:
        function = forest(model, threads) if kind == "forest" else lightgbm(model, threads)
    start = time.perf_counter()
    loop(scene, target, margin, function)
    return time.perf_counter() - start


def main() -> None:
    """Train or classify."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "classify"])
    parser.add_argument("kind", choices=["naive", "forest", "lightgbm"])
    parser.add_argument("model", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("raster", type=Path, help="labels to train on, or the map to write")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.what == "train":
        train(arguments.kind, arguments.model, arguments.scene, arguments.raster)
    else:
        paths = arguments.model, arguments.scene, arguments.raster
        print(classify(arguments.kind, *paths, threads=arguments.threads, device=arguments.device))


if __name__ == "__main__":
    main()
