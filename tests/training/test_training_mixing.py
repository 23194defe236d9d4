from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from training_samples import samples_of

from landmix.core.scaling import Affine
from landmix.training.batches import Batch, BatchKey, TrainingCrops
from landmix.training.mixing import MOST, draw, mix
from landmix.training.settings import Augmentation

PLAIN = Augmentation(flips=False, noise=0, gain=0)
FULL = Augmentation(flips=True, noise=0.1, gain=0.2)
INDEX = np.array([0, 0, 0, 1, 1, 2, 3, 4, 4, 4], np.int16)


def drawn(count: int = 4000, seed: int = 0, index: Any = INDEX, **changes: Any) -> Any:
    return draw(np.random.default_rng(seed), np.arange(count) % len(index), index, **changes)


def test_two_to_four_different_classes_with_shares_that_sum_to_1() -> None:
    mixtures = drawn()
    there = mixtures.shares > 0
    number = there.sum(1)
    assert set(number.tolist()) == {1, 2, 3, 4}
    assert 0.55 < (number == 1).mean() < 0.65
    np.testing.assert_allclose(mixtures.shares.sum(1), 1, atol=1e-6)
    classes = np.where(there, INDEX[mixtures.crops], -1 - np.arange(MOST))
    assert all(len(set(row)) == MOST for row in classes.tolist()), "no class twice"
    assert (mixtures.crops[:, 0] == np.arange(4000) % 10).all()
    # the second class is any of the other four alike, however many crops it has
    second = INDEX[mixtures.crops[there[:, 1] & (INDEX[mixtures.crops[:, 0]] == 1), 1]]
    assert np.bincount(second, minlength=5)[[0, 2, 3, 4]] / len(second) == pytest.approx([0.25] * 4, abs=0.06)
    assert set(mixtures.crops[there].tolist()) == set(range(10))
    assert (drawn(pure=0.0).shares > 0).sum(1).min() == 2


def test_shares_of_two_are_uniform() -> None:
    mixtures = drawn(pure=0.0)
    two = mixtures.shares[(mixtures.shares > 0).sum(1) == 2, 0]
    assert np.histogram(two, 4, (0, 1))[0] / len(two) == pytest.approx([0.25] * 4, abs=0.05)


def test_two_classes_are_enough() -> None:
    mixtures = drawn(100, index=np.array([3, 5, 5], np.int16), pure=0.0)
    assert ((mixtures.shares > 0).sum(1) == 2).all()
    fractions = mixtures.fractions(np.array([3, 5, 5]), 7)
    assert (fractions[:, [0, 1, 2, 4, 6]] == 0).all()
    np.testing.assert_allclose(fractions.sum(1), 1, atol=1e-6)


def test_weights_are_the_shares_at_the_centre_and_fall_from_one_side_to_the_other() -> None:
    mixtures = drawn(pure=0.0)
    weights = mixtures.weights(5)
    np.testing.assert_allclose(weights[:, :, 2, 2], mixtures.shares, atol=1e-6)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    even = (weights == weights[:, :, 2:3, 2:3]).all((1, 2, 3))
    assert 0.4 < even.mean() < 0.6
    two = ~even & ((mixtures.shares > 0).sum(1) == 2)
    steps = np.diff(weights[two, 0], axis=1)  # down the rows
    assert ((steps >= -1e-6).all((1, 2)) | (steps <= 1e-6).all((1, 2))).all()


def test_steep_edges_do_not_overflow() -> None:
    mixtures = drawn(50, pure=0.0)
    mixtures.slopes[:] *= 1e4
    assert np.isfinite(mixtures.weights(9)).all()


def test_mixing_normalised_values_is_mixing_physical_ones() -> None:
    rng = np.random.default_rng(0)
    mixtures = drawn(30)
    physical = rng.normal(size=(len(mixtures.taken), 3, 5, 5)).astype(np.float32)
    valid = np.ones((len(physical), 5, 5), bool)
    scaled = mix(physical * 4 + 2, valid, mixtures)
    np.testing.assert_allclose(scaled, mix(physical, valid, mixtures) * 4 + 2, atol=1e-4)
    one = int((mixtures.shares > 0)[:7].sum())
    n = int((mixtures.shares[7] > 0).sum())
    by_hand = sum(w * p for w, p in zip(mixtures.weights(5)[7, :n], physical[one : one + n], strict=True))
    np.testing.assert_allclose(mix(physical, valid, mixtures)[7], by_hand, atol=1e-5)


def test_a_pixel_that_is_invalid_in_one_crop_is_in_the_mixture() -> None:
    mixtures = drawn(3, pure=0.0)
    pixels = np.ones((len(mixtures.taken), 2, 3, 3), np.float32)
    valid = np.ones((len(pixels), 3, 3), bool)
    valid[0, 0, 1] = False
    mixed = mix(pixels, valid, mixtures)
    assert (mixed[0, :, 0, 1] == 0).all()
    assert mixed.sum() == pytest.approx(mixed.size - 2, abs=1e-3)


def crops_of(augmentation: Augmentation = PLAIN, margin: int = 1, **changes: Any) -> TrainingCrops:
    samples = samples_of(margin, 1)
    settings: dict[str, Any] = {"channels": np.array([0, 2]), "normalise": Affine.identity(2), "seed": 3, **changes}
    return TrainingCrops(samples, np.ones(len(samples.labelled), bool), augmentation=augmentation, mixed=3, **settings)


def test_a_batch_knows_what_it_is_mixed_of() -> None:
    samples = samples_of(1, 1)
    batch = crops_of(normalise=Affine(scale=(1.0, 1.0), offset=(0.0, 0.0)))[BatchKey(0, 0, np.arange(12))]
    assert batch.labels.shape == (12, 3, 1, 1)
    assert batch.labelled == 12
    torch.testing.assert_close(batch.labels.sum(1), torch.ones(12, 1, 1))
    # band 0 is 10000 + class, in the first scene halved and 1 more
    value = samples.stored[:, 0, 1, 1] * np.where(samples.scene == 0, 0.5, 1) + (samples.scene == 0)
    pure = batch.labels.amax((1, 2, 3)) == 1
    assert pure.any()
    assert not pure.all()
    np.testing.assert_allclose(batch.pixels[pure, 0, 1, 1], value[pure.numpy()])


@pytest.mark.parametrize("augmentation", [PLAIN, FULL])
@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize("world", [2, 3, 16])
def test_the_parts_of_all_processes_are_the_batch_of_one(augmentation: Augmentation, margin: int, world: int) -> None:
    key = BatchKey(2, 1, np.array([7, 0, 3, 11, 5, 2, 9]))
    alone: Batch = crops_of(augmentation, margin)[key]
    pixels, labels = torch.empty_like(alone.pixels), torch.empty_like(alone.labels)
    for rank in range(world):
        part = crops_of(augmentation, margin, rank=rank, world=world)[key]
        assert part.labelled == alone.labelled == 7
        pixels[rank::world], labels[rank::world] = part.pixels, part.labels
    assert torch.equal(pixels, alone.pixels)
    assert torch.equal(labels, alone.labels)


def test_a_batch_follows_from_seed_epoch_and_number() -> None:
    crops = np.arange(8)
    again = [crops_of(FULL)[BatchKey(1, 2, crops)].pixels for _ in range(2)]
    assert torch.equal(*again)
    others = (BatchKey(2, 2, crops), BatchKey(1, 3, crops))
    assert not any(torch.equal(again[0], crops_of(FULL)[key].pixels) for key in others)
