"""Strangers' labels: read, or refused in one sentence; never a file or address that they name."""

from __future__ import annotations

import json
import sqlite3
import threading
import warnings
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine as Transform
from commands import cells, write_labels
from rasterio.crs import CRS

from landmix.errors import LandmixError
from landmix.geo.grid import Grid
from landmix.geo.labels import burn
from landmix.geo.legends import read_legend
from landmix.geo.limits import Limits
from landmix.geo.paths import entries
from landmix.geo.vectors import read_features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRID = Grid(crs=CRS.from_epsg(32633), transform=Transform(10, 0, 500_000, 0, -10, 5_300_000), height=96, width=96)
SQUARE = {"type": "Polygon", "coordinates": [[[12, 48], [12.001, 48], [12.001, 48.001], [12, 48.001], [12, 48]]]}


def geojson(path: Path, *geometries: Any, **more: Any) -> str:
    features = [{"type": "Feature", "properties": {"class": "a"}, "geometry": geometry} for geometry in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}), encoding="utf-8")
    return str(path)


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it was asked for."""
    paths: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    thread.join()
    server.server_close()


_VRT = "<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>{}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
_GDALG = '{{"type": "gdal_streamed_alg", "command_line": "gdal vector read {}"}}'
_WFS = "<OGRWFSDataSource><URL>{}</URL></OGRWFSDataSource>"
_KML = "<kml xmlns='http://www.opengis.net/kml/2.2'><NetworkLink><Link><href>{}</href></Link></NetworkLink></kml>"


@pytest.mark.parametrize("text", [_VRT, _GDALG, _WFS, _KML], ids=["vrt", "pipeline", "wfs", "network link"])
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".csv", ".kml"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_a_text_that_names_others_is_refused(
    tmp_path: Path, asked: tuple[str, list[str]], text: str, suffix: str, coding: str
) -> None:
    for named in (str(write_labels(tmp_path / "secret.gpkg")), f"{asked[0]}/a"):
        path = tmp_path / f"labels{suffix}"
        path.write_text(text.format(named), encoding=coding)
        with pytest.raises(LandmixError, match=r"labels\."):
            read_features(str(path), "class")
    assert asked[1] == []


def test_a_virtual_file_in_a_zip_file_is_refused(tmp_path: Path) -> None:
    secret = write_labels(tmp_path / "secret.gpkg")
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.writestr("labels.vrt", " " * 9000 + _VRT.format(secret), zipfile.ZIP_DEFLATED)
    with pytest.raises(LandmixError, match=r"labels\.vrt in .*names others"):
        read_features(str(tmp_path / "labels.zip"), "class")


@pytest.mark.parametrize("link", ['"link"', '"\\u006cink"'])
def test_a_crs_behind_a_link_is_not_fetched(tmp_path: Path, asked: tuple[str, list[str]], link: str) -> None:
    path = geojson(tmp_path / "a.geojson", SQUARE, crs={"type": "link", "properties": {"href": f"{asked[0]}/crs"}})
    (tmp_path / "a.geojson").write_text((tmp_path / "a.geojson").read_text().replace('"link"', link))
    try:
        read_features(path, "class")
    except LandmixError as error:
        assert "a.geojson" in str(error)  # noqa: PT017 - or it is read without the link
    assert asked[1] == []


def test_a_schema_behind_a_link_is_not_fetched(tmp_path: Path, asked: tuple[str, list[str]]) -> None:
    path = tmp_path / "a.gml"
    path.write_text(
        "<wfs:FeatureCollection xmlns:wfs='http://www.opengis.net/wfs' xmlns:gml='http://www.opengis.net/gml'"
        " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
        f" xsi:schemaLocation='http://a {asked[0]}/DescribeFeatureType?SERVICE=WFS&amp;REQUEST=DescribeFeatureType'>"
        "<gml:featureMember><a><class>x</class><gml:pointProperty><gml:Point><gml:coordinates>1,2</gml:coordinates>"
        "</gml:Point></gml:pointProperty></a></gml:featureMember></wfs:FeatureCollection>",
        encoding="utf-8",
    )
    try:
        read_features(str(path), "class")
    except LandmixError as error:
        assert "a.gml" in str(error)  # noqa: PT017
    assert asked[1] == []


def test_a_database_with_views_and_triggers_is_read(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.gpkg")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE log (t TEXT)")
        database.execute("CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END")
        database.execute("CREATE VIEW v AS SELECT * FROM log")
    before = path.read_bytes()
    assert len(read_features(str(path), "class").keys) == len(cells())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SQLite format 3\0" + bytes(200),
        b"PK\x03\x04" + bytes(99),
        b"{",
        b"<kml",
        b"fgb\3fgb\0" + bytes(50),
        bytes(99),
    ],
    ids=["empty", "sqlite", "zip", "json", "xml", "flatgeobuf", "zeros"],
)
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".zip", ".fgb", ".csv", ".kml"])
def test_what_is_no_vector_file_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(content)
    with pytest.raises(LandmixError, match=r"labels\."):
        read_features(str(path), "class")


def test_a_file_above_the_limit_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.geojson")
    with pytest.raises(LandmixError, match=rf"a\.geojson has .*limits\.vector={path.stat().st_size}"):
        read_features(str(path), "class", None, Limits(vector=100))


@pytest.mark.parametrize(
    "coordinates",
    [[1e300, 1e300], [-1e18, 1e18], [12, 91], [1e9, -1e9]],
)
def test_coordinates_that_no_pixel_has_label_none(tmp_path: Path, coordinates: list[float]) -> None:
    path = geojson(tmp_path / "a.geojson", {"type": "Point", "coordinates": coordinates}, SQUARE)
    assert len(burn(read_features(path, "class"), GRID, frozenset())) == 0


def shapes(path: Path, wkts: list[str], kind: str = "Unknown", crs: str | None = "EPSG:32633") -> str:
    """Write geometries, whatever libraries say of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _shapes(path, wkts, kind, crs)


