"""Metadata files of products: XML, ODL text (MTL) or JSON, as one flat mapping."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 64 * 2**20
"""Bytes of a metadata file; real ones have at most a few million."""


def read_header(content: bytes, where: str) -> dict[str, str]:
    """Texts by `TAG` (the first of that name) and `PARENT/TAG`.

    An XML element with an attribute `band_id` is `TAG/<band_id>`. Raises `LandmixError` for a file that is none of
    these, or that declares a document type, which could name or multiply anything.
    """
    content = content.rstrip(b"\0 \r\n\t")
    begin = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
    try:
        if begin == b"<":
            if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
                msg = f"the metadata {where} declares a document type, which product metadata does not do"
                raise LandmixError(msg)
            pairs = _xml(ET.fromstring(content))  # noqa: S314 - no document type, so no entities
        elif begin == b"{":
            pairs = _json(json.loads(content))
        else:
            pairs = _odl(content.decode("utf-8", "replace"))
    except (ET.ParseError, ValueError, RecursionError) as error:
        msg = f"cannot read the metadata {where}: {error}"
        raise LandmixError(msg) from error
    flat: dict[str, str] = {}
    for parent, key, text in pairs:
        flat.setdefault(key, text)
        flat.setdefault(f"{parent}/{key}", text)
    if not flat:
        msg = f"the metadata {where} holds nothing that can be read"
        raise LandmixError(msg)
    return flat


def _xml(root: ET.Element) -> Iterable[tuple[str, str, str]]:
    """Leaves, by local names."""
    for parent in root.iter():
        for child in parent:
            text = (child.text or "").strip()
            if text and not len(child):
                band = f"/{child.attrib['band_id']}" if "band_id" in child.attrib else ""
                yield _local(parent), _local(child) + band, text


def _local(element: ET.Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _json(data: Any, parent: str = "") -> Iterable[tuple[str, str, str]]:
    for key, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict):
            yield from _json(value, key)
        elif isinstance(value, str | int | float):
            yield parent, key, str(value)


def _odl(text: str) -> Iterable[tuple[str, str, str]]:
    """`KEY = VALUE` lines in `GROUP = NAME` ... `END_GROUP`."""
    groups: list[str] = []
    for line in text.splitlines():
        found = re.match(r"\s*([A-Za-z0-9_.]+)\s*=\s*(.*?)\s*$", line)
        if found is None:
            continue
        key, value = found[1], found[2].strip('"')
        if key == "GROUP":
            groups.append(value)
        elif key == "END_GROUP":
            groups = groups[:-1]
        else:
            yield groups[-1] if groups else "", key, value
