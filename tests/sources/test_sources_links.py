from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pytest
from range_server import serving
from source_files import DN, GEOTIFF, constant, item_of, physical, scene, write_item

from landmix.errors import LandmixError
from landmix.geo.items import Item, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from range_server import Site


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Site]:
    """A server that an item must not make landmix ask; it serves a raster, so that a request would succeed."""
    folder = tmp_path / "served"
    folder.mkdir()
    constant(folder / "a.tif")
    with serving(folder) as site:
        yield site


def linking(href: str, **changes: Any) -> dict[str, Any]:
    asset = {"href": href, "type": GEOTIFF, "eo:bands": [{"name": "a"}], "roles": ["data"]}
    return item_of({"a": asset}, **changes)


def refused(path: str) -> str:
    """What landmix says to an item, quickly and in one sentence."""
    began = time.monotonic()
    with pytest.raises(LandmixError) as caught:
        physical(scene(path))
    assert time.monotonic() - began < 5
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_the_canary_sings(canary: Site) -> None:
    with urlopen(canary.url("a.tif")) as answer:  # noqa: S310 - our own server
        answer.read()
    assert canary.requests == ["/a.tif"]


LOOPBACK = [
    "http://127.0.0.1:{port}/a.tif",
    "http://localhost:{port}/a.tif",
    "HTTP://LOCALHOST:{port}/a.tif",
    "http://user:word@127.0.0.1:{port}/a.tif",
    "http://0.0.0.0:{port}/a.tif",
    "http://127.1:{port}/a.tif",
    "http://2130706433:{port}/a.tif",
    "http://[::ffff:127.0.0.1]:{port}/a.tif",
    "http://localhost.:{port}/a.tif",
    "http://a.localhost:{port}/a.tif",
]


@pytest.mark.parametrize("href", LOOPBACK)
def test_an_item_does_not_make_landmix_ask_this_machine(tmp_path: Path, canary: Site, href: str) -> None:
    told = refused(write_item(tmp_path / "item.json", linking(href.format(port=canary.port))))
    assert "S2A_33UWP" in told
    assert canary.requests == []


def test_a_quality_asset_does_not_make_landmix_ask_this_machine(tmp_path: Path, canary: Site) -> None:
    constant(tmp_path / "a.tif")
    item = linking("a.tif", collection="sentinel-2-l2a")
    item["assets"]["scl"] = {"href": canary.url("a.tif"), "type": GEOTIFF}
    refused(write_item(tmp_path / "item.json", item))
    assert canary.requests == []


PRIVATE = [
    "http://169.254.169.254/latest/meta-data/a.tif",
    "https://169.254.169.254/a.tif",
    "http://10.0.0.1/a.tif",
    "http://192.168.1.1/a.tif",
    "http://172.16.0.1/a.tif",
    "http://100.64.0.1/a.tif",
    "http://[::1]/a.tif",
    "http://[fd00::1]/a.tif",
    "http://[fe80::1%25eth0]/a.tif",
    "http:///a.tif",
    "http://localhost./a.tif",
    "http://metadata.internal./a.tif",
    "http://metadata.internal/a.tif",
]


@pytest.mark.parametrize("origin", ["/data/item.json", "https://example.com/item.json"])
@pytest.mark.parametrize("href", PRIVATE)
def test_an_item_does_not_make_landmix_ask_machines_of_its_network(href: str, origin: str) -> None:
    with pytest.raises(LandmixError, match=r"S2A_33UWP .* inside this network: name the files in a list"):
        resolve(href, Item(origin, {"id": "S2A_33UWP"}))


def test_a_host_that_is_hidden_behind_another_is_not_asked(tmp_path: Path, canary: Site) -> None:
    href = f"http://127.0.0.1:{canary.port}\\@example.invalid/a.tif"
    refused(write_item(tmp_path / "item.json", linking(href)))
    assert canary.requests == []


SCHEMES = [
    "file:///etc/hostname",
    "FILE:///etc/hostname",
    "vrt://a.tif?bands=1",
    "ftp://example.com/a.tif",
    "az://bucket/a.tif",
    "/vsicurl/http://127.0.0.1:{port}/a.tif",
    "/vsizip/a.zip/a.tif",
    "/vsimem/a.tif",
]


@pytest.mark.parametrize("href", SCHEMES)
def test_other_ways_of_naming_a_file_are_refused(tmp_path: Path, canary: Site, href: str) -> None:
    constant(tmp_path / "a.tif")
    told = refused(write_item(tmp_path / "item.json", linking(href.format(port=canary.port))))
    assert "which an item may not: only files beside it, http(s), s3 and gs" in told
    assert canary.requests == []


