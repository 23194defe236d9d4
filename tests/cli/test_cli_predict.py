"""landmix predict: maps, rows, what is kept and what is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from commands import (
    BANDS,
    BLOCKS,
    CELL,
    NAMES,
    SIZE,
    WAVELENGTHS,
    big_values,
    done_inside,
    ended_inside,
    load_json,
    read,
    reflectance,
    refused,
    run,
    train,
    tree,
    truth,
    world,
    write_scene,
)

import landmix
from landmix.engines.choose import has_bf16

if TYPE_CHECKING:
    from pathlib import Path

    from commands import Done

SIDECARS = ("{}.qml", "{}.tif.aux.xml", "{}.tif.vat.dbf")


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predict(*arguments: str) -> Done:
    """Predict into `maps`."""
    return ended_inside("predict", f"model={world().model}", "out_dir=maps", "device=cpu", *arguments)


def rows(folder: Path) -> Any:
    """The rows of predict.json."""
    return load_json(folder / "maps" / "predict.json")


def test_exactly_the_files_of_the_contract(tmp_path: Path) -> None:
    scene = shutil.copy(world().scene, tmp_path / "s.tif")
    before = (tmp_path / "s.tif").read_bytes()
    done = run("predict", f"model={world().model}", f"scenes={scene}", "out_dir=maps", cwd=tmp_path)
    assert done.code == 0, done.err
    files = tree(tmp_path / "maps") - {"s.tif.vat.cpg"}
    assert files == {"s.tif", "predict.json", *(name.format("s") for name in SIDECARS)}
    assert tree(tmp_path) == {"s.tif", "maps"} | {f"maps/{name}" for name in tree(tmp_path / "maps")}
    assert (tmp_path / "s.tif").read_bytes() == before


def test_map_lies_exactly_on_the_scene(tmp_path: Path) -> None:
    assert predict(f"scenes={world().scene}").code == 0
    with rasterio.open(tmp_path / "maps" / "scene.tif") as map_, rasterio.open(world().scene) as scene:
        assert (map_.count, map_.dtypes, map_.nodata) == (1, ("uint8",), 0)
        assert (map_.crs, map_.transform, map_.shape) == (scene.crs, scene.transform, scene.shape)
        assert {map_.colormap(1)[value][3] for value in (1, 2, 3)} == {255}
        assert (map_.read(1) == truth()).mean() > 0.95


def test_many_scenes_one_of_them_bad(tmp_path: Path) -> None:
    for name in ("a", "c"):
        shutil.copy(world().scene, tmp_path / f"{name}.tif")
    (tmp_path / "b.tif").write_text("no raster", encoding="utf-8")
    done = run("predict", f"model={world().model}", "scenes=[a.tif,b.tif,c.tif]", "out_dir=maps", cwd=tmp_path)
    refused(done, 1, "b.tif", "1 of 3")
    assert [row["status"] for row in rows(tmp_path)] == ["done", "failed", "done"]
    assert [row["megapixels"] for row in rows(tmp_path)] == [pytest.approx(SIZE**2 / 1e6), None, SIZE**2 / 1e6]
    assert [row["attempts"] for row in rows(tmp_path)] == [1, 2, 1]
    assert [row["engine"] is None for row in rows(tmp_path)] == [False, True, False]
    assert rows(tmp_path)[0]["error"] is None
    assert "b.tif" in rows(tmp_path)[1]["error"]
    assert all(row["seconds"] >= 0 for row in rows(tmp_path))
    assert {path.name for path in (tmp_path / "maps").glob("*.tif")} == {"a.tif", "c.tif"}


def test_damaged_scene_does_not_stop_the_others(tmp_path: Path) -> None:
    shutil.copy(world().scene, tmp_path / "b.tif")
    (tmp_path / "a.tif").write_bytes(world().scene.read_bytes()[:30000])
    refused(predict("scenes=[a.tif,b.tif]"), 1, "a.tif")
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "done"]
    assert not (tmp_path / "maps" / "a.tif").exists()


def test_done_scenes_are_kept(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copy(world().scene, tmp_path / f"{name}.tif")
    assert predict("scenes=a.tif").code == 0
    before = (tmp_path / "maps" / "a.tif").stat()
    assert predict("scenes=[a.tif,b.tif]").code == 0
    assert [row["status"] for row in rows(tmp_path)] == ["kept", "done"]
    after = (tmp_path / "maps" / "a.tif").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_map_of_another_model_is_refused_and_replaced(tmp_path: Path) -> None:
    other = train(tmp_path / "other", "seed=8", "optim.steps=3")
    assert predict(f"scenes={world().scene}").code == 0
    before = (tmp_path / "maps" / "scene.tif").read_bytes()
    arguments = ["predict", f"model={other / 'model.ckpt'}", f"scenes={world().scene}", "out_dir=maps", "device=cpu"]
    refused(ended_inside(*arguments), 1, "scene.tif", "model", "overwrite=true")
    assert (tmp_path / "maps" / "scene.tif").read_bytes() == before
    done_inside(*arguments, "overwrite=true")
    assert (tmp_path / "maps" / "scene.tif").read_bytes() != before


def test_map_of_another_input_or_setting_is_refused(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    assert predict("scenes=s.tif").code == 0
    refused(predict("scenes=s.tif", "scene.scale=none"), 1, "s.tif", "settings")
    write_scene(tmp_path / "s.tif", seed=1)
    refused(predict("scenes=s.tif"), 1, "s.tif", "input")


def test_foreign_raster_is_not_replaced_by_accident(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    shutil.copy(world().truth, tmp_path / "maps" / "scene.tif")
    before = (tmp_path / "maps" / "scene.tif").read_bytes()
    refused(predict(f"scenes={world().scene}"), 1, "scene.tif")
    assert (tmp_path / "maps" / "scene.tif").read_bytes() == before
    assert predict(f"scenes={world().scene}", "overwrite=true").code == 0


def test_a_missing_style_is_made_again(tmp_path: Path) -> None:
    assert predict(f"scenes={world().scene}").code == 0
    (tmp_path / "maps" / "scene.qml").unlink()
    assert predict(f"scenes={world().scene}").code == 0
    assert (tmp_path / "maps" / "scene.qml").is_file()


def test_all_outputs(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", with_hole())
    assert predict("scenes=s.tif", "outputs=[classes,confidence,probabilities,gap]").code == 0
    names = {"s.tif", "s_confidence.tif", "s_probabilities.tif", "s_gap.tif"}
    assert {path.name for path in (tmp_path / "maps").glob("*.tif")} == names
    classes, probabilities = read(tmp_path / "maps" / "s.tif")[0], read(tmp_path / "maps" / "s_probabilities.tif")
    hole = classes == 0
    assert hole.sum() == CELL * CELL
    with rasterio.open(tmp_path / "maps" / "s_probabilities.tif") as file:
        assert file.descriptions == NAMES
    for kind in ("confidence", "probabilities", "gap"):
        with rasterio.open(tmp_path / "maps" / f"s_{kind}.tif") as file:
            values = file.read()
            assert (set(file.dtypes), file.nodata, set(file.scales)) == ({"uint8"}, 255, {1 / 200})
        assert (values[:, hole] == 255).all()
        assert values[:, ~hole].max() <= 200
    ordered = np.sort(probabilities.astype(int), axis=0)
    confidence, gap = (read(tmp_path / "maps" / f"s_{kind}.tif")[0] for kind in ("confidence", "gap"))
    assert (confidence[~hole] == ordered[-1][~hole]).all()
    assert np.abs(gap.astype(int) - (ordered[-1] - ordered[-2]))[~hole].max() <= 1
    sure = ~hole & (gap > 1)
    assert (probabilities.argmax(0)[sure] + 1 == classes[sure]).all()


def test_float_outputs(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", with_hole())
    assert predict("scenes=s.tif", "outputs=[classes,probabilities,gap]", "dtype=float32").code == 0
    with rasterio.open(tmp_path / "maps" / "s_probabilities.tif") as file:
        values = file.read()
        assert np.isnan(file.nodata)
        assert set(file.scales) == {1.0}
    hole = read(tmp_path / "maps" / "s.tif")[0] == 0
    assert np.isnan(values[:, hole]).all()
    assert np.allclose(values[:, ~hole].sum(0), 1, atol=1e-5)


def with_hole() -> Any:
    """Stored values of the world with one cell of nodata."""
    stored = np.rint((reflectance() + 0.1) / 0.0001).astype(np.uint16)
    stored[:, CELL : 2 * CELL, CELL : 2 * CELL] = 0
    return stored


def test_scene_without_georeference(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", georeferenced=False)
    done = predict("scenes=s.tif")
    assert done.code == 0
    assert "warning:" in done.err
    assert "georeference" in done.err
    assert any("georeference" in text for text in rows(tmp_path)[0]["warnings"])
    with rasterio.open(tmp_path / "maps" / "s.tif") as file:
        assert file.crs is None
        assert file.transform.is_identity
        assert (file.read(1) == truth()).mean() > 0.95


COMPUTED = [
    pytest.param(
        backend,
        precision,
        marks=[
            pytest.mark.skipif(importlib.util.find_spec(backend) is None, reason=f"{backend} is not installed"),
            pytest.mark.skipif(
                precision == "bf16" and not has_bf16(), reason="this processor does not compute in bf16"
            ),
        ],
    )
    for backend in ("torch", "openvino")
    for precision in ("fp32", "bf16")
]


@pytest.mark.parametrize(("backend", "precision"), COMPUTED)
@pytest.mark.parametrize("tile", [16, 40])
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, tile: int, backend: str, precision: str) -> None:
    write_scene(tmp_path / "s.tif", big_values(), **BLOCKS)
    wanted = ["outputs=[classes,confidence]", f"tiling.core={tile}", f"backend={backend}", f"precision={precision}"]
    found = []
    for workers in (1, 3):
        arguments = [f"model={world().model}", "scenes=s.tif", f"out_dir={workers}", *wanted, "device=cpu"]
        done_inside("predict", *arguments, f"executor.workers={workers}")
        found.append([(tmp_path / str(workers) / name).read_bytes() for name in ("s.tif", "s_confidence.tif")])
    assert found[0] == found[1]


@pytest.mark.parametrize(("backend", "precision"), COMPUTED)
def test_tile_size_does_not_change_the_map(tmp_path: Path, backend: str, precision: str) -> None:
    """Last bits may differ, so pixels whose two best classes are nearly tied (at most 1 of 200 apart) may too."""
    write_scene(tmp_path / "s.tif", big_values(), **BLOCKS)
    for tile in (16, 33, 512):
        arguments = [f"model={world().model}", "scenes=s.tif", f"out_dir={tile}", "device=cpu", "outputs=[classes,gap]"]
        done_inside("predict", *arguments, f"tiling.core={tile}", f"backend={backend}", f"precision={precision}")
    maps = [read(tmp_path / str(tile) / "s.tif") for tile in (16, 33, 512)]
    gap = read(tmp_path / "512" / "s_gap.tif")
    for other in maps[:2]:
        assert (gap[other != maps[2]] <= 1).all()
        assert (other != maps[2]).mean() < 1e-4


@pytest.mark.parametrize(("backend", "precision"), COMPUTED)
def test_every_engine_finds_the_classes_and_says_so(tmp_path: Path, backend: str, precision: str) -> None:
    assert predict(f"scenes={world().scene}", f"backend={backend}", f"precision={precision}").code == 0
    assert (read(tmp_path / "maps" / "scene.tif") == truth()).mean() > 0.95
    with rasterio.open(tmp_path / "maps" / "scene.tif") as file:
        engine = json.loads(file.tags()["LANDMIX_ENGINE"])
    assert (engine["backend"], engine["device"], engine["precision"]) == (backend, "cpu", precision)
    (row,) = rows(tmp_path)
    assert backend in row["engine"]
    assert precision in row["engine"]


def several_files(folder: Path) -> str:
    """The world as one file a band, in another order; how to name it."""
    stored = np.rint((reflectance() + 0.1) / 0.0001).astype(np.uint16)
    for i in (3, 0, 2, 1):
        write_scene(folder / f"s_{BANDS[i]}.tif", stored[i : i + 1], names=None, wavelengths=WAVELENGTHS[i : i + 1])
    return "[" + ",".join(f"s_{BANDS[i]}.tif" for i in (3, 0, 2, 1)) + "]"


@pytest.mark.parametrize("form", ["{{name: x, path: s.tif}}", "[{{name: x, path: s.tif}}]", "{{name: x, path: {}}}"])
def test_named_scene(tmp_path: Path, form: str) -> None:
    files = several_files(tmp_path)
    write_scene(tmp_path / "s.tif")
    assert predict(f"scenes={form.format(files)}").code == 0
    assert (tmp_path / "maps" / "x.tif").is_file()


def test_two_scenes_with_one_stem_by_their_names(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_scene(tmp_path / folder / "s.tif")
    assert predict("scenes=[{name: one, path: a/s.tif},{name: two, path: b/s.tif}]").code == 0
    assert {path.name for path in (tmp_path / "maps").glob("*.tif")} == {"one.tif", "two.tif"}


def test_name_stays_inside_the_folder(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    assert predict("scenes={name: ../../evil, path: s.tif}").code == 0
    assert len(list((tmp_path / "maps").glob("*.tif"))) == 1
    assert not list(tmp_path.parent.glob("evil*"))


def test_list_file_and_glob(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        shutil.copy(world().scene, tmp_path / f"{name}.tif")
    (tmp_path / "scenes.txt").write_text("a.tif\n# comment\n\nc.tif\n", encoding="utf-8")
    assert predict("scenes=@scenes.txt").code == 0
    assert [row["map"].rsplit("/")[-1] for row in rows(tmp_path)] == ["a.tif", "c.tif"]
    assert predict("scenes=?.tif").code == 0
    assert [row["status"] for row in rows(tmp_path)] == ["kept", "done", "kept"]


@pytest.mark.parametrize("scenes", ["[s.tif,S.tif]", "[a/s.tif,b/s.tif]"])
def test_equal_stems_are_refused_before_any_work(tmp_path: Path, scenes: str) -> None:
    for name in ("s.tif", "S.tif", "a/s.tif", "b/s.tif"):
        write_scene(tmp_path / name)
    before = tree(tmp_path)
    refused(predict(f"scenes={scenes}"), 2, ".tif", "name")
    assert tree(tmp_path) == before


def test_bands_are_found_by_wavelength(tmp_path: Path) -> None:
    stored = np.rint((reflectance() + 0.1) / 0.0001).astype(np.uint16)[::-1]
    names = ["w", "x", "y", "z"]
    write_scene(tmp_path / "s.tif", stored, names=names, wavelengths=[nm + 9 for nm in WAVELENGTHS[::-1] if nm])
    assert predict("scenes=s.tif").code == 0
    assert predict(f"scenes={world().scene}").code == 0
    assert (read(tmp_path / "maps" / "s.tif") == read(tmp_path / "maps" / "scene.tif")).all()


def test_nameless_bands_are_taken_by_position_with_a_warning(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", names=None, wavelengths=None)
    done = predict("scenes=s.tif")
    assert done.code == 0
    assert "position" in done.err
    assert (read(tmp_path / "maps" / "s.tif")[0] == truth()).mean() > 0.95


def test_moved_model_needs_nothing_else(tmp_path: Path) -> None:
    shutil.copy(world().model, tmp_path / "m.bin")
    done_inside("predict", "model=m.bin", f"scenes={world().scene}", "out_dir=maps")
    assert (tmp_path / "maps" / "scene.tif").is_file()


def test_provenance_is_in_the_map(tmp_path: Path) -> None:
    assert predict(f"scenes={world().scene}").code == 0
    with rasterio.open(tmp_path / "maps" / "scene.tif") as file:
        tags = {key: value for key, value in file.tags().items() if key.startswith("LANDMIX_")}
    assert {"LANDMIX_MODEL", "LANDMIX_INPUT", "LANDMIX_SETTINGS", "LANDMIX_VERSION"} <= set(tags)
    assert json.loads(tags["LANDMIX_INPUT"])[0]["name"] == "scene.tif"
    assert str(world().folder) not in str(tags)


def test_same_work_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        shutil.copytree(world().folder, tmp_path / folder)
        arguments = [f"model={folder}/run/model.ckpt", f"scenes={folder}/scene.tif", f"out_dir={folder}/maps"]
        done_inside("predict", *arguments, "device=cpu")
    assert (tmp_path / "one/maps/scene.tif").read_bytes() == (tmp_path / "two/maps/scene.tif").read_bytes()


def test_classes_cannot_be_left_out(tmp_path: Path) -> None:
    refused(predict(f"scenes={world().scene}", "outputs=[gap]"), 2, "outputs", "classes")
    assert not (tmp_path / "maps").exists()


def test_scene_of_several_files_is_called_by_what_they_share(tmp_path: Path) -> None:
    assert predict(f"scenes=[{several_files(tmp_path)}]").code == 0
    assert predict(f"scenes={world().scene}").code == 0
    assert (read(tmp_path / "maps" / "s.tif") == read(tmp_path / "maps" / "scene.tif")).all()


def test_no_scene_may_be_replaced_by_another_scenes_map(tmp_path: Path) -> None:
    write_scene(tmp_path / "maps" / "x.tif")
    write_scene(tmp_path / "maps" / "y.tif")
    before = (tmp_path / "maps" / "y.tif").read_bytes()
    swapped = "scenes=[{name: y, path: maps/x.tif},{name: z, path: maps/y.tif}]"
    refused(predict(swapped, "overwrite=true"), 2, "y.tif", "input")
    assert (tmp_path / "maps" / "y.tif").read_bytes() == before


def test_the_outputs_of_two_scenes_may_not_meet(tmp_path: Path) -> None:
    for name in ("a", "a_confidence"):
        write_scene(tmp_path / f"{name}.tif")
    refused(predict("scenes=[a.tif,a_confidence.tif]", "outputs=[classes,confidence]"), 2, "a_confidence.tif")


def test_rows_of_earlier_runs_stay(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_scene(tmp_path / f"{name}.tif")
        assert predict(f"scenes={name}.tif").code == 0
    assert [row["map"].rsplit("/")[-1] for row in rows(tmp_path)] == ["a.tif", "b.tif"]


def test_an_array_is_classified_as_its_file_is(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    assert predict("scenes=s.tif").code == 0
    with rasterio.open(tmp_path / "s.tif") as dataset:
        assert dataset.scales[0] != 1
        stored = dataset.read()
    values = landmix.load(world().model).classify(stored)
    assert (values == read(tmp_path / "maps" / "s.tif")).mean() > 0.999
