from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from product_files import (
    LANDSAT_SHAPE,
    LT05_C2,
    S2_METRES,
    UTM,
    X,
    Y,
    alphaearth,
    assert_tiles_agree,
    hls,
    landsat_c2_l2,
    landsat_l1,
    look,
    noise,
    north_up,
    own,
    own_definition,
    planetscope,
    s2_shape,
    sentinel2_bands,
    sentinel2_l1c,
    sentinel2_l2a,
    tessera,
    udm2_clear,
    write,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

KERNELS = ["nearest", "bilinear", "cubic", "average"]
HOLES = {band: noise(f"h{band}", s2_shape(metres)) for band, metres in S2_METRES.items()}
for _band in HOLES.values():
    _band[noise("hole", _band.shape, 0, 9) == 0] = 0
SCL = noise("SCL", s2_shape(20), 0, 40, "uint8").clip(0, 11)


def landsat_holes(*names: str) -> dict[str, NDArray[Any]]:
    found = {name: noise(name, LANDSAT_SHAPE, 0, 40_000) for name in names}
    for array in found.values():
        array[noise("hole", array.shape, 0, 9) == 0] = 0
    return found


def planet(folder: Path, count: int) -> Path:
    mask = udm2_clear((20, 25))
    mask[0] = noise("udm2", (20, 25), 0, 5, "uint8") > 0
    return planetscope(folder, count, udm2=mask)


QA = np.where(noise("QA", LANDSAT_SHAPE, 0, 30) == 0, 22_280, 21_824).astype(np.uint16)
FMASK = np.where(noise("Fmask", LANDSAT_SHAPE, 0, 30) == 0, 2, 64).astype(np.uint8)
MADE: dict[str, tuple[float, Callable[[Path], Path]]] = {
    "l2a": (10, lambda p: sentinel2_l2a(p, pixels={**HOLES, "SCL": SCL})),
    "l2a_zip": (10, lambda p: zipped(sentinel2_l2a(p, pixels={**HOLES, "SCL": SCL}))),
    "l2a_old": (10, lambda p: sentinel2_l2a(p, offsets=None, pixels=HOLES)),
    "l1c": (10, lambda p: sentinel2_l1c(p, pixels=HOLES)),
    "bands": (10, lambda p: sentinel2_bands(p / "bands", pixels=HOLES)),
    "oli_l2": (30, lambda p: landsat_c2_l2(p, pixels={**landsat_holes("SR_B1", "ST_B10"), "QA_PIXEL": QA})),
    "tm_l2": (30, lambda p: landsat_c2_l2(p, stem=LT05_C2, pixels=landsat_holes("SR_B5"))),
    "oli_l1_c1": (30, lambda p: landsat_l1(p, pixels=landsat_holes("B2"))),
    "oli_l1_c2": (30, lambda p: landsat_l1(p, collection=2, pixels={**landsat_holes("B2"), "QA": QA})),
    "hls_l30": (30, lambda p: hls(p, "L30", pixels={"Fmask": FMASK})),
    "hls_s30": (30, lambda p: hls(p, "S30", pixels={"Fmask": FMASK})),
    "planet_4": (3, lambda p: planet(p, 4)),
    "planet_8": (3, lambda p: planet(p, 8)),
    "alphaearth": (10, alphaearth),
    "tessera": (10, tessera),
    "own": (7, lambda p: own(p)[0]),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Products by name, each written once."""
    written: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in written:
            written[name] = MADE[name][1](tmp_path_factory.mktemp(name))
        return written[name]

    return make


def options_of(name: str) -> dict[str, Any]:
    more: dict[str, Any] = {"bands": {"offset": -1000}, "own": {"product": own_definition()}}
    found: dict[str, Any] = more.get(name, {})
    return found


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", MADE)
def test_tiles_of_a_product_are_what_reading_it_at_once_gives(
    made: Callable[[str], Path], name: str, kernel: str
) -> None:
    scene = look(made(name), resampling=kernel, quality_dilate=2, **options_of(name))
    assert_tiles_agree(scene, 17, 5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("share", [0.7, 1.55])
@pytest.mark.parametrize("name", MADE)
def test_tiles_agree_on_a_grid_of_another_resolution(
    made: Callable[[str], Path], name: str, share: float, kernel: str
) -> None:
    resolution = MADE[name][0] * share
    scene = look(made(name), resampling=kernel, resolution=resolution, quality_dilate=1, **options_of(name))
    assert_tiles_agree(scene, 19, 3)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("core", "margin"), [(3, 0), (7, 1), (5, 11), (100, 30)])
def test_tiles_of_any_size_agree(made: Callable[[str], Path], core: int, margin: int, kernel: str) -> None:
    scene = look(made("bands"), resampling=kernel, offset=0)
    assert_tiles_agree(scene.take([0, 4]), core, margin)


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three bands: the grid, another UTM zone, degrees; large enough for several of GDAL's blocks."""
    folder = tmp_path_factory.mktemp("zones")
    a = write(folder / "s_a.tif", noise("a", (300, 700)), north_up(X, Y, 10))
    holes = noise("b", (260, 500))
    holes[noise("hole", holes.shape, 0, 9) == 0] = 0
    b = write(folder / "s_b.tif", holes, north_up(840_900, 5_409_900, 15), crs="EPSG:32632", nodata=0)
    c = write(folder / "s_c.tif", noise("c", (2, 400, 900)), north_up(13.63, 48.76, 0.0002), crs="EPSG:4326", nodata=0)
    return [a, b, c]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("core", "margin"), [(97, 8), (211, 33)])
def test_tiles_agree_for_bands_in_other_crss(zones: list[Path], kernel: str, core: int, margin: int) -> None:
    scene = look(zones, resampling=kernel)
    assert scene.grid.crs == UTM
    with scene.open() as reader:
        values, _ = reader.read(scene.grid.window)
    for band in values[1:]:
        assert 0.1 < np.isfinite(band).mean() <= 1
    assert_tiles_agree(scene, core, margin)


def test_tiles_agree_for_a_rotated_band(tmp_path: Path) -> None:
    a = write(tmp_path / "s_a.tif", noise("a", (90, 80)), north_up(X, Y, 10))
    turned = north_up(X, Y, 10) @ north_up(0, 0, 1).rotation(20)
    b = write(tmp_path / "s_b.tif", noise("b", (120, 120)), turned)
    assert_tiles_agree(look([a, b], resampling="cubic"), 23, 4)
