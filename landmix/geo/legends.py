"""Legends written by users: YAML or CSV with value, name and colour."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import yaml

from landmix.core.legend import Legend, LegendClass, colors_for
from landmix.errors import LandmixError
from landmix.files import why

_LIMIT = 2**24
"""Bytes of a legend."""


def read_legend(path: str) -> Legend:
    """Read a legend file: rows (CSV) or a list of mappings (YAML) with `value`, `name` and, if wanted, `color`.

    Raises `LandmixError` that names the file for anything else.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            msg = f"the legend {path} has more than {_LIMIT} bytes; one has a few thousand"
            raise LandmixError(msg)
        text = content.decode("utf-8-sig")
        rows = list(csv.DictReader(text.splitlines())) if path.lower().endswith(".csv") else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, csv.Error, RecursionError) as error:
        msg = f"cannot read the legend {path}: {why(error)}"
        raise LandmixError(msg) from error
    rows = rows.get("classes", rows) if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        msg = f"the legend {path} must be a list of classes with value, name and color"
        raise LandmixError(msg)
    try:
        return make_legend([_class(row) for row in rows])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"each class needs {error}" if isinstance(error, KeyError) else str(error)
        msg = f"the legend {path} cannot be used: {what}"
        raise LandmixError(msg) from error


def _class(row: dict[str, Any]) -> tuple[int, str, str | None]:
    color = row.get("color") or row.get("colour") or None
    try:
        value = int(row["value"])
    except (TypeError, ValueError):
        msg = f"a class value must be a whole number, not {row['value']!r}"
        raise ValueError(msg) from None
    return value, str(row["name"]).strip(), None if color is None else str(color).strip().lower()


def make_legend(classes: list[tuple[int, str, str | None]]) -> Legend:
    """A legend from (value, name, colour or None), ordered by value; missing colours are chosen."""
    ordered = sorted(classes, key=lambda c: c[0])
    chosen = colors_for([name for _, name, _ in ordered])
    return Legend(
        tuple(
            LegendClass(value=value, name=name, color=color or spare)
            for (value, name, color), spare in zip(ordered, chosen, strict=True)
        )
    )
