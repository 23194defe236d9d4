from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from geo_files import coordinates, read_all, write_tif

from landmix.errors import LandmixError
from landmix.geo.open import open_scene
from landmix.geo.opening import open_raster, raster_driver
from landmix.geo.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable

VRT = """<VRTDataset rasterXSize="4" rasterYSize="3"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename relativeToVRT="0">{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>
</VRTDataset>"""


@pytest.mark.parametrize(
    ("driver", "name", "dtype"),
    [
        ("GTiff", "a.tif", "uint16"),
        ("GTiff", "a.dat", "float64"),
        ("PNG", "a.png", "uint8"),
        ("ENVI", "a.img", "int16"),
    ],
)
def test_the_first_bytes_choose_the_driver(tmp_path: Path, driver: str, name: str, dtype: str) -> None:
    path = write_tif(tmp_path / name, coordinates(1, 3, 4, dtype), driver=driver, crs=None, transform=None)
    with open_raster(path) as file:
        assert file.driver == driver
        np.testing.assert_array_equal(file.read(), coordinates(1, 3, 4, dtype))


@pytest.mark.parametrize(
    "options", [{"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}, {"BIGTIFF": "YES", "ENDIANNESS": "BIG"}]
)
def test_every_kind_of_tiff_is_a_tiff(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(1, 3, 4), **options)
    assert raster_driver(path) == "GTiff"


def text(path: Path) -> str:
    path.write_text("https://example.invalid/a.tif\n", encoding="utf-8")
    return str(path)


def empty(path: Path) -> str:
    path.touch()
    return str(path)


def missing(path: Path) -> str:
    return str(path)


def folder(path: Path) -> str:
    path.mkdir()
    return str(path)


def xml_as_path(path: Path) -> str:
    return VRT.format(path)


def wms(path: Path) -> str:
    path.write_text("<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>")
    return str(path)


def header_only(path: Path) -> str:
    path.write_bytes(b"II*\0")
    return str(path)


def subdataset(path: Path) -> str:
    return f"GTIFF_DIR:1:{write_tif(path, coordinates(1, 3, 4))}"


@pytest.mark.parametrize("make", [text, empty, missing, folder, xml_as_path, wms, header_only, subdataset])
def test_what_is_no_raster_is_refused_in_one_sentence(tmp_path: Path, make: Callable[[Path], str]) -> None:
    path = make(tmp_path / "scene.tif")
    with pytest.raises(LandmixError) as caught:
        open_scene([path], "scene")
    assert path[:40] in str(caught.value)
    assert str(caught.value).count("\n") <= path.count("\n")


def test_a_vrt_is_read_only_where_it_is_allowed(tmp_path: Path) -> None:
    source = write_tif(tmp_path / "a.tif", coordinates(1, 3, 4))
    path = tmp_path / "a.vrt"
    path.write_text(VRT.format(source), encoding="utf-8")
    with pytest.raises(LandmixError, match=r"a\.vrt is a VRT.*scene\.allow_vrt=true"):
        open_scene([str(path)], "a")
    stored, _ = read_all(open_scene([str(path)], "a", ReadOptions(allow_vrt=True)))
    np.testing.assert_array_equal(stored, coordinates(1, 3, 4))


def test_a_vrt_called_tif_is_still_a_vrt(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_text(VRT.format("/etc/hostname"), encoding="utf-8")
    with pytest.raises(LandmixError, match="is a VRT"):
        open_scene([str(path)], "a")


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("compress", ["none", "deflate"])
def test_a_truncated_tiff_is_an_error_in_one_sentence(tmp_path: Path, kept: float, compress: str) -> None:
    noise = np.random.default_rng(0).integers(0, 60000, (2, 200, 300), np.uint16)
    path = Path(write_tif(tmp_path / "a.tif", noise, compress=compress))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(LandmixError, match=r"cannot read .*a\.tif"):
        read_all(open_scene([str(path)], "a"))


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((1, 3, 4), np.complex64))
    with pytest.raises(LandmixError, match="complex numbers"):
        open_scene([path], "a")


def test_opening_a_scene_reads_no_pixels(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.zeros((4, 1000, 1000), np.uint16))
    tracemalloc.start()
    open_scene([path], "a")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_two_readers_do_not_share_a_handle(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", coordinates(1, 3, 4))
    with open_raster(path) as first, open_raster(path) as second:
        first.close()
        assert second.read(1).shape == (3, 4)
