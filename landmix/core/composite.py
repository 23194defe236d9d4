"""Colour pictures of a scene: which bands they are made of, and how values become brightness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.core.indices import common_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from landmix.core.bands import Band, BandSet

TRUE, FALSE = "True colour", "False colour: near infrared, red, green"


def composites(bands: BandSet) -> dict[str, list[Band]]:
    """By title the bands for red, green and blue: true colour, and false colour where there is a near infrared band.

    Of the first acquisition, where there are several; of the first bands, where no band is known to be red, green or
    blue.
    """
    role = bands[0].role
    red, green, blue, nir = (
        common_band(names, bands, role) for names in (("red",), ("green",), ("blue",), ("nir", "nir08"))
    )
    if not (red and green and blue):
        first = [bands[i % len(bands)] for i in range(3)]
        return {f"Bands {', '.join(dict.fromkeys(band.name for band in first))}": first}
    found = {TRUE: [red, green, blue]}
    if nir:
        found[FALSE] = [nir, red, green]
    return found


def limits(values: NDArray[np.float32], shown: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """A line a band of `values` (C, h, w): the 2nd and 98th percentile of the pixels `shown` (h, w); 0 to 1 if none."""
    if not shown.any():
        return [(0.0, 1.0)] * len(values)
    return [(float(low), float(high)) for low, high in (np.percentile(band[shown], [2, 98]) for band in values)]


def stretched(values: NDArray[np.float32], between: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Values (C, h, w) from 0 to 1 between the limits of each band; NaN stays."""
    picture = np.empty(values.shape, np.float32)
    for i, (low, high) in enumerate(between):
        picture[i] = np.clip((values[i] - low) / max(high - low, 1e-12), 0, 1)
    return picture
