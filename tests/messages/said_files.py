"""Paths, lists of paths, and places to write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import rasterio
from provoking import Case, Group, good_files

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path

PREDICT = ("predict", "model=model.ckpt", "device=cpu", "out_dir=new")
ITEM = {"type": "Feature", "id": "a", "assets": {"red": {"href": "scene.tif"}}}


def _prepare(folder: Path) -> None:
    good_files(folder)
    (folder / "sub").mkdir()
    (folder / "sub" / "scene.tif").write_bytes((folder / "scene.tif").read_bytes())
    (folder / "file").write_text("in the way", encoding="utf-8")
    (folder / "empty.txt").write_text("\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"Gr\xfcn.tif\n")
    (folder / "loop.txt").write_text("@loop.txt\n", encoding="utf-8")
    (folder / "header.csv").write_text("picture,label\nscene.tif,truth.tif\n", encoding="utf-8")
    (folder / "nothing.csv").write_text("", encoding="utf-8")
    (folder / "gaps.csv").write_text("image,label\nscene.tif,\n", encoding="utf-8")
    (folder / "pairs.csv").write_text("image,label\nscene.tif,truth.tif\n", encoding="utf-8")
    two = {"type": "FeatureCollection", "features": [ITEM, {**ITEM, "id": "b"}]}
    (folder / "two.json").write_text(json.dumps(two), encoding="utf-8")
    with rasterio.open(folder / "scene.png", "w", driver="PNG", width=8, height=8, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 8, 8), np.uint8))
    (folder / "file.png").write_text("no picture", encoding="utf-8")


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def full_disk() -> contextlib.AbstractContextManager[object]:
    """As where nothing more can be written."""
    return mock.patch("landmix.files.sync", _full)


GROUPS = [
    Group(
        "Paths and folders",
        {
            "scene that is not there": (*PREDICT, "scenes=gone.tif"),
            "scene in a folder that is not there": (*PREDICT, "scenes=gone/scene.tif"),
            "pattern that fits nothing": (*PREDICT, "scenes=nothing?.tif"),
            "empty list": (*PREDICT, "scenes=[]"),
            "number for a path": (*PREDICT, "scenes=[1]"),
            "empty list file": (*PREDICT, "scenes=@empty.txt"),
            "list file that is not there": (*PREDICT, "scenes=@gone.txt"),
            "list file that is not UTF-8": (*PREDICT, "scenes=@latin.txt"),
            "list file that names itself": (*PREDICT, "scenes=@loop.txt"),
            "pairs without their header": (*PREDICT, "scenes=@header.csv"),
            "pairs without anything": (*PREDICT, "scenes=@nothing.csv"),
            "pairs with a gap": (*PREDICT, "scenes=@gaps.csv"),
            "name for two scenes": (*PREDICT, "scenes={name: x, path: '*.tif'}"),
            "name for two items": (*PREDICT, "scenes={name: x, path: two.json}"),
            "role of two scenes": (*PREDICT, "scenes={jan: '*.tif', jul: scene.tif}"),
            "role of two items": (*PREDICT, "scenes={jan: two.json, jul: scene.tif}"),
            "two scenes of one stem": (*PREDICT, "scenes=[scene.tif,sub/scene.tif]"),
            "map that would replace its scene": (*PREDICT[:-1], "out_dir=.", "scenes=scene.tif"),
            "folder below a file": (*PREDICT[:-1], "out_dir=file/below", "scenes=scene.tif"),
            "folder that is a file": (*PREDICT[:-1], "out_dir=file", "scenes=scene.tif"),
            "disk that is full": Case((*PREDICT, "scenes=scene.tif"), full_disk),
            "one of two scenes that is no raster": (*PREDICT, "scenes=[scene.tif,file.png]"),
            "model that is not there": (*PREDICT[:1], "model=gone.ckpt", *PREDICT[2:], "scenes=scene.tif"),
            "model that is a folder": (*PREDICT[:1], "model=sub", *PREDICT[2:], "scenes=scene.tif"),
            "two things to inspect": ("inspect", "path=[scene.tif,truth.tif]"),
            "picture of another kind": ("inspect", "path=scene.tif", "quicklook=new.jpg"),
            "picture that would replace a file": ("inspect", "path=scene.tif", "quicklook=file.png"),
            "picture that would replace a folder": ("inspect", "path=scene.tif", "quicklook=sub"),
            "picture that would replace its scene": ("inspect", "path=scene.png", "quicklook=scene.png"),
            "picture of a model": ("inspect", "path=model.ckpt", "quicklook=new.png"),
            "picture in a folder that is not there": ("inspect", "path=scene.tif", "quicklook=gone/new.png"),
        },
        _prepare,
    )
]
