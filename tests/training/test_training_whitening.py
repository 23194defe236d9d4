from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from training_samples import samples_of

from landmix.core.scaling import standardise
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec
from landmix.training.statistics import band_statistics
from landmix.training.whitening import whiten, whitening


def covariance(bands: int = 6) -> np.ndarray:
    """Of bands that are nearly alike."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((4000, 1)) + 0.05 * rng.standard_normal((4000, bands))
    return np.cov(values.T)


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_whitened_bands_are_uncorrelated_and_noise_is_not_blown_up(share: float) -> None:
    found = whitening(covariance(), share)
    out = found @ covariance() @ found.T
    variances = np.linalg.eigvalsh(covariance())
    np.testing.assert_allclose(out, np.diag(variances / (variances + share)), atol=1e-9)


@pytest.mark.parametrize("inputs", [(), (2, 3)])
def test_first_layers_see_whitened_bands_each_encoder_its_own(inputs: tuple[int, ...]) -> None:
    samples = samples_of(margin=0, side=8, crops=40, bands=5)
    alike = samples.stored[:, 1].astype(np.int32) + np.arange(40)[:, None, None] % 7
    samples.stored[:, 2] = alike
    every = np.ones(len(samples.labelled), bool)
    statistics, channels = band_statistics(samples, every), np.arange(5)
    normalise = standardise(statistics.mean, statistics.std)
    spec = NetSpec(
        in_channels=5, classes=3, encoder=EncoderSpec(widths=(512, 8)), head=HeadSpec(blocks=0), inputs=inputs
    )
    torch.manual_seed(0)
    network = Network(spec)
    whiten(network, samples, every, channels, normalise, 0.0)
    encoder: Any = network.encoder
    encoders = encoder.encoders if inputs else [encoder]
    seen = samples.normalised(np.arange(len(samples)), channels, normalise).transpose(0, 2, 3, 1)
    labels = samples.labels(every) >= 0
    pixels = seen[labels]  # (N, C)
    first = 0
    for own_encoder, count in zip(encoders, inputs or (5,), strict=True):
        weight = own_encoder.layers[0][0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last)
        kernel = weight.detach().numpy()[:, :, 0, 0].astype(float)
        # kernel = random W / sqrt(bands), with W that whitens: the random part is standard normal
        own = np.cov(pixels[:, first : first + count].T, bias=True)
        random = kernel @ np.linalg.inv(whitening(own, 0.0)) * count**0.5
        np.testing.assert_allclose(random.T @ random / len(random), np.eye(count), atol=0.3)
        first += count


def test_the_start_follows_from_the_seed() -> None:
    samples = samples_of(margin=0)
    every, channels = np.ones(len(samples.labelled), bool), np.arange(3)
    statistics = band_statistics(samples, every)
    spec = NetSpec(in_channels=3, classes=3, head=HeadSpec(blocks=0))
    kernels = []
    for _ in range(2):
        torch.manual_seed(4)
        network = Network(spec)
        whiten(network, samples, every, channels, standardise(statistics.mean, statistics.std), 0.01)
        kernels.append(next(network.encoder.parameters()).detach())
    assert torch.equal(*kernels)
