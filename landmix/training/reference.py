"""What a finished network knows: training pixels as points in the space of its encoder's features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.accuracy.applicability import applicability
from landmix.nn.network import Network
from landmix.nn.reference import Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.samples import Samples
    from landmix.training.fit import Fitted
    from landmix.training.split import Split

_PIXELS = 3000
"""Training pixels that are looked at, from each class as many as there are, up to its equal share."""

_POINTS = 64
"""Of them that are kept: what a pixel of a map is compared with."""

_AT_ONCE = 65536
"""Pixels that go through the network at once, about."""

_DIRECTIONS = 16
"""Random signs of the classes along which logits are differentiated."""


def learn_reference(fitted: Fitted, samples: Samples, trained: NDArray[np.bool_], folds: Split, seed: int) -> Reference:
    """From the pixels `trained` (N,) of a network, and folds of them: whole groups, with no buffer between.

    Raises `ValueError` where pixels are all alike or lie in one fold.
    """
    rng = np.random.default_rng([seed, 3])
    numbers = _by_class(samples.labelled.index, np.flatnonzero(trained), _PIXELS, rng)
    features, sensitivity = _examined(fitted, samples, numbers, rng)
    place = {number: i for i, number in enumerate(numbers.tolist())}
    kept = [place[n] for n in _by_class(samples.labelled.index, numbers, _POINTS, rng).tolist()]
    # weight of a standardised feature: how much the logits follow it when it changes by one standard deviation
    weights = sensitivity * features.std(0, ddof=1)
    found = applicability(features, folds.fold[numbers], weights, np.array(kept))
    mean, scale, points = (torch.from_numpy(a.astype(np.float32)) for a in (found.mean, found.scale, found.points))
    return Reference(mean=mean, scale=scale, points=points, distance=found.distance, threshold=found.threshold)


def _by_class(
    index: NDArray[np.int16], numbers: NDArray[np.intp], most: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """About `most` of the pixels `numbers`, in ascending order: of each class its equal share, if it has as many."""
    classes = np.unique(index[numbers])
    each = max(1, most // len(classes))
    drawn = [rng.permutation(numbers[index[numbers] == k])[:each] for k in classes]
    return np.sort(np.concatenate(drawn))


def _examined(
    fitted: Fitted, samples: Samples, numbers: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features (n, D) of labelled pixels, and how much the logits depend on each (D,).

    The latter is the root mean square over pixels and classes of d logit / d feature. Through the head a feature acts
    from all the pixels that it sees; their gradients are added up: what happens when the whole neighbourhood changes
    alike. Of the logits only differences between classes count. The sum over classes of squared gradients is the mean
    over random signs of the squared gradient of the signed sum (Hutchinson 1990), so that many classes cost no more.
    """
    network, side = fitted.network, samples.side + 2 * samples.margin
    assert isinstance(network, Network)  # noqa: S101 - of landmix's own: it has an encoder
    step = max(1, _AT_ONCE // side**2)
    found, squares = [], np.zeros(network.spec.encoder.widths[-1])
    for start in range(0, len(numbers), step):
        piece = numbers[start : start + step]
        pixels = samples.normalised(samples.crop[piece], fitted.channels, fitted.normalise)
        features = network.encoder(torch.from_numpy(pixels)).detach().requires_grad_()  # (n, D, S, S)
        each, (rows, cols) = np.arange(len(piece)), samples.place[piece].T
        logits = network.head(features)[each, :, rows, cols]  # (n, K)
        logits = logits - logits.mean(1, keepdim=True)
        for _ in range(_DIRECTIONS):
            signs = torch.from_numpy(rng.choice(np.array([-1, 1], np.float32), logits.shape))
            (gradient,) = torch.autograd.grad((logits * signs).sum(), features, retain_graph=True)
            squares += (gradient.sum((2, 3)).double() ** 2).sum(0).numpy()
        own = features.detach()[each, :, rows + samples.margin, cols + samples.margin]
        found.append(own.numpy().astype(np.float64))
    return np.concatenate(found), np.sqrt(squares / (_DIRECTIONS * len(numbers) * network.spec.classes))
