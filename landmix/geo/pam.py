"""GDAL's `.aux.xml` beside a raster: class names that neither TIFF nor rasterio can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.core.legend import Legend

_LARGEST = 10_000_000
"""Bytes of a side file that is still looked at."""

_COLUMNS = (
    # name, type (0 integer, 2 string), usage, as in GDAL's GDALRATFieldType and GDALRATFieldUsage
    ("Value", 0, 5),
    ("Count", 0, 1),
    ("ClassName", 2, 2),
    ("Red", 0, 6),
    ("Green", 0, 7),
    ("Blue", 0, 8),
    ("Alpha", 0, 9),
)


def pam_path(raster: Path) -> Path:
    """Where GDAL looks for it."""
    return raster.with_name(raster.name + ".aux.xml")


def category_names(raster: Path) -> dict[int, str]:
    """Class names by raster value, from category names or an attribute table; empty where there are none."""
    root = _root(raster)
    if root is None:
        return {}
    texts = [(node.text or "").strip() for node in root.findall("./PAMRasterBand[@band='1']/CategoryNames/Category")]
    return {value: text for value, text in enumerate(texts) if text} or {
        value: name for value, name in _column(root, "2").items() if name
    }


def category_colors(raster: Path) -> dict[int, str]:
    """Class colours `#rrggbb` by raster value from an attribute table: the only place for values above 255."""
    root = _root(raster)
    if root is None:
        return {}
    parts = [_column(root, usage) for usage in ("6", "7", "8")]
    colors: dict[int, str] = {}
    for value in parts[0]:
        try:
            channels = [int(part[value]) for part in parts]
        except (KeyError, ValueError):
            continue
        if all(0 <= channel <= 255 for channel in channels):  # noqa: PLR2004
            colors[value] = "#" + "".join(f"{channel:02x}" for channel in channels)
    return colors


def _root(raster: Path) -> ET.Element | None:
    """The side file of a raster; None where there is none that can be read."""
    path = pam_path(raster)
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return None
    try:
        return ET.fromstring(path.read_bytes())  # noqa: S314 - expat >= 2.4.1 refuses entity bombs
    except ET.ParseError:
        return None


def _column(root: ET.Element, wanted: str) -> dict[int, str]:
    """The texts of a column of the attribute table, by class value (usage 5); `wanted` is its usage."""
    table = root.find("./PAMRasterBand[@band='1']/GDALRasterAttributeTable")
    if table is None:
        return {}
    usage = {field.findtext("Usage"): int(field.get("index", "-1")) for field in table.findall("FieldDefn")}
    texts: dict[int, str] = {}
    for row in table.findall("Row"):
        cells = [cell.text or "" for cell in row.findall("F")]
        try:
            texts[int(float(cells[usage["5"]]))] = cells[usage[wanted]].strip()
        except (KeyError, IndexError, ValueError):
            continue
    return texts


def pam_xml(legend: Legend, counts: dict[int, int]) -> str:
    """Category names by position (for GDAL and QGIS) and an attribute table with pixel counts by value."""
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    names = {c.value: c.name for c in legend}
    if max(legend.values) < 256:  # noqa: PLR2004 - a list of 65536 names would only be empty lines
        categories = ET.SubElement(band, "CategoryNames")
        for value in range(max(legend.values) + 1):
            ET.SubElement(categories, "Category").text = names.get(value, "")
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(_COLUMNS):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, content in (("Name", name), ("Type", str(kind)), ("Usage", str(usage))):
            ET.SubElement(field, tag).text = content
    for index, c in enumerate(legend):
        row = ET.SubElement(table, "Row", index=str(index))
        for cell in (c.value, counts.get(c.value, 0), c.name, *c.rgb, 255):
            ET.SubElement(row, "F").text = str(cell)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
