"""Losses over labelled pixels: each a sum, to be divided by the number of labelled pixels over all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from landmix.training.settings import OptimSettings

IGNORED = -1
"""Index of a pixel without a label."""


def pixel_loss(logits: Tensor, labels: Tensor, weights: Tensor, settings: OptimSettings) -> Tensor:
    """The loss that the settings name, a scalar.

    `logits` (B, K, H, W) and `weights` (K,) float; `labels` (B, H, W) class indices, -1 unlabelled, or (B, K, H, W)
    fractions, which only cross entropy knows.
    """
    if labels.is_floating_point():
        return soft_cross_entropy(logits, labels, weights)
    flat, index = logits.movedim(1, -1).flatten(0, -2), labels.flatten()  # (N, K), (N,)
    if settings.loss == "focal":
        return focal(flat, index, weights, gamma=settings.focal_gamma)
    if settings.loss == "gce":
        return generalised_cross_entropy(flat, index, weights, q=settings.gce_q)
    return functional.cross_entropy(
        flat,
        index,
        weights,
        ignore_index=IGNORED,  # choosing the labelled ones by a mask would make a GPU wait for their number
        reduction="sum",
        label_smoothing=settings.label_smoothing,
    )


def soft_cross_entropy(logits: Tensor, fractions: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy with the classes' fractions f: sum of -(sum_k w_k f_k) (sum_k f_k log p_k) over pixels.

    Both (B, K, H, W). The weight is one a pixel: a weight a class, as in `functional.cross_entropy`, is least at
    p_k ~ w_k f_k, and the fractions of rare classes would come out too large. Pure pixels have the usual loss.
    """
    entropy = -(fractions * logits.log_softmax(1)).sum(1)  # (B, H, W)
    return (entropy * (fractions * weights[:, None, None]).sum(1)).sum()


def focal(logits: Tensor, labels: Tensor, weights: Tensor, *, gamma: float) -> Tensor:
    """Focal loss: sum of -w_y (1 - p_y)^gamma log p_y; gamma 0 is cross entropy.

    Lin et al. 2017, "Focal loss for dense object detection", eq. 5. `logits` (N, K), `labels` (N,).
    """
    log_p, known = _of_label(logits, labels)
    # of 1 - p, whose power has an infinite slope at 0 for gamma below 1
    missed = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).eps)
    return (-(missed**gamma) * log_p * _weight(weights, labels, known)).sum()


def generalised_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor, *, q: float) -> Tensor:
    """Generalised cross entropy: sum of w_y (1 - p_y^q) / q, from cross entropy (q to 0) to the mean error (q = 1).

    Bounded by w_y / q, so that a wrong label cannot pull without end. Zhang and Sabuncu 2018, "Generalized cross
    entropy loss for training deep neural networks with noisy labels", eq. 6. `logits` (N, K), `labels` (N,).
    """
    log_p, known = _of_label(logits, labels)
    return (-torch.expm1(q * log_p) / q * _weight(weights, labels, known)).sum()


def _of_label(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithm of the label's probability (N,), at least in float32, and where there is a label (N,)."""
    known = labels != IGNORED
    place = torch.where(known, labels, 0)[:, None]
    return logits.float().log_softmax(1).gather(1, place)[:, 0], known


def _weight(weights: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """The weight of each pixel (N,); 0 without a label."""
    return torch.where(known, weights[torch.where(known, labels, 0)], 0.0)
