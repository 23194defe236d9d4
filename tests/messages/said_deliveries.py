"""Product folders, descriptions of products, and STAC items."""

from __future__ import annotations

import contextlib
import io
import json
import urllib.error
import zipfile
from email.message import Message
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml
from commands import write_classes
from deliveries import at, landsat_folder, safe_folder, sentinel_folder, stac_item
from provoking import Case, Group, good_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSPECT = ("inspect",)
TRAIN = ("train", "data.labels=labels.gpkg", "data.field=class", "out_dir=new", "device=cpu")
PREDICT = ("predict", "device=cpu", "out_dir=new", "model=model.ckpt")
LIBRARY = r"(?<=cannot read (the )?metadata broken\.SAFE/MTD_MSIL2A\.xml: ).*"

OWN: dict[str, Any] = {"title": "Own", "scale": 0.1, "offset": 0, "bands": {"red": {"file": "*_red.tif"}}}
"""A product that can be used; `DESCRIBED` are those that cannot."""
CLASSES = {"file": "*_scl.tif", "kind": "classes", "values": {"cloud": 9, "land": 4}, "clear": ["land"]}
DESCRIBED: dict[str, Any] = {
    "no band": {"title": "Own"},
    "scale of 0": {**OWN, "scale": 0},
    "offset of no size": {**OWN, "offset": float("inf")},
    "text for a wavelength": {**OWN, "bands": {"red": {"file": "*_red.tif", "wavelength": "long"}}},
    "key that is not known": {**OWN, "colour": "red"},
    "list": [1, 2],
    "decoding that is not known": {**OWN, "decode": "magic"},
    "reference that is no band": {**OWN, "reference": "blue"},
    "band without a file": {**OWN, "bands": {"red": {}}, "metadata": ["x.xml"], "recognise": ["x.xml"]},
    "stack without a count": {"title": "Own", "stack": {"names": "A{0.real}", "count": 3}},
    "clear class that is not there": {**OWN, "quality": {**CLASSES, "clear": ["snow"]}},
    "quality without classes": {**OWN, "quality": {**CLASSES, "values": {}, "clear": []}},
    "quality bit of no number": {**OWN, "quality": {**CLASSES, "kind": "bits", "values": {"land": 99}}},
}
NUMBERED = {
    **OWN,
    "metadata": ["*.xml"],
    "scale": {"key": "SCALE", "inverse": True, "absent": 1, "otherwise": 1},
    "bands": {"red": {"file": "*_red.tif"}},
}
JUDGED = {**OWN, "quality": {"file": "*_red.tif", "kind": "bands", "values": {"land": 3}, "clear": ["land"]}}
BEYOND = {**OWN, "bands": {"red": {"file": "*_red.tif", "number": 3}}}


def _asset(href: str, **more: Any) -> dict[str, Any]:
    band = {"name": "red", "common_name": "red", "center_wavelength": 0.665}
    return {"href": href, "type": "image/tiff", "roles": ["data"], "eo:bands": [band], **more}


def _item(path: Path, href: str = "red.tif", properties: Any = None, **asset: Any) -> None:
    item = {"type": "Feature", "id": "A1", "properties": properties or {}, "assets": {"red": _asset(href, **asset)}}
    path.write_text(json.dumps(item), encoding="utf-8")


