"""Classes: their values in the raster, names and colours."""

from __future__ import annotations

import colorsys
import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MAX_VALUE = 65535
"""Highest class value: maps are uint8, or uint16 where a value passes 255."""

_HEX = re.compile(r"#[0-9a-f]{6}")


_LONGEST_NAME = 250
"""Letters of a class name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendClass:
    """One class."""

    value: int
    """Its number in the raster, 0 to 65535."""
    name: str
    """As people read it; any text."""
    color: str
    """`#rrggbb`."""

    def __post_init__(self) -> None:
        if not 0 <= self.value <= MAX_VALUE:
            msg = f"a class value must lie between 0 and {MAX_VALUE}, not {self.value}"
            raise ValueError(msg)
        if not _HEX.fullmatch(self.color):
            msg = f"a class colour is written #rrggbb in lower case, not {self.color!r}"
            raise ValueError(msg)
        whole = isinstance(self.value, int) and not isinstance(self.value, bool)
        if not whole or not isinstance(self.name, str) or not self.name.strip():
            msg = f"a class needs a whole number and a name, not {self.value!r} and {str(self.name)[:_LONGEST_NAME]!r}"
            raise ValueError(msg)
        if not self.name.isprintable() or len(self.name) > _LONGEST_NAME:
            said = self.name[:_LONGEST_NAME]
            msg = f"a class name is one line of printable text, of {_LONGEST_NAME} letters at most, not {said!r}"
            raise ValueError(msg)

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


@dataclass(frozen=True, slots=True)
class Legend:
    """Ordered classes; a class's position is its index in the network's output."""

    classes: tuple[LegendClass, ...]

    def __post_init__(self) -> None:
        for what, keys in (("value", [str(c.value) for c in self]), ("name", [c.name for c in self])):
            doubled = sorted(key for key, times in Counter(keys).items() if times > 1)
            if doubled:
                msg = f"each class {what} must stand once in a legend, but {', '.join(doubled)} stands twice"
                raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LegendClass]:
        return iter(self.classes)

    def __getitem__(self, index: int) -> LegendClass:
        return self.classes[index]

    @property
    def values(self) -> tuple[int, ...]:
        """Raster values by index."""
        return tuple(c.value for c in self)

    @property
    def names(self) -> tuple[str, ...]:
        """Names by index."""
        return tuple(c.name for c in self)

    @property
    def nodata(self) -> int:
        """The map's nodata value: 0 if no class has it, else 255, else the highest free value below, else 65535."""
        values = set(self.values)
        bytes_do = max(values, default=0) <= np.iinfo(np.uint8).max
        candidates = itertools.chain([0], range(255, 0, -1) if bytes_do else (), range(MAX_VALUE, 0, -1))
        return int(next(value for value in candidates if value not in values))

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """Data type of the map: uint8, or uint16 where a value or the nodata value passes 255."""
        highest = max(*self.values, self.nodata)
        return np.dtype(np.uint8) if highest <= np.iinfo(np.uint8).max else np.dtype(np.uint16)

    def encode(self, values: NDArray[np.integer]) -> NDArray[np.int16]:
        """Raster values -> class indices (int16, same shape); -1 where a value is no class."""
        order = np.argsort(self.values)
        ascending = np.asarray(self.values)[order]
        position = np.searchsorted(ascending, values).clip(max=len(self) - 1)
        return np.where(ascending[position] == values, order[position], -1).astype(np.int16)

    def decode(self, indices: NDArray[np.integer], valid: NDArray[np.bool_]) -> NDArray[np.integer]:
        """Class indices -> raster values in `dtype` (same shape); `nodata` where not valid."""
        lookup = np.asarray(self.values, self.dtype)
        return np.where(valid, lookup[indices], self.dtype.type(self.nodata))


def palette(count: int) -> list[str]:
    """`count` colours `#rrggbb` that differ in hue and lightness, the same on every call."""
    colors = []
    for i in range(count):
        # The golden ratio spreads hues evenly for any count; lightness alternates to tell neighbours apart.
        hue, lightness = (0.13 + i * 0.618034) % 1.0, (0.45, 0.62, 0.33)[i % 3]
        rgb = colorsys.hls_to_rgb(hue, lightness, 0.6)
        colors.append("#" + "".join(f"{round(255 * channel):02x}" for channel in rgb))
    return colors


_NATURAL = {
    "#2b6cb0": ("water", "river", "lake", "sea", "wasser"),
    "#1b5e20": ("needleleaf", "conifer", "evergreen", "nadelwald"),
    "#4caf50": ("broadleaf", "deciduous", "laubwald"),
    "#2e7d32": ("forest", "tree", "wood", "wald"),
    "#9ccc65": ("grass", "herb", "meadow", "pasture", "low vegetation", "wiese"),
    "#f2c94c": ("crop", "field", "agricult", "farm", "acker"),
    "#b07d4f": ("soil", "bare", "barren", "sand", "boden"),
    "#d64541": ("built", "urban", "roof", "city", "settlement", "siedlung"),
    "#8d8d8d": ("pavement", "road", "asphalt", "impervious"),
    "#5fb3b3": ("wetland", "marsh", "swamp"),
    "#eef3f7": ("snow", "ice"),
}


def colors_for(names: list[str]) -> list[str]:
    """A colour `#rrggbb` for each class name: the one a reader expects where the name says it, else a distinct one."""
    taken: list[str] = []
    spare = iter(color for color in palette(2 * len(names) + len(_NATURAL)) if color not in _NATURAL)
    for name in names:
        words = name.casefold()
        natural = next((color for color, keys in _NATURAL.items() if any(key in words for key in keys)), None)
        taken.append(natural if natural and natural not in taken else next(spare))
    return taken
