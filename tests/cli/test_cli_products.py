"""What users describe themselves: spectral indices, products of their own, several dates of one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import torch
from commands import (
    SIZE,
    done_inside,
    ended_inside,
    read,
    refused,
    tree,
    truth,
    world,
    write_scene,
)
from deliveries import (
    CLOUD,
    HARD,
    agreement,
    band_facts,
    digital,
    facts,
    labelled,
    listed,
    outside_cloud,
    predicted,
    read_settings,
    reflected,
)

import landmix

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# spectral indices


NAMES = ("blue", "red", "nir", "swir16", "swir22")


def index_scene(path: Path, seed: int = 0, names: tuple[str, ...] = NAMES) -> Path:
    """A plain scene in which the bands of indices are found by name."""
    stored = np.stack([digital(reflected(name, seed=seed), 0.0001, 0) for name in names])
    write_scene(path, stored, names=names, wavelengths=None, nodata=None)
    with rasterio.open(path, "r+") as file:
        file.offsets = (0.0,) * len(names)
    return path


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the red band and two indices."""
    folder = tmp_path_factory.mktemp("indices")
    chosen = ["data.bands=[red]", "data.features=[NDVI,nbr]"]
    done_inside(*labelled(index_scene(folder / "s.tif"), world().labels, folder / "m", *chosen))
    return folder / "m" / "model.ckpt"


def test_indices_are_kept_in_the_model(indexed: Path) -> None:
    bands = facts(indexed)["bands"]
    assert [band["name"] for band in bands] == ["red", "ndvi", "nbr"]
    assert bands[1]["formula"] == "(N - R) / (N + R)"
    assert bands[1]["inputs"] == {"N": "nir", "R": "red"}
    assert bands[2]["inputs"] == {"N": "nir", "S2": "swir22"}
    assert "ndvi" in ended_inside("inspect", f"path={indexed}").out
    assert torch.load(indexed, weights_only=True)["bundle"]["bands"][1]["formula"]["expression"] == "(N - R) / (N + R)"


def test_indices_are_computed_at_prediction_and_in_python(inside_tmp: Path, indexed: Path) -> None:
    scene = index_scene(inside_tmp / "other.tif", seed=3)
    place, _ = predicted(indexed, scene, out=inside_tmp / "maps")
    assert agreement(place) > 0.95
    model = landmix.load(indexed)
    order = [NAMES.index(band.name) for band in model.bands]
    assert len(order) == 3
    assert np.array_equal(model.classify(read(scene)[order]), read(place)[0])


def test_undefined_index_is_nodata(inside_tmp: Path, indexed: Path) -> None:
    scene = index_scene(inside_tmp / "zero.tif")
    with rasterio.open(scene, "r+") as file:
        values = file.read()
        values[:, 10:20, 30:40] = 0  # a value like others here: 0 / 0
        file.write(values)
    place, _ = predicted(indexed, scene, out=inside_tmp / "maps")
    invalid = np.zeros((SIZE, SIZE), np.bool_)
    invalid[10:20, 30:40] = True
    assert np.array_equal(read(place)[0] == 0, invalid)


def test_scene_without_a_band_that_an_index_needs(inside_tmp: Path, indexed: Path) -> None:
    index_scene(inside_tmp / "s.tif", names=("blue", "red", "nir", "swir16"))
    done = ended_inside("predict", f"model={indexed}", "scenes=s.tif", "out_dir=maps")
    refused(done, 1, "swir22", "s.tif")


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ("[ndiv]", ["ndiv", "did you mean", "ndvi", "data.features"]),
        ("[ndvi,ndre]", ["ndre", "rededge", "s.tif"]),
        ("[ndvi,ndvi]", ["ndvi"]),
    ],
)
def test_index_that_cannot_be(inside_tmp: Path, features: str, words: list[str]) -> None:
    index_scene(inside_tmp / "s.tif")
    done = ended_inside(*labelled("s.tif", world().labels, "new", f"data.features={features}"))
    refused(done, 1, *words)
    assert not (inside_tmp / "new").exists()


# a product of the user's own


MINE = """
title: My camera
unit: reflectance
scale: 0.0001
offset: -0.1
nodata: 0
bands:
  blue: {file: "*_blue.tif", wavelength: 490, common_name: blue}
  red: {file: "*_two.tif", number: 1, wavelength: 665, common_name: red}
  nir: {file: ["*_two.tif", "*_NIR.jp2"], number: 2, wavelength: 842}
quality:
  file: "*_qa.tif"
  kind: classes
  values: {nodata: 0, land: 1, water: 2, cloud: 3}
  clear: [land, water]
"""


def camera(folder: Path, seed: int = 0) -> Path:
    """What MINE describes, with a cloud."""
    bands = [digital(reflected(name, seed=seed), 0.0001, -0.1) for name in ("blue", "red", "nir")]
    write_scene(folder / "c_blue.tif", bands[0][None], names=None, wavelengths=None, scaled=False)
    write_scene(folder / "c_two.tif", np.stack(bands[1:]), names=None, wavelengths=None, scaled=False)
    classes = np.where(truth() == 3, 2, 1).astype(np.uint8)
    classes[CLOUD] = 3
    write_scene(folder / "c_qa.tif", classes[None], names=None, wavelengths=None, scaled=False)
    return folder


