"""landmix evaluate: any reference on any grid, and every figure of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from commands import (
    NAMES,
    SIZE,
    TRANSFORM,
    cells,
    done_inside,
    ended_inside,
    load_json,
    on_ground,
    run,
    tree,
    truth,
    world,
    write_classes,
    write_labels,
)
from rasterio.transform import Affine
from rasterio.warp import Resampling, calculate_default_transform, reproject

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

OVERALL = {"overall_accuracy", "balanced_accuracy", "kappa", "macro_f1", "mean_iou", "n", "unmapped"}
ROW = {"value", "name", "users_accuracy", "producers_accuracy", "f1", "iou", "support", "mapped"}


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a map that is wrong in its two top rows, to stand in."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "map.tif", flawed())
    return tmp_path


def flawed() -> NDArray[np.uint8]:
    """The truth, with a class off in the two top rows, and without a value in the last column."""
    values = truth()
    values[:2] = values[:2] % 3 + 1
    values[:, -1] = 0
    return values


def evaluate(reference: str, *arguments: str) -> Any:
    """The content of accuracy.json."""
    done_inside("evaluate", "map=map.tif", f"reference={reference}", "out_dir=figures", *arguments)
    from pathlib import Path  # noqa: PLC0415

    return load_json(Path("figures") / "accuracy.json")


def test_exactly_the_files_of_the_contract(tmp_path: Path) -> None:
    write_classes(tmp_path / "r.tif")
    done = run("evaluate", "map=map.tif", "reference=r.tif", "out_dir=figures", cwd=tmp_path)
    assert done.code == 0, done.err
    assert tree(tmp_path) == {"map.tif", "r.tif", "figures", "figures/accuracy.json", "figures/report.html"}


def test_raster_on_the_same_grid() -> None:
    figures = evaluate(str(world().truth))
    assert set(figures) >= OVERALL | {"classes", "confusion"}
    assert all(set(row) >= ROW for row in figures["classes"])
    n = SIZE * (SIZE - 1)
    assert (figures["n"], figures["unmapped"]) == (n, SIZE)
    assert figures["overall_accuracy"] == pytest.approx(1 - 2 / SIZE)
    assert [row["value"] for row in figures["classes"]] == [1, 2, 3]
    confusion = np.array(figures["confusion"])
    wanted = np.zeros((3, 3), int)
    np.add.at(wanted, (truth()[:, :-1].ravel() - 1, flawed()[:, :-1].ravel() - 1), 1)
    assert (confusion == wanted).all()


def test_polygons_count_their_pixel_centres(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("value,name,colour\n1,field,#aaaa00\n2,forest,#00aa00\n3,water,#0000aa\n")
    figures = evaluate(str(world().labels), "field=class", "legend=l.csv")
    assert (figures["n"], figures["unmapped"]) == (3600, 0)
    assert figures["overall_accuracy"] == 1
    assert [row["name"] for row in figures["classes"]] == list(NAMES)


def test_intervals_over_polygons_and_blocks(tmp_path: Path) -> None:
    figures = evaluate(str(world().labels), "field=code")
    certain = pytest.approx([0.025 ** (1 / 12), 1])  # 12 polygons a class, without an error
    assert [row["producers_accuracy_interval"] for row in figures["classes"]] == [certain] * 3
    assert figures["overall_accuracy_interval"]["groups"] == 36
    write_labels(tmp_path / "few.gpkg", cells()[:15])  # 5 a class
    figures = evaluate("few.gpkg", "field=code")
    assert {row["f1_interval"] for row in figures["classes"]} == {None}
    figures = evaluate(str(world().truth))  # blocks of 32 pixels
    assert figures["overall_accuracy_interval"]["groups"] == 9
    for row in figures["classes"]:
        for name in ("users_accuracy", "producers_accuracy", "f1"):
            low, high = row[f"{name}_interval"]
            assert 0.5 < low < row[name] < high <= 1


def test_numbered_field_matches_values() -> None:
    figures = evaluate(str(world().labels), "field=code")
    assert figures["overall_accuracy"] == 1


def test_points(tmp_path: Path) -> None:
    write_labels(tmp_path / "p.geojson", lonlat([(name, shape.centroid) for name, shape in cells()]), crs="EPSG:4326")
    figures = evaluate("p.geojson", "field=code")
    assert (figures["n"], figures["overall_accuracy"]) == (36, 1)


def test_points_outside_the_map_are_in_no_figure(tmp_path: Path) -> None:
    far = shapely.transform(shapely.Point(500, 500), on_ground)
    write_labels(tmp_path / "p.gpkg", [*((name, shape.centroid) for name, shape in cells()), ("water", far)])
    assert evaluate("p.gpkg", "field=code")["n"] == 36


def lonlat(features: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The same features in longitude and latitude."""
    there = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    return [
        (name, shapely.transform(shape, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1]))))
        for name, shape in features
    ]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:rasterio")
