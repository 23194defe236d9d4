"""Files beside a raster are looked at before GDAL opens them with whatever driver takes them."""

from __future__ import annotations

import http.server
import os
import threading
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from geo_files import write_tif, write_vector
from shapely.geometry import Point

from landmix.errors import LandmixError
from landmix.files import in_archive
from landmix.geo.opening import open_raster
from landmix.geo.vectors import read_features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine, and what was asked of it."""
    paths: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


def texts(address: str, folder: Path) -> dict[str, str]:
    """What GDAL takes for a raster, and reads, asks or writes somewhere else."""
    band = f"<SourceFilename>/vsicurl/{address}/a.tif</SourceFilename><SourceBand>1</SourceBand>"
    return {
        "VRT": f'<VRTDataset rasterXSize="30" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"{band}</SimpleSource></VRTRasterBand></VRTDataset>",
        "WMS": f'<GDAL_WMS><Service name="TMS"><ServerUrl>{address}/${{z}}/${{x}}/${{y}}</ServerUrl></Service>'
        "<DataWindow><SizeX>30</SizeX><SizeY>20</SizeY></DataWindow><BandsCount>1</BandsCount></GDAL_WMS>",
        "MRF": f"<MRF_META><CachedSource><Source>/vsicurl/{address}/a.tif</Source></CachedSource><Raster>"
        f'<Size x="30" y="20" c="1"/><DataFile>{folder}/precious.txt</DataFile></Raster></MRF_META>',
    }


@pytest.mark.parametrize("end", [".msk", ".MSK", ".ovr", ".Ovr", ".msk.ovr"])
@pytest.mark.parametrize("kind", ["VRT", "WMS", "MRF"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_text_as_a_mask_or_overviews_is_not_opened(
    tmp_path: Path, asked: tuple[str, list[str]], end: str, kind: str, *, zipped: bool
) -> None:
    address, paths = asked
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    path = str(write_tif(tmp_path / "a.tif", np.ones((1, 20, 30), np.uint8)))
    (tmp_path / f"a.tif{end}").write_text(texts(address, tmp_path)[kind], encoding="utf-8")
    if zipped:
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            for name in ("a.tif", f"a.tif{end}"):
                archive.write(tmp_path / name, f"in/{name}")
        path = in_archive(str(tmp_path / "z.zip"), "in/a.tif")
    with pytest.raises(LandmixError, match=rf"a\.tif{end} is no TIFF"):
        open_raster(path)
    assert not paths
    assert (tmp_path / "precious.txt").read_text(encoding="utf-8") == "mine"


def test_names_of_letters_that_fold_to_several_are_looked_at_too(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "straße.tif", np.ones((1, 20, 30), np.uint8))
    (tmp_path / "straße.tif.msk").write_text("<VRTDataset/>", encoding="utf-8")
    with pytest.raises(LandmixError, match="is no TIFF"):
        open_raster(str(path))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_mask_with_overviews_elsewhere_is_refused(tmp_path: Path, *, zipped: bool) -> None:
    path = str(write_tif(tmp_path / "a.tif", np.ones((1, 20, 30), np.uint8)))
    mask = write_tif(tmp_path / "m.tif", np.full((1, 20, 30), 255, np.uint8))
    with rasterio.open(mask, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(tmp_path / "evil.tif"))
    (tmp_path / "m.tif").replace(tmp_path / "a.tif.msk")
    if zipped:
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            for name in ("a.tif", "a.tif.msk"):
                archive.write(tmp_path / name, f"in/{name}")
        path = in_archive(str(tmp_path / "z.zip"), "in/a.tif")
    with pytest.raises(LandmixError, match=r"a\.tif\.msk.*OVERVIEW_FILE"):
        open_raster(path)


def test_a_mask_that_is_a_tiff_is_used(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((1, 20, 30), np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as file:
        file.write_mask(np.indices((20, 30))[0] > 4)
    assert (tmp_path / "a.tif.msk").exists()
    with open_raster(str(path)) as dataset:
        assert (dataset.dataset_mask()[:5] == 0).all()


def test_files_of_other_rasters_are_no_matter(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a1.tif", np.ones((1, 20, 30), np.uint8))
    (tmp_path / "a10.tif.msk").write_text("text", encoding="utf-8")
    open_raster(str(path)).close()


def test_overviews_elsewhere_are_refused(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    address, paths = asked
    named = f"/vsicurl/{address}/a.ovr"
    path = write_tif(tmp_path / "a.tif", np.ones((1, 20, 30), np.uint8))
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=named)
    with pytest.raises(LandmixError, match="OVERVIEW_FILE"):
        open_raster(str(path))
    path = write_tif(tmp_path / "b.tif", np.ones((1, 20, 30), np.uint8))
    text = f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="Overview_File">{named}</MDI></Metadata></PAMDataset>'
    (tmp_path / "b.tif.aux.xml").write_text(text, encoding="utf-8")
    with pytest.raises(LandmixError, match=r"b\.tif\.aux\.xml.*OVERVIEW_FILE"):
        open_raster(str(path))
    assert not paths


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
@pytest.mark.parametrize("name", ["a.tif.aux.xml", "a.tif.msk", "a.tfw", "A.TFW"])
def test_a_pipe_beside_a_raster_is_refused(tmp_path: Path, name: str) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((1, 20, 30), np.uint8))
    os.mkfifo(tmp_path / name)
    with pytest.raises(LandmixError, match="is no regular file"):
        open_raster(str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
def test_a_pipe_beside_labels_is_refused(tmp_path: Path) -> None:
    write_vector(tmp_path / "a.shp", [Point(1, 1)], ["a"], field="class")
    (tmp_path / "a.prj").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "a.prj")
    with pytest.raises(LandmixError, match=r"a\.prj.* is no regular file"):
        read_features(str(tmp_path / "a.shp"), "class")
