from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from source_files import DN, constant, physical, scene, write_tif

from landmix.core.bands import Band, BandSet, Formula
from landmix.errors import LandmixError
from landmix.geo.fitting import fit_to

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.geo.scene import Scene


@dataclass
class Heard:
    """What the user is told."""

    warned: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def fitted(found: Scene, wanted: BandSet, heard: Heard | None = None, **settings: Any) -> Scene:
    heard = heard or Heard()
    settings = {"trained_count": len(wanted), **settings}
    return fit_to(found, wanted, warn=heard.warned.append, say=heard.said.append, **settings)


def wanting(unit: str | None, name: str = "red") -> BandSet:
    return BandSet((Band(name=name, number=1, unit=unit),))


def red(folder: Path, **options: Any) -> str:
    return constant(folder / "a.tif", names=("red",), **options)


def test_a_model_of_reflectance_refuses_numbers_that_nobody_explains(tmp_path: Path) -> None:
    with pytest.raises(LandmixError) as caught:
        fitted(scene(red(tmp_path)), wanting("reflectance"))
    for told in ("red as reflectance", str(tmp_path / "a.tif"), "scene.scale=none", "scene.scale=...", "scene.offset"):
        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"scale": "none"}, DN), ({"scale": 0.0001}, 0.1452), ({"scale": 0.0001, "offset": -0.1}, 0.0452)],
)
def test_a_user_who_explains_the_numbers_is_believed(tmp_path: Path, options: dict[str, Any], expected: float) -> None:
    heard = Heard()
    found = fitted(scene(red(tmp_path), **options), wanting("reflectance"), heard)
    np.testing.assert_allclose(physical(found)[0], expected, rtol=1e-5)
    assert heard == Heard()


def test_numbers_that_their_file_explains_are_taken(tmp_path: Path) -> None:
    found = fitted(scene(red(tmp_path, scale=0.0001, offset=-0.1)), wanting("reflectance"))
    np.testing.assert_allclose(physical(found)[0], 0.0452, rtol=1e-5)


def test_another_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match=r"needs red in reflectance, but .*a\.tif has red in K"):
        fitted(scene(red(tmp_path, unit="K")), wanting("reflectance"))


def test_the_same_unit_is_taken_however_it_is_written(tmp_path: Path) -> None:
    heard = Heard()
    assert fitted(scene(red(tmp_path, unit=" Reflectance")), wanting("reflectance"), heard).bands.names == ("red",)
    assert heard == Heard()


def test_a_model_of_no_known_unit_warns_of_a_scene_with_one(tmp_path: Path) -> None:
    heard = Heard()
    fitted(scene(red(tmp_path, unit="reflectance", scale=0.0001)), wanting(None), heard)
    (told,) = heard.warned
    assert "a.tif is read as reflectance" in told
    assert "scene.scale=none" in told


def test_neither_with_a_unit_is_nothing_to_talk_about(tmp_path: Path) -> None:
    heard = Heard()
    fitted(scene(red(tmp_path)), wanting(None), heard)
    assert heard == Heard()


def test_the_unit_of_a_formulas_input_counts_too(tmp_path: Path) -> None:
    (own,) = wanting("reflectance")
    wanted = BandSet((Band(name="twice", unit="index", formula=Formula(expression="R * 2", inputs=(("R", own),))),))
    with pytest.raises(LandmixError, match="red as reflectance"):
        fitted(scene(red(tmp_path)), wanted)
    found = fitted(scene(red(tmp_path), scale=0.0001), wanted)
    np.testing.assert_allclose(physical(found)[0], 0.2904, rtol=1e-5)


def test_what_was_taken_for_what_is_said(tmp_path: Path) -> None:
    heard = Heard()
    found = scene(constant(tmp_path / "a.tif", names=("x",)))
    with pytest.raises(LandmixError, match=r"needs band red"):
        fitted(found, wanting(None), heard)
    path = write_tif(tmp_path / "b.tif", np.ones((2, 3, 3), "uint8"))
    wanted = BandSet((Band(name="a", number=2), Band(name="b", number=1)))
    assert fitted(scene(path), wanted, heard).bands.names == ("a", "b")
    assert "bands are taken by position" in heard.warned[0]


def test_a_models_nodata_counts_where_the_scene_has_none(tmp_path: Path) -> None:
    values = np.array([[[1, 2]], [[3, 1]]], "uint8")
    path = write_tif(tmp_path / "a.tif", values, names=("red", "nir"))
    wanted = BandSet((Band(name="nir"), Band(name="red")))
    found, _ = physical(fitted(scene(path), wanted, nodata=[3, 1]))
    np.testing.assert_array_equal(found, [[[np.nan, 1]], [[np.nan, 2]]])
    tagged = write_tif(tmp_path / "b.tif", values, names=("red", "nir"), nodata=2)
    found, _ = physical(fitted(scene(tagged), wanted, nodata=[3, 1]))
    np.testing.assert_array_equal(found, [[[3, 1]], [[1, np.nan]]])
