"""How every figure is drawn: one style, and SVG that can stand inside a page beside other SVGs."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings
from xml.etree import ElementTree as ET  # it only reads what matplotlib wrote

import matplotlib as mpl
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

INK = "#1f2934"
QUIET = "#5b6876"
LINE = "#c9d1d8"
GRID = "#e6eaef"
PAPER = "#fefefe"
BLUE = "#1f6fb5"
ORANGE = "#e0690a"
PALE_EDGE, DARK_EDGE = "#8b97a4", "#fefdfe"
"""Around lines in colours that light, or dark, paper would swallow."""
RIGHT, WRONG = "#0b4b80", "#e8741b"
"""Cells of a matrix, as much of the colour as their share."""
CELL_INK = "#000001"

THEMED = {
    INK: "ink",
    QUIET: "quiet",
    LINE: "edge",
    GRID: "grid",
    PAPER: "card",
    BLUE: "blue",
    ORANGE: "orange",
    PALE_EDGE: "pale-edge",
    DARK_EDGE: "dark-edge",
    RIGHT: "right",
    WRONG: "wrong",
    CELL_INK: "cell-ink",
}
"""Colours that the page has for light and for dark, by the names of its CSS variables. They are unlike any that people
choose, so that the colour of a class is never taken for one of them."""

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "landmix",
    "svg.fonttype": "none",  # text stays text: small, searchable, and in every script that the reader's fonts have
    "text.parse_math": False,  # class names may hold `$`
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.2,
}
_PX = 4 / 3
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_COLOR = re.compile("#[0-9a-f]{6}")
_FINE = re.compile(r"(\.\d\d)\d+")
"""What a path says beyond hundredths of a point: a third of it."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the reports' style, whatever the user's matplotlibrc says; leave that untouched. Also a decorator."""
    with mpl.rc_context(), catch_warnings():
        filterwarnings("ignore", message="Glyph")  # the reader's fonts draw the text, not those of this machine
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def bare(axes: Axes) -> None:
    """Take spines, ticks and grid off, keep the labels."""
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def apart(places: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Ascending `places` moved as little as needed to lie at least `least` apart, to both sides alike."""
    steps = np.arange(len(places)) * least
    upward = np.maximum.accumulate(places - steps) + steps
    downward = np.minimum.accumulate((places - steps)[::-1])[::-1] + steps
    return np.asarray((upward + downward) / 2)


def to_svg(figure: Figure, name: str, description: str, *, least_px: int = 560) -> str:
    """Write the figure as an `<svg>` element, cut to what is drawn.

    `name` makes its ids differ from those of other figures on the page; `description` is read to those who do
    not see it; on a narrow page it shrinks to `least_px`. Must be called inside `house_style`.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.06, transparent=True)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314
    for child in root.findall(_SVG + "metadata"):
        root.remove(child)
    for defs in root.iter(_SVG + "defs"):
        for style in defs.findall(_SVG + "style"):  # it would hold for the whole page
            defs.remove(style)
    _rename(root, name)
    for node in root.iter():
        if "d" in node.attrib:
            node.attrib["d"] = _FINE.sub(r"\1", node.attrib["d"])
        node.attrib |= {key: _COLOR.sub(lambda found: themed(found[0]), value) for key, value in node.attrib.items()}
    return element(root, description, least_px=least_px)


def themed(color: str) -> str:
    """A colour of the house as the page's variable, with itself where no page is around; any other as it is."""
    return f"var(--{THEMED[color]}, {color})" if color in THEMED else color


def element(root: ET.Element, description: str, *, least_px: int = 560) -> str:
    """Write the element as text, with the attributes that all figures share.

    Its viewBox is in points; where the page is narrow it shrinks to `least_px`, then scrolls.
    """
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    root.attrib.update(
        {
            "xmlns": _SVG.strip("{}"),
            "role": "img",
            "aria-label": description,
            "width": f"{width * _PX:.0f}",
            "height": f"{height * _PX:.0f}",
            # On a phone a figure scrolls inside its box before its text gets too small to read.
            "style": f"max-width:100%;height:auto;min-width:{min(width * _PX, least_px):.0f}px",
            "stroke-linejoin": "round",
            "stroke-linecap": "butt",
        }
    )
    return ET.tostring(root, encoding="unicode")


def _rename(root: ET.Element, name: str) -> None:
    """Drop namespace prefixes and the ids that nothing refers to; put `name` before the others."""
    for node in root.iter():
        node.tag = node.tag.removeprefix(_SVG)
        if _XLINK + "href" in node.attrib:
            node.attrib["href"] = node.attrib.pop(_XLINK + "href")
    wanted = {target for node in root.iter() for target in _targets(node)}
    for node in root.iter():
        identity = node.attrib.pop("id", "")
        if identity in wanted:
            node.attrib["id"] = f"{name}-{identity}"
        for key, value in node.attrib.items():
            if key == "href" and value.startswith("#"):
                node.attrib[key] = f"#{name}-{value[1:]}"
            elif "url(#" in value:
                node.attrib[key] = _REFERENCE.sub(rf"url(#{name}-\1)", value)


def _targets(node: ET.Element) -> list[str]:
    href = node.attrib.get("href", "")
    found = [target for value in node.attrib.values() for target in _REFERENCE.findall(value)]
    return [*found, href[1:]] if href.startswith("#") else found
