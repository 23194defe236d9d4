"""What a network says of labelled pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.accuracy.confusion import count_pairs
from landmix.training.mixing import draw, mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from landmix.core.scaling import Affine
    from landmix.nn.build import AnyNetwork
    from landmix.samples import Samples

_PIXELS = 65536
"""About how many pixels go through the network at once."""

_MIXTURES = 10_000
"""Mixtures that are judged at most: enough for three digits."""


def judged(
    network: AnyNetwork, samples: Samples, chosen: NDArray[np.bool_], *, channels: NDArray[np.intp], normalise: Affine
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Logits of the labelled pixels `chosen` (N,), in pieces: their numbers (n,), logits (n, K)."""
    numbers = np.flatnonzero(chosen)
    numbers = numbers[np.argsort(samples.crop[numbers], kind="stable")]
    crops, first = np.unique(samples.crop[numbers], return_index=True)
    step = max(1, _PIXELS // (samples.side + 2 * samples.margin) ** 2)
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    for start in range(0, len(crops), step):
        piece = crops[start : start + step]
        here = numbers[first[start] : first[start + step] if start + step < len(crops) else None]
        pixels = torch.from_numpy(samples.normalised(piece, channels, normalise)).to(device)
        with torch.inference_mode():
            logits = network(pixels.contiguous(memory_format=torch.channels_last))  # (B, K, side, side)
        rows, cols = samples.place[here].T
        yield here, logits.float().cpu().numpy()[np.searchsorted(piece, samples.crop[here]), :, rows, cols]
    network.train(training)


def score(
    network: AnyNetwork,
    samples: Samples,
    chosen: NDArray[np.bool_],
    *,
    channels: NDArray[np.intp],
    normalise: Affine,
    classes: int,
) -> NDArray[np.int64]:
    """Count reference (rows) against predicted (columns) classes, (classes, classes), of the labelled pixels `chosen`.

    `classes` may pass the network's own number; a class that the network does not know is never predicted.
    """
    counts = np.zeros((classes, classes), np.int64)
    for numbers, logits in judged(network, samples, chosen, channels=channels, normalise=normalise):
        counts += count_pairs(samples.labelled.index[numbers], logits.argmax(1), classes)
    return counts


def mixture_errors(
    network: AnyNetwork,
    samples: Samples,
    chosen: NDArray[np.bool_],
    *,
    channels: NDArray[np.intp],
    normalise: Affine,
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """How far fractions of synthetic mixtures of the labelled pixels `chosen` are from the truth, (n, classes).

    Each pixel is mixed once with others of `chosen`, as in training but never left pure; of very many, some are. No
    rows where `chosen` has fewer than two classes that the network knows. Every crop labels one pixel.
    """
    numbers = np.flatnonzero(chosen & (samples.labelled.index < classes))
    index = samples.labelled.index[numbers]
    if len(np.unique(index)) < 2:  # noqa: PLR2004
        return np.empty((0, classes))
    rng = np.random.default_rng([seed, len(numbers)])
    own = rng.permutation(len(numbers))[:_MIXTURES]
    mixtures = draw(rng, own, index, pure=0.0)
    truth, found = mixtures.fractions(index, classes), np.empty((len(own), classes))
    lines = samples.lines(channels, normalise)
    step = max(1, _PIXELS // (samples.side + 2 * samples.margin) ** 2)
    device = next(network.parameters()).device
    for start in range(0, len(own), step):
        piece = slice(start, start + step)
        crops = samples.crop[numbers[mixtures[piece].taken]]
        pixels = mix(samples.seen(crops, channels, lines), samples.valid[crops], mixtures[piece])
        with torch.inference_mode():
            logits = network(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last).to(device))
        found[piece] = logits.float().softmax(1)[:, :, 0, 0].cpu().numpy()
    return found - truth
