"""Reading labelled points and polygons."""

from __future__ import annotations

import difflib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import pyproj
import shapely
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyproj.exceptions import ProjError

from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo.beside import check_regular
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.vector_kinds import check_content, check_driver, network

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.crs import CRS


_FAILURES = (
    DataSourceError, DataLayerError, FeatureError, GeometryError, FieldError, CRSError, UnicodeDecodeError, IndexError
)  # fmt: skip
"""What pyogrio raises of files; the last where a header says that there is a layer, and there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Labelled geometries of one file."""

    path: str
    crs: str | None
    """Anything that pyproj understands; None where the file has none."""
    geometries: NDArray[np.object_]
    """(N,) shapely points and polygons, 2-D, never None or empty."""
    keys: tuple[str | int, ...]
    """The class of each: its text or its whole number."""
    blank: int = 0
    """Features of the file that are left out, because they have no class or no geometry."""

    @property
    def points(self) -> list[int]:
        """Positions of the features that are points."""
        return [i for i, geometry in enumerate(self.geometries) if "Point" in geometry.geom_type]

    def on(self, crs: CRS | None) -> NDArray[np.object_]:
        """The geometries in another CRS (vertices only, as GIS programs do it).

        A file without CRS is taken to be in the wanted one. Raises `LandmixError` where only the labels have one.
        """
        if self.crs is None:
            return self.geometries
        if crs is None:
            msg = f"{self.path} has a CRS but the scene has none: labels cannot be placed on it without georeference"
            raise LandmixError(msg)
        try:
            transformer = pyproj.Transformer.from_crs(self.crs, crs.to_wkt(), always_xy=True)
        except ProjError as error:
            msg = f"{self.path} cannot be brought into the CRS of the scene: {error}"
            raise LandmixError(msg) from error
        moved = shapely.transform(
            self.geometries, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        )
        return np.asarray(moved, object)


def read_features(path: str, field: str | None, layer: str | None = None, limits: Limits = DEFAULT) -> Features:
    """Read the points and polygons of a vector file with their classes.

    Features without a class or a geometry, or with coordinates that are no numbers, are left out. Curves become
    straight pieces, heights are dropped. Raises `LandmixError` for a file that is no vector file, is
    empty, lacks the field, or holds lines.
    """
    check_content(path)
    if not is_remote(path):
        check_regular(path)
    limits.check_vector(path)
    try:
        with network(path), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what GDAL finds odd; what matters is an error
            layer = layer or _layer(path, field)
            info = pyogrio.read_info(path, layer=layer)
            check_driver(path, str(info["driver"]))
            names = [str(name) for name in info["fields"]]
            chosen = _field(path, names, field)
            meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer, columns=[chosen], force_2d=True)
    except _FAILURES as error:
        msg = f"cannot read {path} as labels, neither as a raster nor as a vector file: {error}"
        raise LandmixError(msg) from error
    if wkb is None or not len(wkb):
        msg = f"{path} holds no features"
        raise LandmixError(msg)
    values, filled = _keys(path, chosen, columns[0])
    with np.errstate(invalid="ignore"):  # coordinates can be NaN
        geometries = shapely.from_wkb(wkb, on_invalid="ignore")
    kept = filled & ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    kept &= np.isfinite(shapely.bounds(geometries)).all(1)
    if not kept.any():
        msg = f"no feature of {path} has both a geometry and a value in the field '{chosen}'"
        raise LandmixError(msg)
    geometries = geometries[kept]
    _check_kinds(path, geometries)
    keys = tuple(value for value, keep in zip(values, kept, strict=True) if keep)
    return Features(path=path, crs=meta["crs"], geometries=geometries, keys=keys, blank=int((~kept).sum()))


def _layer(path: str, field: str | None) -> str | None:
    """The layer to read: the only one, or the only one with geometry and the field."""
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if len(layers) < 2:  # noqa: PLR2004
        return layers[0] if layers else None
    fitting = [name for name in layers if field is None or field in pyogrio.read_info(path, layer=name)["fields"]]
    if len(fitting) != 1:
        msg = f"{path} has the layers {', '.join(layers)}: choose one with data.layer"
        raise LandmixError(msg)
    return fitting[0]


def _field(path: str, names: list[str], wanted: str | None) -> str:
    """The attribute that holds the class: the one asked for, else the only one, else `class`."""
    has = f"{path} has the fields {', '.join(names)}" if names else f"{path} has no fields"
    if wanted is not None and wanted in names:
        return wanted
    if wanted is not None:
        near = difflib.get_close_matches(wanted, names, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        msg = f"no field '{wanted}': {has}{hint}"
        raise LandmixError(msg)
    if len(names) == 1 or "class" in names:
        return names[0] if len(names) == 1 else "class"
    msg = f"the class attribute must be named with data.field (evaluate: field): {has}"
    raise LandmixError(msg)


def _keys(path: str, field: str, column: NDArray[Any]) -> tuple[list[str | int], NDArray[np.bool_]]:
    """Classes as text or whole numbers, and which features have one."""
    if column.dtype.kind in "iub":
        return [int(value) for value in column], np.ones(len(column), np.bool_)
    if column.dtype.kind == "f":
        filled = np.isfinite(column)
        if (column[filled] != np.round(column[filled])).any():
            msg = f"classes must be whole numbers or text, but the field '{field}' of {path} holds fractions"
            raise LandmixError(msg)
        return [int(value) if ok else 0 for value, ok in zip(column, filled, strict=True)], filled
    # control characters have no place in a legend
    texts: list[str | int] = ["" if value is None else " ".join(str(value).split()) for value in column]
    return texts, np.array([bool(text) for text in texts])


def _check_kinds(path: str, geometries: NDArray[np.object_]) -> None:
    """Lines cover no pixels."""
    usable = {"Point", "MultiPoint", "Polygon", "MultiPolygon"}
    other = sorted({geometry.geom_type for geometry in geometries} - usable)
    if other:
        msg = f"labels must be points or polygons, but {path} holds {', '.join(other)}"
        raise LandmixError(msg)
