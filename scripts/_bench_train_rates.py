"""Million labelled pixels a second: of the input path, of a data set that yields a pixel, of whole training."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset

from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine, standardise
from landmix.nn.network import Network
from landmix.nn.spec import HeadSpec, NetShape, NetSpec
from landmix.progress import Silent
from landmix.samples import Labelled, Samples
from landmix.training.batches import TrainingCrops
from landmix.training.fit import FitSettings, fit
from landmix.training.processes import Processes
from landmix.training.settings import Augmentation, OptimSettings
from landmix.training.task import PixelTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BANDS, CLASSES = 12, 10
SCALE = Affine(scale=(1e-4,) * BANDS, offset=(-0.1,) * BANDS)
NORMALISE = standardise(np.full(BANDS, 0.4), np.full(BANDS, 0.3))


def samples_of(crops: int, margin: int) -> Samples:
    """One labelled pixel in the middle of each crop; with margin 0 a pixel table."""
    rng = np.random.default_rng(0)
    size = 1 + 2 * margin
    numbers = np.arange(crops)
    return Samples(
        labelled=Labelled(
            scene=np.zeros(crops, np.int32),
            rows=numbers.astype(np.int32),
            cols=np.zeros(crops, np.int32),
            index=rng.integers(0, CLASSES, crops).astype(np.int16),
            units=np.full(crops, -1, np.int32),
        ),
        crop=numbers,
        place=np.zeros((crops, 2), np.int64),
        stored=rng.integers(1, 10_000, (crops, BANDS, size, size), dtype=np.uint16),
        valid=np.ones((crops, size, size), np.bool_),
        scene=np.zeros(crops, np.int32),
        side=1,
        margin=margin,
        bands=BandSet(tuple(Band(name=f"B{i}", number=i + 1) for i in range(BANDS))),
        scalings=(SCALE,),
        nodata=((None,) * BANDS,),
    )


def crops_of(samples: Samples, augmentation: Augmentation) -> TrainingCrops:
    """All of them for training."""
    every = np.ones(len(samples), np.bool_)
    return TrainingCrops(
        samples, every, channels=np.arange(BANDS), normalise=NORMALISE, augmentation=augmentation, seed=1
    )


class ByPixel(Dataset[tuple[torch.Tensor, int]]):
    """What people write: an item is a pixel, and the loader puts items together."""

    def __init__(self, samples: Samples) -> None:
        self._stored: NDArray[Any] = samples.stored[:, :, 0, 0]
        self._index = samples.labelled.index
        self._scale, self._offset = SCALE.then(NORMALISE).arrays

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        """Normalised bands and class of a pixel."""
        return torch.from_numpy(self._stored[i].astype(np.float32) * self._scale + self._offset), int(self._index[i])


def input_rate(batches: Iterable[Any], seconds: float) -> float:
    """Labelled pixels a second, in millions, over as many epochs as there is time for."""
    pixels, start = 0, time.perf_counter()
    while True:
        for batch in batches:
            pixels += len(batch[1])
            passed = time.perf_counter() - start
            if passed > seconds:
                return pixels / passed / 1e6


def noise_rate(batch: int, seconds: float) -> float:
    """The same for a batch's random numbers alone: what the noise leaves possible."""
    rng, pixels, start = np.random.default_rng(0), 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        rng.standard_normal((batch, BANDS), np.float32)
        pixels += batch
    return pixels / passed / 1e6


class Clock(Silent):
    """Notes when an epoch ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002
        """After each epoch."""
        self.ends.append(time.perf_counter())


def fit_rate(samples: Samples, blocks: int, batch: int, device: str) -> float:
    """The same for training as `landmix train` does it: all epochs but the first."""
    settings = FitSettings(
        net=NetShape(head=HeadSpec(blocks=blocks)),
        optim=OptimSettings(epochs=3, batch=batch),
        augmentation=Augmentation().for_task("classes"),
        balance="quarter",
        seed=1,
        device=device,
        precision="bf16" if device == "cuda" else "fp32",
    )
    legend = Legend(tuple(LegendClass(value=i + 1, name=str(i), color="#000000") for i in range(CLASSES)))
    every, clock = np.ones(len(samples), np.bool_), Clock()
    with tempfile.TemporaryDirectory() as folder:
        more: dict[str, Any] = {"classes": CLASSES, "folder": Path(folder), "name": "", "processes": Processes()}
        fit(samples, every, None, settings, legend, progress=clock, **more)
    return (len(clock.ends) - 1) * len(samples) / (clock.ends[-1] - clock.ends[0]) / 1e6


def loop_rate(samples: Samples, blocks: int, batch: int) -> float:
    """The same steps on the CPU in a plain loop, which shows what Lightning adds."""
    torch.manual_seed(1)
    network = Network(NetSpec(in_channels=BANDS, classes=CLASSES, head=HeadSpec(blocks=blocks)))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loader = crops_of(samples, Augmentation().for_task("classes")).loader(batch)
    task = PixelTask(network, torch.ones(CLASSES), OptimSettings(), seed=1, total=len(loader))
    chosen = task.configure_optimizers()
    optimizer, cycle = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    start = time.perf_counter()
    for batch_of in loader:
        logits = network(batch_of.pixels).permute(0, 2, 3, 1).flatten(0, 2)  # (B, K)
        loss = functional.cross_entropy(logits, batch_of.labels.flatten(), task.weights)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), OptimSettings().clip)
        optimizer.step()
        cycle.step()
    return len(samples) / (time.perf_counter() - start) / 1e6