def _shapes(path: Path, wkts: list[str], kind: str, crs: str | None) -> str:
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.to_wkb(shapely.from_wkt(wkt), output_dimension=4) for wkt in wkts], object),
        field_data=[np.array(["a"] * len(wkts), object)],
        fields=["class"],
        geometry_type=kind,
        crs=crs,
        driver="GPKG",
    )
    return str(path)


BOX = "POLYGON ((500100 5299500, 500200 5299500, 500200 5299600, 500100 5299600, 500100 5299500))"


@pytest.mark.parametrize(
    "wkt",
    [
        "POLYGON EMPTY",
        "MULTIPOLYGON EMPTY",
        "POINT (nan nan)",
        "POLYGON ((0 0, nan 1, 1 1, 0 0))",
        "POLYGON ((500100 5299500, 500200 5299500, 500100 5299500, 500100 5299500))",
        "POLYGON ((600100 5299500, 600200 5299600, 600200 5299500, 600100 5299600, 600100 5299500))",
    ],
    ids=["empty", "empty multi", "nan point", "nan polygon", "flat", "crossing itself, elsewhere"],
)
def test_a_geometry_without_area_here_labels_nothing(tmp_path: Path, wkt: str) -> None:
    labelled = burn(read_features(shapes(tmp_path / "a.gpkg", [wkt, BOX]), "class"), GRID, frozenset())
    assert len(labelled) == 100


def test_heights_and_measures_are_dropped(tmp_path: Path) -> None:
    flat = burn(read_features(shapes(tmp_path / "a.gpkg", [BOX]), "class"), GRID, frozenset())
    tall = BOX.replace("POLYGON ((", "POLYGON Z ((").replace("00,", "00 7,").replace("))", " 7))")
    high = burn(read_features(shapes(tmp_path / "b.gpkg", [tall]), "class"), GRID, frozenset())
    np.testing.assert_array_equal(flat.rows, high.rows)


def test_a_self_crossing_polygon_is_burned_as_gdal_does(tmp_path: Path) -> None:
    bow = "POLYGON ((500100 5299500, 500200 5299600, 500200 5299500, 500100 5299600, 500100 5299500))"
    assert 40 < len(burn(read_features(shapes(tmp_path / "a.gpkg", [bow]), "class"), GRID, frozenset())) < 60


def test_curves_become_straight_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    curve = "CURVEPOLYGON (CIRCULARSTRING (500100 5299500, 500200 5299500, 500100 5299500))"
    path.write_text(f'WKT,class\n"{curve}",a\n', encoding="utf-8")
    assert len(burn(read_features(str(path), "class"), GRID, frozenset())) == pytest.approx(np.pi * 25, abs=4)


def test_a_mixture_with_lines_is_refused(tmp_path: Path) -> None:
    path = shapes(tmp_path / "a.gpkg", [BOX, "LINESTRING (500100 5299500, 500200 5299600)"])
    with pytest.raises(LandmixError, match=r"a\.gpkg.*LineString"):
        read_features(path, "class")


def test_a_file_without_a_crs_lies_where_the_scene_does(tmp_path: Path) -> None:
    path = shapes(tmp_path / "a.gpkg", [BOX], crs=None)
    assert len(burn(read_features(path, "class"), GRID, frozenset())) == 100


@pytest.mark.parametrize("lost", [".shx", ".prj", ".dbf"])
def test_a_shapefile_without_one_of_its_files(tmp_path: Path, lost: str) -> None:
    pyogrio.raw.write(
        tmp_path / "a.shp",
        geometry=np.array([shapely.to_wkb(shapely.from_wkt(BOX))], object),
        field_data=[np.array(["a"], object)],
        fields=["class"],
        geometry_type="Polygon",
        crs="EPSG:32633",
        driver="ESRI Shapefile",
    )
    (tmp_path / "a.shp").with_suffix(lost).unlink()
    if lost == ".prj":
        assert len(burn(read_features(str(tmp_path / "a.shp"), "class"), GRID, frozenset())) == 100
        return
    with pytest.raises(LandmixError, match=r"a\.shp"):
        read_features(str(tmp_path / "a.shp"), "class")


def test_a_csv_with_wkt_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'WKT,class\n"{BOX}",a\n', encoding="utf-8")
    assert len(burn(read_features(str(path), "class"), GRID, frozenset())) == 100


@pytest.mark.parametrize(
    "text",
    [
        "- &a [1]\n" * 3,
        "&a [*a]",
        "!!python/object/apply:os.system ['touch canary']",
        "[" * 50_000,
        "a: 1",
        "- 3",
        "\0",
    ],
    ids=["aliases", "loop", "code", "deep", "mapping", "number", "zero"],
)
def test_a_legend_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "legend.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(LandmixError, match=r"legend legend\.yaml"):
        read_legend("legend.yaml")
    assert not (tmp_path / "canary").exists()


def test_a_huge_legend_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "legend.yaml").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(LandmixError, match="more than"):
        read_legend(str(tmp_path / "legend.yaml"))


def test_a_huge_list_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "list.txt").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(LandmixError, match=r"list\.txt.*more than"):
        entries(f"@{tmp_path}/list.txt", "scenes")
