"""A few steps on real scenes, where their folder is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from commands import done_inside, ended_inside, load_json, read, tree

DATA = Path(os.environ.get("LANDMIX_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
TINY = ("device=cpu", "progress=off")
FEW = ("calibration.folds=0", *TINY)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real scenes in {DATA} (LANDMIX_TEST_DATA)")


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(folder: str, pattern: str) -> Path:
    """The one file of a folder that fits."""
    (path,) = (DATA / folder).glob(pattern)
    return path


def test_sentinel2_stack(tmp_path: Path) -> None:
    scene, labels = only("sentinel2_stack", "*.tif"), only("sentinel2_stack", "*.gpkg")
    before = tree(DATA / "sentinel2_stack")
    data = [f"data.scenes={scene}", f"data.labels={labels}", "data.field=class"]
    done_inside("train", *data, "out_dir=out", "net=small", "optim.steps=60", "split.kind=polygons", *FEW)
    figures = load_json(tmp_path / "out" / "metrics.json")
    assert figures["overall_accuracy"] >= 0.9
    assert 5 < figures["distance_m"]["min"] < 100_000
    done_inside("predict", "model=out/model.ckpt", f"scenes={scene}", "out_dir=maps", *TINY)
    assert tree(DATA / "sentinel2_stack") == before


def test_enmap_pairs_leave_out_empty_bands(tmp_path: Path) -> None:
    folder = DATA / "enmap_potsdam"
    own = [f"data.validation.scenes=@{folder / 'validation.csv'}"]
    arguments = [f"data.scenes=@{folder / 'train.csv'}", *own, "out_dir=out", "net=spectral", "optim.steps=40", *FEW]
    done = ended_inside("train", *arguments)
    assert done.code == 0, done.err
    bands = torch.load(tmp_path / "out" / "model.ckpt", weights_only=True)["bundle"]["bands"]
    assert set(range(130, 136)).isdisjoint(band["number"] for band in bands)
    assert len(bands) >= 200
    assert all(400 < band["wavelength"] < 2500 for band in bands)
    assert "left out" in done.out + done.err
    figures = load_json(tmp_path / "out" / "metrics.json")
    assert figures["split"]["kind"] == "own"
    assert figures["overall_accuracy"] > 0.4


def test_enmap_wavelengths_are_known() -> None:
    tile = min((DATA / "enmap_potsdam" / "images").glob("*.tif"))
    facts = json.loads(ended_inside("inspect", f"path={tile}", "format=json").out)
    wavelengths = [band["wavelength_nm"] for band in facts["bands"]]
    assert len(wavelengths) == 224
    assert None not in wavelengths
    assert round(wavelengths[90]) == 993
    assert round(wavelengths[91]) == 902


@pytest.fixture(scope="module")
def landsat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of 1999."""
    out = tmp_path_factory.mktemp("landsat") / "out"
    scene, labels = only("landsat7_stack", "*1999*.gtif"), DATA / "landsat7_stack" / "training_data.shp"
    data = [f"data.scenes={scene}", f"data.labels={labels}", "data.field=class", "split.kind=polygons"]
    done_inside("train", *data, f"out_dir={out}", "net=small", "optim.steps=60", *FEW)
    return out


def test_landsat_constant_mask_band_is_left_out(landsat: Path) -> None:
    content = torch.load(landsat / "model.ckpt", weights_only=True)["bundle"]
    assert 8 not in {band["number"] for band in content["bands"]}
    assert {entry["name"] for entry in content["legend"]} <= {"forest", "barren", "herbaceous", "water", "urban"}


def test_landsat_2002_by_the_model_of_1999(tmp_path: Path, landsat: Path) -> None:
    scene = only("landsat7_stack", "*2002*.gtif")
    done = ended_inside("predict", f"model={landsat / 'model.ckpt'}", f"scenes={scene}", "out_dir=maps", *TINY)
    assert done.code == 0, done.err
    (row,) = load_json(tmp_path / "maps" / "predict.json")
    classes = read(Path(row["map"]))[0]
    assert classes.shape == (250, 250)
    empty = (read(scene)[:6] == -9999).any(0)
    assert (classes[empty] == 0).all()
    assert (classes > 0).mean() > 0.5
    assert len(np.unique(classes)) >= 4


def test_landsat_map_against_its_label_raster(tmp_path: Path, landsat: Path) -> None:
    scene = only("landsat7_stack", "*1999*.gtif")
    done_inside("predict", f"model={landsat / 'model.ckpt'}", f"scenes={scene}", "out_dir=maps", *TINY)
    (row,) = load_json(tmp_path / "maps" / "predict.json")
    labels = DATA / "landsat7_stack" / "training_data.shp"
    arguments = [f"map={row['map']}", f"reference={labels}", "field=class", "out_dir=figures"]
    done = ended_inside("evaluate", *arguments)
    assert done.code == 0, done.err
    assert load_json(tmp_path / "figures" / "accuracy.json")["overall_accuracy"] > 0.6


def test_landsat5_bands_are_one_scene(tmp_path: Path) -> None:
    folder = DATA / "landsat5_bands"
    data = [f"data.scenes=[['{folder / '*_B?.TIF'}']]", f"data.labels={only('landsat5_bands', '*.gpkg')}"]
    done_inside("train", *data, "data.field=class", "out_dir=out", "net=small", "optim.steps=60", *FEW)
    assert load_json(tmp_path / "out" / "metrics.json")["overall_accuracy"] > 0.9


@pytest.mark.parametrize("place", sorted((DATA / "nodata_conventions").glob("*.tif")), ids=lambda path: path.stem)
def test_nodata_conventions_are_inspected(place: Path) -> None:
    facts = json.loads(ended_inside("inspect", f"path={place}", "format=json").out)
    assert facts["bands"]


def test_sentinel2_of_three_resolutions_is_one_scene(tmp_path: Path) -> None:
    patch = min(path for path in (DATA / "sentinel2_bands").iterdir() if path.is_dir())
    facts = json.loads(ended_inside("inspect", f"path=[['{patch / '*.tif'}']]", "format=json").out)
    assert (facts["height"], facts["width"], len(facts["bands"])) == (120, 120, 12)
    assert {max(band["pixel"]) for band in facts["bands"]} == {10, 20, 60}
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("place", ["landsat7_stack", "enmap_potsdam"])
def test_fractions_of_a_real_scene_sum_to_1(tmp_path: Path, place: str) -> None:
    if place == "landsat7_stack":
        scene, labels = only(place, "*1999*.gtif"), DATA / place / "training_data.shp"
        data = [f"data.scenes={scene}", f"data.labels={labels}", "data.field=class", "split.kind=polygons"]
    else:
        scene = min((DATA / place / "images").glob("*.tif"))
        data = [f"data.scenes=@{DATA / place / 'train.csv'}", "split.kind=none"]
    done_inside("train", *data, "task=fractions", "out_dir=out", "net=spectral", "optim.steps=40", *FEW)
    done_inside("predict", "model=out/model.ckpt", f"scenes={scene}", "out_dir=maps", *TINY)
    (row,) = load_json(tmp_path / "maps" / "predict.json")
    target = Path(row["map"])
    classes, fractions = read(target)[0], read(target.with_name(f"{target.stem}_fractions.tif"))
    with rasterio.open(target) as file:
        valid = classes != file.nodata
    assert valid.mean() > 0.5
    assert (fractions[:, valid].sum(0, dtype=int) == 200).all()
    assert (fractions[:, ~valid] == 255).all()
    assert ((fractions[:, valid] > 20) & (fractions[:, valid] < 180)).any(), "some pixels are mixed"
