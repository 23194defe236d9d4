"""How long the fuzzers run: a short fixed number of inputs in the tests, longer by `scripts/fuzz`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("LANDMIX_FUZZ", "0"))
"""Inputs a target, each time others; 0: the short run, the same inputs every time."""


def fuzzed(short: int) -> settings:
    """Settings of a target: `short` inputs in the tests."""
    return settings(
        max_examples=EXAMPLES or short,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
