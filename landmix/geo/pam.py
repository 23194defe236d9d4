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
    path = pam_path(raster)
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return {}
    try:
        root = ET.fromstring(path.read_bytes())  # noqa: S314 - expat >= 2.4.1 refuses entity bombs
    except ET.ParseError:
        return {}
    texts = [(node.text or "").strip() for node in root.findall("./PAMRasterBand[@band='1']/CategoryNames/Category")]
    return {value: text for value, text in enumerate(texts) if text} or _table_names(root)


def _table_names(root: ET.Element) -> dict[int, str]:
    """Class names from a raster attribute table: the columns with usage 5 (value) and 2 (name)."""
    table = root.find("./PAMRasterBand[@band='1']/GDALRasterAttributeTable")
    if table is None:
        return {}
    usage = {field.findtext("Usage"): int(field.get("index", "-1")) for field in table.findall("FieldDefn")}
    names: dict[int, str] = {}
    for row in table.findall("Row"):
        cells = [cell.text or "" for cell in row.findall("F")]
        try:
            value, name = int(float(cells[usage["5"]])), cells[usage["2"]].strip()
        except (KeyError, IndexError, ValueError):
            continue
        if name:
            names[value] = name
    return names


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
