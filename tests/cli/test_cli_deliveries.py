"""STAC items, zip files, embeddings; labels and grids of other places; two commands at once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from commands import (
    BANDS,
    CELL,
    NAMES,
    SIZE,
    TRANSFORM,
    cells,
    done_inside,
    ended_inside,
    load_json,
    read,
    reflectance,
    refused,
    run,
    start,
    tree,
    truth,
    world,
    write_classes,
    write_scene,
)
from deliveries import (
    HARD,
    agreement,
    band_facts,
    facts,
    labelled,
    predicted,
    safe_folder,
    sentinel_folder,
    stac_item,
    write_json,
    zipped,
)
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject, transform_geom

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DATA = Path(os.environ.get("LANDMIX_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train_on(scene: object, *arguments: str, labels: object = None, out: str = "m") -> Path:
    """A model of a scene, which must succeed."""
    done_inside(*training(scene, *arguments, labels=labels, out=out))
    return Path(out, "model.ckpt")


def training(scene: object, *arguments: str, labels: object = None, out: str = "m") -> list[str]:
    """The command that trains on a scene."""
    return labelled(scene, labels or world().labels, out, *arguments)


# STAC


def test_item_from_training_to_map(inside_tmp: Path) -> None:
    one = write_json(inside_tmp / f"cat {HARD}" / "item.json", stac_item(inside_tmp / f"cat {HARD}", "S2A/33, a=b"))
    (inside_tmp / "other").mkdir()
    two = write_json(inside_tmp / "other" / "x.json", stac_item(inside_tmp / "other", "S2B_ü", seed=1))
    assert list(band_facts(one, "unit")) == ["B02", "B04", "B08"]
    assert set(band_facts(one, "unit").values()) == {"reflectance"}
    assert set(band_facts(one, "offset").values()) == {-0.1}
    model = train_on(one, "data.bands=[red,nir]")
    assert [band["name"] for band in facts(model)["bands"]] == ["B04", "B08"]
    place, done = predicted(model, two, out=inside_tmp / "maps")
    assert place.name == "S2B_ü.tif"
    assert "warning" not in done.err
    assert agreement(place) > 0.95
    place, _ = predicted(model, one, out=inside_tmp / "own")
    assert place.name == "S2A_33, a=b.tif"


def test_item_collection_is_as_many_maps(inside_tmp: Path) -> None:
    items = [stac_item(inside_tmp, f"S2_{i}", seed=i) for i in range(2)]
    both = write_json(inside_tmp / "both.json", {"type": "FeatureCollection", "features": items})
    model = train_on(both, "data.bands=[red,nir]")
    arguments = [f"model={model}", "scenes=both.json", "device=cpu"]
    done = run("predict", *arguments, "out_dir=maps", cwd=inside_tmp)
    assert done.code == 0, done.err
    assert {path.name for path in (inside_tmp / "maps").glob("*.tif")} == {"S2_0.tif", "S2_1.tif"}
    assert all(agreement(path) > 0.95 for path in (inside_tmp / "maps").glob("*.tif"))
    items[1]["id"] = "S2_0"
    write_json(both, {"type": "FeatureCollection", "features": items})
    refused(ended_inside("predict", *arguments, "out_dir=new"), 2, "S2_0.tif")
    assert not (inside_tmp / "new").exists()


def test_item_that_says_no_scale_for_a_reflectance_model(inside_tmp: Path) -> None:
    model = train_on(write_json(inside_tmp / "a.json", stac_item(inside_tmp, "a")), "data.bands=[red,nir]")
    bare = write_json(inside_tmp / "b.json", stac_item(inside_tmp, "b", said=False))
    arguments = ["predict", f"model={model}", f"scenes={bare}", "device=cpu"]
    done = ended_inside(*arguments, "out_dir=no")
    refused(done, 1, "b.json", "scene.scale")
    assert not list((inside_tmp / "no").glob("*.tif"))
    place, _ = predicted(model, bare, "scene.scale=0.0001", "scene.offset=-0.1", out=inside_tmp / "yes")
    assert agreement(place) > 0.95


def broken_item(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    item = stac_item(Path(), "broken")
    change(item)
    return item


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], list[str]]] = {
    "a scale of zero": (lambda item: item["assets"]["red"]["raster:bands"][0].update(scale=0), ["item.json"]),
    "a scale that is text": (lambda item: item["assets"]["red"]["raster:bands"][0].update(scale="x"), ["scale"]),
    "no assets": (lambda item: item["assets"].clear(), ["item.json"]),
    "a link that leads nowhere": (lambda item: item["assets"]["red"].update(href="gone.tif"), ["gone.tif"]),
    "a link that leaves the folder": (lambda item: item["assets"]["red"].update(href="../x.tif"), ["../x.tif"]),
    "a catalog": (lambda item: item.update(type="Catalog"), ["item.json", "Catalog"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_item(inside_tmp: Path, case: str) -> None:
    change, words = BROKEN[case]
    write_json(inside_tmp / "item.json", broken_item(change))
    done = ended_inside(*training("item.json", out="new"))
    refused(done, 1, *words)
    assert "unexpectedly" not in done.last
    assert not (inside_tmp / "new").exists()


# a zip file


def test_safe_zip_is_the_folder(inside_tmp: Path) -> None:
    name = "S2B_MSIL2A_20240713T101031_N0510_R022_T33UUP.SAFE"
    folder = safe_folder(inside_tmp / name, offset=-1000)
    archive = zipped(folder)
    found = facts(archive)
    assert found["name"] == name.removesuffix(".SAFE")
    assert "Sentinel-2 L2A" in found["product"]
    assert [band["name"] for band in found["bands"]] == ["B02", "B04", "B08"]
    assert "B8A" in found["missing"]
    assert {(band["unit"], band["scale"]) for band in found["bands"]} == {("reflectance", 0.0001)}
    assert {round(band["offset"], 9) for band in found["bands"]} == {-0.1}
    assert facts(folder)["bands"][0]["share_valid"] == found["bands"][0]["share_valid"]
    refused(ended_inside(*training(archive, out="no")), 1, "B8A", "data.bands")
    assert not (inside_tmp / "no").exists()
    model = train_on(archive, "data.bands=[B02,B04,B08]")
    place, _ = predicted(model, folder, out=inside_tmp / "folder")
    other, _ = predicted(model, archive, out=inside_tmp / "zip")
    assert place.name == other.name == name.replace(".SAFE", ".tif")
    assert np.array_equal(read(place), read(other))
    assert agreement(place) > 0.95


def test_zip_of_something_else(inside_tmp: Path) -> None:
    (inside_tmp / "photos").mkdir()
    (inside_tmp / "photos" / "cat.txt").write_text("no band", encoding="utf-8")
    refused(ended_inside("inspect", f"path={zipped(inside_tmp / 'photos')}"), 1, "photos.zip", "scene.product=my.yaml")
    (inside_tmp / "cut.zip").write_bytes((inside_tmp / "photos.zip").read_bytes()[:40])
    refused(ended_inside("inspect", "path=cut.zip"), 1, "cut.zip")


# embeddings


def alphaearth(path: Path, seed: int = 0) -> Path:
    """64 int8 bands, south-up, with a hole."""
    centres = np.random.default_rng(9).integers(-100, 100, (3, 64))
    classes = truth()[::-1]
    noise = np.random.default_rng(seed).integers(-6, 7, (64, SIZE, SIZE))
    values = (np.moveaxis(centres[classes - 1], 2, 0) + noise).astype(np.int8)
    values[:, 20:30, 50:70] = -128
    upwards = Affine(10, 0, TRANSFORM.c, 0, 10, TRANSFORM.f - 10 * SIZE)
    names = [f"A{i:02d}" for i in range(64)]
    return write_scene(path, values, names=names, wavelengths=None, scaled=False, nodata=None, transform=upwards)


def test_alphaearth_south_up(inside_tmp: Path) -> None:
    one, two = (alphaearth(inside_tmp / f"{name}.tif", seed) for seed, name in enumerate(["one", "two"]))
    assert "AlphaEarth" in facts(one)["product"]
    assert set(band_facts(one, "decode").values()) == {"alphaearth"}
    assert set(band_facts(one, "unit").values()) == {"embedding"}
    assert set(band_facts(one, "nodata").values()) == {-128}
    place, done = predicted(train_on(one), two, out=inside_tmp / "maps")
    assert "warning" not in done.err
    with rasterio.open(two) as scene, rasterio.open(place) as file:
        assert file.transform == scene.transform
        assert file.transform.e == 10
        assert file.crs == scene.crs
    assert np.array_equal(read(place)[0] == 0, read(two)[0] == -128)
    assert agreement(place, truth()[::-1]) > 0.95
    done_inside("evaluate", f"map={place}", f"reference={world().labels}", "field=class", "out_dir=figures")
    assert load_json(inside_tmp / "figures" / "accuracy.json")["overall_accuracy"] > 0.95


# places that cannot be


def test_pixels_of_512_degrees(inside_tmp: Path) -> None:
    write_scene(inside_tmp / "far.tif")
    with rasterio.open(inside_tmp / "far.tif", "r+") as file:
        file.crs, file.transform = CRS.from_epsg(4326), Affine(512, 0, 0, 0, -512, 0)
    done = ended_inside("inspect", "path=far.tif", "quicklook=far.png")
    assert done.code == 0, done.err
    assert "512" in done.out
    assert (inside_tmp / "far.png").is_file()
    assert facts("far.tif")["crs"] == "EPSG:4326"
    refused(ended_inside(*training("far.tif", out="new")), 1, "far.tif", "degrees")
    assert not (inside_tmp / "new").exists()
    done = ended_inside("predict", f"model={world().model}", "scenes=far.tif", "out_dir=maps", "device=cpu")
    refused(done, 1, "far.tif", "degrees")
    assert tree(inside_tmp / "maps") == {"predict.json"}


@pytest.mark.parametrize("kind", ["polygons", "raster"])
def test_scene_without_crs_and_labels_with_one(inside_tmp: Path, kind: str) -> None:
    write_scene(inside_tmp / "bare.tif", georeferenced=False)
    labels = world().labels if kind == "polygons" else world().truth
    done = ended_inside(*training("bare.tif", labels=labels, out="new"))
    refused(done, 1, "no", "georeference", Path(labels).name)
    assert not (inside_tmp / "new").exists()


def test_bands_that_do_not_overlap(inside_tmp: Path) -> None:
    folder = sentinel_folder(inside_tmp / "s2", bands=["B02", "B04", "B11"])
    with rasterio.open(folder / "T33_B11.tif", "r+") as file:
        file.transform = Affine.translation(1e5, 0) @ file.transform
    for arguments in (training("s2", "scene.offset=0", out="new"), ["inspect", "path=s2"]):
        refused(ended_inside(*arguments), 1, "overlap", "T33_B11.tif", "T33_B0")
    assert not (inside_tmp / "new").exists()


# labels of other places and kinds


def label_raster(path: Path, values: NDArray[np.int32], crs: str, nodata: int | None = None) -> Path:
    """Class values of the world on a grid of another CRS, rotated against it."""
    left, bottom, right, top = rasterio.warp.transform_bounds(
        "EPSG:32633", crs, TRANSFORM.c, TRANSFORM.f - 10 * SIZE, TRANSFORM.c + 10 * SIZE, TRANSFORM.f
    )
    grid = Affine((right - left) / 180, 0, left, 0, (bottom - top) / 180, top)
    placed = np.full((180, 180), -1, np.int32)
    reproject(
        values,
        placed,
        src_transform=TRANSFORM,
        src_crs="EPSG:32633",
        dst_transform=grid,
        dst_crs=crs,
        src_nodata=-1,
        dst_nodata=-1,
        resampling=Resampling.nearest,
    )
    return write_classes(path, placed, crs=crs, transform=grid, nodata=nodata)


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:4326"])
def test_label_raster_of_another_grid_and_large_codes(inside_tmp: Path, crs: str) -> None:
    codes = np.array([300, 22531, -1], np.int32)[truth() - 1]
    codes[:CELL] = 0
    labels = label_raster(inside_tmp / "codes.tif", codes, crs)
    model = train_on(world().scene, "data.ignore=[-1,0]", labels=labels)
    assert [entry["value"] for entry in facts(model)["classes"]] == [300, 22531]
    place, _ = predicted(model, world().scene, out=inside_tmp / "maps")
    with rasterio.open(place) as file:
        assert file.dtypes == ("uint16",)
        assert file.nodata == 0
    classes, known = read(place)[0], truth()
    assert set(np.unique(classes)) == {300, 22531}
    assert (classes[known < 3] == np.array([300, 22531])[known[known < 3] - 1]).mean() > 0.95
    done_inside("evaluate", f"map={place}", f"reference={labels}", "ignore=[-1,0]", "out_dir=figures")
    figures = load_json(inside_tmp / "figures" / "accuracy.json")
    assert figures["overall_accuracy"] > 0.9
    assert [row["value"] for row in figures["classes"]] == [300, 22531]


def test_classes_with_umlauts_in_lon_and_lat(inside_tmp: Path) -> None:
    names = {"field": "Äcker & Wiesen", "forest": "Wälder <dicht>", "water": "Flüsse, Straßen"}
    shapes = [
        (names[name], shapely.geometry.shape(transform_geom("EPSG:32633", "EPSG:4326", shape.__geo_interface__)))
        for name, shape in cells()
    ]
    field = "Größe, Art"
    pyogrio.raw.write(
        inside_tmp / "Flächen.gpkg",
        geometry=np.array([shapely.to_wkb(shape) for _, shape in shapes], object),
        field_data=[np.array([name for name, _ in shapes], object), np.arange(len(shapes))],
        fields=[field, "nr"],
        geometry_type="Polygon",
        crs="EPSG:4326",
        driver="GPKG",
    )
    given = f"data.field={field}"
    model = train_on(world().scene, given, labels="Flächen.gpkg")
    assert [entry["name"] for entry in facts(model)["classes"]] == sorted(names.values())
    done = run("predict", f"model={model}", f"scenes={world().scene}", "out_dir=maps", "device=cpu", cwd=inside_tmp)
    assert done.code == 0, done.err
    place = inside_tmp / "maps" / "scene.tif"
    with rasterio.open(place) as file:
        assert sorted(json.loads(file.tags()["LANDMIX_CLASSES"]).values()) == sorted(names.values())
    assert "Straßen" in place.with_suffix(".qml").read_text(encoding="utf-8")
    done_inside("evaluate", f"map={place}", "reference=Flächen.gpkg", f"field={field}", "out_dir=figures")
    assert load_json(inside_tmp / "figures" / "accuracy.json")["overall_accuracy"] > 0.95
    order = sorted(names.values())
    expected = np.array([order.index(names[name]) + 1 for name in NAMES], np.uint8)[truth() - 1]
    assert agreement(place, expected) > 0.95


@pytest.mark.parametrize("given", ["data.ignore=[-1,0]", "data.ignore=-1"])
def test_ignored_codes_of_polygons(inside_tmp: Path, given: str) -> None:
    shapes = [shape for _, shape in cells()]
    codes = np.array([(-1, 22531, 300)[NAMES.index(name)] for name, _ in cells()])
    pyogrio.raw.write(
        inside_tmp / "codes.gpkg",
        geometry=np.array([shapely.to_wkb(shape) for shape in shapes], object),
        field_data=[codes],
        fields=["code"],
        geometry_type="Polygon",
        crs="EPSG:32633",
        driver="GPKG",
    )
    model = train_on(world().scene, given, "data.field=code", labels=inside_tmp / "codes.gpkg")
    assert [entry["value"] for entry in facts(model)["classes"]] == [300, 22531]


# real scenes


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real scenes in {DATA} (LANDMIX_TEST_DATA)")
def test_nodata_conventions_are_one_scene(inside_tmp: Path) -> None:
    folder = DATA / "nodata_conventions"
    (labels,) = folder.glob("*.shp")
    scenes = sorted(folder.glob("*.tif"))
    assert len(scenes) == 3
    figures, maps = [], []
    for i, scene in enumerate(scenes):
        given = ["data.field=lc_name", "split.kind=polygons"]
        model = train_on(scene, *given, labels=labels, out=f"m{i}")
        figures.append(load_json(inside_tmp / f"m{i}" / "metrics.json"))
        maps.append(read(predicted(model, scene, out=inside_tmp / f"maps{i}")[0])[0])
    for key in ("overall_accuracy", "macro_f1", "confusion", "n", "trained_on"):
        assert figures[0][key] == figures[1][key] == figures[2][key], key
    assert (maps[0] > 0).any()
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])


# two at once, and stopped


def test_two_predictions_into_one_folder(inside_tmp: Path) -> None:
    big = write_scene(inside_tmp / "big.tif", np.tile(reflectance(), (1, 12, 12)), scaled=False)
    model = train_on(write_scene(inside_tmp / "s.tif", scaled=False))
    arguments = ["predict", f"model={model}", f"scenes={big}", "out_dir=maps", "device=cpu"]
    both = [start(*arguments, cwd=inside_tmp) for _ in range(2)]
    ends = [(process.communicate(timeout=120), process.returncode) for process in both]
    for (_, err), code in ends:
        assert code in {0, 1}, err
        assert "Traceback" not in err
        if code:
            assert "another landmix" in err
    assert 0 in {code for _, code in ends}
    place = inside_tmp / "maps" / "big.tif"
    assert agreement(place, np.tile(truth(), (12, 12))) > 0.95
    assert load_json(inside_tmp / "maps" / "predict.json")
    assert not (inside_tmp / "maps" / ".landmix").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupted_inspection_of_a_large_scene(inside_tmp: Path) -> None:
    size = {"height": 60_000, "width": 60_000, "count": 3, "dtype": "uint16"}
    kind: dict[str, Any] = {"tiled": True, "SPARSE_OK": True, "BIGTIFF": "YES"}
    place = {"crs": "EPSG:32633", "transform": TRANSFORM}
    with rasterio.open(inside_tmp / "big.tif", "w", driver="GTiff", **size, **kind, **place):
        pass
    lifted = "limits.pixels=3600000000", "limits.bytes=21600000000"  # nothing of it is there
    process = start("inspect", "path=big.tif", "progress=json", "quicklook=q.png", *lifted, cwd=inside_tmp)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "step"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("error: interrupted")
    assert "Traceback" not in err
    assert tree(inside_tmp) == {"big.tif"}


def test_a_picture_never_replaces_another_file(inside_tmp: Path) -> None:
    write_scene(inside_tmp / "a.tif", reflectance(), names=BANDS, wavelengths=None, scaled=False)
    for name in ("a.tif", "notes.png", "b.jpg"):
        if name == "notes.png":
            (inside_tmp / name).write_text("my notes", encoding="utf-8")
        before = (inside_tmp / name).read_bytes() if (inside_tmp / name).exists() else None
        refused(ended_inside("inspect", "path=a.tif", f"quicklook={name}"), 2, name, "PNG")
        assert ((inside_tmp / name).read_bytes() if (inside_tmp / name).exists() else None) == before
    for _ in range(2):
        done_inside("inspect", "path=a.tif", "quicklook=a.png")
