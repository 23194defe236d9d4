"""Parts held back inside the training part, and what a finished network knows of its training pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from test_training_split import patches, split_of
from training_samples import samples_of

from landmix.accuracy.calibration import Calibration, reliability
from landmix.core.scaling import Affine
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.tasks.trust import notes
from landmix.training import reference as module
from landmix.training.fit import Fitted
from landmix.training.reference import learn_reference
from landmix.training.split import ALWAYS_TRAINS, Split, inner_split

if TYPE_CHECKING:
    from landmix.nn.reference import Reference


@pytest.mark.parametrize("kind", ["blocks", "polygons"])
@pytest.mark.parametrize("folds", [2, 3, 5])
def test_inner_folds_hold_training_pixels_alone(kind: str, folds: int) -> None:
    labelled = patches(count=80)
    split = split_of(labelled, 1, kind=kind)
    training = split.training(0)
    inner = inner_split(labelled, split, training, folds=folds, buffer=50.0, seed=0)
    assert inner.folds == folds
    assert (inner.fold[~training] == ALWAYS_TRAINS).all()
    for fold in range(folds):
        held, shown = inner.validation(fold), inner.training(fold) & training
        assert held.any() and shown.any()  # noqa: PT018
        assert not (held & ~training).any()
        assert not np.isin(split.group[held], split.group[shown]).any()
        nearest = min(np.hypot(*(split.xy[shown] - xy).T).min() for xy in split.xy[held])
        assert nearest > 50


def test_inner_folds_follow_from_the_seed() -> None:
    labelled = patches(count=80)
    split = split_of(labelled)
    everywhere = np.ones(len(labelled), np.bool_)
    one, same, other = (
        inner_split(labelled, split, everywhere, folds=3, buffer=0, seed=seed).fold for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_one_group_a_class_gives_no_folds() -> None:
    labelled = patches(count=3)
    split = split_of(labelled, kind="none")
    assert inner_split(labelled, split, np.ones(len(labelled), np.bool_), folds=3, buffer=0, seed=0).folds < 2


def test_pixels_that_may_not_train_are_held_back_too() -> None:
    labelled = patches(count=80)
    split = replace(split_of(labelled), trains=np.arange(len(labelled)) % 2 == 0)
    assert (split.apart(0) & ~split.trainable).any()
    np.testing.assert_array_equal(split.training(0), split.apart(0) & split.trainable)
    inner = inner_split(labelled, split, split.apart(0), folds=3, buffer=50.0, seed=0)
    for fold in range(3):
        assert (inner.validation(fold) & ~split.trainable).any()
        assert not (inner.training(fold) & ~split.trainable).any()


def told(before: float, after: float) -> list[str]:
    """Notes on a calibration with these errors: of 1000 pixels all as sure, so many are right."""
    said = [reliability(np.full(1000, 0.5), np.arange(1000) < 1000 * (0.5 + error)) for error in (before, after)]
    reference = cast("Reference", object())
    return notes(Calibration(temperature=1, folds=3, n=1000, before=said[0], after=said[1]), reference, own=False)


def test_a_calibration_that_does_harm_is_told_of() -> None:
    (text,) = told(0.06, 0.1)
    assert "0.060 before, 0.100 after" in text
    assert not told(0.1, 0.06)
    assert not told(0.06, 0.065)


def fitted_to(samples: Any, blocks: int = 1) -> Fitted:
    torch.manual_seed(0)
    encoder, head = EncoderSpec(widths=(7, 5)), HeadSpec(blocks=blocks, reduced=4, width=6)
    network = (
        Network(NetSpec(in_channels=3, classes=3, encoder=encoder, head=head))
        .eval()
        .requires_grad_(requires_grad=False)
    )
    normalise = Affine(scale=(0.002,) * 3, offset=(-1.0,) * 3)
    assert samples.margin == network.margin
    return Fitted(network=network, channels=np.arange(3), normalise=normalise, history=[])


def folds_by_crop(samples: Any, count: int) -> Split:
    nothing = np.zeros(len(samples.labelled))
    fold = (samples.crop % count).astype(np.int16)
    xy = np.stack([nothing, nothing], 1)
    return Split(fold=fold, folds=count, xy=xy, buffer=0.0, side=None, group=samples.crop.astype(np.intp))


def test_logits_come_in_the_order_of_the_pixels() -> None:
    samples = samples_of(margin=1)
    chosen = np.random.default_rng(1).random(len(samples.labelled)) < 0.4
    found = fitted_to(samples).logits(samples, chosen)
    expected = np.full((len(chosen), 3), np.nan, np.float32)
    for numbers, logits in fitted_to(samples).judged(samples, chosen):
        expected[numbers] = logits
    np.testing.assert_array_equal(found, expected[chosen])


@pytest.mark.parametrize("side", [1, 4])
def test_a_reference_is_learnt_from_features_and_gradients(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against gradients by differences: all features of a pixel's surroundings are raised a little."""
    monkeypatch.setattr(module, "_DIRECTIONS", 400)
    samples = samples_of(margin=1, side=side, crops=40)
    fitted, everywhere = fitted_to(samples), np.ones(len(samples.labelled), np.bool_)
    known = learn_reference(fitted, samples, everywhere, folds_by_crop(samples, 4), seed=0)
    network = fitted.network.double()
    assert isinstance(network, Network)
    pixels = torch.from_numpy(samples.normalised(samples.crop, fitted.channels, fitted.normalise)).double()
    features = network.encoder(pixels)
    rows, cols = torch.from_numpy(samples.place.T)
    each = torch.arange(len(rows))
    own = features[each, :, rows + 1, cols + 1]
    torch.testing.assert_close(known.mean.double(), own.mean(0), rtol=1e-4, atol=1e-5)

    def said(moved: torch.Tensor) -> torch.Tensor:
        logits = network.head(moved)[each, :, rows, cols]
        return torch.sub(logits, logits.mean(1, keepdim=True))

    step = 1e-6
    for d in range(5):
        raised = features.clone()
        raised[:, d] += step
        slope = ((said(raised) - said(features)) / step).square().mean().sqrt()
        # scale = weight / deviation = how much the logits follow
        expected = slope if own[:, d].std() > 0 else torch.zeros(())
        assert float(known.scale[d]) == pytest.approx(float(expected), rel=0.15)
    assert len(known.points) == pytest.approx(min(64, len(samples.labelled)), abs=3)
    assert known.threshold > 0


def test_a_reference_follows_from_the_seed_and_needs_two_folds() -> None:
    samples = samples_of(margin=1)
    everywhere = np.ones(len(samples.labelled), np.bool_)
    one, same, other = (
        learn_reference(fitted_to(samples), samples, everywhere, folds_by_crop(samples, 3), seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one.points, same.points)
    assert one.points.shape != other.points.shape or not torch.equal(one.points, other.points)
    with pytest.raises(ValueError, match="one fold"):
        learn_reference(fitted_to(samples), samples, everywhere, folds_by_crop(samples, 1), seed=0)
