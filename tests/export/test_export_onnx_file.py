"""What an ONNX file says, what it is made of, and what is refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import onnx
import pytest
import torch
from onnx_models import GRID, exported, legend_of, model, told

from landmix import bundle as bundles
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass
from landmix.errors import LandmixError
from landmix.export.onnx_metadata import overlap, pixel_size
from landmix.nn.spec import EncoderSpec, HeadSpec
from landmix.progress import Silent
from landmix.tasks.export import export
from landmix.tasks.settings import ExportSettings

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("Grün & <b>", 'a "b"', "c", "d | e", "\N{WATER WAVE}")


def test_what_deepness_reads(tmp_path: Path) -> None:
    classes = tuple(LegendClass(value=7 * i, name=name, color="#01020f") for i, name in enumerate(NAMES))
    said = told(exported(model(legend=Legend(classes)), tmp_path, "deepness", tile=48))
    assert said["model_type"] == "Segmentor"
    assert said["class_names"] == {str(i): name for i, name in enumerate(NAMES)}
    assert said["resolution"] == 1000
    assert said["tile_size"] == said["tiles_size"] == 48
    assert said["tiles_overlap"] == 9  # 4 of 48 pixels
    assert said["seg_thresh"] == said["seg_small_segment"] == 0


def test_what_landmix_adds(tmp_path: Path) -> None:
    bands = (Band(name="r\ud800d", wavelength=665.0, unit="reflectance", common="red"), Band(name="b", number=2))
    bundle = model(bands, nodata=(0.0, None), decode=(None, "alphaearth"))
    said = told(exported(bundle, tmp_path))
    assert said["landmix_client"] == "generic"
    assert said["landmix_digest"] == bundle.digest
    assert said["landmix_margin"] == bundle.margin == 2
    assert [band["name"] for band in said["landmix_bands"]] == ["r\ud800d", "b"]
    assert [band["takes"] for band in said["landmix_bands"]] == ["physical", "stored"]
    assert said["landmix_bands"][0]["wavelength_nm"] == 665
    assert [band["nodata_stored"] for band in said["landmix_bands"]] == [0, None]
    assert [c["value"] for c in said["landmix_classes"]] == list(bundle.legend.values)
    assert [c["color"] for c in said["landmix_classes"]] == [c.color for c in bundle.legend]
    assert said["landmix_nodata"] == bundle.legend.nodata


@pytest.mark.parametrize("client", ["generic", "deepness"])
def test_one_plain_file(tmp_path: Path, client: str) -> None:
    path = exported(model(), tmp_path, client)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    made = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(made, full_check=True)
    assert made.ir_version <= 9
    assert [(opset.domain, opset.version <= 20) for opset in made.opset_import] == [("", True)]
    assert not made.functions
    ((taken,), (given,)) = made.graph.input, made.graph.output
    assert _shape(taken) == ["batch", 3, 32, 32]
    assert _shape(given) == ["batch", 5, 32, 32]
    assert {value.type.tensor_type.elem_type for value in (taken, given)} == {onnx.TensorProto.FLOAT}
    assert not any(tensor.external_data for tensor in made.graph.initializer)
    assert "BatchNormalization" not in {node.op_type for node in made.graph.node}


def _shape(value: Any) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_nothing_of_this_machine(tmp_path: Path) -> None:
    content = exported(model(), tmp_path).read_bytes()
    for word in (b".py", b"/site-packages", os.sep.encode() + b"landmix", b"stack_trace", b"File "):
        assert word not in content, word


def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    bundles.save(model(), tmp_path / "m.ckpt")
    code = (
        "from landmix import bundle; from landmix.export.onnx import write; from pathlib import Path;"
        "write(bundle.load('m.ckpt'), Path('other.onnx'), client='deepness', tile=32, resolution=None)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "123", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, env=environment, check=True, timeout=200)
    here = exported(bundles.load(tmp_path / "m.ckpt"), tmp_path, "deepness").read_bytes()
    assert hashlib.sha256(here).digest() == hashlib.sha256((tmp_path / "other.onnx").read_bytes()).digest()


def test_a_large_tile_takes_no_memory(tmp_path: Path) -> None:
    path = exported(model(218, blocks=1), tmp_path, tile=4096)  # 29 GB of pixels
    assert path.stat().st_size < 1e6
    assert _shape(onnx.load(path).graph.input[0]) == ["batch", 218, 4096, 4096]


@pytest.mark.parametrize("classes", [1, 255, 300])
def test_many_classes(tmp_path: Path, classes: int) -> None:
    said = told(exported(model(classes=classes, blocks=0), tmp_path))
    assert [int(key) for key in said["class_names"]] == list(range(classes))
    assert len(said["landmix_classes"]) == classes


def test_deepness_counts_classes_in_a_byte(tmp_path: Path) -> None:
    assert told(exported(model(classes=255, blocks=0), tmp_path, "deepness"))
    with pytest.raises(LandmixError, match="up to 255, but the model has 256"):
        exported(model(classes=256, blocks=0, legend=legend_of(256)), tmp_path, "deepness")


@pytest.mark.parametrize(("blocks", "tile"), [(8, 16), (49, 98), (60, 121)])
def test_a_tile_within_the_margins_is_refused(tmp_path: Path, blocks: int, tile: int) -> None:
    with pytest.raises(LandmixError, match=f"tile={tile} must be larger"):
        exported(model(1, blocks=blocks), tmp_path, tile=tile)
    assert not list(tmp_path.iterdir())


def test_deepness_overlaps_tiles_by_both_margins() -> None:
    for margin in range(40):
        for tile in (*range(max(16, 2 * margin + 1), 300), 1000, 4096):
            percent = overlap(margin, tile)
            pixels = int(tile * percent / 100 * 2) // 2  # as Deepness counts
            assert pixels // 2 >= margin


def grid(crs: str, size: tuple[float, float], pixel_m: tuple[float, float]) -> dict[str, Any]:
    """A place on earth."""
    transform = [size[1], 0.0, 500_000.0, 0.0, -size[0], 5_400_000.0]
    return {**GRID, "crs": crs, "transform": transform, "pixel_m": list(pixel_m)}


@pytest.mark.parametrize(
    ("place", "metres"),
    [
        (grid("EPSG:32633", (30, 30), (30.01, 29.99)), 30),
        (grid("EPSG:3857", (10, 10), (6.4, 6.4)), 10),  # what the client's map calls a metre
        (grid("EPSG:2263", (100, 100), (30.48, 30.48)), 30.48006),  # US feet
        (grid("EPSG:4326", (0.0001, 0.0001), (11.1, 11.1)), 11.1),
        (grid("no CRS", (10, 10), (10, 10)), 10),
    ],
)
def test_resolution_of_the_training_scenes(place: dict[str, Any], metres: float) -> None:
    bare = {**GRID, "crs": None, "transform": None, "pixel_m": None}
    assert pixel_size(model(training={"grids": [bare, place]})) == pytest.approx(metres, rel=1e-6)


@pytest.mark.parametrize(
    "grids", [None, "here", [7], [{}], [{**GRID, "transform": "x"}], [{**GRID, "crs": 7, "pixel_m": [0, float("nan")]}]]
)
def test_a_damaged_place_is_none(grids: Any) -> None:
    assert pixel_size(model(training={"grids": grids})) is None


def test_a_resolution_is_asked_for(tmp_path: Path) -> None:
    unplaced = model(training={})
    with pytest.raises(LandmixError, match="resolution="):
        exported(unplaced, tmp_path, "deepness")
    assert told(exported(unplaced, tmp_path, "deepness", resolution=2.5))["resolution"] == 250
    assert "resolution" not in told(exported(unplaced, tmp_path))
    oblong = model(training={"grids": [grid("EPSG:4326", (0.0001, 0.0001), (11.1, 7.4))]})
    with pytest.raises(LandmixError, match=r"11.1 m high and 7.4 m wide.*resolution="):
        exported(oblong, tmp_path, "deepness")
    assert "resolution" not in told(exported(oblong, tmp_path))


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("landmix.export.onnx.find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(LandmixError, match=rf"{package}: pip install 'landmix\[onnx\]'"):
        exported(model(), tmp_path)


def test_weights_that_no_file_holds(tmp_path: Path) -> None:
    wide = model(1, blocks=0)
    spec = type(wide.net)(
        in_channels=1, classes=5, encoder=EncoderSpec(widths=(65536, 65536)), head=HeadSpec(blocks=0), batch_norm=False
    )
    with torch.device("meta"):
        weights = {"w": torch.empty(65536, 65536)}
    huge = bundles.Bundle(
        **{name: getattr(wide, name) for name in ("band_count", "nodata", "normalise", "legend", "scaling")},
        bands=BandSet(wide.bands.bands),
        net=spec,
        weights=weights,
    )
    with pytest.raises(LandmixError, match="2 GB"):
        exported(huge, tmp_path)


def test_the_verb(tmp_path: Path) -> None:
    bundles.save(model(), tmp_path / "m.ckpt")

    class Heard(Silent):
        said: list[str] = []  # noqa: RUF012

        def say(self, text: str) -> None:
            self.said.append(text)

    settings = ExportSettings(
        model=str(tmp_path / "m.ckpt"), format="onnx", out=str(tmp_path / "new" / "m.onnx"), client="deepness", tile=64
    )
    export(settings, Heard())
    assert told(tmp_path / "new" / "m.onnx")["tile_size"] == 64
    assert "3 bands of 64 x 64 pixels in, probabilities of 5 classes out" in Heard.said[0]
    with pytest.raises(LandmixError, match="overwrite=true"):
        export(settings, Heard())
    assert json.dumps(told(tmp_path / "new" / "m.onnx"))
