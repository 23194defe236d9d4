from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from geo_files import NORTH_UP, ROTATED, SOUTH_UP, UTM, grid, ground, write_tif, write_vector
from rasterio.enums import ColorInterp
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Point, Polygon, box

from landmix.errors import LandmixError
from landmix.geo.label_pixels import LabelPixels, count_keys, merge
from landmix.geo.label_rasters import RasterLabels, sample
from landmix.geo.labels import burn, open_labels
from landmix.geo.vectors import Features, read_features

if TYPE_CHECKING:
    from pathlib import Path

    from affine import Affine as Transform
    from numpy.typing import NDArray

    from landmix.geo.grid import Grid

GRID = grid(20, 30)


def features(geometries: list[Any], keys: list[str | int], crs: str | None = UTM) -> Features:
    return Features(path="labels", crs=crs, geometries=np.array(geometries, object), keys=tuple(keys))


def at(row: float, col: float, transform: Transform = NORTH_UP) -> tuple[float, float]:
    x, y = transform @ (col, row)
    return float(x), float(y)


def cells(row: float, col: float, height: float, width: float, transform: Transform = NORTH_UP) -> Polygon:
    corners = [(row, col), (row, col + width), (row + height, col + width), (row + height, col)]
    return Polygon([at(*corner, transform) for corner in corners])


def claimed(pixels: LabelPixels) -> dict[tuple[int, int], str | int]:
    places = zip(pixels.rows.tolist(), pixels.cols.tolist(), strict=True)
    return {place: pixels.names[k] for place, k in zip(places, pixels.keys.tolist(), strict=True)}


def oracle(geometry: Any, on: Grid) -> set[tuple[int, int]]:
    """Pixels whose centre lies in the geometry, by shapely."""
    rows, cols = (a.ravel() for a in np.indices((on.height, on.width)))
    x, y = ground(on.transform, rows + 0.5, cols + 0.5)
    inside = shapely.contains_xy(geometry, x, y)
    return set(zip(rows[inside].tolist(), cols[inside].tolist(), strict=True))


