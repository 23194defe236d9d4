from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from landmix.training.losses import focal, generalised_cross_entropy, pixel_loss, soft_cross_entropy
from landmix.training.settings import OptimSettings

Loss = Literal["cross_entropy", "focal", "gce"]
PLAIN = OptimSettings()
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 1.5], dtype=torch.float64)


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (3, 4, 2, 2) and labels (3, 2, 2), some of them ignored."""
    made = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(3, 4, 2, 2, generator=made, dtype=torch.float64)
    labels = torch.randint(-1, 4, (3, 2, 2), generator=made)
    assert (labels == -1).any()
    return logits.requires_grad_(), labels


def flat(logits: Tensor) -> Tensor:
    return logits.movedim(1, -1).flatten(0, -2)


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(loss, logits)[0]


def test_cross_entropy_is_what_it_was() -> None:
    logits, labels = batch()
    found = pixel_loss(logits, labels, WEIGHTS, PLAIN)
    p = logits.softmax(1)
    by_hand = sum(
        -WEIGHTS[labels[b, i, j]] * p[b, labels[b, i, j], i, j].log() for b, i, j in torch.nonzero(labels >= 0).tolist()
    )
    torch.testing.assert_close(found, by_hand)


def test_focal_with_gamma_0_and_gce_with_q_towards_0_are_cross_entropy() -> None:
    logits, labels = batch()
    expected = functional.cross_entropy(flat(logits), labels.flatten(), WEIGHTS, ignore_index=-1, reduction="sum")
    exact = gradient(expected, logits)
    for loss in (
        focal(flat(logits), labels.flatten(), WEIGHTS, gamma=0.0),
        generalised_cross_entropy(flat(logits), labels.flatten(), WEIGHTS, q=1e-6),
    ):
        torch.testing.assert_close(loss.double(), expected, rtol=2e-5, atol=1e-5)
        torch.testing.assert_close(gradient(loss, logits), exact, rtol=1e-4, atol=1e-5)


def test_their_values() -> None:
    logits = torch.tensor([[0.0, 0.0]])  # p = 1/2
    label, weights = torch.tensor([1]), torch.tensor([1.0, 3.0])
    assert focal(logits, label, weights, gamma=2.0).item() == pytest.approx(3 * 0.25 * 0.6931472)
    assert float(generalised_cross_entropy(logits, label, weights, q=1.0)) == pytest.approx(3 * 0.5)
    assert float(generalised_cross_entropy(logits, label, weights, q=0.5)) == pytest.approx(3 * (1 - 0.5**0.5) / 0.5)


def test_soft_cross_entropy_of_pure_pixels_is_cross_entropy_and_least_at_the_fractions() -> None:
    logits, labels = batch()
    labels = labels.clamp(min=0)
    pure = functional.one_hot(labels, 4).movedim(-1, 1).double()
    expected = pixel_loss(logits, labels, WEIGHTS, PLAIN)
    torch.testing.assert_close(pixel_loss(logits, pure, WEIGHTS, PLAIN), expected)
    fractions = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)[None, :, None, None]
    at = fractions.log().requires_grad_()
    assert float(gradient(soft_cross_entropy(at, fractions, WEIGHTS), at).abs().max()) < 1e-12


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "gce"])
def test_ignored_pixels_give_nothing_and_every_gradient_is_finite(loss: Loss) -> None:
    settings = replace(PLAIN, loss=loss)
    logits, labels = batch()
    ignored = torch.full_like(labels, -1)
    nothing = pixel_loss(logits, ignored, WEIGHTS, settings)
    assert nothing.item() == 0
    assert not gradient(nothing, logits).any()
    extreme = torch.tensor([[200.0, -200.0], [-200.0, 200.0], [0.0, 0.0]])[..., None, None].requires_grad_()
    for gamma in (0.5, 2.0):
        found = pixel_loss(
            extreme, torch.tensor([0, 0, -1])[:, None, None], torch.ones(2), replace(settings, focal_gamma=gamma)
        )
        assert torch.isfinite(found)
        assert torch.isfinite(gradient(found, extreme)).all()
    partly = pixel_loss(logits, labels, WEIGHTS, settings)
    moved = logits.detach() + 7 * torch.randn_like(logits) * (labels == -1)[:, None]
    torch.testing.assert_close(pixel_loss(moved, labels, WEIGHTS, settings), partly)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"focal_gamma": -1.0}, "focal_gamma"),
        ({"gce_q": 0.0}, "gce_q"),
        ({"loss": "gce", "label_smoothing": 0.1}, "label_smoothing"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(PLAIN, **changes)
