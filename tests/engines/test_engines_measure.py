"""The quick measure of a network's speed."""

from __future__ import annotations

import pytest
import torch
from engine_networks import FINE, network

from landmix.engines import measure
from landmix.engines.engine import EngineSpec


@pytest.mark.parametrize("spec", FINE)
def test_a_network_is_measured_and_left_as_it_is(spec: EngineSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_SECONDS", 0.0)
    net = network()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    threads = torch.get_num_threads()
    assert measure.megapixels_per_second(net, spec) > 0
    assert torch.get_num_threads() == threads
    assert all((before[name] == values).all() for name, values in net.state_dict().items())


def test_speed_is_that_of_the_pixels_that_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("landmix.engines.measure.time.perf_counter", lambda: next(clock))
    spec = EngineSpec(precision="fp32", tile=32)
    assert measure.megapixels_per_second(network(), spec) == pytest.approx(64 * 64 / 1e6)  # a second each time
