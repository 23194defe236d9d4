from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import Affine
from rio_tiler.colormap import cmap
from view_files import (
    LEGEND,
    NORTH_UP,
    SHAPE,
    class_values,
    opened,
    pixels,
    scene_values,
    write_confidence,
    write_map,
    write_scene,
)

from landmix.core.legend import Legend, LegendClass, palette
from landmix.core.window import Window
from landmix.geo.grid import Grid
from landmix.view import pictures as pictures_module
from landmix.view.frame import TILE, Frame
from landmix.view.pictures import Pictures
from landmix.view.rasters import ClassRaster, ConfidenceRaster

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SOUTH_UP = Affine(10.0, 0.0, 500_000.0, 0.0, 10.0, 5_300_000.0)


def frame(path: Path) -> Frame:
    with rasterio.open(path) as file:
        return Frame(grid=Grid.of(file))


def whole(own: Frame, level: int) -> list[tuple[int, int, Window]]:
    """Every tile of a level by its column and row."""
    height, width = own.shape(level)
    places = [(x, y) for y in range(-(-height // TILE)) for x in range(-(-width // TILE))]
    return [(x, y, window) for x, y in places if (window := own.window(level, x, y))]


def mosaic(own: Frame, level: int, tiles: dict[tuple[int, int], NDArray[np.generic]]) -> NDArray[np.generic]:
    """Tiles (..., 256, 256) side by side, cut to the level (..., H, W)."""
    height, width = own.shape(level)
    rows = [np.concatenate([tiles[x, y] for x in range(-(-width // TILE))], -1) for y in range(-(-height // TILE))]
    return np.concatenate(rows, -2)[..., :height, :width]


def drawn_classes(path: Path, level: int, legend: Legend = LEGEND) -> NDArray[np.generic]:
    own = frame(path)
    raster = ClassRaster(str(path), own, legend)
    kind = f"<u{raster.bytes_an_index}"
    tiles = {
        (x, y): np.frombuffer(gzip.decompress(raster.tile(level, window)), kind).reshape(TILE, TILE)
        for x, y, window in whole(own, level)
    }
    raster.close()
    return mosaic(own, level, tiles)


def indices(values: NDArray[np.integer], legend: Legend = LEGEND) -> NDArray[np.integer]:
    """1 + the place in the legend, one class after the other; 0 where there is none."""
    found = np.zeros(values.shape, np.int64)
    for place, own in enumerate(legend):
        found[values == own.value] = place + 1
    return found


@given(st.integers(1, 3000), st.integers(1, 3000), st.booleans())
def test_tiles_of_a_level_hold_each_pixel_once(height: int, width: int, turned: bool) -> None:  # noqa: FBT001
    crs = rasterio.crs.CRS.from_epsg(32633)
    own = Frame(grid=Grid(crs=crs, transform=SOUTH_UP if turned else NORTH_UP, height=height, width=width))
    assert max(own.shape(own.levels)) <= TILE
    assert own.turned == turned
    for level in range(own.levels + 1):
        rows, cols = own.shape(level)
        seen = np.zeros((rows, cols), np.uint8)
        for _, _, window in whole(own, level):
            assert window.row >= 0
            assert window.col >= 0
            seen[window.slices] += 1
        assert (seen == 1).all()
    assert own.window(own.levels + 1, 0, 0) is None
    assert own.window(0, 0, -(-height // TILE)) is None


def test_class_tiles_are_the_map(tmp_path: Path) -> None:
    values = write_map(tmp_path / "m.tif")
    assert (drawn_classes(tmp_path / "m.tif", 0) == indices(values)).all()


def test_south_up_maps_are_drawn_north_up(tmp_path: Path) -> None:
    values = write_map(tmp_path / "m.tif", transform=SOUTH_UP)
    assert (drawn_classes(tmp_path / "m.tif", 0) == indices(values[::-1])).all()


def test_coarse_class_tiles_come_from_the_overviews(tmp_path: Path) -> None:
    write_map(tmp_path / "raw.tif")
    options = {"driver": "COG", "BLOCKSIZE": "128", "OVERVIEW_RESAMPLING": "MODE"}
    rasterio.shutil.copy(tmp_path / "raw.tif", tmp_path / "m.tif", **options)
    with rasterio.open(tmp_path / "m.tif", overview_level=0) as file:
        expected = indices(file.read(1))
    drawn = drawn_classes(tmp_path / "m.tif", 1)
    assert drawn.shape == (150, 260)
    assert (drawn == expected).all()


def test_values_above_255(tmp_path: Path) -> None:
    legend = Legend(
        (LegendClass(value=3, name="a", color="#112233"), LegendClass(value=300, name="b", color="#445566"))
    )
    values = write_map(tmp_path / "m.tif", class_values(legend=legend), legend)
    assert (drawn_classes(tmp_path / "m.tif", 0, legend) == indices(values, legend)).all()


def test_many_classes(tmp_path: Path) -> None:
    colors = palette(400)
    legend = Legend(tuple(LegendClass(value=i + 1, name=f"c{i}", color=colors[i]) for i in range(400)))
    values = write_map(tmp_path / "m.tif", class_values(legend=legend), legend)
    assert (drawn_classes(tmp_path / "m.tif", 0, legend) == indices(values, legend)).all()


@pytest.mark.parametrize("stored", ["uint8", "float32"])
def test_confidence_is_coloured_from_0_to_1(tmp_path: Path, stored: str) -> None:
    path = tmp_path / "c.tif"
    values = write_confidence(path)
    shares = np.where(values == 255, np.nan, values / 200)
    if stored == "float32":
        size = {"count": 1, "height": SHAPE[0], "width": SHAPE[1], "dtype": stored, "nodata": np.nan}
        with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=NORTH_UP, **size) as file:
            file.write(shares.astype(np.float32), 1)
    raster = ConfidenceRaster(str(path), frame(path))
    drawn = pixels(raster.tile(0, Window(row=0, col=0, height=256, width=256)))
    here = shares[:256, :256]
    colors = np.array([cmap.get("viridis")[i] for i in range(256)])
    expected = colors[np.round(255 * np.nan_to_num(here)).astype(int)]
    assert (drawn[3] == np.where(np.isnan(here), 0, 255)).all()
    shown = ~np.isnan(here)
    assert np.abs(np.moveaxis(drawn[:3], 0, -1)[shown].astype(int) - expected[shown][:, :3]).max() <= 4
    assert raster.at(100, 3) == pytest.approx(shares[100, 3])
    assert raster.at(0, 0) is None
    raster.close()


def stretched_bytes(values: NDArray[np.uint16], bands: list[int]) -> NDArray[np.float64]:
    """What a picture should be, (3, H, W): band by band from the 2nd to the 98th percentile, brightened."""
    valid = (values[[0, 1, 2, 3]] != 0).all(0)
    low, high = (np.array([np.percentile(values[b][valid], q) for b in bands])[:, None, None] for q in (2, 98))
    return np.asarray(255 * ((values[bands] - low) / (high - low)).clip(0, 1) ** 0.7)


@pytest.mark.parametrize(("title", "bands"), [("True colour", [2, 1, 0]), ("False", [3, 2, 1])])
@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, NORTH_UP @ Affine.rotation(30), Affine.identity()])
def test_pictures_are_stretched(tmp_path: Path, title: str, bands: list[int], transform: Affine) -> None:
    crs = None if transform.is_identity else "EPSG:32633"
    values = write_scene(tmp_path / "s.tif", transform=transform, crs=crs)
    own = frame(tmp_path / "s.tif")
    made = Pictures(opened(tmp_path / "s.tif"), own)
    name = next(known for known in made.bands if known.startswith(title))
    drawn = mosaic(own, 0, {(x, y): pixels(made.tile(name, 0, window)) for x, y, window in whole(own, 0)})
    made.close()
    values = values[:, ::-1] if own.turned else values
    expected = stretched_bytes(values, bands)
    hidden = (values[bands] == 0).any(0)
    assert hidden.sum() == 200
    assert (drawn[3] == np.where(hidden, 0, 255)).all()
    assert np.abs(drawn[:3].astype(float) - expected)[:, ~hidden].max() <= 2


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize("overviews", [True, False])
def test_coarse_pictures_show_the_same_places(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    placed: bool,  # noqa: FBT001
    overviews: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(pictures_module, "_SMALL", 100)  # level 3 is the small picture, 1 and 2 are read
    monkeypatch.setattr(pictures_module, "_AT_ONCE", 2**15)
    where = {} if placed else {"crs": None, "transform": Affine.identity()}
    values = write_scene(tmp_path / "s.tif", scene_values((800, 600)), **where)
    if overviews:
        with rasterio.open(tmp_path / "s.tif", "r+") as file:
            file.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    own = frame(tmp_path / "s.tif")
    made = Pictures(opened(tmp_path / "s.tif"), own)
    expected = stretched_bytes(values, [2, 1, 0])
    for level in (1, 2):
        step = 2**level
        drawn = mosaic(
            own, level, {(x, y): pixels(made.tile("True colour", level, w)) for x, y, w in whole(own, level)}
        )
        seen = drawn[3] > 0
        # any pixel of the step x step ones may stand for them: brightness follows row and column
        wanted = expected[:, ::step, ::step][:, : drawn.shape[1], : drawn.shape[2]]
        assert seen.mean() > 0.99
        bright = seen & (wanted > 25).all(0)  # where it is dark, one step of the values is many of brightness
        assert np.abs(drawn[:3].astype(float) - wanted)[:, bright].max() < 4
    made.close()


def test_a_stopped_picture_is_no_tile(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    made = Pictures(opened(tmp_path / "s.tif"), frame(tmp_path / "s.tif"))
    made.stop()
    with pytest.raises(Exception, match="stopped"):
        made.tile("True colour", 0, Window(row=0, col=0, height=10, width=10))
    made.close()
