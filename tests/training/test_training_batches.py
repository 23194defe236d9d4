from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from training_samples import samples_of

from landmix.core.scaling import Affine
from landmix.training.batches import Batch, BatchKey, Order, TrainingCrops
from landmix.training.settings import Augmentation

PLAIN = Augmentation(flips=False, noise=0, gain=0)
FULL = Augmentation(flips=True, noise=0.1, gain=0.2)


def crops_of(augmentation: Augmentation = PLAIN, margin: int = 1, side: int = 4, **changes: Any) -> TrainingCrops:
    samples = samples_of(margin, side)
    settings: dict[str, Any] = {"channels": np.array([0, 2]), "normalise": Affine.identity(2), "seed": 3, **changes}
    return TrainingCrops(samples, np.ones(len(samples.labelled), bool), augmentation=augmentation, **settings)


@pytest.mark.parametrize(("crops", "batch"), [(10, 3), (10, 5), (3, 8), (1, 1)])
def test_the_order_is_a_new_permutation_each_epoch(crops: int, batch: int) -> None:
    order = Order(crops, batch, seed=1)
    epochs = []
    for epoch in range(3):
        order.set_epoch(epoch)
        keys = list(order)
        assert len(keys) == len(order)
        assert [key.number for key in keys] == list(range(len(keys)))
        assert all(len(key.crops) == batch for key in keys[:-1])
        drawn = np.concatenate([key.crops for key in keys])
        assert sorted(drawn.tolist()) == list(range(crops))
        epochs.append(drawn.tolist())
    if crops == 10:
        assert epochs[0] != epochs[1] != epochs[2]


def test_no_batch_is_a_single_crop() -> None:
    """Batch norm refuses one value a channel."""
    assert [len(key.crops) for key in Order(257, 128, seed=0)] == [128, 129]
    assert [len(key.crops) for key in Order(258, 128, seed=0)] == [128, 128, 2]
    assert [len(key.crops) for key in Order(129, 128, seed=0)] == [129]
    assert [len(key.crops) for key in Order(3, 1, seed=0)] == [1, 1, 1]


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    first, second = Order(20, 6, seed=1), Order(20, 6, seed=1)
    list(first)
    for order in (first, second):
        order.set_epoch(5)
    assert [k.crops.tolist() for k in first] == [k.crops.tolist() for k in second]
    assert [k.crops.tolist() for k in Order(20, 6, seed=2)] != [k.crops.tolist() for k in Order(20, 6, seed=1)]


@pytest.mark.parametrize("augmentation", [PLAIN, FULL])
@pytest.mark.parametrize("world", [2, 3, 5, 16])
def test_the_parts_of_all_processes_are_the_batch_of_one(augmentation: Augmentation, world: int) -> None:
    key = BatchKey(2, 1, np.array([7, 0, 3, 11, 5, 2, 9]))
    alone: Batch = crops_of(augmentation)[key]
    parts = [crops_of(augmentation, rank=rank, world=world)[key] for rank in range(world)]
    assert {part.labelled for part in parts} == {alone.labelled}
    assert sum(int((part.labels >= 0).sum()) for part in parts) == alone.labelled
    pixels, labels = torch.empty_like(alone.pixels), torch.empty_like(alone.labels)
    for rank, part in enumerate(parts):
        pixels[rank::world], labels[rank::world] = part.pixels, part.labels
    assert torch.equal(pixels, alone.pixels)
    assert torch.equal(labels, alone.labels)


def test_a_batch_is_the_same_each_time_and_differs_by_epoch_number_and_seed() -> None:
    crops = np.arange(8)
    again = [crops_of(FULL)[BatchKey(1, 2, crops)].pixels for _ in range(2)]
    assert torch.equal(*again)
    others = [
        crops_of(FULL)[BatchKey(2, 2, crops)],
        crops_of(FULL)[BatchKey(1, 3, crops)],
        crops_of(FULL, seed=4)[BatchKey(1, 2, crops)],
    ]
    assert not any(torch.equal(again[0], other.pixels) for other in others)


@pytest.mark.parametrize(("margin", "side"), [(0, 4), (1, 4), (2, 1), (0, 1), (1, 8)])
def test_labels_turn_with_their_pixels(margin: int, side: int) -> None:
    crops = crops_of(Augmentation(flips=True, noise=0, gain=0), margin, side, normalise=Affine.identity(2))
    plain = crops_of(PLAIN, margin, side)
    turned = 0
    for epoch in range(20):
        key = BatchKey(epoch, 0, np.arange(12))
        batch, still = crops[key], plain[key]
        inner = batch.pixels[:, 0, margin : margin + side, margin : margin + side]
        at = batch.labels >= 0
        # band 0 stores 10000 + class; the first scene halves it and adds 1
        value = inner[at].round().long()
        classes = torch.where(value >= 10_000, value - 10_000, ((inner[at] - 1) * 2).round().long() - 10_000)
        assert torch.equal(classes, batch.labels[at])
        assert batch.labelled == still.labelled == int(at.sum())
        turned += int((batch.pixels != still.pixels).any())
        np.testing.assert_array_equal(
            np.sort(batch.pixels.numpy().reshape(12, 2, -1)), np.sort(still.pixels.numpy().reshape(12, 2, -1))
        )
    assert turned == (0 if side + 2 * margin == 1 else 20)


def test_all_eight_turns_occur() -> None:
    crops = crops_of(Augmentation(flips=True, noise=0, gain=0))
    seen = {crops[BatchKey(epoch, 0, np.array([4]))].pixels.numpy().tobytes() for epoch in range(100)}
    assert len(seen) == 8


def test_noise_and_gain_have_their_size() -> None:
    plain = crops_of()[BatchKey(0, 0, np.arange(12))].pixels
    noisy = crops_of(Augmentation(flips=False, noise=0.3))[BatchKey(0, 0, np.arange(12))].pixels
    # noise grows with the square root of the number of bands, here 2
    assert float((noisy - plain).std()) == pytest.approx(0.3 * 2**0.5, rel=0.1)
    brighter = crops_of(Augmentation(flips=False, noise=0, gain=0.2))[BatchKey(0, 0, np.arange(12))].pixels / plain
    assert float(brighter.flatten(1).std(1).max()) < 1e-5
    assert 0.05 < float(brighter[:, 0, 0, 0].std()) < 0.5


def test_only_crops_with_training_labels_are_drawn() -> None:
    samples = samples_of()
    training = samples.crop % 3 == 0
    crops = TrainingCrops(
        samples, training, channels=np.arange(3), normalise=Affine.identity(3), augmentation=PLAIN, seed=0
    )
    assert len(crops) == len(np.unique(samples.crop[training]))
    batch = crops[BatchKey(0, 0, np.arange(len(crops)))]
    assert batch.labelled == training.sum() == int((batch.labels >= 0).sum())


@pytest.mark.parametrize("wanted", [1, 5, 10_000])
def test_batches_hold_the_wanted_number_of_crops(wanted: int) -> None:
    crops = crops_of()
    loader = crops.loader(wanted)
    batches = list(loader)
    assert len(batches) == len(loader) == -(-len(crops) // wanted)
    assert len(batches[0].pixels) == min(wanted, len(crops))
    assert sum(batch.labelled for batch in batches) == len(samples_of().labelled)
