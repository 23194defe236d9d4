"""Tiles of a scene in colour."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from landmix.core.bands import BandSet
from landmix.core.composite import composites, limits, stretched
from landmix.core.window import Window
from landmix.errors import Stopped
from landmix.geo.survey import coarse
from landmix.geo.validity import band_validity
from landmix.view.rasters import render
from landmix.view.sharing import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from landmix.core.bands import Band
    from landmix.geo.reader import SceneReader
    from landmix.geo.scene import Scene
    from landmix.view.frame import Frame

_READERS = 2

_SMALL = 2048
"""Longest side in pixels of the small picture that is kept; coarser tiles are taken from it."""

_GAMMA = 0.7
"""Forests and water are dark beside roofs and soil, and people still want to tell them apart."""

_AT_ONCE = 2**24
"""Values of the files' own pixels that are read together where there are no overviews to read."""


@dataclass(frozen=True, slots=True)
class _Small:
    """A scene at a coarse level, for stretching and for tiles."""

    level: int
    values: NDArray[np.float32]
    """Physical values (C, h, w) of the bands of all pictures, NaN where not to be shown."""
    limits: dict[str, tuple[float, float]]
    """Of each band's brightness, by name."""


@dataclass(eq=False)
class Pictures:
    """The colour pictures of a scene by title."""

    scene: Scene
    frame: Frame
    bands: dict[str, list[Band]] = field(init=False)
    _pools: dict[tuple[str, int], Pool[SceneReader]] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.bands = composites(self.scene.bands)
        self._known = cache(self._look)
        self._looking = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Do not go on looking at the whole scene."""
        self._stopped.set()

    def close(self) -> None:
        """Close the scene's files."""
        self.stop()
        for pool in self._pools.values():
            pool.close()

    @property
    def small(self) -> _Small:
        """Read once, which takes long where a large scene has no overviews."""
        with self._looking:
            return self._known()

    def tile(self, title: str, level: int, window: Window) -> bytes:
        """A PNG of a window of a level, stretched as the whole scene is, transparent where a band is not valid."""
        wanted, small = self.bands[title], self.small
        if level < small.level:
            names = list(dict.fromkeys(band.name for band in wanted))
            with self._pool(title, level).take() as reader:
                values = _physical(reader, window)[[names.index(band.name) for band in wanted]]
        else:
            values = _thinned(small.values, level - small.level, window)[self._places(wanted)]
        between = [small.limits[band.name] for band in wanted]
        bright = self.frame.drawn(stretched(values, between)) ** _GAMMA
        valid: NDArray[np.bool_] = np.asarray(np.isfinite(bright).all(0))
        return render((np.where(valid, bright, 0) * 255).round().astype(np.uint8), valid)

    def _pool(self, title: str, level: int) -> Pool[SceneReader]:
        with self._lock:
            key = (title, level)
            if key not in self._pools:
                scene = coarse(self._only(self.bands[title]), 2**level)
                self._pools[key] = Pool(scene.open, _READERS)
            return self._pools[key]

    def _only(self, wanted: list[Band]) -> Scene:
        """The scene with some of its bands, each once, in the order of `wanted`."""
        return self.scene.compose(BandSet(tuple({band.name: band for band in wanted}.values())))

    @property
    def _all(self) -> list[Band]:
        """The bands of all pictures, each once."""
        return list({band.name: band for bands in self.bands.values() for band in bands}.values())

    def _places(self, wanted: list[Band]) -> list[int]:
        names = [band.name for band in self._all]
        return [names.index(band.name) for band in wanted]

    def _look(self) -> _Small:
        level = 0
        while max(self.frame.shape(level)) > _SMALL:
            level += 1
        scene = coarse(self._only(self._all), 2**level)
        strips = []
        with scene.open() as reader:
            for strip in _strips(scene, 2**level):
                if self._stopped.is_set():
                    raise Stopped
                strips.append(_physical(reader, strip))
        values = np.concatenate(strips, axis=1)
        shown: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(0))
        found = limits(values, shown)
        return _Small(level, values, {band.name: pair for band, pair in zip(self._all, found, strict=True)})


def _strips(scene: Scene, step: int) -> Iterator[Window]:
    """Rows that are read together, so that memory does not grow with the scene."""
    height, width = scene.grid.height, scene.grid.width
    rows = 256 if scene.overview else max(1, _AT_ONCE // (step * step * width * len(scene.bands)))
    for row in range(0, height, rows):
        yield Window(row=row, col=0, height=min(rows, height - row), width=width)


def _physical(reader: SceneReader, window: Window) -> NDArray[np.float32]:
    """Physical values (C, h, w), NaN where they are not valid or not clear."""
    scene = reader.scene
    values, inside = reader.read(window)
    scale, offset = scene.scaling.arrays
    physical: NDArray[np.float32] = values.astype(np.float32) * scale[:, None, None] + offset[:, None, None]
    for i, nodata in enumerate(scene.nodata):
        physical[i][~(inside & band_validity(values[i], nodata))] = np.nan
    return physical


def _thinned(values: NDArray[np.float32], levels: int, window: Window) -> NDArray[np.float32]:
    """A window of the level that is so many `levels` coarser than `values`."""
    step = 2**levels
    rows, cols = (slice(s.start * step, s.stop * step, step) for s in window.slices)
    return values[:, rows, cols]
