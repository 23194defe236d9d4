"""What prediction takes over from training, and what it does not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from source_files import NORTH_UP, constant, write_tif
from source_models import NIR, RED, bundle_with

from landmix import bundle as bundles
from landmix.classify.prepare import as_trained
from landmix.core.bands import Band, BandSet
from landmix.core.matching import match
from landmix.errors import LandmixError
from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries
from landmix.labelling import LabelSettings
from landmix.progress import Silent
from landmix.training.prepare import Source, open_part

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.geo.scene import Scene


def later(spec: Any, **options: Any) -> Scene:
    """A scene as prediction opens it, with the options of training."""
    (entry,) = scene_entries(str(spec), "scenes")
    return open_entry(entry, ReadOptions(**options), inherited=True)


def bare(folder: Path, value: int = 1452, **options: Any) -> Path:
    """A folder of Sentinel-2 bands without metadata."""
    folder.mkdir()
    for name in ("B02", "B03", "B04", "B08"):
        constant(folder / f"X_{name}.tif", value, **options)
    return folder


def unnamed(role: str) -> list[Band]:
    return [Band(name=f"{role}.B{i}", number=i, role=role, named=False) for i in (1, 2)]


def test_unnamed_bands_are_found_in_their_own_role() -> None:
    wanted = BandSet((*unnamed("jan"), *unnamed("jul")))
    swapped = BandSet((*unnamed("jul"), *unnamed("jan")))
    assert match(swapped, wanted, "a", trained_count=4).indices == (2, 3, 0, 1)
    renamed = BandSet((*unnamed("x"), *unnamed("y")))
    with pytest.raises(LandmixError, match=r"needs the role 'jan'.* but a has x, y"):
        match(renamed, wanted, "a", trained_count=4)


def test_a_built_in_product_of_training_is_not_put_on_another_sensor(tmp_path: Path) -> None:
    folder = bare(tmp_path / "s")
    assert later(folder, product="landsat_oli_l2").product == "Sentinel-2 band files"


def test_an_inherited_decoding_is_not_applied_to_decoded_values(tmp_path: Path) -> None:
    names = [f"A{i:02d}" for i in range(64)]
    path = write_tif(tmp_path / "e.tif", np.full((64, 3, 3), 0.5, np.float32), names=names)
    assert {stored.decode for stored in later(path, product="alphaearth").stored} == {None}


@pytest.mark.parametrize("word", ["tiff", "stac"])
def test_an_inherited_word_gives_way_to_what_a_scene_says(tmp_path: Path, word: str) -> None:
    (stored,) = later(constant(tmp_path / "a.tif", scale=0.02), scale=word).stored
    assert stored.scale == 0.02


def test_an_inherited_offset_is_told(tmp_path: Path) -> None:
    scene = later(bare(tmp_path / "s"), offset=-1000.0)
    assert scene.unknown is None
    assert "scene.offset=-1000 is taken from training" in scene.notes[0]


def test_an_inherited_offset_is_not_put_on_other_files(tmp_path: Path) -> None:
    (stored,) = later(constant(tmp_path / "a.tif"), offset=-1000.0).stored
    assert (stored.scale, stored.offset, stored.known) == (1.0, 0.0, False)


def test_a_wish_for_classes_without_a_quality_band_is_told_or_refused(tmp_path: Path) -> None:
    path = constant(tmp_path / "a.tif")
    assert "no pixel is left out" in later(path, quality=["water"]).notes[0]
    (entry,) = scene_entries(path, "scenes")
    with pytest.raises(LandmixError, match=r"no quality band: use scene\.quality=all"):
        open_entry(entry, ReadOptions(quality=["water"]))
    assert open_entry(entry, ReadOptions(quality_dilate=3)).notes


def test_a_model_never_allows_a_vrt() -> None:
    bundle = bundle_with((RED, NIR), scene=asdict(ReadOptions(allow_vrt=True)))
    assert as_trained(bundle)["allow_vrt"] is False


@pytest.mark.parametrize(
    "scene",
    [
        {"product": "/etc/passwd"},
        {"product": "my.yaml"},
        {"product": 5},
        {"product": {"title": "x"}},
        {"quality_dilate": 1.5},
        {"quality": 7},
        {"offset": "x"},
        {"resampling": "magic"},
    ],
)
def test_a_model_with_impossible_reading_is_refused(tmp_path: Path, scene: dict[str, Any]) -> None:
    bundle = bundle_with((RED, NIR), scene={**asdict(ReadOptions()), **scene})
    bundles.save(bundle, tmp_path / "m.ckpt")
    with pytest.raises(LandmixError):
        bundles.load(tmp_path / "m.ckpt")


def test_two_products_in_one_folder_are_refused(tmp_path: Path) -> None:
    for kind, bands in (("L30", range(1, 8)), ("S30", (1, 2, 3, 4, 5, 6, 7, 8, 11, 12))):
        for number in bands:
            constant(tmp_path / f"HLS.{kind}.T33UUU.2020001T101010.v2.0.B{number:02d}.tif", dtype="int16")
    constant(tmp_path / "HLS.S30.T33UUU.2020001T101010.v2.0.B8A.tif", dtype="int16")
    with pytest.raises(LandmixError, match="holds HLS L30 and HLS S30"):
        later(tmp_path)


def test_bands_of_two_acquisitions_are_refused(tmp_path: Path) -> None:
    folder = bare(tmp_path / "s")
    (folder / "X_B04.tif").rename(folder / "Y_B04.tif")
    with pytest.raises(LandmixError, match="bands of several acquisitions"):
        later(folder)


def test_a_products_nodata_counts_beside_the_files_own_tag(tmp_path: Path) -> None:
    folder = bare(tmp_path / "s", nodata=65535)
    write_tif(folder / "X_B03.tif", np.array([[0, 1452, 65535, 3000]] * 4, np.uint16), nodata=65535)
    for options in ({}, {"resolution": 5.0}):
        scene = later(folder, offset=0.0, **options)
        with scene.open() as reader:
            values, inside = reader.read(scene.grid.window)
        green = values[scene.bands.names.index("B03")]
        valid = inside & (green != 65535) & ~np.isnan(green.astype(float))
        assert valid.mean() == 0.5


def test_training_takes_nodata_over_from_scene_to_scene(tmp_path: Path) -> None:
    tagged = write_tif(tmp_path / "a.tif", np.full((1, 8, 8), 5, np.uint8), nodata=0, names=["x"])
    bare_file = write_tif(tmp_path / "b.tif", np.zeros((1, 8, 8), np.uint8), names=["x"])
    labels = write_tif(tmp_path / "l.tif", np.ones((8, 8), np.uint8))
    part = open_part(
        Source(scenes=[tagged, bare_file], labels=labels, key="data"), ReadOptions(), LabelSettings(), Silent()
    )
    assert [scene.nodata for scene in part.scenes] == [(0.0,), (0.0,)]


def test_a_resolution_larger_than_the_scene_is_refused(tmp_path: Path) -> None:
    degrees = type(NORTH_UP)(1e-4, 0, 13, 0, -1e-4, 48)
    path = constant(tmp_path / "a.tif", side=30, crs="EPSG:4326", transform=degrees)
    with pytest.raises(LandmixError, match="CRS units"):
        later(path, resolution=20.0)


def test_addresses_are_shown_without_their_secrets() -> None:
    from landmix.geo.remote import shown  # noqa: PLC0415

    assert shown("https://me:word@host/a/b.tif?sig=SECRET") == "https://host/a/b.tif"
    assert shown("/data/a?b@c.tif") == "/data/a?b@c.tif"