def test_raster_in_another_crs(tmp_path: Path) -> None:
    bounds = (TRANSFORM.c, TRANSFORM.f + SIZE * TRANSFORM.e, TRANSFORM.c + SIZE * TRANSFORM.a, TRANSFORM.f)
    transform, width, height = calculate_default_transform(
        "EPSG:32633", "EPSG:4326", SIZE, SIZE, *bounds, dst_width=300, dst_height=300
    )
    moved = np.zeros((height, width), np.uint8)
    reproject(
        truth(),
        moved,
        src_transform=TRANSFORM,
        src_crs="EPSG:32633",
        dst_transform=transform,
        dst_crs="EPSG:4326",
        resampling=Resampling.nearest,
    )
    write_classes(tmp_path / "r.tif", moved, crs="EPSG:4326", transform=transform)
    figures = evaluate("r.tif")
    assert figures["n"] > 0.97 * SIZE * SIZE
    assert figures["overall_accuracy"] > 1 - 2 / SIZE - 0.01


@pytest.mark.parametrize("size", [5.0, 20.0])
def test_raster_on_another_grid(tmp_path: Path, size: float) -> None:
    values = truth().repeat(2, 0).repeat(2, 1) if size < 10 else truth()[::2, ::2]
    write_classes(tmp_path / "r.tif", values, transform=Affine(size, 0, TRANSFORM.c, 0, -size, TRANSFORM.f))
    figures = evaluate("r.tif")
    assert figures["n"] == SIZE * (SIZE - 1)
    assert figures["overall_accuracy"] == pytest.approx(1 - 2 / SIZE)


def test_class_that_the_map_lacks_is_a_row_and_an_error(tmp_path: Path) -> None:
    values = truth()
    values[40:50, 40:50] = 7
    write_classes(tmp_path / "r.tif", values)
    figures = evaluate("r.tif")
    (row,) = [row for row in figures["classes"] if row["value"] == 7]
    assert (row["support"], row["mapped"], row["producers_accuracy"]) == (100, 0, 0)
    assert row["users_accuracy"] is None
    assert figures["n"] == SIZE * (SIZE - 1)
    assert figures["overall_accuracy"] < 1 - 2 / SIZE


def test_text_class_that_the_map_lacks(tmp_path: Path) -> None:
    snow = shapely.transform(shapely.box(0.5, 20, 2.5, 25), on_ground)
    write_labels(tmp_path / "r.gpkg", [*cells(), ("snow", snow)])
    (tmp_path / "l.csv").write_text("value,name,colour\n1,field,#aaaa00\n2,forest,#00aa00\n3,water,#0000aa\n")
    figures = evaluate("r.gpkg", "field=class", "legend=l.csv")
    (row,) = [row for row in figures["classes"] if row["name"] == "snow"]
    assert (row["support"], row["producers_accuracy"]) == (10, 0)
    assert figures["overall_accuracy"] == pytest.approx(3600 / 3610)


def test_class_that_the_reference_lacks_has_null_figures(tmp_path: Path) -> None:
    write_labels(tmp_path / "r.gpkg", [(name, shape) for name, shape in cells() if name != "water"])
    figures = evaluate("r.gpkg", "field=code")
    (row,) = [row for row in figures["classes"] if row["value"] == 3]
    assert (row["support"], row["producers_accuracy"]) == (0, None)
    assert figures["macro_f1"] == 1


