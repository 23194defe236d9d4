"""From stored bands to the bands that a model sees: formulas, and nodata as NaN where it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.core.indices import compute
from landmix.core.scaling import decode
from landmix.geo.validity import band_validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene, Stored


def valid_values(values: NDArray[np.generic], stored: Stored) -> NDArray[np.bool_]:
    """Which values of a band as it is stored are valid, same shape."""
    valid = band_validity(values, stored.nodata)
    return valid if stored.fill is None else valid & band_validity(values, stored.fill)


def decoded(values: NDArray[np.generic], stored: Stored) -> NDArray[np.generic]:
    """Values of a band after its named step, NaN where invalid; themselves where there is none."""
    if stored.decode is None:
        return values
    found = decode(values, stored.decode)
    found[~valid_values(values, stored)] = np.nan
    return found


def compose(scene: Scene, stored: NDArray[np.generic], moved: Sequence[bool], target: NDArray[np.generic]) -> None:
    """Put a scene's bands (C, H, W) into `target`, from its decoded stored bands (n, H, W); `moved` as `resampled`."""
    for i, (band, origin) in enumerate(zip(scene.bands, scene.origins, strict=True)):
        if band.formula is None:
            target[i] = stored[origin[0]]
            continue
        letters = [letter for letter, _ in band.formula.inputs]
        inputs = {
            letter: _physical(stored[n], scene.stored[n], moved=moved[scene.stored[n].file])
            for letter, n in zip(letters, origin, strict=True)
        }
        offsets = {letter: scene.stored[n].offset for letter, n in zip(letters, origin, strict=True)}
        target[i] = compute(band.formula.expression, inputs, offsets)


def _physical(values: NDArray[np.generic], stored: Stored, *, moved: bool) -> NDArray[np.float32]:
    """Physical values of one band, NaN where invalid; what was moved or decoded is NaN there already."""
    physical: NDArray[np.float32] = values.astype(np.float32) * np.float32(stored.scale) + np.float32(stored.offset)
    if not (moved or stored.decode):
        physical[~valid_values(values, stored)] = np.nan
    return physical
