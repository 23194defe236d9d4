"""A start for networks on many bands: first layers that see what bands do not have in common."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.nn.network import Fusion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.core.scaling import Affine
    from landmix.nn.network import Network, SpectralMLP
    from landmix.samples import Samples


def whiten(
    network: Network,
    samples: Samples,
    training: NDArray[np.bool_],
    channels: NDArray[np.intp],
    normalise: Affine,
    share: float,
) -> None:
    """Let each first layer begin with random mixtures of whitened bands, by the labelled pixels `training` (N,).

    Neighbouring bands of a spectrometer are nearly alike, and what tells classes apart is often a small difference of
    them, which a random start sees last. `share` of a band's variance is added to each direction, so that noise is not
    blown up. Random numbers come from torch's global stream.
    """
    covariance = _covariance(samples, training, channels, normalise)
    for encoder, bands in _encoders(network):
        weight = encoder.layers[0][0].weight  # type: ignore[index]  # (width, bands, 1, 1)
        white = torch.from_numpy(whitening(covariance[bands, bands], share))
        mixed = torch.randn(len(weight), len(white)).double() @ white / len(white) ** 0.5
        weight.data = mixed.to(weight.dtype)[:, :, None, None].contiguous(memory_format=torch.channels_last)


def whitening(covariance: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Rows (C, C) that map values of covariance (C, C) to uncorrelated ones of variance v / (v + share).

    v is the variance along a principal axis, in those of a band (Kessy, Lewin and Strimmer 2018, with a ridge).
    """
    values, axes = np.linalg.eigh(covariance)
    return np.asarray((axes / np.sqrt(values.clip(0) + share)).T)


def _covariance(
    samples: Samples, training: NDArray[np.bool_], channels: NDArray[np.intp], normalise: Affine
) -> NDArray[np.float64]:
    """(C, C) of the normalised values, whose mean is 0."""
    scale, offset = (np.array(line) for line in (normalise.scale, normalise.offset))
    numbers = np.flatnonzero(training)
    total = np.zeros((len(channels), len(channels)))
    for values in samples.physical(numbers):
        seen = values[:, channels] * scale + offset
        total += seen.T @ seen
    return total / len(numbers)


def _encoders(network: Network) -> list[tuple[SpectralMLP, slice]]:
    """The perceptrons, and which bands each sees."""
    if not isinstance(network.encoder, Fusion):
        return [(network.encoder, slice(None))]
    ends = list(accumulate(network.spec.inputs))
    bands = [slice(end - count, end) for end, count in zip(ends, network.spec.inputs, strict=True)]
    return list(zip(network.encoder.encoders, bands, strict=True))  # type: ignore[arg-type]
