from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import rasterio
from rasterio.transform import Affine
from view_files import NORTH_UP, write_confidence, write_map, write_scene

from landmix.errors import LandmixError
from landmix.geo.maps import MapReader
from landmix.view.sources import confidence_beside, found_scene, named_scene

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.geo.scene import Scene


def look(path: Path) -> tuple[Scene | None, str | None]:
    with MapReader(str(path)) as reader:
        return found_scene(path, reader.tags, reader.grid)


def named(path: Path, spec: Any) -> Scene:
    with MapReader(str(path)) as reader:
        return named_scene(spec, reader.tags, reader.grid, str(path))


def retag(path: Path, **tags: str) -> None:
    with rasterio.open(path, "r+") as file:
        file.update_tags(**tags)


@pytest.mark.parametrize("where", ["maps/scene.tif", "scene.tif"])
def test_a_scene_beside_the_map_or_above_it_is_found(tmp_path: Path, where: str) -> None:
    write_map(tmp_path / "maps/m.tif")
    write_scene(tmp_path / where)
    scene, why = look(tmp_path / "maps/m.tif")
    assert scene is not None
    assert scene.files == (str(tmp_path / where),)
    assert why is None


def test_the_map_is_not_its_own_scene(tmp_path: Path) -> None:
    write_map(tmp_path / "maps/scene.tif")
    scene, why = look(tmp_path / "maps/scene.tif")
    assert scene is None
    assert why is not None
    assert "scene=" in why


def test_the_place_that_predict_wrote_down(tmp_path: Path) -> None:
    write_map(tmp_path / "maps/m.tif")
    write_scene(tmp_path / "far/away, and back (1).tif")
    rows = [{"scene": str(tmp_path / "far/away, and back (1).tif"), "map": "maps/m.tif"}]
    (tmp_path / "maps/predict.json").write_text(json.dumps(rows), encoding="utf-8")
    scene, _ = look(tmp_path / "maps/m.tif")
    assert scene is not None
    assert scene.files[0].endswith("away, and back (1).tif")


def test_several_files_that_predict_wrote_down(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    parts = []
    for number, name in enumerate(("B02", "B03", "B04"), start=1):
        write_scene(tmp_path / "far" / "all.tif")
        with rasterio.open(tmp_path / "far" / "all.tif") as file:
            values, profile = file.read(number), {**file.profile, "count": 1}
        with rasterio.open(tmp_path / "far" / f"x_{name}.tif", "w", **profile) as file:
            file.write(values, 1)
        parts.append(str(tmp_path / "far" / f"x_{name}.tif"))
    rows = [{"scene": ", ".join(parts), "map": "m.tif"}]
    (tmp_path / "predict.json").write_text(json.dumps(rows), encoding="utf-8")
    scene, why = look(tmp_path / "m.tif")
    assert scene is not None, why
    assert scene.bands.names == ("B02", "B03", "B04")


@pytest.mark.parametrize(
    "told",
    ["http://127.0.0.1:9/scene.tif", "/vsicurl/http://127.0.0.1:9/x.tif", "\0", 7, None, {"a": 1}, "x" * 5000],
)
def test_predict_json_of_a_stranger(tmp_path: Path, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_map(tmp_path / "m.tif")
    (tmp_path / "predict.json").write_text(json.dumps([{"scene": told, "map": "m.tif"}]), encoding="utf-8")
    monkeypatch.setattr("landmix.view.sources.named_scene", lambda *_: pytest.fail("it was opened"))
    scene, why = look(tmp_path / "m.tif")
    assert scene is None
    assert why


@pytest.mark.parametrize(
    "told", ["", "no json", "3", "[3]", '[{"name": 3}]', '[{"name": ".."}]', '[{"name": "../scene.tif"}]', '{"a": 1}']
)
def test_tags_of_a_stranger(tmp_path: Path, told: str) -> None:
    write_map(tmp_path / "maps/m.tif")
    retag(tmp_path / "maps/m.tif", LANDMIX_INPUT=told)
    write_scene(tmp_path / "scene.tif")
    assert look(tmp_path / "maps/m.tif")[0] is None


def test_a_product_file_that_tags_name_is_not_opened(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    write_scene(tmp_path / "scene.tif")
    retag(tmp_path / "m.tif", LANDMIX_SETTINGS=json.dumps({"scene": {"product": "/etc/hostname.yaml"}}))
    assert look(tmp_path / "m.tif")[0] is not None


def test_a_scene_is_read_as_it_was_for_the_map(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene.tif")
    coarse = NORTH_UP @ Affine.scale(2)
    write_map(tmp_path / "m.tif", write_map(tmp_path / "fine.tif")[::2, ::2], transform=coarse)
    retag(tmp_path / "m.tif", LANDMIX_SETTINGS=json.dumps({"scene": {"resolution": 20.0, "allow_vrt": True}}))
    scene, why = look(tmp_path / "m.tif")
    assert scene is not None, why
    assert scene.grid.transform == coarse
    assert not scene.options.allow_vrt


def test_a_scene_on_another_grid_is_refused(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    write_scene(tmp_path / "scene.tif", transform=NORTH_UP @ Affine.translation(1, 0))
    scene, why = look(tmp_path / "m.tif")
    assert scene is None
    assert why is not None
    assert "same pixels" in why
    with pytest.raises(LandmixError, match="same pixels"):
        named(tmp_path / "m.tif", str(tmp_path / "scene.tif"))


def test_one_scene_is_named(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    for name in ("a", "b"):
        write_scene(tmp_path / f"{name}.tif")
    with pytest.raises(LandmixError, match="one scene"):
        named(tmp_path / "m.tif", str(tmp_path / "[ab].tif"))
    both = named(tmp_path / "m.tif", {"jan": str(tmp_path / "a.tif"), "jul": str(tmp_path / "b.tif")})
    assert both.bands.names[5:7] == ("jul.blue", "jul.green")


def test_confidence_of_this_map_alone(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    with MapReader(str(tmp_path / "m.tif")) as reader:
        grid = reader.grid
    beside = tmp_path / "m_confidence.tif"
    assert confidence_beside(tmp_path / "m.tif", grid) is None
    write_confidence(beside)
    assert confidence_beside(tmp_path / "m.tif", grid) == beside
    write_confidence(beside, (10, 10))
    assert confidence_beside(tmp_path / "m.tif", grid) is None
    shutil.copy(__file__, beside)
    assert confidence_beside(tmp_path / "m.tif", grid) is None
