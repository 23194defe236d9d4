"""The engine for GPUs: on a GPU where there is one, else with the processor in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from engine_networks import land, logits, network, pixels, shares, trained

from landmix.engines.engine import SHARES, STORED, EngineSpec, Trust, Wanted
from landmix.engines.gpu_torch import GpuEngine
from landmix.engines.load import Engines
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from engine_networks import Pixels

    from landmix.engines.deployed import Deployed
    from landmix.nn.network import Network

ALL = Wanted(shares=SHARES, coded=False)
STAND_IN = EngineSpec(backend="torch", device="cpu", precision="fp32", tile=50, batch=4)
"""The processor in the place of a GPU: all but streams and page-locked memory is then as it would be there."""


def engine(net: Network, spec: EngineSpec = STAND_IN, wanted: Wanted = ALL) -> GpuEngine:
    return GpuEngine(net, net.margin, spec, wanted, Trust())


def agrees(found: Any, net: Network, given: Pixels) -> None:
    said, m = logits(net.float(), given), net.margin
    valid = given[1][m : given[1].shape[0] - m, m : given[1].shape[1] - m]
    expected = shares(said)
    assert found.index.dtype == (np.uint8 if len(said) <= 256 else np.uint16)
    differs = valid & (found.index != said.argmax(0))
    assert expected["gap"][0][differs].max(initial=0) < 1e-4
    for name, values in found.shares.items():
        np.testing.assert_allclose(values[:, valid], expected[name][:, valid], atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 170), (49, 51), (160, 210)], ids=str)
@pytest.mark.parametrize("blocks", [0, 2])
def test_windows_of_any_size(height: int, width: int, blocks: int) -> None:
    net, given = network(blocks=blocks), pixels(3, height + 2 * blocks, width + 2 * blocks)
    agrees(engine(net)(*given), net, given)


@pytest.mark.parametrize("dtype", sorted(STORED))
def test_every_stored_data_type(dtype: str) -> None:
    middle = 40_000 if dtype == "uint16" else 90
    net, given = network(), pixels(3, 60, 70, dtype, middle=middle)
    found = engine(net)(*given)
    assert (found.index[given[1][1:-1, 1:-1]] == logits(net, given).argmax(0)[given[1][1:-1, 1:-1]]).mean() > 0.999


@pytest.mark.parametrize("classes", [1, 256, 300])
def test_any_number_of_classes(classes: int) -> None:
    net, given = network(classes=classes), pixels(3, 60, 70)
    agrees(engine(net)(*given), net, given)


def test_a_window_may_be_smaller_than_the_one_before() -> None:
    net = network(blocks=2)
    one = engine(net)
    small, large = pixels(3, 40, 44), pixels(3, 90, 120, seed=3)
    first = one(*small)
    second = one(*large)
    again = one(*small)
    assert np.array_equal(first.index, again.index)
    agrees(first, net, small)
    agrees(second, net, large)  # its arrays are its own: a later window did not overwrite them


class Small:
    """A graph that runs out of memory for more than some tiles at a time."""

    def __init__(self, graph: Deployed, most: int) -> None:
        self.graph, self.most = graph, most
        self.asked: list[int] = []

    def __call__(self, pixels: torch.Tensor, *rest: torch.Tensor) -> Any:
        self.asked.append(len(pixels))
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError
        return self.graph(pixels, *rest)


def test_batches_are_halved_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    net, given = network(blocks=1), pixels(3, 300, 310)
    one = engine(net, replace(STAND_IN, batch=16))
    whole = one(*given)
    small = Small(one._graph, most=3)
    monkeypatch.setattr(one, "_graph", small)
    found = one(*given)
    assert small.asked[:3] == [16, 8, 4]
    assert small.asked[3] == 2
    assert np.array_equal(found.index, whole.index)
    before = len(small.asked)
    one(*given)
    assert max(small.asked[before:]) == 2  # it is not tried again each time


def test_a_tile_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine(network())
    monkeypatch.setattr(one, "_graph", Small(one._graph, most=0))
    with pytest.raises(LandmixError, match=r"memory is full.*device=cpu"):
        one(*pixels(3, 60, 60))


needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


@pytest.mark.parametrize("precision", [pytest.param("fp32", marks=needs_gpu), pytest.param("bf16", marks=needs_gpu)])
def test_a_gpu_gives_the_labels_of_the_plain_network(precision: Any) -> None:
    net, spectra = trained()
    index, normalised = land(spectra, 600, 700, seed=4000)
    scale = np.full(4, 1 / 200, np.float32)
    stored = (30_000 + 200 * normalised).round().astype("uint16")
    given = stored, np.ones(index.shape, bool), scale, -30_000 * scale
    expected = logits(net, given)
    spec = EngineSpec(backend="torch", device="cuda", precision=precision, tile=256, batch=4)
    found = Engines(net, spec, threads=2).get(ALL)(*given)
    differs = found.index != expected.argmax(0)
    assert differs.mean() <= 0.001
    assert shares(expected)["gap"][0][differs].max(initial=0) < 0.05


@pytest.mark.parametrize("threads", [pytest.param(4, marks=needs_gpu)])
def test_threads_share_a_gpu(threads: int) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    net = network(blocks=2)
    spec = EngineSpec(backend="torch", device="cuda", precision="bf16", tile=128, batch=4)
    windows = [pixels(3, 150 + 10 * (seed % 3), 260, "uint16", seed=seed) for seed in range(16)]
    one = Engines(net, spec, threads=threads).get(ALL)
    alone = [one(*window) for window in windows]
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda window: one(*window), windows))
    for first, second in zip(alone, found, strict=True):
        assert np.array_equal(first.index, second.index)
        assert all(np.array_equal(values, second.shares[name]) for name, values in first.shares.items())
