"""How fast a network classifies here: a quick measure, to compare networks by."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.engines.engine import Wanted
from landmix.engines.load import Engines

if TYPE_CHECKING:
    from landmix.engines.engine import EngineSpec
    from landmix.nn.build import AnyNetwork

_SECONDS, _TIMES = 0.4, 5
"""How long is measured at most, but for one time, and how often."""


def megapixels_per_second(network: AnyNetwork, spec: EngineSpec) -> float:
    """What one worker computes, reading and writing left out: the best of a few times over tiles of random pixels.

    Takes a second, most of it to get the engine ready. Other programs on the machine make it less.
    """
    threads = torch.get_num_threads()
    try:
        # as in prediction, where a worker computes in one thread
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as worker:
            return worker.submit(_measured, network, spec).result()
    finally:
        torch.set_num_threads(threads)


def _measured(network: AnyNetwork, spec: EngineSpec) -> float:
    engine = Engines(network, spec).get(Wanted())
    side = 2 * spec.tile if spec.batch == 1 else spec.tile * round(spec.batch**0.5)
    seen = side + 2 * network.margin
    rng = np.random.default_rng(0)
    stored = rng.integers(1, 4096, (network.spec.in_channels, seen, seen), np.uint16)
    valid = np.ones((seen, seen), np.bool_)
    lines = np.full(len(stored), 1 / 1024, np.float32), np.full(len(stored), -2, np.float32)
    engine(stored, valid, *lines)  # compiles, and fills caches
    best, begun = np.inf, time.perf_counter()
    for _ in range(_TIMES):
        start = time.perf_counter()
        engine(stored, valid, *lines)
        end = time.perf_counter()
        best = min(best, end - start)
        if end - begun > _SECONDS:
            break
    return side * side / 1e6 / best
