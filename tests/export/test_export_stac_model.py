"""A model as a STAC item."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pystac
import pytest
import torch
from stac_files import bundle_of, load, write_model
from stac_rules import SCHEMAS, problems

from landmix.core.bands import Band, BandSet, Formula
from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.export.stac import model_item, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from landmix.bundle import Bundle

Document = dict[str, Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to be the model's file."""
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"weights")
    return path


def item_of(bundle: Bundle, file: Path) -> Document:
    """The item, whole and valid."""
    write(bundle, file.with_name("model.stac.json"), file)
    item: Document = load(file.with_name("model.stac.json"))
    assert problems(item) == []
    return item


def test_the_command_writes_a_valid_item(tmp_path: Path) -> None:
    model = write_model(tmp_path)
    target = tmp_path / "catalogue" / "model.stac.json"
    command = [sys.executable, "-m", "landmix", "export", f"model={model}", "format=stac", f"out={target}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    item = load(target)
    assert problems(item) == []
    asset = item["assets"]["model"]
    assert (target.parent / asset["href"]).samefile(model)
    content = model.read_bytes()
    assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    assert asset["file:size"] == len(content)
    opened = pystac.Item.from_file(str(target))
    assert opened.assets["model"].get_absolute_href() == str(model)
    shown = item["properties"]["mlm:output"][0]["classification:classes"]
    assert [c["title"] for c in shown] == ["Grün & <b>", "b", "c"]


def test_the_same_file_gives_the_same_bytes(file: Path) -> None:
    bundle = bundle_of()
    item_of(bundle, file)
    before = file.with_name("model.stac.json").read_bytes()
    os.utime(file, (1, 1))
    item_of(bundle, file)
    assert file.with_name("model.stac.json").read_bytes() == before


def test_a_client_can_scale_and_run_the_network_by_it(file: Path) -> None:
    normalise = Affine(scale=(0.01, 3.0, 250.0), offset=(-1.0, 0.5, -70.0))
    bundle = bundle_of(3, blocks=2, normalise=normalise)
    properties = item_of(bundle, file)["properties"]
    told, result = properties["mlm:input"][0], properties["mlm:output"][0]["result"]
    batch, *size = told["input"]["shape"]
    assert batch == -1
    physical = np.random.default_rng(0).normal(50, 20, size)
    mean, std = (np.array([line[key] for line in told["value_scaling"]])[:, None, None] for key in ("mean", "stddev"))
    scale, offset = (np.array(part)[:, None, None] for part in (normalise.scale, normalise.offset))
    np.testing.assert_allclose((physical - mean) / std, physical * scale + offset, rtol=1e-9, atol=1e-9)
    logits = bundle.network()(torch.zeros(1, *size))
    assert list(logits.shape) == [1, *result["shape"][1:]]
    learnt = sum(parameter.numel() for parameter in bundle.network().parameters())
    assert properties["mlm:total_parameters"] == learnt


def test_bands_stand_in_the_order_of_the_network(file: Path) -> None:
    red, nir = Band(name="rot", number=2, wavelength=665.0, width=38.0, common="red"), Band(name="nir", number=1)
    ndvi = Band(name="ndvi", formula=Formula(expression="(N - R) / (N + R)", inputs=(("N", nir), ("R", red))))
    bands = BandSet((ndvi, red))
    read: Document = {"nodata": (0.0, float("nan")), "scaling": Affine(scale=(1e-4, 1.0), offset=(-0.1, 0.0))}
    properties = item_of(bundle_of(bands, **read), file)["properties"]
    first, second = properties["mlm:input"][0]["bands"]
    assert first["expression"] == {"calc": "(N - R) / (N + R)", "inputs": {"N": "nir", "R": "rot"}}
    assert (first["name"], second) == ("ndvi", "rot")
    by_name = {band["name"]: band for band in properties["bands"]}
    assert list(by_name) == ["ndvi", "rot", "nir"]
    assert by_name["rot"] == {
        "name": "rot",
        "eo:common_name": "red",
        "eo:center_wavelength": 0.665,
        "eo:full_width_half_max": 0.038,
        "nodata": 0,
        "raster:scale": 1e-4,
        "raster:offset": -0.1,
    }
    assert by_name["nir"] == {"name": "nir", "nodata": "nan"}


def test_a_decoding_is_told(file: Path) -> None:
    item = item_of(bundle_of(2, decode=("alphaearth", None)), file)
    told = item["properties"]["mlm:input"][0]["pre_processing_function"]["expression"]
    assert told.startswith("first v -> sign(v) * (v / 127.5)^2 for band 0;")
    assert "first" not in item_of(bundle_of(2), file)["properties"]["mlm:input"][0]["pre_processing_function"]


def test_place_and_time_of_training(file: Path) -> None:
    unknown = item_of(bundle_of(), file)
    assert unknown["geometry"] is None
    assert "bbox" not in unknown
    assert unknown["properties"]["start_datetime"][:4] == "1900"
    grid = {"crs": "EPSG:32633", "transform": [10.0, 0, 5e5, 0, -10.0, 5.4e6], "height": 100, "width": 100}
    far = grid | {"transform": [10.0, 0, 5e5, 0, -10.0, 5.5e6]}
    scenes = [
        {"name": name} for name in ("LE70220491999322EDC01_stack.gtif", "LC08_L2SP_022049_20200401_20200820_02_T1")
    ]
    known = item_of(bundle_of(training={"grids": [grid, far], "scenes": scenes}), file)
    assert known["geometry"]["type"] == "MultiPolygon"
    assert known["bbox"] == pytest.approx([15.0, 48.744, 15.0138, 49.6525], abs=1e-3)
    assert known["properties"]["start_datetime"] == "1999-11-18T00:00:00Z"
    assert known["properties"]["end_datetime"] == "2020-04-01T23:59:59Z"


NONSENSE: list[Document] = [
    {"grids": "here", "scenes": 5, "versions": [], "settings": float("nan"), "seed": object()},
    {"grids": [None, {"crs": "EPSG:0", "transform": [1], "height": 1, "width": 1}], "versions": {"torch": "2.6.0a0"}},
    {
        "grids": [{"crs": "EPSG:4326", "transform": [float("inf")] * 6, "height": 9, "width": 9}],
        "epochs": {1: [float("inf")]},
    },
    {"grids": [{"crs": "EPSG:32633", "transform": [1e300, 0, 0, 0, 1e300, 0], "height": 9, "width": 9}]},
    {"grids": [{"crs": None, "transform": None, "height": 9, "width": 9}], "scenes": [{"name": ["x"]}, {}, 3]},
]


@pytest.mark.parametrize("training", NONSENSE, ids=range(len(NONSENSE)))
def test_what_a_stranger_wrote_into_a_model_breaks_nothing(file: Path, training: Document) -> None:
    item = item_of(bundle_of(training=training, accuracy={"kappa": float("nan"), "split": {"a": object()}}), file)
    assert item["geometry"] is None
    assert item["properties"]["landmix:accuracy"]["kappa"] is None


def test_the_artifact_is_that_of_the_file(file: Path) -> None:
    other = file.rename(file.with_suffix(".safetensors"))
    asset = item_of(bundle_of(), other)["assets"]["model"]
    assert asset["mlm:artifact_type"] == "safetensors.torch.save_file"
    assert asset["href"] == "./model.safetensors"
    with pytest.raises(LandmixError, match=r"gone\.ckpt"):
        model_item(bundle_of(), file.parent, file.with_name("gone.ckpt"))


def _drop(*path: Any) -> Callable[[Document], None]:
    def change(item: Document) -> None:
        place: Any = item
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


def _set(value: Any, *path: Any) -> Callable[[Document], None]:
    def change(item: Document) -> None:
        place: Any = item
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


_IN, _OUT = ("properties", "mlm:input", 0), ("properties", "mlm:output", 0)
WRONG = {
    "no name": _drop("properties", "mlm:name"),
    "a name that begins with a number": _set("7 bands", "properties", "mlm:name"),
    "no bands in the properties": _drop("properties", "bands"),
    "an artifact without its role": _set(["data"], "assets", "model", "roles"),
    "a role without its artifact": _drop("assets", "model", "mlm:artifact_type"),
    "bands without their dimension": _set(["batch", "channel", "height", "width"], *_IN, "input", "dim_order"),
    "an unknown scaling": _set([{"type": "mean", "mean": 0, "stddev": 1}], *_IN, "value_scaling"),
    "a task that nobody knows": _set(["mapping"], "properties", "mlm:tasks"),
    "a colour with a number sign": _set("#00FF00", *_OUT, "classification:classes", 0, "color_hint"),
    "a class without a value": _drop(*_OUT, "classification:classes", 0, "value"),
    "a checksum that is none": _set("sha256:0", "assets", "model", "file:checksum"),
    "a box without a geometry": _set([0, 0, 1, 1], "bbox"),
    "no time": _set(None, "properties", "end_datetime"),
    "bands of the item alone": _drop("assets", "model", "bands"),
    "a wavelength that is text": _set("665 nm", "properties", "bands", 0, "eo:center_wavelength"),
    "an extension too few": _set([], "stac_extensions"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_rules_refuse(file: Path, what: str) -> None:
    bands = BandSet((Band(name="red", number=1, wavelength=665.0),))
    item = copy.deepcopy(item_of(bundle_of(bands), file))
    WRONG[what](item)
    assert problems(item), what


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="the extensions' own schemas are not at hand (LANDMIX_STAC_SCHEMAS)")
def test_the_extensions_own_schemas_are_asked(file: Path) -> None:
    for address in item_of(bundle_of(), file)["stac_extensions"]:
        assert (SCHEMAS / address.removeprefix("https://")).is_file(), address
