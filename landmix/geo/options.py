"""How files become scenes: the settings of `scene.*`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from landmix.core.matching import How
from landmix.core.words import either
from landmix.geo.resample import Kernel

KERNELS, HOWS = get_args(Kernel), get_args(How)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files become scenes (`scene.*` of the configuration)."""

    product: str | dict[str, Any] | None = None
    """A built-in product's name, a product file, or its content; None: recognised, else plain rasters."""
    scale: Literal["auto", "stac", "tiff", "none"] | float = "auto"
    """Who says what stored numbers mean: `auto` whoever does; `stac` the catalogue; `tiff` the tags of the file;
    `none`: stored values are physical values; a number: stored * scale + offset."""
    offset: float | None = None
    """With `scale`, or alone where only the offset is unknown."""
    resolution: float | str | None = None
    """The grid: a pixel size in CRS units, `finest`, `coarsest` or a band; None: as the product says, else finest."""
    resampling: Kernel = "bilinear"
    """Of bands on other grids; on a coarser grid all but `nearest` average."""
    quality: Literal["clear", "all"] | list[str | int] = "clear"
    """What the product's quality band must say of a pixel."""
    quality_dilate: int = 0
    """Pixels around rejected ones that are rejected too."""
    match: How = "auto"
    """How a model's bands are found in a scene."""
    allow_vrt: bool = False
    """Whether a VRT, which can name any other file, may be opened."""

    def _check_types(self) -> None:
        """A stranger's model can hold anything."""
        given = {name: getattr(self, name) for name in ("scale", "offset", "resolution")}
        numbers = {name: value for name, value in given.items() if not isinstance(value, str | None)}
        fits = {name: isinstance(n, int | float) and not isinstance(n, bool) for name, n in numbers.items()}
        fits["product"] = isinstance(self.product, str | dict | None)
        fits["quality"] = isinstance(self.quality, str | list | tuple)
        wrong = next((name for name, fit in fits.items() if not fit), None)
        if wrong is not None:
            msg = f"scene.{wrong} is of another kind than it can be: {json.dumps(getattr(self, wrong), default=str)}"
            raise ValueError(msg)
        if isinstance(self.quality_dilate, bool) or not isinstance(self.quality_dilate, int):
            msg = f"scene.quality_dilate must be a whole number, not {self.quality_dilate!r}"
            raise ValueError(msg)  # noqa: TRY004 - as every wrong setting
        if not self.quality:
            msg = "scene.quality must name at least one class; all pixels are taken with scene.quality=all"
            raise ValueError(msg)

    def __post_init__(self) -> None:
        self._check_types()
        words = {"resampling": KERNELS, "match": HOWS}
        if isinstance(self.scale, str):
            words["scale"] = ("auto", "stac", "tiff", "none")
        if isinstance(self.quality, str):
            words["quality"] = ("clear", "all")
        for name, known in words.items():
            if getattr(self, name) not in known:
                msg = f"scene.{name} must be {either(known)}, not {getattr(self, name)!r}"
                raise ValueError(msg)
        if not isinstance(self.scale, str) and (not np.isfinite(self.scale) or self.scale == 0):
            msg = f"scene.scale must be a finite number other than 0, not {self.scale:g}"
            raise ValueError(msg)
        if self.offset is not None and not np.isfinite(self.offset):
            msg = f"scene.offset must be a finite number, not {self.offset:g}"
            raise ValueError(msg)
        if not 0 <= self.quality_dilate <= 1000:  # noqa: PLR2004
            msg = f"scene.quality_dilate must lie between 0 and 1000 pixels, not {self.quality_dilate}"
            raise ValueError(msg)
        if not isinstance(self.resolution, str) and self.resolution is not None and not 0 < self.resolution < np.inf:
            msg = f"scene.resolution must be a positive pixel size, finest, coarsest or a band, not {self.resolution:g}"
            raise ValueError(msg)
