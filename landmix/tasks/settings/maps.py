"""What can be set of tasks that take a finished map."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as made
from typing import Any, Literal

from landmix.geo.limits import Limits
from landmix.tasks.settings.words import Show  # noqa: TC001 - the settings are checked by their hints


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """`landmix evaluate`."""

    map: str
    reference: Any
    out_dir: str
    field: str | None = None
    layer: str | None = None
    ignore: list[str | int] | str | int | None = None
    legend: str | None = None
    design: Literal["stratified", "random", "cluster"] | None = None
    """How the reference was drawn; None: it is no sample, and its pixels are only counted."""
    strata: str | None = None
    """A raster of the strata that it was drawn from; None: the map's classes."""
    limits: Limits = made(default_factory=Limits)
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if self.strata is not None and self.design != "stratified":
            msg = "strata are those of a stratified sample: add design=stratified"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSettings:
    """`landmix sample`."""

    map: str
    out_dir: str
    n: int | None = None
    """Pixels to draw."""
    se: float | None = None
    """Or the standard error that overall accuracy is to have."""
    allocation: Literal["proportional", "equal", "neyman"] = "proportional"
    expected: float | dict[str, float] = 0.8
    """User's accuracy that is expected, of all classes or by name."""
    strata: str | None = None
    """A raster of strata on the map's grid; None: the map's classes."""
    hide: bool = False
    """Leave out what the map says, so that who interprets the sample does not know it."""
    seed: int = 0
    limits: Limits = made(default_factory=Limits)
    overwrite: bool = False
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if (self.n is None) == (self.se is None):
            msg = "either n, pixels to draw, or se, the standard error that is wanted, must be given, and not both"
            raise ValueError(msg)
        if self.n is not None and self.n < 1:
            msg = f"n must be at least 1, not {self.n}"
            raise ValueError(msg)
        if self.se is not None and not 0 < self.se < 0.5:  # noqa: PLR2004
            msg = f"se must lie between 0 and 0.5, not {self.se:g}"
            raise ValueError(msg)
        expected = self.expected.values() if isinstance(self.expected, dict) else [self.expected]
        if not all(0 < share < 1 for share in expected):
            wrong = next(share for share in expected if not 0 < share < 1)
            msg = f"expected accuracies must lie between 0 and 1, not {wrong:g}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """`landmix view`."""

    map: str
    scene: Any = None
    port: int = 0
    """0: any that is free."""
    open: bool = True
    """Open the browser."""
    progress: Show = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:  # noqa: PLR2004
            msg = f"port must lie between 0 and 65535, not {self.port}"
            raise ValueError(msg)
