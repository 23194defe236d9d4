"""Scenes as they were delivered: what they are read as, and that prediction reads them as training did."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from commands import (
    SIZE,
    done_inside,
    ended_inside,
    load_json,
    read,
    refused,
    run,
    tree,
    truth,
    world,
    write_labels,
    write_scene,
)
from deliveries import (
    CLOUD,
    HARD,
    LANDSAT_OFFSET,
    LANDSAT_SCALE,
    SENTINEL,
    agreement,
    at,
    band_facts,
    digital,
    facts,
    labelled,
    landsat_folder,
    outside_cloud,
    png_size,
    predicted,
    read_settings,
    reflected,
    safe_folder,
    sentinel_folder,
)

import landmix

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A bare folder of Sentinel-2 bands, another one, and the model of the first."""

    first: Path
    second: Path
    labels: Path
    run: Path

    @property
    def model(self) -> Path:
        return self.run / "model.ckpt"


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Sentinel:
    folder = tmp_path_factory.mktemp("sentinel")
    first = sentinel_folder(folder / HARD / f"one {HARD}")
    second = sentinel_folder(folder / f"two {HARD}", seed=1)
    labels = write_labels(folder / HARD / f"labels {HARD}.gpkg")
    out = folder / f"out {HARD}"
    done_inside(*labelled(first, labels, out, "scene.offset=-1000"))
    return Sentinel(first, second, labels, out)


@pytest.fixture(autouse=True)
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# a bare folder of Sentinel-2 bands


def test_inspect_says_what_is_known_of_a_bare_folder(sentinel: Sentinel) -> None:
    found = facts(sentinel.first)
    bands = {band["name"]: band for band in found["bands"]}
    assert set(bands) == set(SENTINEL)
    assert {name: band["common_name"] for name, band in bands.items()} == {n: c for n, (c, _) in SENTINEL.items()}
    assert {name: max(band["pixel"]) for name, band in bands.items()} == {n: m for n, (_, m) in SENTINEL.items()}
    assert bands["B8A"]["wavelength_nm"] == 864.7
    assert {(band["unit"], band["scale"], band["offset"]) for band in bands.values()} == {(None, None, None)}
    assert "scene.offset=-1000" in found["unknown"]
    assert (found["height"], found["width"], found["crs"]) == (SIZE, SIZE, "EPSG:32633")
    assert found["share_clear"] == pytest.approx(outside_cloud().mean())
    table = ended_inside("inspect", f"path={sentinel.first}").out
    for word in (str(sentinel.first), "Sentinel-2", *SENTINEL, "864.7", "unknown", "scene.offset"):
        assert word in table, word
    (row,) = [line.split() for line in table.splitlines() if " B8A " in line]
    assert row[:6] == ["5", "B8A", "864.7", "unknown", "unknown", "unknown"]


def test_inspect_with_the_offset_knows_the_unit(sentinel: Sentinel) -> None:
    for said, offset in (("-1000", -0.1), ("-0.1", -0.1), ("0", 0.0)):
        found = facts(sentinel.first, f"scene.offset={said}")
        values = {(band["unit"], band["scale"], band["offset"]) for band in found["bands"]}
        assert {(unit, scale) for unit, scale, _ in values} == {("reflectance", 0.0001)}
        assert all(value == pytest.approx(offset) for _, _, value in values)
        assert found["unknown"] is None


def test_quicklook_has_a_panel_more_where_there_is_infrared(inside_tmp: Path, sentinel: Sentinel) -> None:
    for name, bands in {"visible": ["B02", "B04"], "all": ["B02", "B04", "B08"]}.items():
        folder = sentinel_folder(inside_tmp / name, bands=bands)
        shutil.copy(sentinel.first / "T33_B02.tif", folder / "T33_B03.tif")  # as good a green band as any
    for name in ("visible", "all"):
        done = ended_inside("inspect", f"path={name}", f"quicklook={name} {HARD}.png")
        assert done.code == 0, done.err
        assert f"{name} {HARD}.png" in done.out
    single, double = (png_size(inside_tmp / f"{name} {HARD}.png") for name in ("visible", "all"))
    assert 500 < single[0] < 1000
    assert 500 < single[1] < 1500
    assert 1.7 < double[0] / single[0] < 2.1
    assert 20_000 < (inside_tmp / f"all {HARD}.png").stat().st_size < 5_000_000


