"""landmix: land-cover maps from many-band satellite scenes and a few labelled polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.version import __version__

__all__ = ["LandmixError", "Model", "__version__", "load"]

if TYPE_CHECKING:
    from landmix.errors import LandmixError
    from landmix.model import Model, load


def __getattr__(name: str) -> Any:
    """Hand names on when they are asked for, so that `import landmix` loads neither torch nor rasterio."""
    if name in ("Model", "load"):
        from landmix import model  # noqa: PLC0415

        return getattr(model, name)
    if name == "LandmixError":
        from landmix.errors import LandmixError  # noqa: PLC0415

        return LandmixError
    msg = f"module 'landmix' has no attribute '{name}'"
    raise AttributeError(msg)
