"""How the bands of a model are found in a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from landmix.core.bands import BandSet
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.core.bands import Band

How = Literal["auto", "name", "wavelength", "position"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where the bands of a model lie in a scene."""

    indices: tuple[int, ...]
    """Scene band index for each model band that the scene has, in the model's order."""
    how: tuple[str, ...]
    """What each was found by: `name`, `common name`, `wavelength`, `position` or `user`."""
    missing: tuple[str, ...] = ()
    """Names of model bands that the scene lacks, which is allowed."""

    @property
    def by_position(self) -> bool:
        """True where neither names nor wavelengths could confirm it: worth a warning."""
        return "position" in self.how

    def table(self, scene: BandSet, wanted: BandSet) -> str | None:
        """A line a band that says what was matched to what; None where all bear the same name."""
        if set(self.how) <= {"name"}:
            return None
        found = [band for band in wanted if band.name not in self.missing]
        rows = [(str(band), str(scene[i]), how) for band, i, how in zip(found, self.indices, self.how, strict=True)]
        width = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"  {a:{width[0]}}  <-  {b:{width[1]}}  by {how}" for a, b, how in rows)


def may_miss(inputs: BandSet, allowed: Sequence[str]) -> frozenset[str]:
    """Names of the model's bands among `inputs` that `allowed` means: bands, or all those of a role.

    Raises `LandmixError` for what means neither.
    """
    found: set[str] = set()
    for item in allowed:
        role = {band.name for band in inputs if band.role and band.role == item}
        found |= role or {inputs[i].name for i in inputs.select([item], "the model", "allow_missing")}
    return frozenset(found)


def match(
    scene: BandSet,
    wanted: BandSet,
    where: str,
    *,
    trained_count: int,
    how: How = "auto",
    allowed: frozenset[str] | None = None,
) -> Match:
    """Find the bands of a model (`wanted`) among those of a scene, which messages call `where`.

    `auto`: by name where the wavelengths, if both are known, agree; then by common name and by wavelength, of the same
    sensor where both are known; by position only where the scene names no bands and has `trained_count` of them, as
    many as the training scene had. `name` (names and common names), `wavelength` and `position` do only that, and allow
    another sensor. Bands of a role are found among those of the same role. `allowed`: names of `wanted` that the scene
    may lack; None where nobody can allow it. Raises `LandmixError` for a band that is
    missing, for a name whose wavelengths differ, and for one band that fits two.
    """
    nothing_known = not any(band.named or band.wavelength is not None for band in scene)
    if how == "position" or (how == "auto" and nothing_known):
        return _by_position(scene, wanted, where, trained_count, allowed or frozenset())
    claims = [(band, *_find(scene, band, where, how)) for band in wanted]
    kept: list[tuple[Band, int, str]] = []
    missing: list[str] = []
    for band, index, way in claims:
        may = band.name in (allowed or ())
        if index is None and not may:
            raise _lacking(scene, band, where, allowable=allowed is not None)
        # of two bands that are near one of the scene's, one is missing: the other may be that very one
        if index is None or (may and any(_better(other, index, way) for own, *other in claims if own != band)):
            missing.append(band.name)
            continue
        if how == "auto":
            _check_sensor(scene[index], band, where)
        rival = next((own for own, place, _ in kept if place == index), None)
        if rival is not None:
            msg = f"the model's bands {rival} and {band} both fit {scene[index]} of {where}"
            raise LandmixError(msg)
        kept.append((band, index, way))
    return Match(
        indices=tuple(index for _, index, _ in kept), how=tuple(way for *_, way in kept), missing=tuple(missing)
    )


_WAYS = ("name", "common name", "wavelength")
"""The surest first."""


def _better(other: Sequence[int | str | None], index: int, way: str) -> bool:
    """Whether another band, found at a place in some way, has a better claim to `index`."""
    place, how = other
    return place == index and _WAYS.index(str(how)) < _WAYS.index(way)


def _lacking(scene: BandSet, band: Band, where: str, *, allowable: bool) -> LandmixError:
    hint = f"; allow_missing=[{band.name}] lets it count as the mean of the training pixels" if allowable else ""
    return LandmixError(f"the model needs band {band}, but {where} has {scene}{hint}")


def _find(scene: BandSet, band: Band, where: str, how: How) -> tuple[int | None, str]:
    """The index of one band, None where the scene lacks it, and what it was found by."""
    conflict = None
    if how != "wavelength":
        same = [i for i, own in enumerate(scene) if own.named and own.name.casefold() == band.name.casefold()]
        agreeing = [i for i in same if scene[i].near(band) is not False] if band.named else []
        if agreeing:
            return agreeing[0], "name"
        conflict = same[0] if same and band.named else None
        common = [i for i, own in enumerate(scene) if _same_common(own, band)]
        if common:
            return common[0], "common name"
    if conflict is not None:
        msg = (
            f"band names must mean the same wavelengths, but {band} of the model is {scene[conflict]} in {where}:"
            " is this another sensor? scene.match=wavelength goes by wavelength alone"
        )
        raise LandmixError(msg)
    return None if how == "name" else scene.nearest(band), "wavelength"


def _check_sensor(own: Band, band: Band, where: str) -> None:
    """Another sensor's bands are never taken unasked, however near their wavelengths are."""
    if own.sensor and band.sensor and own.sensor != band.sensor:
        msg = (
            f"the model was trained on {band.sensor}, but {where} is of {own.sensor}: allow other sensors with"
            " scene.match=wavelength, or with scene.match=name by common names"
        )
        raise LandmixError(msg)


def _same_common(own: Band, band: Band) -> bool:
    """Whether both have the same common name in the same role, and wavelengths that do not contradict it."""
    same = own.common is not None and own.common == band.common and own.role == band.role
    return same and own.near(band) is not False


def _by_position(scene: BandSet, wanted: BandSet, where: str, trained_count: int, allowed: frozenset[str]) -> Match:
    gone = {band.role for band in wanted if band.role} - {band.role for band in scene}
    missing = tuple(band.name for band in wanted if band.role in gone and band.name in allowed)
    # how many bands a role had is known of those that are there
    if len(scene) != trained_count and not missing:
        named = "names no bands and has" if not any(band.named for band in scene) else "has"
        msg = f"the model needs {wanted}, but {where} {named} {len(scene)} where the training scene had {trained_count}"
        raise LandmixError(msg)
    if not any(band.role for band in (*scene, *wanted)):
        return Match(indices=tuple(band.number - 1 for band in wanted), how=("position",) * len(wanted))
    places = {(band.role, band.number): i for i, band in enumerate(scene)}
    wanted = BandSet(tuple(band for band in wanted if band.name not in missing))
    lacking = next((band.role for band in wanted if (band.role, band.number) not in places), None)
    if lacking is not None:
        roles = ", ".join(dict.fromkeys(band.role for band in scene)) or "no roles"
        msg = f"the model needs the role '{lacking}', with as many bands as in training, but {where} has {roles}"
        raise LandmixError(msg)
    indices = tuple(places[band.role, band.number] for band in wanted)
    return Match(indices=indices, how=("position",) * len(wanted), missing=missing)