def test_own_product_without_its_file_later(inside_tmp: Path) -> None:
    mine = inside_tmp / f"my {HARD}.yaml"
    mine.write_text(MINE, encoding="utf-8")
    camera(inside_tmp / "one")
    camera(inside_tmp / "two", seed=1)
    assert band_facts("one", "wavelength_nm", f"scene.product={mine}") == {"blue": 490, "red": 665, "nir": 842}
    done_inside(*labelled("one", world().labels, "m", f"scene.product={mine}"))
    mine.unlink()
    place, _ = predicted(inside_tmp / "m" / "model.ckpt", "two", out=inside_tmp / "maps")
    assert np.array_equal(read(place)[0] > 0, outside_cloud())
    assert agreement(place) > 0.95
    assert read_settings(place)["product"]["title"] == "My camera"
    cloudy, _ = predicted(inside_tmp / "m" / "model.ckpt", "two", "scene.quality=[cloud]", out=inside_tmp / "c")
    assert np.array_equal(read(cloudy)[0] > 0, ~outside_cloud())


BROKEN = {
    "an unknown key": ("title: My camera", "title: My camera\nscael: 3", ["scael"]),
    "an unknown key of a band": ("wavelength: 490", "wavelenght: 490", ["bands.blue.wavelenght"]),
    "a text for a number": ("wavelength: 490", "wavelength: blue", ["bands.blue.wavelength"]),
    "no title": ("title: My camera", "", ["title"]),
    "a kind that is none": ("kind: classes", "kind: classy", ["quality.kind"]),
    "a class that is none": ("clear: [land, water]", "clear: [land, waetr]", ["waetr", "quality"]),
    "a scale that is none": ("scale: 0.0001", "scale: {tag: X}", ["scale"]),
    "a scale of zero": ("scale: 0.0001", "scale: 0", ["scale"]),
    "no YAML": ("bands:", "bands: [", ["cannot read the product file"]),
    "nothing": (MINE, "", ["product file"]),
    "a list": (MINE, "- a\n- b\n", ["product file"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_product_file(inside_tmp: Path, case: str) -> None:
    old, new, words = BROKEN[case]
    (inside_tmp / "my.yaml").write_text(MINE.replace(old, new), encoding="utf-8")
    camera(inside_tmp / "one")
    before = tree(inside_tmp)
    refused(ended_inside(*labelled("one", world().labels, "new", "scene.product=my.yaml")), 1, "my.yaml", *words)
    refused(ended_inside("inspect", "path=one", "scene.product=my.yaml"), 1, "my.yaml", *words)
    assert tree(inside_tmp) == before


@pytest.mark.parametrize("kind", ["folder", "file", "list of files"])
def test_product_that_nobody_knows(inside_tmp: Path, kind: str) -> None:
    camera(inside_tmp / "one")
    files = [inside_tmp / "one" / "c_blue.tif", inside_tmp / "one" / "c_two.tif"]
    path = {"folder": "one", "file": "one/c_blue.tif", "list of files": listed(files)}[kind]
    done = ended_inside("inspect", f"path={path}", "scene.product=nonsense")
    refused(done, 1, "nonsense", "sentinel2_l2a", "landsat_oli_l2", "alphaearth", "YAML")


def test_product_file_that_is_missing(inside_tmp: Path) -> None:
    camera(inside_tmp / "one")
    refused(ended_inside("inspect", "path=one", "scene.product=gone.yaml"), 1, "gone.yaml")
    refused(ended_inside("inspect", "path=one"), 1, "scene.product=my.yaml", "sentinel2_l2a")


# several dates


def dates(**files: object) -> str:
    """Acquisitions by role, as hydra reads them."""
    return "[{" + ", ".join(f"{role}: '{path}'" for role, path in files.items()) + "}]"


def test_roles_are_needed_again(inside_tmp: Path) -> None:
    for i, name in enumerate(["one_0115", "one_0713", "two_0120", "two_0718"]):
        write_scene(inside_tmp / f"{name}.tif", seed=i)
    chosen = "data.bands=[jan.nir,jul.red,jul.nir]"
    done_inside(*labelled(dates(jan="one_0115.tif", jul="one_0713.tif"), world().labels, "m", chosen))
    model = inside_tmp / "m" / "model.ckpt"
    assert [band["name"] for band in facts(model)["bands"]] == ["jan.nir", "jul.red", "jul.nir"]
    place, _ = predicted(model, dates(jan="two_0120.tif", jul="two_0718.tif"), out=inside_tmp / "maps")
    assert place.name == "two.tif"
    assert agreement(place) > 0.95
    turned, _ = predicted(model, dates(jul="two_0718.tif", jan="two_0120.tif"), out=inside_tmp / "turned")
    assert np.array_equal(read(place), read(turned))
    for wrong in (dates(jan="two_0120.tif", aug="two_0718.tif"), "two_0120.tif"):
        done = ended_inside("predict", f"model={model}", f"scenes={wrong}", "out_dir=wrong")
        refused(done, 1, "jul.red" if "aug" in wrong else "jan.nir", "two_0120.tif")
    assert not list((inside_tmp / "wrong").glob("*.tif"))


def test_pixel_needs_every_date(inside_tmp: Path) -> None:
    values = read(world().scene)
    values[:, 5:9, 7:20] = 0
    write_scene(inside_tmp / "b.tif", values)
    done_inside(*labelled(dates(a=world().scene, b="b.tif"), world().labels, "m"))
    place, _ = predicted(inside_tmp / "m" / "model.ckpt", dates(a=world().scene, b="b.tif"), out=inside_tmp / "maps")
    invalid = np.zeros((SIZE, SIZE), np.bool_)
    invalid[5:9, 7:20] = True
    assert np.array_equal(read(place)[0] == 0, invalid)


@pytest.mark.parametrize("role", ["2024", "a b", "a.b"])
def test_role_that_is_no_name(inside_tmp: Path, role: str) -> None:
    scenes = f"[{{'{role}': '{world().scene}', b: '{world().scene}'}}]"
    done = ended_inside(*labelled(scenes, world().labels, "new"))
    refused(done, 2, "data.scenes")
    assert tree(inside_tmp) == set()
