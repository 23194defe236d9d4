"""What makes the input path and the step quick changes nothing of what a seed gives."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from training_samples import samples_of

from landmix.core.scaling import Affine
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.training.batches import Batch, BatchKey, TrainingCrops
from landmix.training.settings import Augmentation, OptimSettings
from landmix.training.task import PixelTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.samples import Samples


PLAIN = Augmentation(flips=False, noise=0, gain=0)
FULL = Augmentation(flips=True, noise=0.1, gain=0.2)
AFTER = Affine(scale=(0.7, 1.3, 0.011), offset=(-0.2, 0.1, 3.7))
ALL = [0, 1, 2]


def holed(margin: int, side: int, dtype: str, crops: int = 12) -> Samples:
    """Two scenes of different scale with invalid pixels, which hold NaN where they can."""
    samples = samples_of(margin, side, crops)
    stored = samples.stored.astype(dtype)
    valid = np.random.default_rng(9).random(samples.valid.shape) < 0.8
    if dtype.startswith("float"):
        stored[~np.broadcast_to(valid[:, None], stored.shape)] = np.nan
    return replace(samples, stored=stored, valid=valid)


def slowly(samples: Samples, key: BatchKey, channels: list[int], augmentation: Augmentation, seed: int) -> Batch:
    """What a batch has to be: a crop, a band after the other."""
    rng = np.random.default_rng([seed, key.epoch, key.number])
    turns = rng.integers(0, 8, len(key.crops))
    every = samples.labels(np.ones(len(samples.labelled), np.bool_))
    pixels, labels = [], []
    for crop, turn in zip(key.crops, turns, strict=True):
        scaling = samples.scalings[samples.scene[crop]]
        bands: list[NDArray[np.float32]] = []
        for after, band in enumerate(channels):
            scale = np.float32(scaling.scale[band] * AFTER.scale[after])
            offset = np.float32(scaling.offset[band] * AFTER.scale[after] + AFTER.offset[after])
            values = samples.stored[crop, band].astype(np.float32) * scale + offset
            bands.append(np.where(samples.valid[crop], values, np.float32(0)))
        parts = [np.stack(bands), every[crop].astype(np.int64)[None]]
        if augmentation.flips and turn & 1:
            parts = [part[:, ::-1] for part in parts]
        if augmentation.flips and turn & 2:
            parts = [part[:, :, ::-1] for part in parts]
        if augmentation.flips and turn & 4:
            parts = [part.transpose(0, 2, 1) for part in parts]
        pixels.append(parts[0])
        labels.append(parts[1][0])
    values = np.stack(pixels)
    if augmentation.gain:
        values = values * (1 + augmentation.gain * rng.standard_normal((len(values), 1, 1, 1), np.float32))
    if augmentation.noise:
        deviation = np.float32(augmentation.noise * len(channels) ** 0.5)
        values = values + deviation * rng.standard_normal(values.shape, np.float32)
    found = np.stack(labels)
    return Batch(torch.from_numpy(values), torch.from_numpy(found), int((found >= 0).sum()))


def crops_of(samples: Samples, channels: list[int], augmentation: Augmentation, **changes: Any) -> TrainingCrops:
    return TrainingCrops(
        samples,
        np.ones(len(samples.labelled), np.bool_),
        channels=np.array(channels),
        normalise=AFTER.take(list(range(len(channels)))),
        augmentation=augmentation,
        seed=3,
        **changes,
    )


def assert_same(found: Batch, wanted: Batch) -> None:
    assert found.pixels.dtype == torch.float32
    assert found.labels.dtype == torch.int64
    assert found.pixels.numpy().tobytes() == wanted.pixels.numpy().tobytes()
    assert found.labels.numpy().tobytes() == wanted.labels.numpy().tobytes()
    assert found.labelled == wanted.labelled


@pytest.mark.parametrize("augmentation", [PLAIN, FULL, Augmentation().for_task("classes")])
@pytest.mark.parametrize("channels", [ALL, [0, 2], [2, 1, 0]])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize(("margin", "side"), [(0, 1), (2, 1), (1, 4)])
def test_an_epoch_is_to_the_byte_what_a_plain_computation_gives(
    margin: int, side: int, dtype: str, channels: list[int], augmentation: Augmentation
) -> None:
    samples = holed(margin, side, dtype)
    crops = crops_of(samples, channels, augmentation)
    loader = crops.loader(5)
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for key, batch in zip(loader.sampler, loader, strict=True):
            assert isinstance(key, BatchKey)
            assert key.epoch == epoch
            assert_same(batch, slowly(samples, key, channels, augmentation, 3))


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_process_has_its_share_of_that(rank: int) -> None:
    samples, key = holed(1, 4, "uint16"), BatchKey(1, 2, np.array([7, 0, 3, 11, 5, 2, 9]))
    whole = slowly(samples, key, ALL, FULL, 3)
    share = Batch(whole.pixels[rank::3], whole.labels[rank::3], whole.labelled)
    assert_same(crops_of(samples, ALL, FULL, rank=rank, world=3)[key], share)


def test_a_batch_leaves_the_table_as_it_is() -> None:
    samples = holed(0, 1, "float32")
    stored, valid = samples.stored.copy(), samples.valid.copy()
    list(crops_of(samples, ALL, FULL).loader(5))
    np.testing.assert_array_equal(samples.stored, stored)
    np.testing.assert_array_equal(samples.valid, valid)


def test_leaving_bands_out_keeps_each_crop_in_one_piece() -> None:
    samples = replace(holed(1, 1, "uint16"), nodata=((None, 5.0, None),) * 2)
    samples.stored[:, 1] = 5
    rest, empty = samples.without_empty_bands("labels.gpkg")
    assert empty == [1]
    assert rest.stored.flags.c_contiguous


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_unlabelled_pixels_of_a_crop_teach_nothing(monkeypatch: pytest.MonkeyPatch, smoothing: float) -> None:
    torch.manual_seed(0)
    network = Network(NetSpec(in_channels=3, classes=3, encoder=EncoderSpec(widths=(8,)), head=HeadSpec(blocks=0)))
    weights = torch.tensor([1.0, 0.5, 2.0])
    task = PixelTask(network, weights, OptimSettings(label_smoothing=smoothing), seed=1, total=1)
    monkeypatch.setattr(PixelTask, "trainer", SimpleNamespace(world_size=1))
    batch = next(iter(crops_of(holed(0, 4, "uint16"), ALL, PLAIN).loader(12)))
    gradients = []
    for masked in (False, True):
        network.zero_grad()
        if masked:
            labelled = batch.labels >= 0
            loss = functional.cross_entropy(
                network(batch.pixels).permute(0, 2, 3, 1)[labelled], batch.labels[labelled], weights,
                reduction="sum", label_smoothing=smoothing,
            ) / batch.labelled  # fmt: skip
        else:
            loss = task.training_step(batch, 0)
        loss.backward()
        gradients.append([p.grad for p in network.parameters()])
    assert 0 < batch.labelled < batch.labels.numel()
    for found, wanted in zip(*gradients, strict=True):
        assert found is not None
        assert wanted is not None
        assert torch.equal(found, wanted)


def test_a_step_begins_with_the_stream_of_its_seed() -> None:
    network = Network(NetSpec(in_channels=3, classes=3))
    task = PixelTask(network, torch.ones(3), OptimSettings(), seed=5, total=1)
    task.on_train_batch_start(None, 0)
    found = torch.rand(4)
    torch.manual_seed(5 * 1_000_003)
    assert torch.equal(found, torch.rand(4))


@pytest.mark.parametrize("pinned", [False, True])
def test_batches_are_pinned_only_where_that_is_asked_for(*, pinned: bool) -> None:
    assert crops_of(holed(0, 1, "uint16"), ALL, PLAIN).loader(4, pinned=pinned).pin_memory is pinned


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_pinned_batches_hold_the_same() -> None:
    crops = crops_of(holed(2, 1, "uint16"), ALL, FULL)
    for pinned, plain in zip(crops.loader(4, pinned=True), crops.loader(4), strict=True):
        assert pinned.pixels.is_pinned()
        assert pinned.pixels.is_contiguous(memory_format=torch.channels_last)
        assert_same(pinned, plain)