def star(seed: int, transform: Transform) -> Polygon:
    """A star-shaped polygon that reaches over the edges of a 20 x 30 grid for some seeds."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radius = rng.uniform(2, 12, 9)
    row, col = rng.uniform(0, 20), rng.uniform(0, 30)
    rows, cols = row + radius * np.sin(angles), col + radius * np.cos(angles)
    return Polygon([at(r, c, transform) for r, c in zip(rows, cols, strict=True)]).buffer(0)


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED])
@pytest.mark.parametrize("seed", range(6))
def test_polygons_claim_the_pixels_whose_centres_they_hold(transform: Transform, seed: int) -> None:
    on = grid(20, 30, transform)
    shape = star(seed, transform)
    hole = shape.buffer(-25)
    for geometry in (
        shape,
        shape.difference(hole),
        MultiPolygon([cells(0, 0, 2, 3, transform), cells(9, 9, 4, 4, transform)]),
    ):
        pixels = burn(features([geometry], ["a"]), on, frozenset())
        assert set(claimed(pixels)) == oracle(geometry, on)


def test_pixels_come_sorted_and_once() -> None:
    shapes = [cells(9, 0, 3, 30), cells(2, 2, 4, 4), cells(10, 5, 6, 6)]
    pixels = burn(features(shapes, ["a", "a", "a"]), GRID, frozenset())
    flat = pixels.rows.astype(int) * 30 + pixels.cols
    assert (np.diff(flat) > 0).all()


def test_different_classes_that_overlap_are_left_out_and_counted() -> None:
    pixels = burn(features([cells(0, 0, 4, 4), cells(2, 2, 4, 4)], ["a", "b"]), GRID, frozenset())
    assert pixels.overlapping == 4
    found = claimed(pixels)
    assert len(found) == 24
    assert not any(r in (2, 3) and c in (2, 3) for r, c in found)
    assert found[0, 0] == "a"
    assert found[5, 5] == "b"


def test_the_same_class_counts_once_and_belongs_to_the_first() -> None:
    pixels = burn(features([cells(0, 0, 4, 4), cells(2, 2, 4, 4)], ["a", "a"]), GRID, frozenset(), 10)
    assert pixels.overlapping == 0
    assert len(pixels) == 28
    units = dict(zip(claimed(pixels), pixels.units.tolist(), strict=True))
    assert units[2, 2] == 10
    assert units[4, 4] == 11


def test_an_ignored_class_neither_claims_nor_disputes() -> None:
    pixels = burn(features([cells(0, 0, 4, 4), cells(2, 2, 4, 4)], ["a", "b"]), GRID, frozenset(["b"]))
    assert pixels.names == ("a",)
    assert len(pixels) == 16
    assert pixels.overlapping == 0


def test_points_claim_the_pixel_they_lie_in() -> None:
    shapes = [Point(at(3.01, 4.99)), MultiPoint([at(0.5, 0.5), at(19.9, 29.9), at(0.6, 0.4)]), Point(at(7.0, 8.0))]
    pixels = burn(features(shapes, [1, 2, 3]), GRID, frozenset())
    assert claimed(pixels) == {(3, 4): 1, (0, 0): 2, (19, 29): 2, (7, 8): 3}


@pytest.mark.parametrize("shape", [Point(at(-0.1, 3)), Point(at(3, 30.1)), cells(-9, 0, 5, 5), cells(0, 31, 5, 5)])
def test_what_lies_outside_claims_nothing(shape: Any) -> None:
    pixels = burn(features([shape], ["a"]), GRID, frozenset())
    assert len(pixels) == 0
    assert count_keys([pixels]) == {"a": 0}


def test_a_polygon_smaller_than_a_pixel_needs_the_centre() -> None:
    shapes = [cells(3.6, 3.6, 0.3, 0.3), cells(5.4, 5.4, 0.2, 0.2)]
    assert set(claimed(burn(features(shapes, ["a", "b"]), GRID, frozenset()))) == {(5, 5)}


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:3035", "EPSG:31468"])
def test_labels_of_another_crs_land_on_the_same_pixels(crs: str) -> None:
    shapes = [star(1, NORTH_UP), star(4, NORTH_UP), Point(at(1.3, 20.2))]
    there = pyproj.Transformer.from_crs(UTM, crs, always_xy=True)
    moved = [shapely.transform(s, lambda xy: np.column_stack(there.transform(*xy.T))) for s in shapes]
    own, other = (burn(features(s, ["a", "b", "c"], c), GRID, frozenset()) for s, c in ((shapes, UTM), (moved, crs)))
    assert claimed(own) == claimed(other)


def test_labels_without_crs_are_in_the_scenes() -> None:
    assert len(burn(features([cells(0, 0, 2, 2)], ["a"], None), GRID, frozenset())) == 4


def test_labels_with_crs_need_one_in_the_scene() -> None:
    with pytest.raises(LandmixError, match="has a CRS but the scene has none"):
        burn(features([cells(0, 0, 2, 2)], ["a"]), grid(20, 30, crs=None), frozenset())


# vector files


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp", "fgb"])
@pytest.mark.parametrize(("classes", "keys"), [(["Grün", "b"], ("Grün", "b")), ([3, 7], (3, 7))])
def test_vector_files_of_any_format(tmp_path: Path, suffix: str, classes: list[Any], keys: tuple[Any, ...]) -> None:
    path = write_vector(tmp_path / f"lä bels.{suffix}", [box(*at(4, 0), *at(0, 4)), box(*at(9, 5), *at(5, 9))], classes)
    found = read_features(path, "class")
    assert sorted(found.keys, key=str) == sorted(keys, key=str)
    opened = open_labels(path, "class")
    assert isinstance(opened, Features)
    assert len(burn(opened, GRID, frozenset())) == 32


@pytest.mark.parametrize(
    ("classes", "keys"),
    [
        (["a", None, "  ", " b "], ("a", "b")),
        ([1.0, float("nan"), 2.0, 300.0], (1, 2, 300)),
        ([True, False, True, True], (1, 0, 1, 1)),
        ([1, -5, 2, 2], (1, -5, 2, 2)),
    ],
)
def test_features_without_class_are_left_out(tmp_path: Path, classes: list[Any], keys: tuple[Any, ...]) -> None:
    path = write_vector(tmp_path / "a.gpkg", [Point(at(i, i)) for i in range(4)], classes)
    assert read_features(path, None).keys == keys


def test_features_without_geometry_are_left_out(tmp_path: Path) -> None:
    path = write_vector(tmp_path / "a.gpkg", [None, Point(at(1, 1)), Polygon()], ["a", "b", "c"])
    assert read_features(path, None).keys == ("b",)


def test_heights_are_dropped(tmp_path: Path) -> None:
    path = write_vector(tmp_path / "a.gpkg", [Point(*at(1.5, 2.5), 99)], ["a"])
    assert claimed(burn(read_features(path, None), GRID, frozenset())) == {(1, 2): "a"}


@pytest.mark.parametrize(
    ("field", "told"),
    [("klasse", r"no field 'klasse': .*a\.gpkg has the fields class"), ("clas", r"did you mean 'class'\?")],
)
def test_a_missing_field_names_the_fields(tmp_path: Path, field: str, told: str) -> None:
    path = write_vector(tmp_path / "a.gpkg", [Point(at(1, 1))], ["a"])
    with pytest.raises(LandmixError, match=told):
        read_features(path, field)


@pytest.mark.parametrize(
    ("geometries", "classes", "told"),
    [
        ([], [], "holds no features"),
        ([LineString([at(0, 0), at(3, 3)])], ["a"], "points or polygons, but .* holds LineString"),
        ([Point(at(0, 0))], [1.5], "whole numbers or text, but the field 'class' .* fractions"),
        ([Point(at(0, 0))], [""], "no feature of .* both a geometry and a value in the field 'class'"),
        ([None], ["a"], "no feature of .* both a geometry"),
    ],
)
def test_useless_vector_files_are_refused(tmp_path: Path, geometries: list[Any], classes: list[Any], told: str) -> None:
    path = write_vector(tmp_path / "a.gpkg", geometries, classes or np.empty(0, object).tolist())
    with pytest.raises(LandmixError, match=told):
        read_features(path, None)


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"PK\3\4junk"])
def test_what_is_neither_raster_nor_vector_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.gpkg"
    path.write_bytes(content)
    with pytest.raises(LandmixError, match=r"labels\.gpkg"):
        open_labels(str(path), None)


def test_labels_that_do_not_exist_are_refused() -> None:
    with pytest.raises(LandmixError, match=r"cannot read nowhere\.gpkg"):
        open_labels("nowhere.gpkg", None)


def test_of_several_layers_the_one_with_the_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_vector(path, [Point(at(1, 1))], ["a"], field="class", layer="one")
    write_vector(path, [Point(at(2, 2))], ["b"], field="kind", layer="two", append=True)
    assert read_features(str(path), "kind").keys == ("b",)
    assert read_features(str(path), None, "one").keys == ("a",)
    with pytest.raises(LandmixError, match=r"layers one, two: choose one with data\.layer"):
        read_features(str(path), None)
    with pytest.raises(LandmixError, match=r"a\.gpkg"):
        read_features(str(path), None, "three")


# label rasters


def values_of(height: int = 20, width: int = 30) -> NDArray[np.uint8]:
    rows, cols = np.indices((height, width))
    return ((rows // 4 + cols // 5) % 4).astype(np.uint8)


def sampled(path: str, on: Grid = GRID, ignore: frozenset[str | int] | None = None) -> NDArray[np.int64]:
    """(H, W) values, -1 where unlabelled."""
    labels = open_labels(path, None)
    assert isinstance(labels, RasterLabels)
    found = sample(labels, on, ignore)
    out = np.full((on.height, on.width), -1)
    out[found.rows, found.cols] = np.array([*found.names, 0])[found.keys]
    assert (found.units == -1).all()
    return out


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"])
def test_labels_on_the_same_grid(tmp_path: Path, dtype: str) -> None:
    path = write_tif(tmp_path / "a.tif", values_of().astype(dtype))
    np.testing.assert_array_equal(sampled(path), np.where(values_of() == 0, -1, values_of().astype(int)))


@pytest.mark.parametrize(
    ("nodata", "ignore", "unlabelled"),
    [
        (None, None, {0}),
        (3, None, {3}),
        (0, None, {0}),
        (None, frozenset([2]), {2}),
        (3, frozenset([1, "x"]), {1, 3}),
        (None, frozenset(), set()),
        (255, None, set()),
    ],
)
def test_what_is_unlabelled(
    tmp_path: Path, nodata: int | None, ignore: frozenset[Any] | None, unlabelled: set[int]
) -> None:
    path = write_tif(tmp_path / "a.tif", values_of(), nodata=nodata)
    expected = np.where(np.isin(values_of(), list(unlabelled)), -1, values_of().astype(int))
    np.testing.assert_array_equal(sampled(path, ignore=ignore), expected)


def test_nan_is_unlabelled(tmp_path: Path) -> None:
    values = values_of().astype(np.float32)
    values[3, 4] = np.nan
    assert sampled(write_tif(tmp_path / "a.tif", values, nodata=0))[3, 4] == -1


def test_labels_are_one_band(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match=r"one band, of class values, but .*a\.tif has 3"):
        open_labels(write_tif(tmp_path / "a.tif", np.stack([values_of()] * 3)), None)


def test_alpha_beside_the_labels_is_no_second_band(tmp_path: Path) -> None:
    opaque = np.full_like(values_of(), 255)
    opaque[:5] = 0
    path = write_tif(tmp_path / "a.tif", np.stack([values_of() + 1, opaque]))
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    assert (sampled(path)[:5] == -1).all()
    np.testing.assert_array_equal(sampled(path)[5:], values_of()[5:] + 1)
    shifted = grid(20, 30, NORTH_UP @ Affine.translation(0, 2))
    assert (sampled(path, shifted)[:3] == -1).all()
    np.testing.assert_array_equal(sampled(path, shifted)[3:18], values_of()[5:] + 1)


def test_a_mask_of_the_labels_is_respected(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((20, 30), np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(np.indices((20, 30))[0] > 4)
    assert (sampled(path)[:5] == -1).all()
    assert (sampled(path)[5:] == 1).all()


@pytest.mark.parametrize("nodata", [None, 0, 3, 255])
@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, NORTH_UP @ NORTH_UP.translation(4, 3) @ NORTH_UP.scale(0.5)),
        (UTM, NORTH_UP @ NORTH_UP.translation(-7, -5) @ NORTH_UP.scale(3)),
        (UTM, SOUTH_UP @ SOUTH_UP.translation(0, 10000 - 18)),
        ("EPSG:4326", None),
        ("EPSG:3857", None),
    ],
)
def test_labels_of_another_grid_come_from_the_pixel_below_the_centre(
    tmp_path: Path, crs: str, transform: Transform | None, nodata: int | None
) -> None:
    source = values_of(40, 50) + (nodata is None)  # without nodata 0 means unlabelled
    if transform is None:
        bounds = rasterio.warp.transform_bounds(UTM, crs, 499_950, 5_399_850, 500_250, 5_400_040)
        transform = rasterio.transform.from_bounds(*bounds, 50, 40)
    path = write_tif(tmp_path / "a.tif", source, crs=crs, transform=transform, nodata=nodata)
    rows, cols = (a.ravel() for a in np.indices((20, 30)))
    x, y = ground(NORTH_UP, rows + 0.5, cols + 0.5)
    x, y = pyproj.Transformer.from_crs(UTM, crs, always_xy=True).transform(x, y)
    c, r = ~transform @ (x, y)
    inside = (r >= 0) & (r < 40) & (c >= 0) & (c < 50)
    expected = np.full(600, -1)
    expected[inside] = source[r[inside].astype(int), c[inside].astype(int)]
    expected[expected == (0 if nodata is None else nodata)] = -1
    # GDAL's warper interpolates the projection, so centres within 0.13 pixel of an edge may fall to the neighbour
    clear = (np.abs(r % 1 - 0.5) < 0.37) & (np.abs(c % 1 - 0.5) < 0.37) if crs != UTM else np.ones(600, bool)
    got = sampled(path).ravel()
    assert clear.sum() > 200
    np.testing.assert_array_equal(got[clear], expected[clear])


def test_fractions_are_refused(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", values_of() + np.float32(0.5))
    with pytest.raises(LandmixError, match=r"whole numbers, but .* fractions"):
        sampled(path)


def test_labels_without_georeference_fit_a_scene_of_the_same_size_only(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.png", values_of(), driver="PNG", crs=None, transform=None)
    assert (sampled(path) > 0).any()
    with pytest.raises(LandmixError, match="differ in size"):
        sampled(path, grid(20, 31))


def test_labels_elsewhere_label_nothing(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", values_of(), transform=NORTH_UP @ NORTH_UP.translation(1000, 0))
    assert (sampled(path) == -1).all()


def test_colours_and_names_of_a_label_raster(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", values_of(), colormap={1: (255, 0, 16), 2: (0, 128, 0)})
    labels = open_labels(path, None)
    assert isinstance(labels, RasterLabels)
    assert labels.colors[1] == "#ff0010"
    assert labels.names == {}


def test_damaged_label_rasters_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_tif(path, np.random.default_rng(0).integers(0, 9, (400, 400), np.uint8))
    path.write_bytes(path.read_bytes()[:50000])
    with pytest.raises(LandmixError, match=r"cannot read"):
        sampled(str(path), grid(400, 400))


# several files


def burnt(shape: Polygon, key: str | int, first_unit: int = 0) -> LabelPixels:
    return burn(features([shape], [key]), GRID, frozenset(), first_unit)


def test_merging_leaves_out_what_files_dispute() -> None:
    merged = merge(
        [burnt(cells(0, 0, 4, 4), "a"), burnt(cells(2, 2, 4, 4), "b", 1), burnt(cells(0, 0, 2, 2), "a", 2)], 30
    )
    assert merged.overlapping == 4
    assert count_keys([merged]) == {"a": 12, "b": 12}
    assert set(np.unique(merged.units)) == {0, 1}


def test_merging_one_file_changes_nothing() -> None:
    one = burnt(star(2, NORTH_UP), 5)
    assert claimed(merge([one], 30)) == claimed(one)


def test_merging_with_an_empty_file() -> None:
    merged = merge([burnt(cells(0, 0, 2, 2), "a"), burnt(cells(99, 0, 2, 2), "b", 1)], 30)
    assert count_keys([merged]) == {"a": 4, "b": 0}


def test_a_raster_of_measurements_is_no_label_raster(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.arange(1, 1201, dtype=np.int32).reshape(30, 40))
    with pytest.raises(LandmixError, match=r"1000 classes at most, but .*a\.tif has more values"):
        sampled(path, grid(30, 40))