def _items(folder: Path) -> None:
    write_classes(folder / "red.tif")
    (folder / "broken.json").write_text("{", encoding="utf-8")
    (folder / "catalog.json").write_text('{"type": "Catalog"}', encoding="utf-8")
    (folder / "else.json").write_text('{"a": 1}', encoding="utf-8")
    (folder / "large.json").touch()
    with (folder / "large.json").open("r+b") as file:
        file.truncate(65 * 2**20)
    _item(folder / "outside.json", "../red.tif")
    _item(folder / "scheme.json", "ftp://example.org/red.tif")
    _item(folder / "vsi.json", "/vsicurl/http://example.org/red.tif")
    _item(folder / "inside.json", "http://192.168.1.1/red.tif")
    _item(folder / "odd link.json", "http://[red.tif")
    _item(folder / "gone.json", "gone.tif")
    odd: dict[str, Any] = {"raster:bands": [{"scale": "big", "offset": 0}]}
    _item(folder / "scale.json", **odd)
    said: dict[str, Any] = {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}
    _item(folder / "applied.json", properties={"earthsearch:boa_offset_applied": True}, **said)
    late = {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09"}
    none: dict[str, Any] = {"raster:bands": [{"scale": 0.0001, "offset": 0}]}
    _item(folder / "not applied.json", properties=late, **none)
    item = json.loads((folder / "not applied.json").read_text(encoding="utf-8"))
    (folder / "not applied.json").write_text(json.dumps(item | {"collection": "sentinel-2-l2a"}), encoding="utf-8")
    _item(folder / "quiet.json")
    item = json.loads((folder / "quiet.json").read_text(encoding="utf-8"))
    item["assets"] = {"preview": {"href": "red.png", "type": "image/png", "roles": ["thumbnail"]}}
    (folder / "no bands.json").write_text(json.dumps(item), encoding="utf-8")
    _item(folder / "contradicts.json", **said)
    write_classes(folder / "tagged.tif")
    import rasterio  # noqa: PLC0415

    with rasterio.open(folder / "tagged.tif", "r+") as file:
        file.scales, file.offsets = (0.01,), (0.0,)
    _item(folder / "contradicts.json", "tagged.tif", **said)
    stac_item(folder, "S2A")


def _products(folder: Path) -> None:
    good_files(folder)
    for name, described in DESCRIBED.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    (folder / "broken.yaml").write_text("a: [", encoding="utf-8")
    (folder / "large.yaml").write_text("a" * 2**21, encoding="utf-8")
    for name, described in (("own", OWN), ("numbered", NUMBERED), ("beyond", BEYOND), ("quality", JUDGED)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    for name, text in (("zero", "0"), ("text", "big")):
        write_classes(folder / name / "a_red.tif")
        (folder / name / "m.xml").write_text(f"<A><SCALE>{text}</SCALE></A>", encoding="utf-8")
    write_classes(folder / "twice" / "a_red.tif")
    write_classes(folder / "twice" / "b_red.tif")
    safe = safe_folder(folder / "broken.SAFE", offset=-1000)
    header = safe / "MTD_MSIL2A.xml"
    whole = header.read_text(encoding="utf-8")
    header.write_text(whole[:50], encoding="utf-8")
    for name, text in (
        ("declares", "<!DOCTYPE a>" + whole),
        ("nothing", "<a/>"),
        ("lacks", whole.replace('band_id="1"', 'band_id="99"')),
    ):
        other = safe_folder(folder / f"{name}.SAFE", offset=-1000)
        (other / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
    safe_folder(folder / "whole.SAFE", offset=-1000)
    both = safe_folder(folder / "both", offset=-1000)
    for band in landsat_folder(folder / "LC08_L2SP_1").iterdir():
        (both / band.name).write_bytes(band.read_bytes())
    two = sentinel_folder(folder / "two")
    (two / "T33_B02.tif").rename(two / "T34_B02.tif")
    sentinel_folder(folder / "bare", bands=("B02", "B04"), offset=0)
    (folder / "broken.zip").write_bytes(b"PK\3\4broken")
    quality = sentinel_folder(folder / "quality", bands=("B02",))
    write_classes(quality / "unused.tif", transform=at(10))
    with zipfile.ZipFile(folder / "empty.zip", "w"):
        pass


def _no_address(*_: object, **__: object) -> None:
    address, said = "https://example.org/item", "Not Found"
    raise urllib.error.HTTPError(address, 404, said, Message(), io.BytesIO())


def absent() -> contextlib.AbstractContextManager[object]:
    """A server that has nothing of the kind."""
    return mock.patch("urllib.request.urlopen", _no_address)


@contextlib.contextmanager
def _endless() -> Iterator[None]:
    """A server that says more than an item can hold."""
    answer = io.BytesIO(b"{" + b" " * 3 * 2**20)
    with mock.patch("landmix.geo.items._LIMIT", 2**20), mock.patch("urllib.request.urlopen", return_value=answer):
        yield


GROUPS = [
    Group(
        "Products",
        {
            **{
                f"description: {name}": ("inspect", "path=own.yaml", f"scene.product={name}.yaml") for name in DESCRIBED
            },
            "description that is not there": ("inspect", "path=zero", "scene.product=gone.yaml"),
            "description that is no YAML": Case(
                ("inspect", "path=zero", "scene.product=broken.yaml"), hides=r"(?<=broken\.yaml: ).*"
            ),
            "description that is far too long": ("inspect", "path=zero", "scene.product=large.yaml"),
            "band of a number that the file lacks": ("inspect", "path=zero", "scene.product=beyond.yaml"),
            "quality band that the file lacks": ("inspect", "path=zero", "scene.product=quality.yaml"),
            "metadata with a scale of 0": ("inspect", "path=zero", "scene.product=numbered.yaml"),
            "metadata with text for a number": ("inspect", "path=text", "scene.product=numbered.yaml"),
            "metadata that are cut short": Case(("inspect", "path=broken.SAFE"), hides=r"(?<=MSIL2A\.xml: ).*"),
            "metadata that declare a document type": ("inspect", "path=declares.SAFE"),
            "metadata that say nothing": ("inspect", "path=nothing.SAFE"),
            "metadata without a band's offset": ("inspect", "path=lacks.SAFE"),
            "two files for one band": ("inspect", "path=twice", "scene.product=own.yaml"),
            "two products": ("inspect", "path=both"),
            "two acquisitions": ("inspect", "path=two"),
            "zip file that is broken": Case(("inspect", "path=broken.zip"), hides=r"(?<=broken\.zip: ).*"),
            "zip file without anything": ("inspect", "path=empty.zip"),
            "offset that nobody says": (*TRAIN, "data.scenes=bare"),
            "class that the quality band lacks": ("inspect", "path=quality", "scene.quality=[clowd]"),
            "more files than a scene has": Case(
                ("inspect", "path=two"), partial(mock.patch, "landmix.geo.products.folder._MOST", 3)
            ),
            "product with bands missing": (*TRAIN, "data.scenes=whole.SAFE"),
        },
        _products,
    ),
    Group(
        "STAC items",
        {
            "broken JSON": Case(("inspect", "path=broken.json"), hides=r"(?<=as a STAC item: ).*"),
            "catalog": ("inspect", "path=catalog.json"),
            "other JSON": ("inspect", "path=else.json"),
            "address of something far too large": Case(("inspect", "path=https://example.org/item"), _endless),
            "far too large": ("inspect", "path=large.json"),
            "address that has nothing": Case(("inspect", "path=https://example.org/item"), absent),
            "link outside its folder": ("inspect", "path=outside.json"),
            "link of another scheme": ("inspect", "path=scheme.json"),
            "link into GDAL": ("inspect", "path=vsi.json"),
            "link into the user's network": ("inspect", "path=inside.json"),
            "link that is none": Case(("inspect", "path=odd link.json"), hides=r"(?<=be followed: ).*"),
            "file that is not there": ("inspect", "path=gone.json"),
            "no raster of bands": ("inspect", "path=no bands.json"),
            "scale that is text": ("inspect", "path=scale.json"),
            "offset that was applied and is given": ("inspect", "path=applied.json"),
            "offset that was not applied and is not given": ("inspect", "path=not applied.json"),
            "scale that the file's tags contradict": ("inspect", "path=contradicts.json"),
        },
        _items,
    ),
]
