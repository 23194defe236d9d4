"""Model files of strangers, and models for other programs."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from commands import world
from provoking import Case, Group, good_files
from seam_models import bundle_of

from landmix import bundle as bundles
from landmix.bundle import _describe
from landmix.core.legend import Legend, LegendClass
from landmix.model_file import FORMAT, save_tensors
from landmix.nn.reference import Reference
from landmix.safetensors_file import LIMIT
from landmix.weights import describe_reference, with_reference

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path

EXPORT = ("export", "model=model.ckpt", "out=new")
ONNX = (*EXPORT, "format=onnx")
FORMULA = {
    "expression": "(N-R)/(N+R)",
    "inputs": [["N", {"name": "n", "number": 1}], ["R", {"name": "r", "number": 2}]],
}

CHANGES: dict[str, dict[str, Any]] = {
    "without its legend": {"legend": None},
    "scalings of another number": {"scaling": {"scale": [1.0], "offset": [0.0]}},
    "scale of 0": {"normalise": {"scale": [0.0] * 3, "offset": [0.0] * 3}},
    "scales without offsets": {"normalise": {"scale": [1.0] * 3, "offset": [0.0]}},
    "decoding that is not known": {"decode": ["magic", None, None]},
    "product that is not known": {"scene": {"product": "mars"}},
    "product that cannot be": {"scene": {"product": {"title": "x"}}},
    "setting that cannot be": {"scene": {"resampling": "magic"}},
    "setting of another kind": {"scene": {"offset": True}},
    "distance that is text": {"scene": {"quality_dilate": "far"}},
    "setting that is not known": {"scene": {"colour": "red"}},
    "record of another type": {"training": {"a": {1: 2}}},
    "weights of another file": {"weights": "0" * 64},
    "inputs of another number": {"net": {"inputs": [1, 1]}},
    "attention of another width": {"net": {"encoder": {"widths": [8, 6], "attention": 5}}},
    "task that is not known": {"task": "magic"},
    "temperature of another size": {"temperature": 99.0},
    "network of one's own without a name": {"net": {"own": {"name": "", "sha256": "0"}}},
    "too many layers": {"net": {"head": {"blocks": 300}}},
    "more layers than weights": {"net": {"head": {"blocks": 200}}},
    "another network": {"net": {"head": {"blocks": 1}}},
    "band without a name": {"bands": [{"name": ""}, {"name": "b"}, {"name": "c"}]},
    "band of another kind": {"bands": [{"name": "a", "unit": 3}, {"name": "b"}, {"name": "c"}]},
    "band of a number below 1": {"bands": [{"name": "a", "number": -5}, {"name": "b"}, {"name": "c"}]},
    "bands of a number below 1": {"band_count": -3},
    "activation that is not known": {"net": {"activation": "magic"}},
    "formula of a formula": {
        "bands": [{"name": "a", "formula": {**FORMULA, "inputs": [["N", {"name": "n", "formula": FORMULA}]]}}]
    },
    "formula that does more than count": {"bands": [{"name": "a", "formula": {**FORMULA, "expression": "open(N)"}}]},
    "formula without a band": {"bands": [{"name": "a", "formula": {"expression": "1 + 1", "inputs": []}}]},
    "formula of a letter that is not there": {"bands": [{"name": "a", "formula": {**FORMULA, "expression": "N + X"}}]},
    "class without a name": {"legend": [{"value": 1, "name": "", "color": "#000000"}] * 3},
}
"""What a stranger has changed in the description of a model."""


def _content() -> dict[str, Any]:
    bundle = bundle_of(3)
    return {"format": FORMAT, "version": 1, "bundle": _describe(bundle), "weights": dict(bundle.weights)}


def _merged(data: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in change.items():
        inner = isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in {"scene", "training"}
        merged[key] = _merged(merged[key], value) if inner else value
        if value is None:
            del merged[key]
    return merged


def _weights(folder: Path) -> None:
    whole = _content()
    name = next(iter(whole["weights"]))
    tensor = whole["weights"][name]
    for title, changed in {
        "of another shape": tensor[:1],
        "not finite": tensor * float("nan"),
        "larger than the file": tensor[:1].clone().as_strided(tensor.shape, (0,) * tensor.ndim),
    }.items():
        save_tensors({**whole, "weights": {**whole["weights"], name: changed}}, folder / f"{title}.ckpt")
    spread = next(name for name in whole["weights"] if name.endswith("running_var"))
    below = {**whole["weights"], spread: whole["weights"][spread] - 9}
    save_tensors({**whole, "weights": below}, folder / "of a variance below 0.ckpt")


def _references(folder: Path) -> None:
    """What applicability is measured against, not as it was saved."""
    bundle = bundle_of(3)
    width = bundle.net.encoder.widths[-1]
    points = torch.zeros(2, width)
    whole = Reference(mean=points[0], scale=points[0] + 1, points=points, distance=1.0, threshold=1.0)
    described, tensors = describe_reference(whole), with_reference(dict(bundle.weights), whole)
    prefix = next(name for name in tensors if name.endswith(".points")).removesuffix("points")
    sparse = torch.zeros(width).to_sparse()
    for title, weights, said in (
        ("reference without a part", {**tensors, f"{prefix}mean": None}, described),
        ("reference of another shape", {**tensors, f"{prefix}mean": torch.zeros(1)}, described),
        ("reference that is no tensor", {**tensors, f"{prefix}mean": sparse}, described),
        ("reference of another file", tensors, {**described, "sha256": "0"}),
        ("reference without a distance", tensors, {**described, "distance": 0.0}),
    ):
        content = _content()
        content["weights"] = {name: tensor for name, tensor in weights.items() if tensor is not None}
        content["bundle"]["reference"] = said
        save_tensors(content, folder / f"{title}.ckpt")


def _safetensors(folder: Path) -> None:
    path = folder / "whole.safetensors"
    bundles.save_safetensors(bundle_of(3), path)
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])

    def write(name: str, text: str) -> None:
        data = text.encode()
        (folder / f"{name}.safetensors").write_bytes(len(data).to_bytes(8, "little") + data + content[end:])

    metadata = header["__metadata__"]
    write("another format", json.dumps({**header, "__metadata__": {"format": "pt"}}))
    write("newer", json.dumps({**header, "__metadata__": {**metadata, "version": "9"}}))
    write("bare", json.dumps({"__metadata__": {"format": FORMAT}}))
    write("no number", json.dumps({**header, "__metadata__": {**metadata, "bundle": '{"a": NaN, "b": nothing}'}}))
    write("constant", json.dumps({**header, "__metadata__": {**metadata, "bundle": '{"a": -Infinity}'}}))
    write("nan", json.dumps({**header, "__metadata__": {**metadata, "bundle": '{"a": NaN}'}}))
    write("twice", '{"__metadata__": {"format": "landmix-model"}, "__metadata__": {"format": "landmix-model"}}')
    write("deep", '{"__metadata__": ' + '{"a": ' * 3000 + "1" + "}" * 3001)
    nested = json.dumps({**_describe(bundle_of(3)), "training": "NEST"})
    nested = nested.replace('"NEST"', '{"a": ' * 600 + "1" + "}" * 600)
    write("nested", json.dumps({**header, "__metadata__": {**metadata, "bundle": nested}}))
    write("array", '{"__metadata__": [1]}')
    write("list", '{"__metadata__": {"format": "landmix-model"}, "a": ')
    (folder / "cut.safetensors").write_bytes(content[: end - 10])
    (folder / "cut later.safetensors").write_bytes(content[:-10])
    (folder / "long.safetensors").write_bytes((LIMIT + 8).to_bytes(8, "little") + b'{"' + b" " * 64)
    with (folder / "long.safetensors").open("r+b") as file:
        file.truncate(LIMIT + 100)


def _strangers(folder: Path) -> None:
    for name, change in CHANGES.items():
        whole = _content()
        save_tensors({**whole, "bundle": _merged(whole["bundle"], change)}, folder / f"{name}.ckpt")
    _weights(folder)
    _references(folder)
    _safetensors(folder)
    save_tensors({**_content(), "version": 99}, folder / "newer.ckpt")
    (folder / "text.ckpt").write_text("this is no model", encoding="utf-8")
    torch.save({"weights": torch.zeros(3)}, folder / "other.ckpt")
    (folder / "last.ckpt").write_bytes((world().run / "last.ckpt").read_bytes())


def _models(folder: Path) -> None:
    good_files(folder)
    (folder / "there.onnx").write_text("mine", encoding="utf-8")
    bundles.save(bundle_of(3), folder / "nowhere.ckpt")
    bundles.save(bundle_of(3, blocks=8), folder / "deep.ckpt")
    grid = {"name": "a.tif", "pixel_m": [10.0, 20.0], "crs": None, "transform": None}
    bundles.save(bundle_of(3, training={"grids": [grid]}), folder / "oblong.ckpt")
    many = Legend(tuple(LegendClass(value=i, name=f"c{i}", color="#000000") for i in range(300)))
    bundles.save(bundle_of(3, legend=many), folder / "many.ckpt")
    bundles.save(replace(bundle_of(3), accuracy={"a": "x" * 2000}), folder / "wordy.ckpt")
    (folder / "profile").mkdir()
    (folder / "taken" / "processing" / "scripts").mkdir(parents=True)
    (folder / "taken" / "processing" / "scripts" / "classify_with_landmix.py").write_text("mine", encoding="utf-8")
    (folder / "blocked" / "processing" / "scripts" / "classify_with_landmix.py").mkdir(parents=True)


def _no_profile() -> contextlib.AbstractContextManager[object]:
    return mock.patch.dict("os.environ", {"QGIS_CUSTOM_CONFIG_PATH": "no/such"})


def _not_found(package: str) -> contextlib.AbstractContextManager[object]:
    """As where an optional package is not installed, for whom that asks before it imports."""
    return mock.patch("landmix.export.onnx.find_spec", lambda name: None if name == package else object())


STRANGERS = [
    *(f"{name}.ckpt" for name in CHANGES),
    *(
        "of another shape.ckpt",
        "not finite.ckpt",
        "larger than the file.ckpt",
        "of a variance below 0.ckpt",
        "newer.ckpt",
        "text.ckpt",
        "other.ckpt",
    ),
    *(
        f"reference {name}.ckpt"
        for name in ("without a part", "of another shape", "that is no tensor", "of another file")
    ),
    "reference without a distance.ckpt",
    "last.ckpt",
    *(f"{name}.safetensors" for name in ("another format", "newer", "bare", "no number", "constant", "nan", "twice")),
    *(f"{name}.safetensors" for name in ("deep", "nested", "list", "array", "cut", "cut later", "long")),
]

GROUPS = [
    Group(
        "Model files",
        {
            name: Case(
                ("export", f"model={name}", "format=card", "out=new"),
                hides=r"(?<=safetensors is damaged: )(?!it |its |a key|NaN|-?Inf).*",
            )
            for name in STRANGERS
        },
        _strangers,
    ),
    Group(
        "Exports",
        {
            "folder": ("export", "model=model.ckpt", "format=card", "out=profile"),
            "the model itself": (
                "export",
                "model=model.ckpt",
                "format=safetensors",
                "out=model.ckpt",
                "overwrite=true",
            ),
            "file that is there": ("export", "model=model.ckpt", "format=onnx", "out=there.onnx"),
            "tile within the margins": ("export", "model=deep.ckpt", "out=new", "format=onnx", "tile=16"),
            "ONNX that is not installed": Case(ONNX, partial(_not_found, "onnx")),
            "pixel size that nobody says": (
                "export",
                "model=nowhere.ckpt",
                "out=new",
                "format=onnx",
                "client=deepness",
            ),
            "pixels that are not square": ("export", "model=oblong.ckpt", "out=new", "format=onnx", "client=deepness"),
            "more classes than Deepness counts": (
                "export",
                "model=many.ckpt",
                "out=new",
                "format=onnx",
                "client=deepness",
            ),
            "more weights than an ONNX file holds": Case(ONNX, partial(mock.patch, "landmix.export.onnx._LARGEST", 10)),
            "more words than safetensors hold": Case(
                ("export", "model=wordy.ckpt", "out=new", "format=safetensors"),
                partial(mock.patch, "landmix.safetensors_file.LIMIT", 1000),
            ),
            "QGIS profile that is not there": ("qgis", "profile=gone"),
            "QGIS that was never started": Case(("qgis",), _no_profile),
            "script that somebody else wrote": ("qgis", "profile=taken"),
            "script that is a folder": ("qgis", "profile=blocked"),
        },
        _models,
    ),
]
