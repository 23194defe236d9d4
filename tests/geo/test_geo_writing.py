from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from affine import Affine as Transform
from geo_files import NORTH_UP, ROTATED, SOUTH_UP, UTM, coordinates, grid, grid_of, write_tif
from rasterio.control import GroundControlPoint
from rio_cogeo.cogeo import cog_validate

from landmix.core.legend import Legend, LegendClass
from landmix.core.tiling import Tiling
from landmix.errors import LandmixError
from landmix.geo.maps import MapReader
from landmix.geo.sidecars import sidecar_paths
from landmix.geo.writing import Mosaic, read_back, write_cog

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.geo.grid import Grid

LEGEND = Legend(
    (
        LegendClass(value=3, name='Grün & <b> "x"', color="#10ff80"),
        LegendClass(value=7, name="b", color="#000102"),
        LegendClass(value=200, name="c", color="#ffffff"),
    )
)


def class_values(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).choice(np.array([0, 3, 7, 200], np.uint8), (height, width), p=[0.1, 0.5, 0.3, 0.1])


def mosaic(folder: Path, values: NDArray[Any], on: Grid, core: int = 150, **changes: Any) -> Mosaic:
    """Parts of at most `core` pixels a side."""
    values = values if values.ndim == 3 else values[None]
    parts = []
    for i, tile in enumerate(Tiling(core=core).tiles(on.window)):
        path = folder / f"part {i}.tif"
        write_tif(path, values[:, *tile.write.slices], transform=None, crs=None)
        parts.append((tile.write, path))
    names = tuple(f"Bänd {i} & <x>" for i in range(len(values)))
    settings: dict[str, Any] = {"nodata": 0, "tags": {"LANDMIX_X": 'ü<&>"'}, "bands": names, **changes}
    return Mosaic(parts=parts, grid=on, dtype=values.dtype, **settings)


def written(folder: Path, values: NDArray[Any], on: Grid, **changes: Any) -> str:
    target = folder / "map ü.tif"
    write_cog(mosaic(folder, values, on, **changes), target)
    return str(target)


def is_cog(path: str) -> bool:
    valid, errors, warnings = cog_validate(path, strict=True)
    assert not errors
    assert not warnings
    return bool(valid)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (20, 30), (300, 400), (700, 1100)])
def test_parts_become_one_valid_cog(tmp_path: Path, height: int, width: int) -> None:
    values = class_values(height, width)
    path = written(tmp_path, values, grid(height, width), core=512, legend=LEGEND)
    assert is_cog(path)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.dtypes == ("uint8",)
        assert file.nodata == 0


GEOREFERENCES = [
    (NORTH_UP, UTM),
    (SOUTH_UP, UTM),
    (ROTATED, UTM),
    (Transform(0.0001, 0, 13.0, 0, -0.0001, 60.0), "EPSG:4326"),
    (Transform(1 / 3, 0, 4_500_000.123456789, 0, -1 / 3, 3_100_000.1), "EPSG:3035"),
    (Transform(10, 0, 4_500_000, 0, -10, 5_800_000), "EPSG:31468"),
    (Transform(100, 0, -1000, 0, -100, 2000), "EPSG:3031"),
    (Transform(100, 0, -1000, 0, -100, 2000), "EPSG:3413"),
    (NORTH_UP, None),
    (Transform.identity(), None),
    (NORTH_UP, "+proj=laea +lat_0=12 +lon_0=34 +ellps=bessel +units=m"),
    (NORTH_UP, "EPSG:32633+5773"),
]


@pytest.mark.parametrize(("transform", "crs"), GEOREFERENCES)
def test_the_map_lies_where_the_scene_lies(tmp_path: Path, transform: Transform, crs: str | None) -> None:
    scene = write_tif(tmp_path / "scene.tif", coordinates(1, 20, 30), transform=transform, crs=crs)
    source = grid_of(scene)
    path = written(tmp_path, class_values(20, 30), source, legend=LEGEND)
    found = grid_of(path)
    assert found.transform == source.transform
    assert found.crs == source.crs
    assert (found.crs is None) == (crs is None)
    assert found.same_as(source)
    assert {p.name for p in tmp_path.glob("map*")} == {"map ü.tif"}


def test_ground_control_points_are_carried_through(tmp_path: Path) -> None:
    gcps = [
        GroundControlPoint(row=r, col=c, x=13 + c / 1000, y=50 - r / 1000 + c / 7000, z=r)
        for r, c in ((0, 0), (0, 30), (20, 0), (20, 30), (10.5, 15.5))
    ]
    scene = tmp_path / "scene.tif"
    profile: dict[str, Any] = {"driver": "GTiff", "height": 20, "width": 30, "count": 1, "dtype": "uint8"}
    with rasterio.open(scene, "w", gcps=gcps, crs="EPSG:4326", **profile) as file:
        file.write(np.ones((1, 20, 30), np.uint8))
    source = grid_of(str(scene))
    found = grid_of(written(tmp_path, class_values(20, 30), source, legend=LEGEND))
    assert found.crs == source.crs == "EPSG:4326"
    assert [(p.row, p.col, p.x, p.y, p.z) for p in found.gcps] == [(p.row, p.col, p.x, p.y, p.z) for p in gcps]
    assert found.transform.is_identity


