"""Tables and foreign words for the console."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from landmix.report.words import label

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

WIDTH = 80
"""Columns of a console that nobody has made wider."""


def harmless(text: object, limit: int = 200) -> str:
    """A foreign word on one line, at most `limit` places, the middle left out; a terminal obeys nothing in it."""
    clean = "".join(c if c.isprintable() else " " for c in str(text))
    short = label(clean, limit)
    return short if _width(short) <= limit else label(clean, limit // 2)


def as_json(data: Any) -> str:
    """JSON as people read it, in which a terminal obeys nothing either."""
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return re.sub(r"[^\n]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Rows of equally many cells as lines; columns of numbers end at one place, those of words, `left`, begin there."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        blanks = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        cells = [cell + b if i in left else b + cell for i, (cell, b) in enumerate(zip(row, blanks, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


def said(what: str, text: str) -> list[str]:
    """`what: text`, as many lines as it takes."""
    return wrapped(f"{what}: {text}")


def wrapped(text: str) -> list[str]:
    """Words as lines that leave room for an indent of two, all but the first indented by as much again."""
    first, *words = text.split()
    lines = [first]
    for word in words:
        if _width(lines[-1]) + 1 + _width(word) > WIDTH - 2:
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}"
    return lines


def some(words: Sequence[object], limit: int = 6, length: int = 48) -> str:
    """The first words of many, and how many more there are."""
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(harmless(word, length) for word in words[:limit]) + more


def _width(text: str) -> int:
    """Places that a text takes on a console; Chinese letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    shown = [c for c in text if not unicodedata.combining(c)]
    return len(shown) + sum(unicodedata.east_asian_width(c) in "WF" for c in shown)
