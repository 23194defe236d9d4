"""The picture of where the training and validation pixels lie."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from matplotlib.image import imsave

from landmix.report import words
from landmix.report.places import PARTS, cells_of
from landmix.report.svg import INK, LINE, QUIET, element, themed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from landmix.report.places import Places

MOST_SCENES = 24
"""Scenes that are drawn; the first ones."""

_COLORS = ("#2b7fcd", "#e8710a", "#8a94a0")
"""By the number that `Places.part` holds; a picture has one colour for light and dark pages."""
_WIDTH = 560.0
_GUTTER = 12.0
_HEAD = 26.0
_CAPTION = 15.0
_FONT = "DejaVu Sans, sans-serif"


def places(scenes: Sequence[Places]) -> str:
    """Draw a picture a scene as SVG, side by side; every labelled pixel shows in it, however large the scene is."""
    shown = scenes[:MOST_SCENES]
    columns = _columns(len(shown))
    width = (_WIDTH - _GUTTER * (columns - 1)) / columns
    width = min(width, _WIDTH if len(shown) > 1 else 440.0)
    root = Element("svg", {"font-family": _FONT})
    top = _HEAD
    for start in range(0, len(shown), columns):
        row = shown[start : start + columns]
        height = max(_fit(scene.shape, width)[0] for scene in row)
        for i, scene in enumerate(row):
            _panel(root, scene, left=i * (width + _GUTTER), top=top, room=width)
        top += height + _CAPTION + _GUTTER
    extent = columns * width + (columns - 1) * _GUTTER
    if len(scenes) > len(shown):
        _text(root, 0, top, f"and {len(scenes) - len(shown)} more scenes", fill=QUIET)
        top += _CAPTION
    _key(root, scenes)
    root.set("viewBox", f"-1 0 {max(extent, 420) + 2:g} {top:g}")
    return element(root, f"Where the labelled pixels of {len(scenes)} scenes lie", least_px=420)


def _columns(count: int) -> int:
    return next((most for most in (1, 2, 3) if count <= most * most), 4) if count else 1


def _fit(shape: tuple[int, int], room: float) -> tuple[float, float]:
    """Height and width of the scene's picture: as large as fits a square of side `room`, never a hairline."""
    scale = room / max(shape)
    return max(shape[0] * scale, 4.0), max(shape[1] * scale, 4.0)


def _panel(root: Element, scene: Places, *, left: float, top: float, room: float) -> None:
    height, width = _fit(scene.shape, room)
    box = {"x": f"{left:g}", "y": f"{top:g}", "width": f"{width:g}", "height": f"{height:g}"}
    SubElement(root, "rect", box | {"fill": "var(--ground, #eef1f4)", "stroke": themed(LINE), "stroke-width": "0.7"})
    stretch = box | {"preserveAspectRatio": "none"}
    if scene.quicklook is not None:
        SubElement(root, "image", stretch | {"href": _jpeg(_thin(scene.quicklook, round(1.4 * room)))})
    cells = cells_of(scene, round(room))
    SubElement(root, "image", stretch | {"href": _png(_paint(cells)), "style": "image-rendering:pixelated"})
    letters = max(int(room / 5.4), 8)
    _text(root, left, top + height + 11, words.label(scene.name, letters), fill=INK)


def _paint(cells: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Parts -> (H, W, 4) red, green, blue, alpha."""
    colors = [(*bytes.fromhex(color[1:]), 255) for color in _COLORS]
    return np.array([*colors, (0, 0, 0, 0)], np.uint8)[cells]


def _thin(picture: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """At most `most` rows and columns of the picture, paled so that the labels stand out."""
    step = max(-(-max(picture.shape[:2]) // most), 1)
    return (picture[::step, ::step, :3] * 0.55 + 0.45 * 235).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    nameless: dict[str, Any] = {"Software": None}
    imsave(buffer, pixels, format="png", origin="upper", dpi=72, metadata=nameless)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="jpg", origin="upper", dpi=72, pil_kwargs={"quality": 80})
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _key(root: Element, scenes: Sequence[Places]) -> None:
    """Write a line on top that says what the colours mean and how many pixels each part has."""
    left = 0.0
    for part, (name, color) in enumerate(zip(PARTS, _COLORS, strict=True)):
        count = sum(int((scene.part == part).sum()) for scene in scenes)
        if count:
            box = {"x": f"{left:g}", "y": "3", "width": "9", "height": "9", "rx": "1.5"}
            SubElement(root, "rect", box | {"fill": color})
            note = f"{name}, {words.count(count)} px"
            _text(root, left + 13, 11, note, fill=INK)
            left += 13 + 5.1 * len(note) + 14


def _text(root: Element, x: float, y: float, text: str, *, fill: str) -> None:
    SubElement(root, "text", {"x": f"{x:g}", "y": f"{y:g}", "font-size": "8.5", "fill": themed(fill)}).text = text
