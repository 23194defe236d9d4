"""How much a file from a stranger may ask for before anything of it is read (`limits.*` of the configuration)."""

from __future__ import annotations

from dataclasses import dataclass

from landmix.files import STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes above which a file is refused, and how long what is unfinished is somebody's."""

    stale_after: float = STALE
    """Seconds after which an unfinished file of a run on another host is nobody's, if nobody has written to it."""

    def __post_init__(self) -> None:
        if not self.stale_after > 0:
            msg = f"limits.stale_after must be a number of seconds above 0, not {self.stale_after}"
            raise ValueError(msg)


DEFAULT = Limits()
