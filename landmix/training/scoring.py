"""A network's confusion matrix on labelled pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.accuracy.confusion import count_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.core.scaling import Affine
    from landmix.nn.network import Network
    from landmix.samples import Samples

_PIXELS = 65536
"""About how many pixels go through the network at once."""


def score(
    network: Network,
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
    labels = samples.labels(chosen)
    crops = np.flatnonzero((labels >= 0).any((1, 2)))
    step = max(1, _PIXELS // (samples.side + 2 * samples.margin) ** 2)
    counts = np.zeros((classes, classes), np.int64)
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    for start in range(0, len(crops), step):
        piece = crops[start : start + step]
        pixels = torch.from_numpy(samples.normalised(piece, channels, normalise)).to(device)
        with torch.inference_mode():
            logits = network(pixels.contiguous(memory_format=torch.channels_last))  # (B, K, side, side)
        predicted = logits.argmax(1).cpu().numpy()
        here = labels[piece] >= 0
        counts += count_pairs(labels[piece][here], predicted[here], classes)
    network.train(training)
    return counts
