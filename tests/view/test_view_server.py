from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from view_files import LEGEND, NASTY, class_values, pixels, scene_values, write_map
from view_server import ask, served, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(write_all(tmp_path_factory.mktemp("view"))) as address:
        yield address


def test_what_there_is_to_show(address: str) -> None:
    facts = ask(f"{address}api/view").json
    assert [layer["id"] for layer in facts["layers"]] == ["picture0", "picture1", "classes", "confidence"]
    assert [(c["value"], c["name"], c["color"]) for c in facts["classes"]] == [
        (2, "field", "#f2c94c"),
        (7, NASTY, "#2e7d32"),
        (40, "water", "#2b6cb0"),
    ]
    assert (facts["height"], facts["width"], facts["levels"]) == (300, 520, 2)
    assert facts["crs"] == "WGS 84 / UTM zone 33N (EPSG:32633)"
    assert facts["pixel_m"] == [10, 10]
    assert facts["scene"] == "scene.tif"
    assert facts["notes"] == []


def test_tiles_over_http(address: str) -> None:
    answer = ask(f"{address}tiles/classes/0/1/0?v=1")
    assert answer.headers["content-encoding"] == "gzip"
    tile = np.frombuffer(gzip.decompress(answer.body), np.uint8).reshape(256, 256)
    assert (np.asarray((0, *LEGEND.values))[tile] == class_values()[:256, 256:512]).all()
    for layer in ("picture0", "picture1", "confidence"):
        answer = ask(f"{address}tiles/{layer}/2/0/0")
        assert answer.headers["content-type"] == "image/png"
        assert pixels(answer.body)[3, :75, :130].mean() > 200


def test_a_pixel_over_http(address: str) -> None:
    found = ask(f"{address}api/pixel?row=150&col=401").json
    assert found["class"] == LEGEND.values.index(class_values()[150, 401])
    assert found["confidence"] == pytest.approx((150 + 401) % 201 / 200)
    assert found["values"] == pytest.approx(scene_values()[:, 150, 401] / 10000, rel=1e-5)
    assert (found["x"], found["y"]) == (504015, 5298495)
    nothing = ask(f"{address}api/pixel?row=0&col=0").json
    assert (nothing["class"], nothing["confidence"]) == (None, None)


@pytest.mark.parametrize(
    "path",
    [
        "api/pixel",
        "api/pixel?row=300&col=0",
        "api/pixel?row=-1&col=0",
        "api/pixel?row=1e1&col=0",
        "api/pixel?row=%C2%B2&col=0",
        "api/pixel?row=99999999999999999999&col=0",
        "tiles/classes/0/9/9",
        "tiles/classes/3/0/0",
        "tiles/classes/99999999999999999999/0/0",
        "tiles/classes/-1/0/0",
        "tiles/picture2/0/0/0",
        "tiles/picture/0/0/0",
        "tiles/picture-1/0/0/0",
        "tiles/%2E%2E/0/0/0",
        "static/../app.py",
        "static/..%2Fapp.py",
        "static/%2E%2E/app.py",
        "static//etc/hostname",
        "static/vendor",
        "static/nothing.js",
        "api/nothing",
    ],
)
def test_what_is_not_there(address: str, path: str) -> None:
    answer = ask(address + path)
    assert answer.code == 404
    assert b"landmix" not in answer.body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0", "", "[::1]"])  # noqa: S104
def test_other_names_of_this_machine_are_refused(address: str, host: str) -> None:
    for path in ("", "api/view", "static/main.js", "tiles/classes/0/0/0"):
        answer = ask(address + path, Host=host)
        assert answer.code == 421
        assert b"m.tif" not in answer.body


def test_localhost_through_a_tunnel_is_let_in(address: str) -> None:
    assert ask(f"{address}api/view", Host="localhost:8888").code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(address: str, method: str) -> None:
    answer = ask(f"{address}api/view", method)
    assert answer.code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_other_pages_take_nothing(address: str) -> None:
    foreign = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Origin": "https://evil.example"}
    assert ask(f"{address}tiles/picture0/0/0/0", **foreign).code == 403
    assert ask(address, **{**foreign, "Sec_Fetch_Mode": "navigate"}).code == 200


@pytest.mark.parametrize("path", ["", "api/view", "nothing", "tiles/classes/0/0/0"])
def test_every_answer_is_sealed(address: str, path: str) -> None:
    headers = ask(address + path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_the_page_names_no_other_host(address: str) -> None:
    page = ask(address).body.decode()
    assert "http:" not in page
    assert "https:" not in page
    assert "<script>" not in page
    assert 'style="' not in page


def test_an_error_is_one_sentence(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    with served(path) as address:
        (tmp_path / "scene.tif").unlink()
        answer = ask(f"{address}tiles/picture0/0/0/0")
        assert answer.code == 500
        assert "scene.tif" in answer.json["error"]
        assert "Traceback" not in answer.json["error"]
        assert ask(f"{address}tiles/classes/0/0/0").code == 200


def test_a_map_alone(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    with served(tmp_path / "m.tif") as address:
        facts = ask(f"{address}api/view").json
        assert [layer["id"] for layer in facts["layers"]] == ["classes"]
        assert "scene=" in facts["notes"][0]
        assert ask(f"{address}api/pixel?row=50&col=50").json["values"] == []