def test_ignored_values(tmp_path: Path) -> None:
    values = truth()
    values[50:] = 9
    write_classes(tmp_path / "r.tif", values)
    assert evaluate("r.tif", "ignore=[9]")["n"] == 50 * (SIZE - 1)


def test_names_of_our_own_map_need_no_legend(tmp_path: Path) -> None:
    done_inside("predict", f"model={world().model}", f"scenes={world().scene}", "out_dir=maps", "device=cpu")
    write_labels(tmp_path / "r.gpkg")
    done_inside("evaluate", "map=maps/scene.tif", "reference=r.gpkg", "field=class", "out_dir=figures")
    figures = load_json(tmp_path / "figures" / "accuracy.json")
    assert [row["name"] for row in figures["classes"]] == list(NAMES)
    assert figures["overall_accuracy"] > 0.95


def test_training_data_as_reference_warns_everywhere(tmp_path: Path) -> None:
    done_inside("predict", f"model={world().model}", f"scenes={world().scene}", "out_dir=maps", "device=cpu")
    arguments = ["evaluate", "map=maps/scene.tif", "field=class", "out_dir=figures"]
    done = ended_inside(*arguments, f"reference={world().labels}")
    assert done.code == 0
    assert "warning:" in done.err
    assert "training data" in done.err
    assert any("training data" in text for text in load_json(tmp_path / "figures" / "accuracy.json")["warnings"])
    assert "training data" in (tmp_path / "figures" / "report.html").read_text(encoding="utf-8")


def test_other_reference_does_not_warn(tmp_path: Path) -> None:
    done_inside("predict", f"model={world().model}", f"scenes={world().scene}", "out_dir=maps", "device=cpu")
    done = ended_inside("evaluate", "map=maps/scene.tif", f"reference={world().truth}", "out_dir=figures")
    assert done.code == 0
    assert "training data" not in done.err
    assert "training data" not in "".join(load_json(tmp_path / "figures" / "accuracy.json")["warnings"])


def test_nodata_of_the_map_is_unmapped(tmp_path: Path) -> None:
    values = flawed()
    values[values == 2] = 255
    write_classes(tmp_path / "map.tif", values, nodata=255)
    figures = evaluate(str(world().truth), "ignore=[0]")
    assert figures["unmapped"] == int((values == 255).sum())


def test_console_has_the_table() -> None:
    done = ended_inside("evaluate", "map=map.tif", f"reference={world().truth}", "out_dir=figures")
    assert done.code == 0
    for word in ("F1", "support", "overall accuracy", "kappa", "accuracy.json"):
        assert word in done.out


@pytest.mark.parametrize("reference", ["same.tif", "other grid.tif", "other crs.tif"])
@pytest.mark.parametrize("ignore", ["", "ignore=[0,2]"])
def test_a_raster_counted_as_it_is_read_gives_what_its_pixels_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, ignore: str
) -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random(truth().shape) < 0.1, rng.integers(0, 5, truth().shape), truth()).astype(np.uint8)
    write_classes(tmp_path / "same.tif", values)
    write_classes(tmp_path / "other grid.tif", values[10:], transform=TRANSFORM @ Affine.translation(3.5, 8.2))
    there = {"src_transform": TRANSFORM, "src_crs": "EPSG:32633", "dst_crs": "EPSG:3035"}
    bounds = rasterio.transform.array_bounds(SIZE, SIZE, TRANSFORM)
    transform, width, height = calculate_default_transform("EPSG:32633", "EPSG:3035", SIZE, SIZE, *bounds)
    warped = np.zeros((height, width), np.uint8)
    reproject(values, warped, dst_transform=transform, resampling=Resampling.nearest, **there)
    write_classes(tmp_path / "other crs.tif", warped, crs="EPSG:3035", transform=transform)
    more = (ignore,) if ignore else ()
    streamed = evaluate(reference, *more)
    assert streamed["n"] > 1000
    monkeypatch.setattr("landmix.tasks.evaluate._tally", lambda *_: None)
    assert evaluate(reference, *more) == streamed
