from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from affine import Affine as Transform
from pyproj import Transformer
from source_files import (
    NORTH_UP,
    band,
    constant,
    item_of,
    physical,
    scene,
    scenes,
    write_assets,
    write_item,
    write_tif,
)
from stac_items import stac_1_1

from landmix.core.indices import features
from landmix.core.window import Window
from landmix.errors import LandmixError, UsageError
from landmix.geo.paths import entries, scene_entries

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

HALF = NORTH_UP @ Transform.scale(2)
SHIFTED = NORTH_UP @ Transform.translation(-3, 2)
FINER = NORTH_UP @ Transform.scale(0.5)
NAMES = ("red", "nir")


def ramp(side: int = 12, start: int = 0) -> NDArray[np.float32]:
    """(2, H, W) of different numbers."""
    return np.arange(start, start + 2 * side * side, dtype=np.float32).reshape(2, side, side)


def raster(path: Path, start: int = 0, side: int = 12, **options: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    return write_tif(path, ramp(side, start), names=NAMES, **options)


def test_the_bands_of_roles_are_called_after_them(tmp_path: Path) -> None:
    spec = {"jan": raster(tmp_path / "a.tif"), "jul": raster(tmp_path / "b.tif", 1000)}
    found = scene(spec)
    assert found.bands.names == ("jan.red", "jan.nir", "jul.red", "jul.nir")
    assert [own.role for own in found.bands] == ["jan", "jan", "jul", "jul"]
    assert [own.number for own in found.bands] == [1, 2, 1, 2]
    np.testing.assert_array_equal(physical(found)[0], [*ramp(), *ramp(start=1000)])


def test_the_order_of_roles_is_the_users(tmp_path: Path) -> None:
    found = scene({"z": raster(tmp_path / "a.tif"), "a": raster(tmp_path / "b.tif", 1000)})
    assert found.bands.names[0] == "z.red"


def test_three_roles(tmp_path: Path) -> None:
    spec = {role: raster(tmp_path / f"{role}.tif", i * 1000) for i, role in enumerate(("apr", "jul", "Okt_1-ü"))}
    found = scene(spec)
    assert len(found.bands) == 6
    assert found.bands.names[-1] == "Okt_1-ü.nir"
    np.testing.assert_array_equal(band(found, "Okt_1-ü.nir"), ramp(start=2000)[1])


def test_one_role_is_a_scene_with_a_role(tmp_path: Path) -> None:
    assert scene({"jan": raster(tmp_path / "a.tif")}).bands.names == ("jan.red", "jan.nir")


def test_several_scenes_of_the_same_roles(tmp_path: Path) -> None:
    specs = [{role: raster(tmp_path / f"{place}_{role}.tif") for role in ("jan", "jul")} for place in ("x", "y")]
    assert [found.name for found in scenes(specs)] == ["x", "y"]


@pytest.mark.parametrize(
    ("files", "stem"),
    [
        (("T33_jan.tif", "T33_jul.tif"), "T33"),
        (("x/scene.tif", "y/scene.tif"), "scene"),
        (("first.tif", "second.tif"), "first_second"),
        (("only.tif",), "only"),
    ],
)
def test_what_a_scene_of_roles_is_called(tmp_path: Path, files: tuple[str, ...], stem: str) -> None:
    spec = {f"r{i}": raster(tmp_path / name) for i, name in enumerate(files)}
    assert scene(spec).name == stem


def test_a_scene_of_roles_may_be_named(tmp_path: Path) -> None:
    spec = {"name": "my/place", "path": {"jan": raster(tmp_path / "a.tif"), "jul": raster(tmp_path / "b.tif")}}
    assert scene(spec).name == "my_place"


def test_long_names_of_many_roles_stay_a_file_name(tmp_path: Path) -> None:
    spec = {f"r{i}": raster(tmp_path / f"{chr(97 + i) * 60}.tif") for i in range(5)}
    assert len(scene(spec).name) <= 150


@pytest.mark.parametrize("role", ["a.b", "name", "path", "", "1st", "a b", "a/b", "-a", 5, None, "a:b", "../a"])
def test_names_that_are_no_roles_are_refused(tmp_path: Path, role: Any) -> None:
    path = raster(tmp_path / "a.tif")
    for spec in ({role: path}, {"jan": path, role: path}):
        with pytest.raises(UsageError, match="scenes takes paths"):
            entries(spec, "scenes")


def test_a_role_needs_one_acquisition(tmp_path: Path) -> None:
    for name in ("a1.tif", "a2.tif"):
        raster(tmp_path / name)
    with pytest.raises(UsageError, match="the role jul in scenes needs one acquisition, but its path means 2"):
        entries({"jan": str(tmp_path / "a1.tif"), "jul": str(tmp_path / "a?.tif")}, "scenes")
    assert scene({"jan": str(tmp_path / "a1*.tif")}).bands.names[0] == "jan.red"


def test_roles_in_a_role_are_refused(tmp_path: Path) -> None:
    paths = [raster(tmp_path / f"{i}.tif") for i in range(3)]
    with pytest.raises(LandmixError, match="the role jan"):
        scene({"jan": {"am": paths[0], "pm": paths[1]}, "jul": paths[2]})
    with pytest.raises(LandmixError, match="the role jan"):
        scene({"jan": {"am": paths[0]}, "jul": paths[2]})


def test_a_role_of_several_files(tmp_path: Path) -> None:
    files = [write_tif(tmp_path / f"x_{name}.tif", ramp()[i]) for i, name in enumerate(("b4", "b8"))]
    found = scene({"jan": files, "jul": raster(tmp_path / "y.tif")})
    assert found.bands.names == ("jan.b4", "jan.b8", "jul.red", "jul.nir")


def blocks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The means of 2 x 2 pixels."""
    height, width = (n // 2 for n in values.shape[-2:])
    means: NDArray[np.float32] = values.reshape(*values.shape[:-2], height, 2, width, 2).mean((-3, -1))
    return means


def test_the_finest_grid_is_the_scenes(tmp_path: Path) -> None:
    spec = {"jan": raster(tmp_path / "a.tif"), "jul": raster(tmp_path / "b.tif", side=6, transform=HALF)}
    for ordered in (spec, dict(reversed(spec.items()))):
        found = scene(ordered, resampling="nearest")
        assert (found.grid.height, found.grid.transform) == (12, NORTH_UP)
        np.testing.assert_array_equal(band(found, "jan.nir"), ramp()[1])
        np.testing.assert_array_equal(band(found, "jul.nir"), np.kron(ramp(6)[1], np.ones((2, 2))))


@pytest.mark.parametrize("resolution", ["coarsest", 20.0, "jul.red"])
def test_the_user_chooses_the_grid(tmp_path: Path, resolution: Any) -> None:
    spec = {"jan": raster(tmp_path / "a.tif"), "jul": raster(tmp_path / "b.tif", side=6, transform=HALF)}
    found = scene(spec, resolution=resolution)
    assert (found.grid.height, found.grid.transform) == (6, HALF)
    np.testing.assert_allclose(band(found, "jan.nir"), blocks(ramp()[1]), rtol=1e-6)
    np.testing.assert_array_equal(band(found, "jul.nir"), ramp(6)[1])


def test_the_first_of_two_equal_pixels_is_the_scenes_grid(tmp_path: Path) -> None:
    spec = {"jan": raster(tmp_path / "a.tif"), "jul": raster(tmp_path / "b.tif", transform=SHIFTED)}
    found = scene(spec)
    assert found.grid.transform == NORTH_UP
    later = band(found, "jul.red")
    np.testing.assert_array_equal(later[2:, :9], ramp()[0][:10, 3:])
    assert np.isnan(later[:2]).all()
    assert np.isnan(later[:, 9:]).all()


def test_a_pixel_must_be_valid_in_every_role(tmp_path: Path) -> None:
    holes = np.full((3, 4), 5, "uint8")
    first, second = holes.copy(), holes.copy()
    first[0], second[:, 0] = 0, 0
    paths = [write_tif(tmp_path / f"{i}.tif", values, nodata=0) for i, values in enumerate((first, second))]
    values, inside = physical(scene(dict(zip(("jan", "jul"), paths, strict=True))))
    valid = inside & np.isfinite(values).all(0)
    np.testing.assert_array_equal(valid, [[False] * 4, [False, True, True, True], [False, True, True, True]])


def other_crs(path: Path, *, side: int = 40) -> str:
    """The same place in another zone: each pixel holds its own easting in zone 33."""
    x, y = Transformer.from_crs(32633, 32632, always_xy=True).transform(500_060, 5_399_940)
    place = Transform(10, 0, x - 200, 0, -10, y + 200)
    cols, rows = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    back = Transformer.from_crs(32632, 32633, always_xy=True)
    east, _ = back.transform(place.c + cols * 10, place.f - rows * 10)
    return write_tif(path, (east - 500_000).astype(np.float32), transform=place, crs="EPSG:32632", names=("red",))


def test_a_role_in_another_crs_is_brought_to_the_first(tmp_path: Path) -> None:
    found = scene({"jan": raster(tmp_path / "a.tif"), "jul": other_crs(tmp_path / "b.tif")}, resolution="jan.red")
    expected = np.broadcast_to(np.arange(12) * 10 + 5, (12, 12))
    np.testing.assert_allclose(band(found, "jul.red"), expected, atol=0.5)
    np.testing.assert_array_equal(band(found, "jan.nir"), ramp()[1])


def test_roles_that_do_not_touch_are_refused(tmp_path: Path) -> None:
    far = NORTH_UP @ Transform.translation(5000, 0)
    with pytest.raises(LandmixError, match=r"must overlap, but .*a\.tif .*b\.tif .* do not"):
        scene({"jan": raster(tmp_path / "a.tif"), "jul": raster(tmp_path / "b.tif", transform=far)})


def together(folder: Path) -> Scene:
    """Roles on four grids, with an index of each."""
    spec = {
        "a": raster(folder / "a.tif", nodata=5),
        "b": raster(folder / "b.tif", side=6, transform=HALF, nodata=7),
        "c": raster(folder / "c.tif", transform=SHIFTED),
        "d": other_crs(folder / "d.tif"),
    }
    found = scene(spec, resolution="a.red")
    indices = features(["sr"], found.bands.take(range(6)), found.where)
    return found.compose(type(found.bands)((*found.bands, *indices)))


@pytest.mark.parametrize("side", [1, 5, 7])
def test_tiles_read_what_is_read_at_once(tmp_path: Path, side: int) -> None:
    found = together(tmp_path)
    with found.open() as reader:
        whole, inside = reader.read(found.grid.window)
    assert whole.shape == (10, 12, 12)
    with found.open() as reader:
        for row in range(0, 12, side):
            for col in range(0, 12, side):
                values, mask = reader.read(Window(row=row, col=col, height=side, width=side))
                here = (slice(row, row + side), slice(col, col + side))
                expected = whole[:, *here]
                np.testing.assert_array_equal(values[:, : expected.shape[1], : expected.shape[2]], expected)
                np.testing.assert_array_equal(mask[: expected.shape[1], : expected.shape[2]], inside[here])


def test_large_tiles_of_a_role_in_another_crs_read_what_is_read_at_once(tmp_path: Path) -> None:
    """GDAL warps a window that is larger than its blocks in another way than the blocks."""
    side, tile = 1100, 560
    first = write_tif(tmp_path / "a.tif", np.zeros((side, side), "uint8"), names=("red",))
    found = scene({"jan": first, "jul": other_crs(tmp_path / "b.tif", side=1600)}, resolution="jan.red")
    whole = band(found, "jul.red")
    with found.open() as reader:
        for size in (200, tile):
            corner, _ = reader.read(Window(row=tile, col=tile, height=size, width=size))
            here = whole[tile : tile + size, tile : tile + size]
            np.testing.assert_array_equal(corner[1, : here.shape[0], : here.shape[1]], here)


def sentinel_folder(folder: Path, *, classes: int = 4) -> str:
    folder.mkdir()
    for i, name in enumerate(("B02", "B03", "B04", "B08")):
        constant(folder / f"T33_{name}.tif", 2000 + i)
    constant(folder / "T33_SCL.tif", classes, "uint8")
    return str(folder)


def test_roles_of_product_folders(tmp_path: Path) -> None:
    spec = {role: sentinel_folder(tmp_path / role) for role in ("jan", "jul")}
    found = scene(spec, offset=-1000.0)
    assert found.bands.names == tuple(f"{role}.{name}" for role in spec for name in ("B02", "B03", "B04", "B08"))
    np.testing.assert_allclose(band(found, "jul.red"), 0.1002, rtol=1e-5)
    assert found.product is not None
    with pytest.raises(LandmixError, match="does not say the offset"):
        scene(spec).check_known()


def items(folder: Path) -> dict[str, str]:
    """Two items of which the second is under cloud; each says its scale in another way."""
    spec = {}
    for role, offset in (("jan", -0.1), ("jul", 0)):
        (folder / role).mkdir()
        assets = {"red": stac_1_1()["red"]}
        assets["red"]["bands"][0]["raster:offset"] = offset
        write_assets(folder / role, assets)
        spec[role] = write_item(folder / role / "item.json", item_of(assets, id=f"S2A_{role}"))
    return spec


def test_roles_of_stac_items(tmp_path: Path) -> None:
    found = scene(items(tmp_path))
    assert found.bands.names == ("jan.B04", "jul.B04")
    np.testing.assert_allclose(band(found, "jan.red"), 0.0452, rtol=1e-5)
    np.testing.assert_allclose(band(found, "jul.red"), 0.1452, rtol=1e-5)
    assert {path.rsplit("/", 1)[-1] for path in found.headers} == {"item.json"}


def test_both_roles_must_be_clear(tmp_path: Path) -> None:
    spec = {}
    for role, row in (("jan", [4, 4, 9, 9]), ("jul", [4, 9, 4, 9])):
        (tmp_path / role).mkdir()
        write_tif(tmp_path / role / "scl.tif", np.tile(np.array(row, "uint8"), (4, 1)))
        red = {**stac_1_1()["red"]}
        assets = {"red": red, "scl": {"href": "scl.tif", "type": red["type"]}}
        write_assets(tmp_path / role, assets)
        item = item_of(assets, collection="sentinel-2-c1-l2a")
        spec[role] = write_item(tmp_path / role / "item.json", item)
    found = scene(spec)
    np.testing.assert_array_equal(physical(found)[1][0], [True, False, False, False])
    only = found.take(found.bands.select(["jul.red"], "x"))
    np.testing.assert_array_equal(physical(only)[1][0], [True, False, False, False])


def test_a_role_with_an_item_collection_is_named_with_its_own_file(tmp_path: Path) -> None:
    spec = items(tmp_path)
    item = item_of({"red": stac_1_1()["red"]})
    spec["oct"] = write_item(tmp_path / "many.json", {"type": "FeatureCollection", "features": [item, item]})
    with pytest.raises(LandmixError, match=r"the role oct needs one acquisition, but .*many\.json holds several"):
        scene_entries(spec, "scenes")
