"""Numbers and foreign text as people read them."""

from __future__ import annotations

import math
import re
from typing import SupportsFloat

DASH = "\N{EN DASH}"
"""Stands for a figure that was not measured."""

# What XML 1.0 forbids, in which class names and file names from outside may still come.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MANY = 10_000_000


def clean(text: str) -> str:
    """`text` with all that HTML and XML cannot hold (control characters, lone surrogates) replaced by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def label(text: str, limit: int = 28) -> str:
    """`text` cleaned, on one line, at most `limit` characters: names often differ at their end, so the middle goes."""
    line = " ".join(clean(text).split())
    if len(line) <= limit:
        return line
    tail = (limit - 1) // 2
    return line[: limit - 1 - tail].rstrip() + "\N{HORIZONTAL ELLIPSIS}" + line[-tail:].lstrip()


def number(value: object) -> float | None:
    """`value` as a finite float; None for null, NaN, and what is no number."""
    if value is None or not isinstance(value, SupportsFloat):
        return None
    figure = float(value)
    return figure if math.isfinite(figure) else None


def percent(fraction: object) -> str:
    """0.9312 -> `93.1 %`; a figure that is not whole is never rounded to 0 or 100; a dash for null."""
    figure = number(fraction)
    if figure is None:
        return DASH
    shown = f"{100 * figure:.1f}"
    if shown == "100.0" and figure < 1:
        return ">99.9 %"
    return "<0.1 %" if shown == "0.0" and figure > 0 else f"{shown} %"


def points(low: object = None, high: object = None) -> str:
    """The interval of a fraction, 0.9312 and 0.96 -> `93.1 to 96.0`; nothing where an end is null."""
    ends = number(low), number(high)
    if ends[0] is None or ends[1] is None:
        return ""
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def decimal(figure: object) -> str:
    """0.91234 -> `0.912`, with a true minus; a dash for null."""
    value = number(figure)
    return DASH if value is None else f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def count(value: object) -> str:
    """1234567 -> `1,234,567`; a dash for null."""
    whole = number(value)
    return DASH if whole is None else f"{round(whole):,}"


def compact(value: int) -> str:
    """As `count`, but `12.3M` from ten million."""
    return f"{value / 1e6:.1f}M" if value >= _MANY else count(value)


def area(square_metres: float) -> str:
    """`3.2 km²`, `4.1 ha` or `12 m²`, whichever reads best."""
    for unit, size in (("km²", 1e6), ("ha", 1e4)):
        if square_metres >= size:
            return f"{square_metres / size:,.1f} {unit}"
    return f"{square_metres:,.0f} m²"


def length(metres: object) -> str:
    """`12 m` or `3.4 km`; a dash for null."""
    value = number(metres)
    if value is None:
        return DASH
    return f"{value / 1000:.1f} km" if value >= 1000 else f"{value:.3g} m"  # noqa: PLR2004


def plain(value: object) -> str:
    """Write a setting as people read it."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return str(value)
