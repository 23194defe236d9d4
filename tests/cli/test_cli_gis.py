"""What GIS programs rely on in the files that landmix predict writes (docs/gis.md)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import rasterio
from commands import BLOCKS, NAMES, big_values, done_inside, load_json, world, write_scene
from rasterio.enums import MaskFlags
from rasterio.transform import Affine

from landmix.geo.sidecars import sidecar_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = "outputs=[classes,confidence,probabilities,gap]"
SHARES = ("confidence", "probabilities", "gap")


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predict(*arguments: str) -> None:
    done_inside("predict", f"model={world().model}", "scenes=s.tif", "out_dir=maps", "device=cpu", *arguments)


def beside(name: str) -> dict[str, Path]:
    """Side files that exist, by kind."""
    return {kind: path for kind, path in sidecar_paths(Path("maps") / name).items() if path.exists()}


def test_every_raster_passes_rio_cogeo_strictly(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif", big_values(7), **BLOCKS)
    predict(ALL)
    for path in sorted((tmp_path / "maps").glob("*.tif")):
        with rasterio.open(path) as file:
            assert file.overviews(1)
        rio = str(Path(sys.executable).with_name("rio"))
        done = run([rio, "cogeo", "validate", "--strict", str(path)], capture_output=True, text=True, check=True)
        assert "is a valid cloud optimized GeoTIFF" in done.stdout
        assert "warning" not in done.stdout.lower()


def test_nodata_is_a_value_and_no_mask(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    predict(ALL)
    for path in (tmp_path / "maps").glob("*.tif"):
        with rasterio.open(path) as file:
            assert {tuple(flags) for flags in file.mask_flag_enums} == {(MaskFlags.nodata,)}
            assert "alpha" not in [interpretation.name for interpretation in file.colorinterp]


def test_side_files_of_an_older_raster_never_stay(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    (tmp_path / "maps").mkdir()
    names = ["s.tif", *(f"s_{share}.tif" for share in SHARES)]
    for name in names:
        for path in (Path("maps") / name, *sidecar_paths(Path("maps") / name).values()):
            path.write_text("stale", encoding="utf-8")
    predict(ALL, "overwrite=true")
    assert {name: set(beside(name)) for name in names} == {
        "s.tif": {"qml", "aux", "vat", "cpg"},
        **{f"s_{share}.tif": {"qml"} for share in SHARES},
    }
    assert not [path for path in (tmp_path / "maps").rglob("*") if path.read_bytes() == b"stale"]


def test_a_missing_style_of_shares_is_made_again_and_a_changed_one_stays(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    predict(ALL)
    fresh = beside("s_gap.tif")["qml"].read_bytes()
    beside("s_gap.tif")["qml"].unlink()
    for name in ("s.tif", "s_confidence.tif"):
        beside(name)["qml"].write_text("mine", encoding="utf-8")
    predict(ALL)
    assert {row["status"] for row in load_json(tmp_path / "maps" / "predict.json")} == {"kept"}
    assert beside("s_gap.tif")["qml"].read_bytes() == fresh
    assert [beside(name)["qml"].read_text(encoding="utf-8") for name in ("s.tif", "s_confidence.tif")] == ["mine"] * 2


@pytest.mark.parametrize("share", SHARES)
def test_shares_are_styled_from_0_to_1(tmp_path: Path, share: str) -> None:
    write_scene(tmp_path / "s.tif")
    predict(f"outputs=[classes,{share}]")
    shader = ET.parse(beside(f"s_{share}.tif")["qml"]).find(".//colorrampshader")  # noqa: S314
    assert shader is not None
    assert (shader.get("minimumValue"), shader.get("maximumValue")) == ("0", "1")
    items = [(float(item.get("value", "")), item.get("color")) for item in shader.findall("item")]
    assert [place for place, _ in items] == [0, 0.25, 0.5, 0.75, 1]
    assert len({color for _, color in items}) == 5


GROUND: Sequence[tuple[Affine, str]] = [
    (Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633"),
    (Affine(1 / 3, 0, 4_500_000.123456789, 0, -1 / 3, 3_100_000.1), "EPSG:3035"),
    (Affine(0.1 / 3600, 0, 13.000000000000002, 0, -0.1 / 3600, 59.99999999999999), "EPSG:4326"),
    (Affine(10, 2.5, 500_000, 2.5, -10, 5_300_000), "EPSG:32733"),
    (Affine(30, 0, 1e6 + 1e-9, 0, 30, -2e6), "EPSG:5070"),
    (Affine(10, 0, 0, 0, -10, 0), "+proj=laea +lat_0=12 +lon_0=34 +ellps=bessel +units=m"),
    (Affine(10, 0, 2_600_000, 0, -10, 1_200_000), "ESRI:102022"),
]


@pytest.mark.parametrize(("transform", "crs"), GROUND)
def test_crs_transform_and_size_are_the_inputs_to_the_last_bit(tmp_path: Path, transform: Affine, crs: str) -> None:
    write_scene(tmp_path / "s.tif", transform=transform)
    with rasterio.open(tmp_path / "s.tif", "r+") as scene:
        scene.crs = crs
    predict("outputs=[classes,confidence]")
    with rasterio.open(tmp_path / "s.tif") as scene:
        for name in ("s.tif", "s_confidence.tif"):
            with rasterio.open(tmp_path / "maps" / name) as file:
                assert tuple(file.transform) == tuple(scene.transform)
                assert file.crs.to_wkt() == scene.crs.to_wkt()
                assert file.shape == scene.shape


def test_tags_say_what_made_the_map(tmp_path: Path) -> None:
    write_scene(tmp_path / "s.tif")
    predict(ALL)
    for path in (tmp_path / "maps").glob("*.tif"):
        with rasterio.open(path) as file:
            tags = file.tags()
        assert len(tags["LANDMIX_MODEL"]) == 64
        assert tags["LANDMIX_VERSION"]
        assert [len(entry["sha256"]) for entry in json.loads(tags["LANDMIX_INPUT"])] == [64]
        assert json.loads(tags["LANDMIX_CLASSES"]) == {str(i + 1): name for i, name in enumerate(NAMES)}
