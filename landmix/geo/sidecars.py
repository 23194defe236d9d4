"""The files beside a map by which QGIS and ArcGIS know its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.files import write_text
from landmix.geo.pam import pam_path, pam_xml
from landmix.geo.styles import class_style, share_style
from landmix.geo.whole import write_vector

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.core.legend import Legend


def sidecar_paths(raster: Path) -> dict[str, Path]:
    """Every side file that GIS programs may look for beside a map."""
    return {
        "qml": raster.with_suffix(".qml"),
        "aux": pam_path(raster),
        "vat": raster.with_name(raster.name + ".vat.dbf"),
        "cpg": raster.with_name(raster.name + ".vat.cpg"),
        "ovr": raster.with_name(raster.name + ".ovr"),
        "msk": raster.with_name(raster.name + ".msk"),
    }


def remove_sidecars(raster: Path) -> None:
    """Remove what an older map left: an old style would give the new map wrong names."""
    for path in sidecar_paths(raster).values():
        path.unlink(missing_ok=True)


def write_sidecars(raster: Path, legend: Legend, counts: dict[int, int]) -> None:
    """Write style, category names and attribute tables; `counts` are pixels by class value."""
    paths = sidecar_paths(raster)
    write_text(paths["aux"], pam_xml(legend, counts))
    write_text(paths["qml"], class_style(legend))
    _write_vat(paths["vat"], legend, counts)
    write_text(paths["cpg"], "UTF-8\n")


def write_share_style(raster: Path, highest: float = 1.0) -> None:
    """Write the style of a raster of shares from 0 to 1, or from 0 to another highest value."""
    write_text(sidecar_paths(raster)["qml"], share_style(highest))


def _cut(name: str) -> str:
    """As much of a name as a dBASE text of 254 bytes holds."""
    return name.encode()[:254].decode(errors="ignore")


def _write_vat(path: Path, legend: Legend, counts: dict[int, int]) -> None:
    """ArcGIS's attribute table: colours as reals from 0 to 1."""
    columns = {
        "Value": np.array(legend.values, np.int32),
        "Count": np.array([counts.get(value, 0) for value in legend.values], np.int64),
        "ClassName": np.array([_cut(name) for name in legend.names], object),
    }
    for i, name in enumerate(("Red", "Green", "Blue")):
        columns[name] = np.array([c.rgb[i] / 255 for c in legend])
    write_vector(path, geometry=None, columns=columns, driver="ESRI Shapefile", encoding="UTF-8")
