"""QGIS's own styles: what gives values names and colours when a raster is opened there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from landmix.core.legend import Legend

_COLORS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""From 0 to 1: from dark to light, also where colours are not told apart; and never white, which nodata is on paper."""


def class_style(legend: Legend) -> str:
    """The style of a class map: paletted, exactly the classes of the legend."""
    renderer = _renderer("paletted")
    entries = ET.SubElement(renderer, "colorPalette")
    for c in legend:
        ET.SubElement(entries, "paletteEntry", value=str(c.value), label=c.name, color=c.color, alpha="255")
    return _style(renderer)


def share_style(highest: float = 1.0) -> str:
    """The style of a raster of shares: the first band, always from 0 to 1, so that two maps can be compared by eye.

    `highest`: another end than 1.
    """
    renderer = _renderer("singlebandpseudocolor", classificationMin="0", classificationMax=f"{highest:g}")
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue="0",
        maximumValue=f"{highest:g}",
        labelPrecision="2",
    )
    places = [f"{i / (len(_COLORS) - 1):g}" for i in range(len(_COLORS))]
    stops = list(zip(places, _COLORS, strict=True))
    # twice: the layer tree draws the ramp, the items colour the map
    ramp = ET.SubElement(ET.SubElement(shader, "colorramp", name="[source]", type="gradient"), "Option", type="Map")
    for name, value in (
        ("color1", _rgba(_COLORS[0])),
        ("color2", _rgba(_COLORS[-1])),
        ("discrete", "0"),
        ("rampType", "gradient"),
        ("stops", ":".join(f"{place};{_rgba(color)}" for place, color in stops[1:-1])),
    ):
        ET.SubElement(ramp, "Option", name=name, type="QString", value=value)
    for place, color in stops:
        value = f"{highest * float(place):g}"
        ET.SubElement(shader, "item", value=value, label=value, color=color, alpha="255")
    return _style(renderer)


def _rgba(color: str) -> str:
    return ",".join(str(channel) for channel in (*bytes.fromhex(color[1:]), 255))


def _renderer(kind: str, **more: str) -> ET.Element:
    always = {"band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    return ET.Element("rasterrenderer", {"type": kind, **always, **more})


def _style(renderer: ET.Element) -> str:
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    ET.SubElement(root, "pipe").append(renderer)
    ET.indent(root)
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, "unicode") + "\n"
