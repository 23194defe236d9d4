"""tta=flips: the mean over eight flips and turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from engine_networks import FINE, ROUGH, land, logits, network, pixels, shares, trained

from landmix.engines.deployed import Flips, folded
from landmix.engines.engine import SHARES, EngineSpec, Wanted
from landmix.engines.load import Engines

if TYPE_CHECKING:
    from landmix.nn.network import Network


def naive(net: Network, seen: torch.Tensor) -> torch.Tensor:
    """The mean of what a network says of eight turned pictures, each turned back."""
    said = []
    with torch.inference_mode():
        for turn in range(4):
            for mirror in (False, True):
                picture = torch.rot90(seen.flip(-1) if mirror else seen, turn, (-2, -1))
                answer = torch.rot90(net(picture), -turn, (-2, -1))
                said.append(answer.flip(-1) if mirror else answer)
    return torch.stack(said).mean(0)


@pytest.mark.parametrize("blocks", [0, 1, 3])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_turned_kernels_are_turned_pictures(blocks: int, batch_norm: bool) -> None:  # noqa: FBT001
    net = network(blocks=blocks, batch_norm=batch_norm)
    seen = torch.randn(2, 3, 31, 24, generator=torch.Generator().manual_seed(0))
    expected = naive(net, seen)
    with torch.inference_mode():
        torch.testing.assert_close(Flips(folded(net))(seen), expected, atol=1e-5, rtol=1e-5)
        if blocks:
            assert (net(seen) - expected).abs().max() > 0.01


def test_a_network_of_single_pixels_is_asked_once() -> None:
    assert len(Flips(network(blocks=0)).head.heads) == 1


def test_the_network_itself_stays_as_it_was() -> None:
    net, given = network(blocks=2), pixels(3, 30, 30)
    before = logits(net, given)
    Flips(net)
    np.testing.assert_array_equal(logits(net, given), before)


@pytest.mark.parametrize("spec", FINE)
def test_engines_with_flips(spec: EngineSpec) -> None:
    net, given = network(blocks=2), pixels(3, 140, 150)
    found = Engines(net, spec, flips=True).get(Wanted(shares=SHARES, coded=False))(*given)
    said = logits(Flips(folded(net)), given)
    expected, valid = shares(said), given[1][2:-2, 2:-2]
    differs = valid & (found.index != said.argmax(0))
    assert expected["gap"][0][differs].max(initial=0) < 1e-4
    for name, values in found.shares.items():
        np.testing.assert_allclose(values[:, valid], expected[name][:, valid], atol=1e-5)


@pytest.mark.parametrize("spec", ROUGH)
def test_bf16_flips_give_the_labels_of_a_trained_network(spec: EngineSpec) -> None:
    net, spectra = trained()
    index, normalised = land(spectra, 200, 190, seed=3000)
    ones = np.ones(4, np.float32)
    given = normalised, np.ones(index.shape, bool), ones, 0 * ones
    found = Engines(net, spec, flips=True).get(Wanted())(*given)
    assert (found.index == logits(Flips(folded(net)), given).argmax(0)).mean() >= 0.999
