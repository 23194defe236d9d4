"""Batches of crops: the same for a seed, whatever the number of processes or interruptions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from landmix.training.mixing import draw, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from landmix.core.scaling import Affine
    from landmix.samples import Samples
    from landmix.training.settings import Augmentation

    _Part = tuple[NDArray[np.float32], NDArray[np.generic], int]
    """Pixels, labels, labelled pixels of the whole batch."""

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class BatchKey:
    """Which batch: all its random numbers follow from this and the seed."""

    epoch: int
    number: int
    crops: NDArray[np.intp]
    """Positions in the training crops, of the whole batch over all processes."""


class Order(Sampler[BatchKey]):
    """A new permutation of the crops every epoch, cut into batches.

    The last may be smaller, or one larger: a crop alone is joined to the batch before, because batch norm learns
    nothing from a single value.
    """

    def __init__(self, crops: int, batch: int, seed: int) -> None:
        self._crops, self._batch, self._seed = crops, batch, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch comes next, after a restart too."""
        self._epoch = epoch

    def __len__(self) -> int:
        alone = self._batch > 1 and self._crops > 1 and self._crops % self._batch == 1
        return math.ceil(self._crops / self._batch) - alone

    def __iter__(self) -> Iterator[BatchKey]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._crops)
        ends = [*range(self._batch, self._batch * len(self), self._batch), self._crops]
        for number, end in enumerate(ends):
            yield BatchKey(self._epoch, number, order[number * self._batch : end])


class Batch(NamedTuple):
    """One process's part of a batch."""

    pixels: torch.Tensor
    """(B, C, S, S) float32, normalised."""
    labels: torch.Tensor
    """(B, side, side) int64 class indices, -1 unlabelled; of mixtures (B, K, 1, 1) float32 fractions."""
    labelled: int
    """Labelled pixels in the whole batch, over all processes."""


class TrainingCrops(Dataset[Batch]):
    """The crops that hold training pixels, augmented."""

    def __init__(
        self,
        samples: Samples,
        training: NDArray[np.bool_],
        *,
        channels: NDArray[np.intp],
        normalise: Affine,
        augmentation: Augmentation,
        seed: int,
        rank: int = 0,
        world: int = 1,
        mixed: int | None = None,
    ) -> None:
        """Train on the labelled pixels `training` (N,); this is process `rank` of `world`.

        `mixed`: a batch holds mixtures of so many classes, for which each crop labels one pixel.
        """
        labels = samples.labels(training)
        self._crops = np.flatnonzero((labels >= 0).any((1, 2)))
        self._labels = labels[self._crops]
        self._samples, self._channels = samples, channels
        self._lines = samples.lines(channels, normalise)
        self._augmentation, self._seed = augmentation, seed
        self._rank, self._world, self._mixed = rank, world, mixed

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, key: BatchKey) -> Batch:
        """This process's part of a batch.

        Random numbers are drawn for the whole batch, so that they do not depend on how many processes share it.
        """
        rng = np.random.default_rng([self._seed, key.epoch, key.number])
        mine = slice(self._rank, None, self._world)
        pixels, labels, labelled = (self._plain if self._mixed is None else self._mixtures)(rng, key.crops, mine)
        if self._augmentation.gain:
            gain = 1 + self._augmentation.gain * rng.standard_normal((len(key.crops), 1, 1, 1), np.float32)[mine]
            pixels *= gain
        if self._augmentation.noise:
            # this draw takes longer than everything else; nothing faster gives the same numbers
            noise = rng.standard_normal((len(key.crops), *pixels.shape[1:]), np.float32)[mine]
            noise *= np.float32(self._augmentation.noise * math.sqrt(len(self._channels)))
            pixels += noise
        return Batch(
            pixels=torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last),
            labels=torch.from_numpy(labels),
            labelled=labelled,
        )

    def _plain(self, rng: Generator, crops: NDArray[np.intp], mine: slice) -> _Part:
        """Crops as they are, flipped; their labels (B, side, side); labelled pixels in all of `crops`."""
        pixels = self._samples.seen(self._crops.take(crops[mine]), self._channels, self._lines)
        labels = self._labels.take(crops, axis=0)
        labelled = int((labels >= 0).sum())
        labels = labels[mine].astype(np.int64)
        turns = rng.integers(0, 8, len(crops))[mine]
        if self._augmentation.flips:
            pixels, labels = _turned(pixels, turns), _turned(labels, turns)
        return pixels, labels, labelled

    def _mixtures(self, rng: Generator, crops: NDArray[np.intp], mine: slice) -> _Part:
        """Each crop mixed with some of other classes, each flipped; their fractions (B, K, 1, 1)."""
        index = self._labels[:, 0, 0]
        mixtures = draw(rng, crops, index)
        turns = rng.integers(0, 8, mixtures.crops.shape)[mine]
        mixtures = mixtures[mine]
        taken = self._crops.take(mixtures.taken)
        pixels, valid = self._samples.seen(taken, self._channels, self._lines), self._samples.valid.take(taken, axis=0)
        if self._augmentation.flips:
            turns = turns[mixtures.shares > 0]
            pixels, valid = _turned(pixels, turns), _turned(valid, turns)
        fractions = mixtures.fractions(index, self._mixed or 0)[:, :, None, None]
        return mix(pixels, valid, mixtures), fractions, len(crops)

    def loader(self, batch: int, *, pinned: bool = False) -> DataLoader[Batch]:
        """Batches of `batch` crops; `pinned`: in memory that a GPU copies from while the CPU goes on."""
        order = Order(len(self), batch, self._seed)
        return DataLoader(
            self,
            sampler=order,
            batch_size=None,
            pin_memory=pinned,
            # the loader would otherwise draw from the global stream, which a restart does not repeat
            generator=torch.Generator().manual_seed(self._seed),
        )


def _turned(crops: NDArray[T], turns: NDArray[np.integer]) -> NDArray[T]:
    """Mirror and transpose the last two axes; bits 1, 2 and 4 of `turns` (B,) say up-down, left-right, transpose."""
    if crops.shape[-1] == 1:
        return crops
    turned = np.empty_like(crops)
    for turn in range(8):
        here = np.flatnonzero(turns == turn)
        some = crops.take(here, axis=0)
        if turn & 1:
            some = some[..., ::-1, :]
        if turn & 2:
            some = some[..., ::-1]
        turned[here] = some.swapaxes(-1, -2) if turn & 4 else some
    return turned
