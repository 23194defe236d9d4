"""What the classes look like to the sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from landmix.report import words
from landmix.report.svg import DARK_EDGE, LINE, PALE_EDGE, QUIET, apart, house_style, to_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from landmix.core.bands import BandSet

_HYPERSPECTRAL = 40
"""With more bands than this the lines break where bands are missing."""
_GAP_NM = 100.0
_NAMED_UP_TO = 20
_LEGEND_COLUMN = 20
_FEW_CLASSES = 8
_PALE, _DEEP = 0.75, 0.35
_REPEATED = 0.9


@house_style()
def spectra(
    bands: BandSet,
    names: Sequence[str],
    colors: Sequence[str],
    mean: NDArray[np.floating],
    std: NDArray[np.floating],
    unit: str,
) -> str:
    """Mean +- one standard deviation a class as SVG.

    `mean` and `std`, (K, C), are physical values in `unit`, NaN where a class has no pixels. The x axis is
    wavelength where every band has one and they differ, else the bands in order.
    """
    below = len(names) > 2 * _LEGEND_COLUMN
    columns = 6 if below else -(-len(names) // _LEGEND_COLUMN)
    figure = Figure(figsize=(8.7 if below else max(8.7 - 1.5 * columns, 5.0), 3.5))
    axes = figure.add_axes((0, 0, 1, 1))
    order, places = _places(bands)
    x = _broken(places, places)
    shade = 0.14 if len(names) <= _FEW_CLASSES else 0.06
    for i, name in enumerate(names):
        middle, spread = (_broken(rows[i, order].astype(np.float64), places) for rows in (mean, std))
        if np.isfinite(middle).any():
            axes.fill_between(x, middle - spread, middle + spread, color=colors[i], alpha=shade, linewidth=0)
            _line(axes, x, middle, color=colors[i], name=words.label(name, 24))
    _label_bands(axes, bands, order, places)
    axes.margins(x=0.02)
    axes.set_ylabel(words.label(unit or "value", 60))
    if axes.get_legend_handles_labels()[0]:
        place = (-0.05, -0.15) if below else (1.01, 1.03)
        axes.legend(loc="upper left", bbox_to_anchor=place, ncols=columns, labelspacing=0.35)
    return to_svg(figure, "spectra", f"Mean spectrum of {len(names)} classes in {len(bands)} bands")


def _places(bands: BandSet) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Order of the bands along the x axis and where they lie on it: wavelengths in nm, else 0, 1, 2, ..."""
    known = np.array([band.wavelength for band in bands if band.wavelength is not None], np.float64)
    # Several dates of one sensor repeat its wavelengths: a line through them would go up and down in one place.
    if not _by_wavelength(bands):
        return np.arange(len(bands)), np.arange(len(bands), dtype=np.float64)
    order = np.argsort(known, kind="stable")
    return order, known[order]


def _by_wavelength(bands: BandSet) -> bool:
    known = [band.wavelength for band in bands if band.wavelength is not None]
    return len(known) == len(bands) > 1 and len(set(known)) >= _REPEATED * len(known)


def _broken(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` with a NaN in each gap of the spectrum, so that no line crosses it."""
    if len(places) <= _HYPERSPECTRAL:
        return values
    return np.insert(values, np.flatnonzero(np.diff(places) > _GAP_NM) + 1, np.nan)


def _line(axes: Axes, x: NDArray[np.float64], middle: NDArray[np.float64], *, color: str, name: str) -> None:
    """Draw a line with its name for the legend, which ignores names that begin with `_`.

    Pale colours have an edge on light paper, dark ones on dark.
    """
    dots = "o" if len(x) <= _HYPERSPECTRAL else ""
    shown = name if name[0] != "_" else "\u200b" + name
    (line,) = axes.plot(x, middle, color=color, marker=dots, ms=3.2, label=shown)
    edge = PALE_EDGE if _lightness(color) > _PALE else DARK_EDGE if _lightness(color) < _DEEP else None
    if edge:
        line.set_path_effects([Stroke(linewidth=2.6, foreground=edge), Normal()])


def _lightness(color: str) -> float:
    red, green, blue = bytes.fromhex(color[1:])
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def _label_bands(axes: Axes, bands: BandSet, order: NDArray[np.intp], places: NDArray[np.float64]) -> None:
    names = [words.label(bands[i].name, 20) for i in order]
    if _by_wavelength(bands):
        axes.set_xlabel("wavelength (nm)")
        if len(bands) <= _NAMED_UP_TO and all(band.named for band in bands):
            _name_on_top(axes, names, places)
        return
    step = -(-len(names) // _HYPERSPECTRAL)
    turn = 0 if sum(len(name) + 2 for name in names) < 90 else 90  # noqa: PLR2004
    axes.set_xticks(places[::step], names[::step], rotation=turn)
    axes.set_xlabel("band")


def _name_on_top(axes: Axes, names: list[str], places: NDArray[np.float64]) -> None:
    """Band names above the plot, pushed apart where bands lie close."""
    least = np.ptp(places) / 55
    for name, at, place in zip(names, apart(places, least), places, strict=True):
        axes.annotate(
            name,
            (place, 1.0),
            (at, 1.04),
            xycoords=("data", "axes fraction"),
            textcoords=("data", "axes fraction"),
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=7,
            color=QUIET,
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
        )