def test_the_palette_is_the_legends_and_nothing_else_is_opaque(tmp_path: Path) -> None:
    with rasterio.open(written(tmp_path, class_values(20, 30), grid(20, 30), legend=LEGEND)) as file:
        table = file.colormap(1)
        assert file.colorinterp[0].name == "palette"
    assert {value: color[:3] for value, color in table.items() if color[3]} == {c.value: c.rgb for c in LEGEND} or {
        value: color[:3] for value, color in table.items() if color[:3] != (0, 0, 0)
    } == {c.value: c.rgb for c in LEGEND}


def test_overviews_of_classes_hold_only_existing_values(tmp_path: Path) -> None:
    values = class_values(1100, 1300)
    path = written(tmp_path, values, grid(1100, 1300), core=512, legend=LEGEND)
    with rasterio.open(path) as file:
        levels = len(file.overviews(1))
    assert levels >= 2
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as file:
            assert set(np.unique(file.read(1))) <= {0, 3, 7, 200}


def test_overviews_of_shares_are_averages(tmp_path: Path) -> None:
    values = np.indices((1100, 1300))[1].astype(np.float32)
    path = written(tmp_path, values, grid(1100, 1300), core=512, nodata=float("nan"))
    with rasterio.open(path, overview_level=0) as file:
        np.testing.assert_allclose(file.read(1)[:5, :600], values.reshape(550, 2, 650, 2).mean((1, 3))[:5, :600])


def test_descriptions_tags_scale_and_several_bands(tmp_path: Path) -> None:
    values = coordinates(3, 20, 30, "uint8")
    path = written(tmp_path, values, grid(20, 30), nodata=255, scale=0.005)
    assert is_cog(path)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), values)
        assert file.descriptions == ("Bänd 0 & <x>", "Bänd 1 & <x>", "Bänd 2 & <x>")
        assert file.tags()["LANDMIX_X"] == 'ü<&>"'
        assert file.scales == (0.005,) * 3
        assert file.offsets == (0.0,) * 3
        assert file.nodatavals == (255,) * 3


def test_nan_is_nodata_of_floats(tmp_path: Path) -> None:
    values = coordinates(1, 20, 30, "float32")
    values[0, 3, 4] = np.nan
    with rasterio.open(written(tmp_path, values, grid(20, 30), nodata=float("nan"))) as file:
        assert np.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(), values)


def test_values_above_255_are_uint16_without_a_palette(tmp_path: Path) -> None:
    legend = Legend(
        (LegendClass(value=0, name="a", color="#ff0000"), LegendClass(value=300, name="b", color="#00ff00"))
    )
    values = np.random.default_rng(0).choice(np.array([0, 300, 65535], np.uint16), (20, 30))
    path = written(tmp_path, values, grid(20, 30), nodata=65535, legend=legend)
    assert is_cog(path)
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint16",)
        assert file.nodata == 65535
        np.testing.assert_array_equal(file.read(1), values)


def test_the_counts_are_those_of_the_values(tmp_path: Path) -> None:
    values = class_values(300, 400)
    counts = write_cog(mosaic(tmp_path, values, grid(300, 400), legend=LEGEND), tmp_path / "a.tif")
    assert counts == {v: int((values == v).sum()) for v in (0, 3, 7, 200)}
    assert read_back(tmp_path / "a.tif") == counts
    with MapReader(str(tmp_path / "a.tif")) as reader:
        assert reader.counts == {v: n for v, n in counts.items() if v}
        rows, cols = np.array([299, 0, 5]), np.array([0, 399, 5])
        assert reader.values_at(rows, cols).tolist() == values[rows, cols].tolist()


def test_other_counts_than_expected_leave_the_old_map_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "out" / "a.tif"
    target.parent.mkdir()
    target.write_text("old")
    target.with_suffix(".qml").write_text("old style")
    with pytest.raises(LandmixError, match="reads back different"):
        write_cog(mosaic(tmp_path, class_values(20, 30), grid(20, 30), legend=LEGEND), target, {3: 600})
    assert sorted(p.name for p in target.parent.iterdir()) == ["a.qml", "a.tif"]
    assert target.read_text() == "old"
    assert not list(tmp_path.glob("*.vrt"))


def test_a_new_map_removes_the_side_files_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    for path in sidecar_paths(target).values():
        path.write_text("stale")
    write_cog(mosaic(tmp_path, class_values(20, 30), grid(20, 30), legend=LEGEND), target)
    assert not [path for path in sidecar_paths(target).values() if path.exists()]


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    maps = []
    for name, core in (("a", 150), ("b", 512)):
        (tmp_path / name).mkdir()
        values = class_values(600, 700)
        maps.append(Path(written(tmp_path / name, values, grid(600, 700), core=core, legend=LEGEND)))
    assert maps[0].read_bytes() == maps[1].read_bytes()


def test_shares_are_no_class_map(tmp_path: Path) -> None:
    path = tmp_path / "map_confidence.tif"
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="uint8", height=4, width=4) as file:
        file.write(np.full((1, 4, 4), 190, np.uint8))
        file.scales = (0.005,)
    with pytest.raises(LandmixError, match="is no class map: its numbers have a scale"):
        MapReader(str(path))


@pytest.mark.parametrize("values", [coordinates(2, 4, 5, "uint8"), coordinates(1, 4, 5, "float32")])
def test_what_is_no_class_map_is_refused(tmp_path: Path, values: NDArray[Any]) -> None:
    path = write_tif(tmp_path / "a.tif", values)
    with pytest.raises(LandmixError, match="one band of whole numbers"):
        MapReader(path)
