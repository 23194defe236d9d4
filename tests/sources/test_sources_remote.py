from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from range_server import serving
from source_files import DN, constant, item_of, physical, scene, write_item, write_tif
from stac_items import stac_1_1

from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo import remote
from landmix.geo.paths import scene_entries

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 2048


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiled file of 32 MB that does not compress."""
    values = np.random.default_rng(0).integers(0, 60000, (4, SIDE, SIDE), np.uint16)
    path = tmp_path_factory.mktemp("large") / "large.tif"
    tiles: dict[str, Any] = {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "pixel"}
    write_tif(path, values, names=("blue", "green", "red", "nir"), compress="deflate", zlevel=1, **tiles)
    return path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that do not wait."""
    monkeypatch.setitem(remote.OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.01")


def windows(spec: str, places: list[tuple[int, int]]) -> list[NDArray[Any]]:
    with scene(spec).open() as reader:
        return [reader.read(Window(row=row, col=col, height=64, width=64))[0] for row, col in places]


def test_a_small_window_of_a_remote_file_costs_little(large: Path) -> None:
    places = [(0, 0), (1000, 700), (SIDE - 64, SIDE - 64)]
    with serving(large.parent) as site:
        found = windows(site.url("large.tif"), places)
    for here, there in zip(windows(str(large), places), found, strict=True):
        np.testing.assert_array_equal(here, there)
    assert site.sent < large.stat().st_size / 8
    assert len(site.requests) < 30


def test_opening_a_remote_file_reads_its_header_alone(large: Path) -> None:
    with serving(large.parent) as site:
        found = scene(site.url("large.tif"))
    assert found.bands.names == ("blue", "green", "red", "nir")
    assert found.name == "large"
    assert site.sent < 500_000
    assert len(site.requests) < 8


def test_no_sidecars_and_listings_are_asked_for(large: Path) -> None:
    with serving(large.parent) as site:
        windows(site.url("large.tif"), [(0, 0)])
    assert set(site.requests) == {"/large.tif"}


@pytest.mark.parametrize(
    ("address", "stem"),
    [("a.tif", "a"), ("a.tif?sig=b%2Fc&sv=1", "a"), ("sub/a.b.tif", "a.b"), ("sub/a?x=/y/z.tif", "a")],
)
def test_an_address_with_a_query_is_read_and_called_after_its_file(tmp_path: Path, address: str, stem: str) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.tif", "sub/a.b.tif", "sub/a"):
        constant(tmp_path / name)
    with serving(tmp_path) as site:
        found = scene(site.url(address))
        assert found.name == stem
        assert (physical(found)[0] == DN).all()
    assert set(site.requests) == {f"/{address}"}


def test_blanks_in_an_address_are_percent_encoded(tmp_path: Path) -> None:
    constant(tmp_path / "a b.tif")
    with serving(tmp_path) as site:
        found = scene(site.url("a%20b.tif"))
        assert found.name in {"a b", "a%20b"}
        assert (physical(found)[0] == DN).all()
    assert set(site.requests) == {"/a%20b.tif"}


@pytest.mark.parametrize("name", ["a b.json", "a\tb", "a\nb.json", "a b.tif", "ü.json"])
def test_an_address_that_is_none_is_refused_or_mended(tmp_path: Path, name: str) -> None:
    with serving(tmp_path) as site, pytest.raises(LandmixError, match=r"http://127\.0\.0\.1"):
        scene(site.url(name))


def test_an_item_from_the_web_finds_its_files_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "items" / "x"
    folder.mkdir(parents=True)
    assets = {key: asset for key, asset in stac_1_1().items() if key != "swir"}
    assets["nir"]["href"] = "../nir%201.tif?a=b"
    constant(folder / "red.tif")
    constant(folder.parent / "nir 1.tif")
    write_item(folder / "item.json", item_of(assets))
    with serving(tmp_path) as site:
        for address in ("items/x/item.json", "items/x/item.json?token=a.tif"):
            found = scene(site.url(address))
            assert found.name == "S2A_33UWP"
            np.testing.assert_allclose(physical(found)[0], 0.0452, rtol=1e-5)


def test_an_item_without_an_ending_is_known_by_its_first_letter(tmp_path: Path) -> None:
    constant(tmp_path / "red.tif")
    write_item(tmp_path / "S2A_33UWP", item_of({"red": stac_1_1()["red"]}))
    with serving(tmp_path) as site:
        assert scene_entries(site.url("S2A_33UWP"), "scenes")[0].item is not None


def test_a_page_that_is_no_item_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<html>")
    (tmp_path / "catalog").write_text('{"type": "Catalog"}')
    with serving(tmp_path) as site:
        for name in ("page", "catalog"):
            with pytest.raises(LandmixError, match=site.url(name)):
                scene(site.url(name))


BAD: list[dict[str, Any]] = [
    {"status": 404},
    {"status": 403},
    {"status": 500},
    {"status": 503},
    {"cut": 100},
    {"cut": 0},
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("behaviour", [*BAD, {"junk": True}], ids=str)
@pytest.mark.parametrize("name", ["a.tif", "item.json"])
def test_a_server_that_fails_is_named(tmp_path: Path, behaviour: dict[str, Any], name: str) -> None:
    constant(tmp_path / "a.tif")
    write_item(tmp_path / "item.json", item_of(stac_1_1()))
    began = time.monotonic()
    with serving(tmp_path, **behaviour) as site, pytest.raises(LandmixError) as caught:
        physical(scene(site.url(name)))
    assert site.url(name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("behaviour", [{"status": 500}, {"status": 404}, {"cut": 1000}], ids=str)
def test_a_server_that_fails_while_pixels_are_read_is_named(large: Path, behaviour: dict[str, Any]) -> None:
    with serving(large.parent) as site, scene(site.url("large.tif")).open() as reader:
        vars(site).update(behaviour)
        with pytest.raises(LandmixError, match=site.url("large.tif")):
            reader.read(Window(row=1500, col=1500, height=64, width=64))


def test_nobody_listens(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        pass
    for name in ("a.tif", "item.json"):
        with pytest.raises(LandmixError, match=site.url(name)):
            scene(site.url(name))


@pytest.mark.usefixtures("quick")
def test_a_server_that_fails_once_is_asked_again(large: Path) -> None:
    with serving(large.parent) as site, scene(site.url("large.tif")).open() as reader:
        site.fail_next = 1
        found, _ = reader.read(Window(row=300, col=300, height=64, width=64))
    np.testing.assert_array_equal(found, windows(str(large), [(300, 300)])[0])


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("s3://b/a.tif", "/vsis3/b/a.tif"),
        ("gs://b/a.tif", "/vsigs/b/a.tif"),
        ("az://b/a.tif", "/vsiaz/b/a.tif"),
        ("HTTPS://h/a.tif?x=1", "/vsicurl/https://h/a.tif?x=1"),
        ("http://h/a.tif", "/vsicurl/http://h/a.tif"),
        ("/vsis3/b/a.tif", "/vsis3/b/a.tif"),
        ("C:/a.tif", "C:/a.tif"),
    ],
)
def test_what_gdal_calls_an_address(path: str, called: str) -> None:
    assert remote.gdal_path(path) == called


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("http://h/a.TIF?x=b.json", ".tif"), ("a.b.jp2", ".jp2"), ("http://h.de/a", ""), ("s3://b/x.y/z", ""), ("a", "")],
)
def test_the_ending_of_an_address_is_that_of_its_file(path: str, suffix: str) -> None:
    assert remote.suffix(path) == suffix
