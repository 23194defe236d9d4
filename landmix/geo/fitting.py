"""A scene as a model wants it: its bands found, in the model's order, in the model's units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.core.matching import Match, match
from landmix.errors import LandmixError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from landmix.core.bands import BandSet
    from landmix.core.scaling import Affine
    from landmix.geo.scene import Scene


def fit_to(
    scene: Scene,
    wanted: BandSet,
    *,
    trained_count: int,
    nodata: Sequence[float | None] | None = None,
    trained: Affine | None = None,
    bands: Sequence[str | int] | None = None,
    allowed: frozenset[str] | None = None,
    warn: Callable[[str], None],
    say: Callable[[str], None],
) -> Scene:
    """The scene with exactly the bands `wanted`, read or computed, less those that it may lack.

    `nodata` (for each of `wanted.inputs`) counts where the scene has no value of its own. `trained`: the scaling of the
    training scene, a line for each of them; whole numbers that nobody explains are refused where it did something.
    `bands` are the scene's bands for `wanted.inputs`, one by one, by number from 1 or name, where the user knows better
    than any matching. `allowed`: names of `wanted.inputs` that it may lack, and with them what is computed from them;
    None where that cannot be allowed. `say` hears what was matched to what where names differ. Raises `LandmixError`
    for a band that is missing and for numbers of another unit or of none that is known.
    """
    inputs = wanted.inputs
    if bands is None:
        found = match(
            scene.bands, inputs, scene.where, trained_count=trained_count, how=scene.options.match, allowed=allowed
        )
    else:
        found = _as_said(scene, inputs, bands)
    if found.by_position and len(inputs) > 1:
        why = "names no bands" if not any(band.named for band in scene.bands) else "is read with scene.match=position"
        warn(f"{scene.where} {why}: its bands are taken by position, as in the training scene")
    elif table := found.table(scene.bands, inputs):
        say(f"bands of {scene.where} by what they are, not by name:\n{table}")
    values = dict(zip(inputs.names, nodata or [None] * len(inputs), strict=True))
    if found.missing:
        wanted = _there(wanted, set(found.missing), scene.where)
        here = [i for i, band in enumerate(inputs) if band.name not in found.missing]
        inputs, trained = inputs.take(here), trained and trained.take(here)
    _check_units(scene, found, inputs, warn)
    if trained is not None:
        _check_scaling(scene, found, inputs, trained)
    chosen = scene.take(found.indices)
    return chosen.read_as(inputs).with_nodata(values).compose(wanted)


def _there(wanted: BandSet, missing: set[str], where: str) -> BandSet:
    """The bands that can be had without those that are `missing`."""
    needs = [{band.name} if band.formula is None else {own.name for _, own in band.formula.inputs} for band in wanted]
    there = wanted.take([i for i, names in enumerate(needs) if not names & missing])
    if not len(there):
        msg = f"{where} has none of the bands of the model ({wanted}): some must be there, whatever allow_missing says"
        raise LandmixError(msg)
    return there


def _as_said(scene: Scene, inputs: BandSet, bands: Sequence[str | int]) -> Match:
    """The bands that the user names, one for each of `inputs`."""
    if len(bands) != len(inputs):
        msg = f"bands must name {len(inputs)} bands of {scene.where}, for {inputs} of the model, not {len(bands)}"
        raise UsageError(msg)
    return Match(indices=tuple(scene.bands.select(bands, scene.where, "bands")), how=("user",) * len(inputs))


def _check_scaling(scene: Scene, found: Match, inputs: BandSet, trained: Affine) -> None:
    """Whole numbers that nobody explains are not taken for physical values, nor for those of the training scene."""
    for band, index, scale, offset in zip(inputs, found.indices, trained.scale, trained.offset, strict=True):
        stored = scene.stored[scene.origins[index][0]]
        if not stored.known and stored.dtype.kind in "ui" and (scale, offset) != (1.0, 0.0):
            msg = (
                f"the model was trained on {band} as stored * {scale:g} + {offset:g}, but nothing says what the whole"
                f" numbers of {scene.where} are: say scene.scale={scale:g} scene.offset={offset:g} if they are stored"
                " alike, or scene.scale=none if they are physical values already"
            )
            raise LandmixError(msg)


def _check_units(scene: Scene, found: Match, inputs: BandSet, warn: Callable[[str], None]) -> None:
    """Numbers of another unit, or of none that is known, are never taken in silence."""
    strange = []
    for band, index in zip(inputs, found.indices, strict=True):
        own, stored = scene.bands[index], scene.stored[scene.origins[index][0]]
        if band.unit and own.unit and band.unit.casefold() != own.unit.casefold():
            msg = f"the model needs {band} in {band.unit}, but {scene.where} has {own} in {own.unit}"
            raise LandmixError(msg)
        if band.unit and not own.unit and not stored.known:
            msg = (
                f"the model needs {band} as {band.unit}, but nothing says what the numbers of {scene.where} are: say"
                " scene.scale=none if they are that already, else scene.scale=... and scene.offset=..."
                " (stored * scale + offset)"
            )
            raise LandmixError(msg)
        if own.unit and not band.unit:
            strange.append(own)
    if strange:
        warn(
            f"the model was trained on numbers of no known unit, but {scene.where} is read as {strange[0].unit}:"
            " scene.scale=none reads stored numbers"
        )
