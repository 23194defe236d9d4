"""A scene as a model wants it: its bands in the model's order, and what is said of those that it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.classify.plan import missing_bands
from landmix.core.matching import may_miss
from landmix.geo.fitting import fit_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.bundle import Bundle
    from landmix.geo.scene import Scene
    from landmix.progress import Progress


def fitted(
    bundle: Bundle,
    scene: Scene,
    *,
    bands: Sequence[str | int] | None,
    allow_missing: Sequence[str],
    progress: Progress,
) -> Scene:
    """The scene with the model's bands in the model's order, less those that it lacks and `allow_missing` names.

    `bands`: those of the scene that the model's are, where the user says so. Raises `LandmixError` for a band that is
    missing without being allowed to.
    """
    found = fit_to(
        scene,
        bundle.bands,
        trained_count=bundle.band_count,
        nodata=bundle.nodata,
        trained=bundle.scaling,
        bands=bands,
        allowed=may_miss(bundle.bands.inputs, allow_missing),
        warn=progress.warn,
        say=progress.say,
    )
    missing = missing_bands(bundle.bands, found.bands)
    if missing:
        text = f"{scene.where} lacks {', '.join(missing)}, which count as the mean of the training pixels"
        progress.warn(text + ("" if _prepared(bundle, set(missing)) else _UNPREPARED))
    return found


_UNPREPARED = (
    ": the model has never learnt to do without, so many pixels may be wrong; train it with net.encoder.band_dropout,"
    " and with net.fusion where whole sensors or dates go missing"
)


def _prepared(bundle: Bundle, missing: set[str]) -> bool:
    """Whether training left out what is missing: single bands, or with fusion whole sensors or dates."""
    if not bundle.net.encoder.band_dropout:
        return False
    roles = {band.role for band in bundle.bands}
    whole = [role for role in roles if {band.name for band in bundle.bands if band.role == role} <= missing]
    if not bundle.net.inputs:
        return not whole
    return missing == {band.name for band in bundle.bands if band.role in whole}