OUTSIDE = [
    "/etc/hostname",
    "../outside.tif",
    "sub/../../outside.tif",
    "./../outside.tif",
    "%2e%2e/outside.tif",
    "..%2Foutside.tif",
    "%2Fetc%2Fhostname",
    "link.tif",
    "linked/outside.tif",
    "%2Fvsicurl/a.tif",
]


@pytest.mark.parametrize("href", OUTSIDE)
def test_files_outside_an_items_folder_are_refused(tmp_path: Path, href: str) -> None:
    folder = tmp_path / "items"
    folder.mkdir()
    outside = constant(tmp_path / "outside.tif")
    (folder / "link.tif").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    assert "outside its folder" in refused(write_item(folder / "item.json", linking(href)))


def test_an_absolute_path_into_the_folder_is_a_file_beside_the_item(tmp_path: Path) -> None:
    path = constant(tmp_path / "a.tif")
    assert (physical(scene(write_item(tmp_path / "item.json", linking(path))))[0] == DN).all()


@pytest.mark.parametrize("href", ["a b.tif", "a%20b.tif", "./a b.tif", "sub/../a%20b.tif"])
def test_blanks_in_a_link_may_be_written_either_way(tmp_path: Path, href: str) -> None:
    constant(tmp_path / "a b.tif")
    (tmp_path / "sub").mkdir()
    assert (physical(scene(write_item(tmp_path / "item.json", linking(href))))[0] == DN).all()


def test_an_item_may_be_a_link_itself(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    constant(real / "a.tif")
    write_item(real / "item.json", linking("a.tif"))
    (tmp_path / "link.json").symlink_to(real / "item.json")
    assert (physical(scene(str(tmp_path / "link.json")))[0] == DN).all()


@pytest.mark.parametrize("href", ["s3://bucket/a.tif", "gs://bucket/a b.tif"])
@pytest.mark.parametrize("origin", ["item.json", "http://example.com/item.json"])
def test_buckets_are_kept_as_they_are(href: str, origin: str) -> None:
    assert resolve(href, Item(origin, {})) == href


@pytest.mark.parametrize(
    ("href", "address"),
    [
        ("a.tif", "https://example.com/x/a.tif"),
        ("../a.tif", "https://example.com/a.tif"),
        ("/a.tif?sig=b%2F", "https://example.com/a.tif?sig=b%2F"),
        ("a%20b.tif", "https://example.com/x/a%20b.tif"),
        ("https://other.example/a.tif", "https://other.example/a.tif"),
    ],
)
def test_links_of_an_item_from_the_web_are_relative_to_its_address(href: str, address: str) -> None:
    assert resolve(href, Item("https://example.com/x/item.json?token=1", {})) == address


@pytest.mark.parametrize(
    "href",
    ["file:/etc/hostname", "//127.0.0.1/a.tif", "/vsicurl/http://a", "http://localhost/a.tif", "zarr:x", "file:a.tif"],
)
def test_an_item_from_the_web_names_no_file_and_no_machine_here(href: str) -> None:
    with pytest.raises(LandmixError, match="the STAC item"):
        resolve(href, Item("https://example.com/x/item.json", {}))


def test_an_item_from_a_machine_here_may_link_to_that_machine(canary: Site) -> None:
    for name, href in (("beside", "a.tif"), ("whole", canary.url("a.tif"))):
        write_item(canary.folder / f"{name}.json", linking(href))
        assert (physical(scene(canary.url(f"{name}.json")))[0] == DN).all()
    assert "/a.tif" in canary.requests


def test_an_item_from_a_machine_here_links_to_no_other_one(canary: Site) -> None:
    write_item(canary.folder / "item.json", linking("http://10.0.0.1/a.tif"))
    assert "inside this network" in refused(canary.url("item.json"))


UNUSABLE = [
    "http://[::1/a.tif",
    "http://[bad]/a.tif",
    "http://example.com:99999999/a.tif",
    "a\0.tif",
    "a" * 5000 + ".tif",
]


@pytest.mark.parametrize("href", [*UNUSABLE, "loop.tif", "", "missing.tif", "http://a..b/a.tif", "."])
def test_links_that_mean_nothing_are_refused_in_a_sentence(tmp_path: Path, href: str) -> None:
    (tmp_path / "loop.tif").symlink_to(tmp_path / "loop.tif")
    refused(write_item(tmp_path / "item.json", linking(href)))


def test_a_vrt_beside_an_item_is_a_vrt(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text('<VRTDataset rasterXSize="4" rasterYSize="3"></VRTDataset>', encoding="utf-8")
    assert "is a VRT" in refused(write_item(tmp_path / "item.json", linking("a.tif")))


def test_a_picture_of_values_is_the_files_own(tmp_path: Path) -> None:
    constant(tmp_path / "a.tif", 3)
    values, inside = physical(scene(write_item(tmp_path / "item.json", linking("a.tif"))))
    np.testing.assert_array_equal(values, 3)
    assert inside.all()
