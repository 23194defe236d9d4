"""Every kind of network on every engine: the plain network's classes, and a tiled window is exactly the untiled one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from engine_networks import FINE, ROUGH, logits, pixels
from random_weights import shake
from test_nn_family import FAMILY

from landmix.engines.engine import SHARES, Answer, EngineSpec, Wanted
from landmix.engines.load import Engines
from landmix.nn.network import Network

ALL = Wanted(shares=SHARES, coded=False)
SIDE = 61
"""Of what is classified; the network gets it in one piece, or in many."""


@cache
def network(kind: str) -> Network:
    """Weights that say much of every neighbour, in float32."""
    torch.manual_seed(3)
    made = Network(FAMILY[kind]).eval()
    shake(made)
    return made


def windows(whole: Engines, margin: int) -> Answer:
    """The same pixels in windows of odd sizes, each with its margin."""
    given = pixels(5, SIDE + 2 * margin, SIDE + 2 * margin)
    engine, m = whole.get(ALL), 2 * margin
    index = np.zeros((SIDE, SIDE), np.uint8)
    shares: dict[str, np.ndarray] = {}
    for rows in (slice(0, 17), slice(17, 44), slice(44, SIDE)):
        for cols in (slice(0, 30), slice(30, 37), slice(37, SIDE)):
            part = slice(rows.start, rows.stop + m), slice(cols.start, cols.stop + m)
            said = engine(given[0][:, *part], given[1][part], *given[2:])
            index[rows, cols] = said.index
            for name, values in said.shares.items():
                shares.setdefault(name, np.zeros((len(values), SIDE, SIDE), np.float32))[:, rows, cols] = values
    return Answer(index=index, shares=shares)


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
def test_a_tiled_map_is_the_untiled_one(spec: EngineSpec, kind: str) -> None:
    net = network(kind)
    m = net.margin
    engines = Engines(net, spec)
    given = pixels(5, SIDE + 2 * m, SIDE + 2 * m)
    whole, tiled = engines.get(ALL)(*given), windows(engines, m)
    valid = given[1][m : m + SIDE, m : m + SIDE]
    assert len(np.unique(whole.index[valid])) > 1
    assert np.array_equal(whole.index[valid], tiled.index[valid])
    for name, values in whole.shares.items():
        np.testing.assert_array_equal(values[:, valid], tiled.shares[name][:, valid])
    same = (whole.index == logits(net, given).argmax(0))[valid].mean()
    assert same > (0.999 if spec.precision == "fp32" else 0.85)  # in bf16, an untrained network has many near ties
