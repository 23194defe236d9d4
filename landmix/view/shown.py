"""All that one page shows."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landmix.geo.ground import pixel_size
from landmix.view.pixel import Places
from landmix.view.sharing import Cache

if TYPE_CHECKING:
    from landmix.core.window import Window
    from landmix.geo.scene import Scene
    from landmix.view.areas import Areas
    from landmix.view.frame import Frame
    from landmix.view.pictures import Pictures
    from landmix.view.pixel import Spectra
    from landmix.view.rasters import ClassRaster, ConfidenceRaster


@dataclass(eq=False, kw_only=True)
class Shown:
    """A map with what lies behind it."""

    name: str
    frame: Frame
    classes: ClassRaster
    areas: Areas
    confidence: ConfidenceRaster | None = None
    pictures: Pictures | None = None
    spectra: Spectra | None = None
    notes: tuple[str, ...] = ()
    """What the user should know."""
    version: str = field(default_factory=lambda: secrets.token_hex(4))
    """In the addresses of tiles, so that the browser keeps none of another map."""

    def __post_init__(self) -> None:
        self._places = Places(self.frame.grid)
        self._cache = Cache()
        self._titles = list(self.pictures.bands) if self.pictures else []

    def stop(self) -> None:
        """End what takes long."""
        self.areas.stop()
        if self.pictures:
            self.pictures.stop()

    def close(self) -> None:
        """Close every file."""
        for part in (self.areas, self.classes, self.confidence, self.pictures, self.spectra):
            if part is not None:
                part.close()

    def facts(self) -> dict[str, Any]:
        """What the page must know before it draws, as plain data."""
        grid = self.frame.grid
        north = self._places.north()
        return {
            "name": self.name,
            "version": self.version,
            "height": grid.height,
            "width": grid.width,
            "levels": self.frame.levels,
            "crs": _crs_name(grid.crs) if grid.georeferenced else None,
            "pixel_m": pixel_size(grid),
            "north": north if north is None or not self.frame.turned else 180 - north,
            "layers": self._layers(),
            "bytes_an_index": self.classes.bytes_an_index,
            "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in self.classes.legend],
            "ramp": self.confidence.ramp() if self.confidence else [],
            "scene": _called(self.spectra.scene) if self.spectra else None,
            "bands": self.spectra.bands() if self.spectra else [],
            "notes": list(self.notes),
        }

    def _layers(self) -> list[dict[str, str]]:
        """Pictures first, then what lies over them."""
        found = [{"id": f"picture{i}", "kind": "picture", "name": title} for i, title in enumerate(self._titles)]
        found.append({"id": "classes", "kind": "classes", "name": "Classes"})
        if self.confidence:
            found.append({"id": "confidence", "kind": "confidence", "name": "Confidence"})
        return found

    def tile(self, layer: str, level: int, x: int, y: int) -> bytes | None:
        """A PNG, or numbers for the layer `classes`; None for a layer or a place that does not exist."""
        window = self.frame.window(level, x, y)
        if window is None or layer not in [known["id"] for known in self._layers()]:
            return None
        return self._cache.get((layer, level, x, y), lambda: self._drawn(layer, level, window))

    def _drawn(self, layer: str, level: int, window: Window) -> bytes:
        if layer == "classes":
            return self.classes.tile(level, window)
        if layer == "confidence":
            assert self.confidence is not None  # noqa: S101 - else there is no such layer
            return self.confidence.tile(level, window)
        assert self.pictures is not None  # noqa: S101
        return self.pictures.tile(self._titles[int(layer.removeprefix("picture"))], level, window)

    def pixel(self, row: int, col: int) -> dict[str, Any] | None:
        """All that is known of a pixel, counted on the page; None outside. `class` is an index in the legend."""
        if not self.frame.holds(row, col):
            return None
        own = self.frame.row(row)
        return {
            "row": row,
            "col": col,
            **self._places.at(own, col),
            "class": self.classes.index_at(own, col),
            "confidence": self.confidence.at(own, col) if self.confidence else None,
            **(self.spectra.at(own, col) if self.spectra else {"values": [], "clear": True}),
        }


def _called(scene: Scene) -> str:
    """A scene by its file, or by how many it has."""
    files = [raster.path for raster in scene.rasters]
    return Path(files[0]).name if len(files) == 1 else f"{scene.name} ({len(files)} files)"


def _crs_name(crs: Any) -> str:
    """What people call a CRS."""
    import pyproj  # noqa: PLC0415 - `geo` has loaded it

    own = pyproj.CRS.from_user_input(crs)
    code = own.to_authority()
    return f"{own.name} ({':'.join(code)})" if code else own.name
