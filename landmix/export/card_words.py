"""Foreign text and figures as Markdown."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 200
"""Characters that are kept of a name."""

DASH = "\N{EN DASH}"
"""Stands for what is not known."""

# control characters, line ends, lone surrogates, and what turns the direction of writing
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
# also links without brackets, and words that some pages turn into pictures
_MARKS = re.compile(r"([\\`*_\[\]|~!@$]|(?<=www)\.|:(?=//|[-+\w]+:))", re.IGNORECASE)
# what makes a heading, a list or a rule of a line that begins with it
_FIRST = re.compile(r"^(\d+(?=[.)](\s|$))|(?=[-#+=]))")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_DIGEST = re.compile(r"[0-9a-f]{16,128}")


class Markdown(str):
    """Text that is Markdown already, and is not escaped again."""

    __slots__ = ()


def escaped(value: object, longest: int = LONGEST) -> str:
    """Any text so that Markdown shows it as it is, on one line: no emphasis, links, tables, HTML or formulas in it."""
    if isinstance(value, Markdown):
        return value
    text = " ".join(_INVISIBLE.sub(" ", DASH if value is None else str(value)).split())
    if len(text) > longest:
        text = text[:longest] + "\N{HORIZONTAL ELLIPSIS}"
    return _FIRST.sub(r"\1\\", _MARKS.sub(r"\\\1", text)).translate(_HTML)


def digest(value: object) -> str:
    """A digest as code; other text as it is."""
    text = str(value)
    return Markdown(f"`{text}`") if _DIGEST.fullmatch(text) else text


def listed(names: Sequence[object], limit: int = 20) -> str:
    """Names in a row, the first ones of many."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return Markdown(", ".join(escaped(name) for name in names[:limit]) + more)


def number(value: object) -> float | None:
    """A finite number; None for anything else that a file may hold."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def percent(value: object) -> str:
    """0.931 -> `93.1 %`."""
    figure = number(value)
    if figure is None:
        return DASH
    return ">99.9 %" if 0.9995 <= figure < 1 else f"{100 * figure:.1f} %"  # noqa: PLR2004 - only all is 100 %


def count(value: object) -> str:
    """1234567 -> `1,234,567`."""
    figure = number(value)
    return DASH if figure is None else f"{round(figure):,}"


def plain(value: object, digits: int = 6) -> str:
    """A number with as many digits as it needs."""
    figure = number(value)
    return DASH if figure is None else Markdown(f"{figure:.{digits}g}")


def metres(value: object) -> str:
    """A length of some metres or kilometres."""
    figure = number(value)
    if figure is None:
        return DASH
    if figure >= 10_000:  # noqa: PLR2004
        return f"{figure / 1000:.3g} km"
    return f"{figure:.0f} m" if figure >= 100 else f"{figure:.3g} m"  # noqa: PLR2004


def table(of: object, key: str) -> dict[str, Any]:
    """A mapping out of foreign data; empty where there is none."""
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def rows(of: object, key: str) -> list[dict[str, Any]]:
    """A list of mappings out of foreign data; empty where there is none."""
    found = of.get(key) if isinstance(of, dict) else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
