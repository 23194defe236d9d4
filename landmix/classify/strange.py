"""Whether a scene's numbers are like those that the model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.core.window import Window
from landmix.geo.validity import validity

if TYPE_CHECKING:
    from landmix.bundle import Bundle
    from landmix.geo.scene import Scene

_TILES, _SIDE = 9, 128
_STEP = 4
"""Of the rows and columns of a tile, every fourth is enough."""
_FAR = 8.0
"""Standard deviations of the training pixels."""
_MANY = 0.02
"""Share of far pixels that is worth a warning: clouds over a twentieth of a scene reach it, a few roofs do not."""
_SHIFTED = 3.0
"""Median distance in a band, in standard deviations, that means another unit or season rather than other pixels."""


def strangeness(scene: Scene, bundle: Bundle) -> str | None:
    """A warning where a few tiles, spread over the scene, hold values that training pixels never had; else None."""
    chosen = _spread(scene.grid.window)
    here = [i for i, name in enumerate(bundle.bands.names) if name in scene.bands.names]
    scale, offset = scene.scaling.then(bundle.normalise.take(here)).arrays
    distances = []
    with scene.open() as reader:
        for window in chosen:
            values, inside = reader.read(window)
            values, inside = values[:, ::_STEP, ::_STEP], inside[::_STEP, ::_STEP]
            pixels = values[:, inside & validity(values, scene.nodata)].astype(np.float32)
            distances.append(np.abs(pixels * scale[:, None] + offset[:, None]))
    distance = np.concatenate(distances, axis=1)
    if not distance.shape[1]:
        return None
    far, medians = float((distance > _FAR).any(0).mean()), np.median(distance, axis=1)
    worst = int(medians.argmax()) if medians.max() > _SHIFTED else int((distance > _FAR).sum(1).argmax())
    band = scene.bands[worst].name
    if medians.max() > _SHIFTED:
        return (
            f"{scene.where} is not like the training pixels: half of its {band} values lie more than"
            f" {medians.max():.1f} standard deviations from their mean; are scale, unit and season the same?"
        )
    if far > _MANY:
        return (
            f"{100 * far:.0f} % of the pixels of {scene.where} lie more than {_FAR:g} standard deviations from the"
            f" training pixels, most in {band}: clouds, or classes that the labels lack?"
        )
    return None


def _spread(area: Window) -> list[Window]:
    """A few squares of the area, evenly spread in the order of rows."""
    down, across = -(-area.height // _SIDE), -(-area.width // _SIDE)
    numbers = np.unique(np.linspace(0, down * across - 1, _TILES).round().astype(int)).tolist()
    squares = [Window(row=i // across * _SIDE, col=i % across * _SIDE, height=_SIDE, width=_SIDE) for i in numbers]
    return [part for square in squares if (part := square.intersect(area))]
