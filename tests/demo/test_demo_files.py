from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import rasterio.features
import shapely

from landmix.demo import BANDS, LEGEND, DemoFiles, DemoScene, make_scene, write_demo
from landmix.geo.pam import category_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return make_scene(0, 256)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"), seed=0, size=256)


@pytest.fixture(scope="module")
def polygons(files: DemoFiles) -> list[tuple[str, Any]]:
    _, _, geometry, (names,) = pyogrio.raw.read(files.labels)
    return list(zip(names, shapely.from_wkb(geometry), strict=True))


@pytest.fixture(scope="module")
def labels(files: DemoFiles, polygons: list[tuple[str, Any]]) -> NDArray[np.uint8]:
    """(H, W): class value of labelled pixels, else 0."""
    values = dict(zip(LEGEND.names, LEGEND.values, strict=True))
    with rasterio.open(files.scene) as file:
        shapes = [(shape, values[name]) for name, shape in polygons]
        return np.asarray(rasterio.features.rasterize(shapes, file.shape, transform=file.transform), np.uint8)


def test_same_seed_same_bytes(files: DemoFiles, tmp_path: Path) -> None:
    again = write_demo(tmp_path, seed=0, size=256)
    assert again.scene.read_bytes() == files.scene.read_bytes()
    assert again.reference.read_bytes() == files.reference.read_bytes()
    first, second = (pyogrio.raw.read(path)[2].tolist() for path in (files.labels, again.labels))
    assert first == second


def test_nothing_else_is_left_in_the_folder(files: DemoFiles) -> None:
    names = {path.name for path in files.scene.parent.iterdir()}
    assert names == {"scene.tif", "labels.gpkg", "reference.tif", "reference.tif.aux.xml", "fractions.tif"}


def test_scene_says_what_it_is(files: DemoFiles) -> None:
    with rasterio.open(files.scene) as file:
        assert (file.count, file.dtypes[0], file.nodata) == (12, "uint16", 0)
        assert (file.crs.to_epsg(), file.res) == (32633, (10.0, 10.0))
        assert file.descriptions == BANDS.names
        assert set(file.scales) == {0.0001}
        assert set(file.offsets) == {-0.1}
        assert (file.block_shapes[0], file.interleaving.value.lower()) == ((256, 256), "band")
        assert (file.compression.value.lower(), file.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"]) == ("deflate", "2")
        for band in BANDS:
            tags = file.tags(band.number, ns="IMAGERY")
            assert float(tags["CENTRAL_WAVELENGTH_UM"]) * 1000 == pytest.approx(band.wavelength)
            assert float(tags["FWHM_UM"]) * 1000 == pytest.approx(band.width)


def test_zero_is_stored_exactly_where_not_valid(files: DemoFiles, scene: DemoScene) -> None:
    with rasterio.open(files.scene) as file:
        stored = file.read()
    assert np.array_equal(stored == 0, np.broadcast_to(~scene.valid, stored.shape))
    read_back = stored * 0.0001 - 0.1
    assert np.abs(read_back - scene.reflectance)[:, scene.valid].max() < 0.0001


def test_reference_is_the_truth_everywhere(files: DemoFiles, scene: DemoScene) -> None:
    with rasterio.open(files.reference) as file:
        assert np.array_equal(file.read(1), scene.truth)
        assert (file.nodata, file.dtypes) == (0, ("uint8",))
        colors = file.colormap(1)
    assert {entry.value: colors[entry.value][:3] for entry in LEGEND} == {c.value: c.rgb for c in LEGEND}
    assert category_names(files.reference) == {entry.value: entry.name for entry in LEGEND}


def test_polygons_of_every_class_apart_from_each_other(polygons: list[tuple[str, Any]]) -> None:
    counts = Counter(name for name, _ in polygons)
    assert set(counts) == set(LEGEND.names)
    assert min(counts.values()) >= 6
    assert 50 <= len(polygons) <= 70
    shapes = [shape for _, shape in polygons]
    assert all(shape.is_valid for shape in shapes)
    assert shapely.union_all(shapes).area == pytest.approx(sum(shape.area for shape in shapes))
    assert all(shape.area > 0.8 * shape.convex_hull.area for shape in shapes)
    assert all(40 < max(np.subtract(shape.bounds[2:], shape.bounds[:2])) < 320 for shape in shapes)


def test_polygons_are_nearly_pure_and_avoid_nodata(labels: NDArray[np.uint8], scene: DemoScene) -> None:
    labelled = labels > 0
    assert 0.02 < labelled.mean() < 0.3
    assert scene.valid[labelled].all()
    assert 0.93 < np.mean(labels[labelled] == scene.truth[labelled]) < 1


def test_polygons_are_spread_over_the_scene(labels: NDArray[np.uint8]) -> None:
    quarters = [labels[rows, cols] for rows in (slice(128), slice(128, 256)) for cols in (slice(128), slice(128, 230))]
    assert all(len(np.unique(quarter)) >= 4 for quarter in quarters)
