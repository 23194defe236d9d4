"""What STAC asks of the documents that landmix writes, checked offline.

The schemas of STAC 1.1.0 itself come with pystac. Those of the extensions come in no package, so what they ask of our
documents is written down in `stac_shapes`, and somewhat more strictly. Where their own files are at hand
(LANDMIX_STAC_SCHEMAS, a folder that holds `stac-extensions.github.io/mlm/v1.5.2/schema.json` and so on), they are asked
too.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from stac_files import load
from stac_shapes import COLLECTION, MAP, MODEL, Document

pystac = pytest.importorskip("pystac", reason="pystac, which holds the schemas of STAC, is not installed")

SCHEMAS = Path(os.environ.get("LANDMIX_STAC_SCHEMAS", "no-such-folder"))
"""Schemas of the extensions, by address."""

_VERSIONS = {
    "mlm": "1.5.2", "classification": "2.0.0", "proj": "2.0.0", "raster": "2.0.0", "eo": "2.0.0", "file": "2.1.0",
    "processing": "1.2.0",
}  # fmt: skip
_FOLDERS = {"proj": "projection"}


def checked(path: Path) -> Document:
    """A document that is valid, and that pystac opens."""
    document = load(path)
    assert problems(document) == []
    assert pystac.read_file(str(path)).id == document["id"]
    return document


def links(document: Document, rel: str) -> list[str]:
    """The addresses of its links of one kind."""
    return [link["href"] for link in document["links"] if link["rel"] == rel]


def problems(document: Document) -> list[str]:
    """What is wrong with a document; empty if nothing is."""
    if document.get("type") == "Collection":
        core, own = "collection-spec/json-schema/collection.json", COLLECTION
    else:
        core = "item-spec/json-schema/item.json"
        own = MODEL if "mlm:name" in document.get("properties", {}) else MAP
    found = _errors({"$ref": f"https://schemas.stacspec.org/v1.1.0/{core}"}, document) + _errors(own, document)
    known = document.get("stac_extensions", [])
    if known != [address for prefix in _VERSIONS if (address := _address(prefix)) and _uses(document, prefix)]:
        found.append(f"its extensions are not those of its fields: {known}")
    for address in known:
        if (SCHEMAS / address.removeprefix("https://")).is_file():
            found += _errors({"$ref": address}, document)
    return found


def _address(prefix: str) -> str:
    name = _FOLDERS.get(prefix, prefix)
    return f"https://stac-extensions.github.io/{name}/v{_VERSIONS[prefix]}/schema.json"


def _uses(document: Document, prefix: str) -> bool:
    return f'"{prefix}:' in json.dumps(document)


def _errors(schema: Document, document: Document) -> list[str]:
    validator = jsonschema.Draft7Validator(schema, registry=_registry())
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)]


@cache
def _registry() -> Registry[Any]:
    """Every schema at hand, by address."""
    folder = Path(pystac.__file__).parent / "validation" / "jsonschemas"
    found: dict[str, Document] = {"https://proj.org/schemas/v0.7/projjson.schema.json": {}}
    for path in (folder / "stac-spec" / "v1.1.0").glob("*.json"):
        part = f"{path.stem}-spec" if path.stem in {"catalog", "collection"} else "item-spec"
        found[f"https://schemas.stacspec.org/v1.1.0/{part}/json-schema/{path.name}"] = _load(path)
    for path in (folder / "geojson").glob("*.json"):
        found[f"https://geojson.org/schema/{path.name}"] = _load(path)
    for path in SCHEMAS.rglob("*.json"):
        found[f"https://{path.relative_to(SCHEMAS).as_posix()}"] = _load(path)
    registry: Registry[Any] = Registry()
    return registry.with_resources(
        (address, Resource.from_contents(schema, default_specification=DRAFT7)) for address, schema in found.items()
    )


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