def test_installed_command_inspects_a_folder_with_a_picture(inside_tmp: Path, sentinel: Sentinel) -> None:
    before = tree(sentinel.first)
    arguments = [f"path={sentinel.first}", "format=json", f"quicklook={HARD}.png"]
    done = run("inspect", *arguments, cwd=inside_tmp)
    assert done.code == 0, done.err
    assert json.loads(done.out)["bands"][0]["wavelength_nm"] == 442.7
    assert png_size(inside_tmp / f"{HARD}.png")[0] > 500
    assert tree(inside_tmp) == {f"{HARD}.png"}
    assert tree(sentinel.first) == before


def test_quicklook_never_replaces_the_scene(sentinel: Sentinel) -> None:
    band = sentinel.first / "T33_B02.tif"
    before = band.read_bytes()
    refused(ended_inside("inspect", f"path={sentinel.first}", f"quicklook={band}"), 2, "quicklook")
    assert band.read_bytes() == before


def test_training_without_the_offset_is_refused(inside_tmp: Path, sentinel: Sentinel) -> None:
    before = tree(sentinel.first)
    done = run(*labelled(sentinel.first, sentinel.labels, f"out, {HARD}"), cwd=inside_tmp)
    refused(done, 1, "scene.offset=-1000", "scene.offset=0", "scene.scale=none")
    assert tree(inside_tmp) == set()
    assert tree(sentinel.first) == before


def test_model_knows_bands_and_unit(sentinel: Sentinel) -> None:
    found = facts(sentinel.model)
    assert [band["name"] for band in found["bands"]] == list(SENTINEL)
    assert {band["unit"] for band in found["bands"]} == {"reflectance"}
    assert load_json(sentinel.run / "metrics.json")["overall_accuracy"] > 0.9


