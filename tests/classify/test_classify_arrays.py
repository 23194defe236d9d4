"""landmix.load(...).classify: arrays, and a scene from Python."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from classify_files import model, plan_of, read, run, scene_values, write_scene

from landmix.engines.choose import choose
from landmix.errors import LandmixError, UsageError
from landmix.model import Model
from landmix.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

BACKENDS = [
    "torch",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"),
    ),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_of_any_layout(backend: str) -> None:
    """Read-only, in another order of axes or bytes, a part of a larger one, mirrored."""
    one = Model(model(2), device="cpu", backend=backend, precision="fp32")
    values = scene_values()[[1, 0]].astype(np.uint16)
    before = values.copy()
    expected = one.classify(values)
    fixed = values.copy()
    fixed.flags.writeable = False
    larger = np.pad(values, ((0, 0), (3, 4), (5, 6)))[:, 3:-4, 5:-6]
    mirrored = values[:, ::-1].copy()[:, ::-1]
    for other in (fixed, np.asfortranarray(values), larger, mirrored, values.astype(">u2"), values.astype(">f4")):
        np.testing.assert_array_equal(one.classify(other), expected)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_array_is_classified_as_the_scene_is(tmp_path: Path, backend: str) -> None:
    one = Model(model(2, nodata=(0.0, 0.0)), device="cpu", backend=backend, precision="fp32")
    one.classify_scene(write_scene(tmp_path / "scene.tif"), tmp_path / "map.tif")
    found = read(tmp_path / "map.tif")[0]
    np.testing.assert_array_equal(found, one.classify(scene_values()[[1, 0]]))
    with rasterio.open(tmp_path / "map.tif") as file:
        assert f'"backend": "{backend}"' in file.tags()["LANDMIX_ENGINE"]


def test_a_scene_with_all_that_can_be_said(tmp_path: Path) -> None:
    one = Model(model(2, nodata=(0.0, 0.0)), device="cpu", backend="torch", precision="fp32")
    scene = write_scene(tmp_path / "scene.tif")
    one.classify_scene(scene, tmp_path / "map.tif")
    turned = write_scene(tmp_path / "turned.tif", scene_values()[[1, 0]])  # its names are wrong
    heard = Silent()
    there = one.classify_scene(
        turned,
        tmp_path / "other.tif",
        confidence=tmp_path / "deep" / "sure.tif",
        bands=[1, "nir"],
        read={"match": "position"},
        creation={"COMPRESS": "LZW"},
        progress=heard,
    )
    assert there == tmp_path / "other.tif"
    np.testing.assert_array_equal(read(there), read(tmp_path / "map.tif"))
    assert not heard.warnings
    with rasterio.open(tmp_path / "deep" / "sure.tif") as file:
        assert (file.profile["compress"], file.nodata, file.scales) == ("lzw", 255, (1 / 200,))
    assert not (tmp_path / "other_confidence.tif").exists()
    one.classify_scene(scene, tmp_path / "flips.tif", tta="flips")
    assert (read(tmp_path / "flips.tif") != read(tmp_path / "map.tif")).any()
    for wrong, word in (
        ({"read": {"scales": 1}}, "scene.scales"),
        ({"read": {"match": "luck"}}, "scene.match must be"),
        ({"creation": {"TILED": "YES"}}, "TILED"),
        ({"bands": [1]}, "bands must name 2"),
    ):
        with pytest.raises(UsageError, match=word):
            one.classify_scene(scene, tmp_path / "none.tif", **wrong)
    assert not (tmp_path / "none.tif").exists()


def test_a_scene_from_python_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "map.tif")
    engine = choose("cpu", "torch", "fp32")
    plan = plan_of(model(), scene, tmp_path / "out" / "map.tif", engine=engine, tile=512)
    run(plan, model())
    before = plan.target.stat().st_mtime_ns
    Model(model()).classify_scene(scene, plan.target)
    assert plan.target.stat().st_mtime_ns == before
    with pytest.raises(LandmixError, match=r"another model.*overwrite=true"):
        Model(model(seed=3)).classify_scene(scene, plan.target)
    Model(model(seed=3)).classify_scene(scene, plan.target, overwrite=True)


@pytest.mark.parametrize("word", ["device", "backend", "precision"])
def test_words_that_mean_nothing_are_refused_at_once(word: str) -> None:
    with pytest.raises(UsageError, match=f"{word} must be auto, .* not 'nonsense'"):
        Model(model(), **{word: "nonsense"})


def test_turns_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif")
    with pytest.raises(UsageError, match="tta must be none or flips, not 'spin'"):
        Model(model(), device="cpu").classify_scene(scene, tmp_path / "map.tif", tta="spin")  # type: ignore[arg-type]


def test_another_number_of_bands_is_an_error_of_both_kinds() -> None:
    with pytest.raises(ValueError, match="with 2 bands"):
        Model(model(), device="cpu").classify(np.zeros((3, 5, 5)))
    with pytest.raises(LandmixError, match="with 2 bands"):
        Model(model(), device="cpu").classify(np.zeros((3, 5, 5)))