def test_prediction_reads_as_training_did(inside_tmp: Path, sentinel: Sentinel) -> None:
    place, done = predicted(sentinel.model, sentinel.first, out=inside_tmp / "maps")
    assert place == inside_tmp / "maps" / f"{sentinel.first.name}.tif"
    warnings = [line for line in done.err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "scene.offset=-1000 is taken from training" in warnings[0]
    assert agreement(place) > 0.95
    assert np.array_equal(read(place)[0] > 0, outside_cloud())
    assert read_settings(place)["offset"] == -1000
    same, _ = predicted(sentinel.model, sentinel.first, "scene.offset=-1000", out=inside_tmp / "said")
    assert np.array_equal(read(place), read(same))


def test_prediction_of_another_folder_by_the_installed_command(inside_tmp: Path, sentinel: Sentinel) -> None:
    arguments = [f"model={sentinel.model}", f"scenes={sentinel.second}", f"out_dir=maps {HARD}", "device=cpu"]
    done = run("predict", *arguments, cwd=inside_tmp)
    assert done.code == 0, done.err
    assert agreement(inside_tmp / f"maps {HARD}" / f"{sentinel.second.name}.tif") > 0.95


def test_python_classifies_a_folder(inside_tmp: Path, sentinel: Sentinel) -> None:
    place, _ = predicted(sentinel.model, sentinel.second, out=inside_tmp / "maps")
    own = landmix.load(sentinel.model).classify_scene(sentinel.second, inside_tmp / "own.tif")
    assert np.array_equal(read(place), read(own))


def test_stored_values_for_a_reflectance_model_warn(inside_tmp: Path, sentinel: Sentinel) -> None:
    place, done = predicted(sentinel.model, sentinel.first, "scene.scale=none", out=inside_tmp / "maps")
    assert "not like the training pixels" in done.err
    assert read_settings(place)["scale"] == "none"


def test_model_of_stored_values(inside_tmp: Path, sentinel: Sentinel) -> None:
    done_inside(*labelled(sentinel.first, sentinel.labels, "stored", "scene.scale=none"))
    place, done = predicted(inside_tmp / "stored" / "model.ckpt", sentinel.second, out=inside_tmp / "maps")
    assert "warning" not in done.err
    assert agreement(place) > 0.95


def test_what_a_scene_says_of_itself_comes_first(inside_tmp: Path, sentinel: Sentinel) -> None:
    data = ["scene.offset=-1000", "data.bands=[B02,B04,B08]"]
    done_inside(*labelled(sentinel.first, sentinel.labels, "m", *data))
    for offset in (None, -1000):
        safe = safe_folder(inside_tmp / f"S2B_MSIL2A_{offset}.SAFE", offset=offset)
        place, done = predicted(inside_tmp / "m" / "model.ckpt", safe, out=inside_tmp / f"maps {offset}")
        assert "warning" not in done.err
        assert place.name == f"S2B_MSIL2A_{offset}.tif"
        assert agreement(place) > 0.95


def test_offset_of_a_product_is_not_that_of_any_other_file(inside_tmp: Path, sentinel: Sentinel) -> None:
    """-1000 was said of a bare Sentinel-2 folder: what nobody explains, less 1000, is no reflectance."""
    done_inside(*labelled(sentinel.first, sentinel.labels, "m", "scene.offset=-1000", "data.bands=[B02,B04,B08]"))
    names = ["B02", "B04", "B08"]
    stored = np.stack([digital(reflected(SENTINEL[name][0]), 0.0001, 0) for name in names])
    write_scene(inside_tmp / "plain.tif", stored, names=names, wavelengths=None, scaled=False)
    done = ended_inside("predict", "model=m/model.ckpt", "scenes=plain.tif", "out_dir=maps", "device=cpu")
    refused(done, 1, "plain.tif", "scene.scale")
    assert not (inside_tmp / "maps" / "plain.tif").exists()


# the grid, and what the map says of it


GRIDS = {"20": (20, 48), "coarsest": (60, 16), "finest": (10, 96), "B11": (20, 48), "30": (30, 32)}


@pytest.mark.parametrize(("resolution", "expected"), GRIDS.items(), ids=GRIDS.keys())
def test_resolution_chooses_the_grid_of_the_map(
    inside_tmp: Path, sentinel: Sentinel, resolution: str, expected: tuple[int, int]
) -> None:
    given = f"scene.resolution={resolution}"
    place, _ = predicted(sentinel.model, sentinel.first, given, out=inside_tmp / "maps")
    with rasterio.open(place) as file:
        assert file.transform == at(expected[0])
        assert file.shape == (expected[1], expected[1])
    said = read_settings(place)["resolution"]
    assert said == (float(resolution) if resolution.isdecimal() else resolution)


def test_resolution_of_training_is_inherited(inside_tmp: Path, sentinel: Sentinel) -> None:
    done_inside(*labelled(sentinel.first, sentinel.labels, "m", "scene.offset=-1000", "scene.resolution=20"))
    place, _ = predicted(inside_tmp / "m" / "model.ckpt", sentinel.second, out=inside_tmp / "maps")
    with rasterio.open(place) as file:
        assert file.transform == at(20)
    assert agreement(place, truth()[::2, ::2]) > 0.95


def test_unknown_band_as_resolution(inside_tmp: Path, sentinel: Sentinel) -> None:
    done = ended_inside("inspect", f"path={sentinel.first}", "scene.resolution=B99")
    refused(done, 1, "B99", "B8A")
    assert tree(inside_tmp) == set()


def test_quality_is_recorded_in_the_map(inside_tmp: Path, sentinel: Sentinel) -> None:
    said = ["scene.quality=[vegetation,cloud_high]", "scene.quality_dilate=2", "scene.resampling=nearest"]
    place, _ = predicted(sentinel.model, sentinel.first, *said, "scene.match=name", out=inside_tmp / "maps")
    kept = read_settings(place)
    assert kept["quality"] == ["vegetation", "cloud_high"]
    assert (kept["quality_dilate"], kept["resampling"], kept["match"]) == (2, "nearest", "name")
    assert (read(place) > 0).all()
    done = ended_inside(
        "predict", f"model={sentinel.model}", f"scenes={sentinel.first}", "out_dir=maps", "scene.quality=all"
    )
    refused(done, 1, place.name, "settings", "overwrite=true")


def test_dilated_clouds(inside_tmp: Path, sentinel: Sentinel) -> None:
    place, _ = predicted(sentinel.model, sentinel.first, "scene.quality_dilate=3", out=inside_tmp / "maps")
    invalid = read(place)[0] == 0
    assert (invalid[CLOUD]).all()
    rows, cols = np.nonzero(invalid)
    assert (rows.min(), rows.max()) == (CLOUD[0].start - 3, CLOUD[0].stop + 2)
    assert (cols.min(), cols.max()) == (CLOUD[1].start - 3, CLOUD[1].stop + 2)


def test_unknown_quality_class(inside_tmp: Path, sentinel: Sentinel) -> None:
    arguments = [f"model={sentinel.model}", f"scenes={sentinel.first}", "out_dir=maps", "scene.quality=[vegetatoin]"]
    refused(ended_inside("predict", *arguments), 1, "vegetatoin", "vegetation", "scene.quality")
    assert not list(inside_tmp.rglob("*.tif"))


# values that no setting has


BAD = {
    "scene.scale=tif": "scene.scale",
    "scene.scale=0": "scene.scale",
    "scene.scale=nan": "scene.scale",
    "scene.scale=[1,2]": "scene.scale",
    "scene.offset=abc": "scene.offset",
    "scene.offset=inf": "scene.offset",
    "scene.resolution=-5": "scene.resolution",
    "scene.resolution=0": "scene.resolution",
    "scene.resolution=[10]": "scene.resolution",
    "scene.resampling=lanczos": "scene.resampling",
    "scene.quality=claer": "scene.quality",
    "scene.quality=7": "scene.quality",
    "scene.quality_dilate=-1": "scene.quality_dilate",
    "scene.quality_dilate=1.5": "scene.quality_dilate",
    "scene.quality_dilate=5000": "scene.quality_dilate",
    "scene.match=names": "scene.match",
    "scene.allow_vrt=perhaps": "scene.allow_vrt",
    "scene.product=[a,b]": "scene.product",
    "scene.products=x": "scene.product",
}


@pytest.mark.parametrize("verb", ["train", "predict", "inspect"])
@pytest.mark.parametrize("given", BAD)
def test_bad_setting_is_a_wrong_command_line(inside_tmp: Path, sentinel: Sentinel, verb: str, given: str) -> None:
    what = {
        "train": labelled(sentinel.first, sentinel.labels, "new"),
        "predict": ["predict", f"model={sentinel.model}", f"scenes={sentinel.first}", "out_dir=new"],
        "inspect": ["inspect", f"path={sentinel.first}", "quicklook=new.png"],
    }[verb]
    refused(ended_inside(*what, given), 2, BAD[given])
    assert tree(inside_tmp) == set()


def test_installed_command_refuses_a_bad_setting(inside_tmp: Path, sentinel: Sentinel) -> None:
    arguments = [f"model={sentinel.model}", f"scenes={sentinel.first}", "out_dir=new", "scene.resolution=-5"]
    refused(run("predict", *arguments, cwd=inside_tmp), 2, "scene.resolution")
    assert tree(inside_tmp) == set()


# another sensor


def test_another_sensor_is_asked_for(inside_tmp: Path, sentinel: Sentinel) -> None:
    landsat = landsat_folder(inside_tmp / "LC08_L2SP_195025_20130707_20200912_02_T1")
    assert set(band_facts(landsat, "scale").values()) == {LANDSAT_SCALE}
    assert set(band_facts(landsat, "offset").values()) == {LANDSAT_OFFSET}
    done_inside(*labelled(landsat, world().labels, "m", "data.bands=[SR_B2,SR_B4,SR_B5,SR_B6]"))
    own, _ = predicted(inside_tmp / "m" / "model.ckpt", landsat, out=inside_tmp / "own")
    assert np.array_equal(read(own)[0] > 0, outside_cloud())
    arguments = ["predict", "model=m/model.ckpt", f"scenes={sentinel.first}", "scene.offset=-1000"]
    done = ended_inside(*arguments, "out_dir=refused")
    refused(done, 1, "Landsat 8/9 OLI", "Sentinel-2 MSI", "scene.match=wavelength")
    assert not list((inside_tmp / "refused").glob("*.tif"))
    for how, way in (("wavelength", "by wavelength"), ("name", "by common name")):
        place, done = predicted(
            inside_tmp / "m" / "model.ckpt",
            sentinel.first,
            "scene.offset=-1000",
            f"scene.match={how}",
            out=inside_tmp / how,
        )
        assert agreement(place) > 0.9
        rows = [line for line in (done.out + done.err).splitlines() if way in line]
        pairs = [("SR_B2", "B02"), ("SR_B4", "B04"), ("SR_B5", "B8A"), ("SR_B6", "B11")]
        assert len(rows) == len(pairs)
        for row, (wanted, found) in zip(rows, pairs, strict=True):
            assert row.split("<-")[0].split()[0] == wanted
            assert row.split("<-")[1].split()[0] == found
        assert read_settings(place)["match"] == how


# numbers that nobody explains, and numbers that are strange


def test_numbers_that_nobody_explains(inside_tmp: Path, sentinel: Sentinel) -> None:
    safe = safe_folder(inside_tmp / "S2A_MSIL2A_X.SAFE", offset=-1000)
    done_inside(*labelled(safe, sentinel.labels, "m", "data.bands=[B02,B04,B08]"))
    stored = np.stack([digital(reflected(SENTINEL[name][0]), 0.0001, -0.1) for name in ("B02", "B04", "B08")])
    write_scene(inside_tmp / "s.tif", stored, names=("B02", "B04", "B08"), wavelengths=None, scaled=False)
    done = ended_inside("predict", "model=m/model.ckpt", "scenes=s.tif", "out_dir=no")
    refused(done, 1, "reflectance", "s.tif", "scene.scale=none", "scene.scale=...", "scene.offset=...")
    assert not list((inside_tmp / "no").glob("*.tif"))
    model = inside_tmp / "m" / "model.ckpt"
    place, done = predicted(model, "s.tif", "scene.scale=0.0001", "scene.offset=-0.1", out=inside_tmp / "yes")
    assert agreement(place) > 0.95
    assert "warning" not in done.err
    kept = read_settings(place)
    assert (kept["scale"], kept["offset"]) == (0.0001, -0.1)


def test_strange_values_are_warned_of(inside_tmp: Path) -> None:
    values = read(world().scene)
    write_scene(inside_tmp / "far.tif", (values * 10.0).clip(0, 65535).astype(np.uint16))
    place, done = predicted(world().model, "far.tif", out=inside_tmp / "maps")
    assert place.is_file()
    (line,) = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert "far.tif is not like the training pixels" in line
    (row,) = load_json(inside_tmp / "maps" / "predict.json")
    assert any("not like the training pixels" in text for text in row["warnings"])
    assert row["status"] == "done"
    _, done = predicted(world().model, world().scene, out=inside_tmp / "usual")
    assert "warning" not in done.err
    assert load_json(inside_tmp / "usual" / "predict.json")[0]["warnings"] == []
