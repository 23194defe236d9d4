from __future__ import annotations

import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from product_files import (
    LC08_C2,
    LC08_L1,
    PLANET,
    S2_OFFSETS,
    X,
    Y,
    hls,
    hls_pixels,
    landsat_c2_l2,
    landsat_l1,
    landsat_mtl,
    landsat_pixels,
    look,
    noise,
    north_up,
    own,
    own_definition,
    physical,
    planet_pixels,
    planetscope,
    put,
    s2_pixels,
    sentinel2_bands,
    sentinel2_l2a,
    write,
    write_mtl,
    zipped,
)

from landmix.errors import LandmixError
from landmix.labelling import LabelSettings
from landmix.progress import Silent
from landmix.training.prepare import Source, open_part

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refused(spec: Any, words: str, **options: Any) -> None:
    with pytest.raises(LandmixError, match=words):
        physical(look(spec, **options))


@pytest.fixture(scope="module")
def incomplete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentinel2_l2a(tmp_path_factory.mktemp("incomplete"), skip=("B03", "B11"))


def test_a_scene_knows_which_bands_it_lacks(incomplete: Path) -> None:
    scene = look(incomplete)
    assert scene.missing == ("B03", "B11")
    assert "B03" not in scene.bands.names
    assert len(scene.bands) == 10


def labels_of(folder: Path) -> str:
    """Two classes on the 10 m grid."""
    values = np.zeros((42, 36), np.uint8)
    values[5:10], values[20:30] = 1, 2
    return str(write(folder / "labels.tif", values, north_up(X, Y, 10)))


def test_training_refuses_a_scene_that_lacks_bands(incomplete: Path, tmp_path: Path) -> None:
    source = Source(scenes=str(incomplete), labels=labels_of(tmp_path), key="data")
    with pytest.raises(LandmixError, match=r"lacks B03, B11 of Sentinel-2 L2A: .*data\.bands"):
        open_part(source, look(incomplete).options, LabelSettings(), Silent())


def test_training_takes_the_bands_that_are_there(incomplete: Path, tmp_path: Path) -> None:
    source = Source(scenes=str(incomplete), labels=labels_of(tmp_path), key="data")
    part = open_part(source, look(incomplete).options, LabelSettings(), Silent(), wanted=["B02", "nir", "B12"])
    assert part.scenes[0].bands.names == ("B02", "B08", "B12")


def test_two_acquisitions_in_one_folder_are_not_one_scene(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands")
    write(folder / "Y_B02.tif", s2_pixels("B02"), north_up(X, Y, 10))
    refused(folder, r"holds 2 files for band B02 \(X_B02\.tif, Y_B02\.tif\)", offset=0)


def test_two_metadata_files_are_not_one_scene(tmp_path: Path) -> None:
    product = sentinel2_l2a(tmp_path)
    put(product / "copy" / "MTD_MSIL2A.xml", "<a/>")
    refused(product, "holds 2 files for the metadata")


def test_two_quality_rasters_are_not_one_scene(tmp_path: Path) -> None:
    product = landsat_c2_l2(tmp_path)
    shutil.copy(product / f"{LC08_C2}_QA_PIXEL.TIF", product / "other_QA_PIXEL.TIF")
    refused(product, "holds 2 files for the quality band")


def test_an_unknown_folder_is_told_what_there_is(tmp_path: Path) -> None:
    write(tmp_path / "f" / "picture.tif", noise("p", (5, 6)), north_up(X, Y, 10))
    refused(tmp_path / "f", r"no product that landmix knows \(.*sentinel2_l2a.*\).*scene\.product=my\.yaml")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "empty is no product that landmix knows")
    refused(tmp_path / "empty", r"holds no file that fits a band of hls_s30", product="hls_s30")


def test_an_empty_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    refused(tmp_path / "empty.zip", "empty.zip is no product that landmix knows")


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "gone.SAFE", "gone.SAFE")


def test_an_unknown_product_name_is_refused(tmp_path: Path) -> None:
    refused(sentinel2_bands(tmp_path / "b"), "knows no 'sentinel3': it is one of .*sentinel2_l2a", product="sentinel3")


ENTITIES = """<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY b "10000"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<a><BOA_QUANTIFICATION_VALUE>&b;</BOA_QUANTIFICATION_VALUE></a>
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<a><b>1</a>", r"cannot read the metadata .*MTD_MSIL2A\.xml"),
        (ENTITIES, "declares a document type"),
        ("<a><b/></a>", "holds nothing that can be read"),
        ("", "holds nothing that can be read"),
        ("<a><BOA_QUANTIFICATION_VALUE>many</BOA_QUANTIFICATION_VALUE></a>", "must be a number, but is 'many'"),
        ("<a><BOA_QUANTIFICATION_VALUE>0</BOA_QUANTIFICATION_VALUE></a>", "gives no number"),
        ("<a><BOA_QUANTIFICATION_VALUE>nan</BOA_QUANTIFICATION_VALUE></a>", "gives no number"),
        ("<a><BOA_QUANTIFICATION_VALUE>inf</BOA_QUANTIFICATION_VALUE></a>", "BOA_QUANTIFICATION_VALUE"),
    ],
)
def test_broken_metadata_are_refused(tmp_path: Path, text: str, words: str) -> None:
    product = sentinel2_l2a(tmp_path)
    (product / "MTD_MSIL2A.xml").write_text(text)
    refused(product, words)


def test_entities_in_another_encoding_are_refused_too(tmp_path: Path) -> None:
    product = sentinel2_l2a(tmp_path)
    text = ENTITIES.replace('version="1.0"', 'version="1.0" encoding="utf-16"')
    (product / "MTD_MSIL2A.xml").write_bytes(text.encode("utf-16"))
    refused(product, "metadata")


def test_huge_metadata_are_refused_unread(tmp_path: Path) -> None:
    product = sentinel2_l2a(tmp_path)
    with (product / "MTD_MSIL2A.xml").open("r+b") as file:
        file.truncate(2**33)
    refused(product, "has more than 67108864 bytes")


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    product = landsat_c2_l2(tmp_path, mtl=("json",))
    (product / f"{LC08_C2}_MTL.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    refused(product, "metadata")


@pytest.mark.parametrize("kind", ["txt", "json", "xml"])
def test_text_where_a_number_should_be_names_the_key_and_the_file(tmp_path: Path, kind: str) -> None:
    product = landsat_c2_l2(tmp_path, mtl=(kind,), mult="twelve")
    refused(product, rf"REFLECTANCE_MULT_BAND_1 in .*_MTL\.{kind} must be a number, but is 'twelve'")


def test_a_factor_of_0_in_the_metadata_is_refused(tmp_path: Path) -> None:
    refused(landsat_c2_l2(tmp_path, mult="0.0"), "REFLECTANCE_MULT_BAND_1")


@pytest.mark.parametrize(
    ("sun", "words"),
    [("low", "SUN_ELEVATION in .*must be a number, but is 'low'"), ("0", "no number"), ("-5", "no number")],
)
def test_a_sun_that_does_not_shine_is_refused(tmp_path: Path, sun: str, words: str) -> None:
    tree = landsat_mtl(1, 1)
    tree["L1_METADATA_FILE"]["IMAGE_ATTRIBUTES"]["SUN_ELEVATION"] = sun
    refused(landsat_l1(tmp_path, tree=tree), words)


def test_a_missing_sun_is_refused(tmp_path: Path) -> None:
    tree = landsat_mtl(1, 1)
    del tree["L1_METADATA_FILE"]["IMAGE_ATTRIBUTES"]["SUN_ELEVATION"]
    refused(landsat_l1(tmp_path, tree=tree), "SUN_ELEVATION")


def test_level_1_without_its_metadata_does_not_know_its_numbers(tmp_path: Path) -> None:
    product = landsat_l1(tmp_path)
    (product / f"{LC08_L1[1]}_MTL.txt").unlink()
    scene = look(product)
    with pytest.raises(LandmixError, match=r"scene\.scale"):
        scene.check_known()
    scene = look(product, scale="none")
    scene.check_known()
    np.testing.assert_array_equal(physical(scene)["B3"], landsat_pixels("B3"))


def test_a_safe_folder_without_its_metadata_does_not_know_its_offset(tmp_path: Path) -> None:
    product = sentinel2_l2a(tmp_path)
    (product / "MTD_MSIL2A.xml").unlink()
    with pytest.raises(LandmixError, match=r"scene\.offset"):
        look(product).check_known()


def test_metadata_that_lack_some_offsets_are_not_taken_for_old_ones(tmp_path: Path) -> None:
    offsets = {i: value for i, value in S2_OFFSETS.items() if i != 3}
    with pytest.raises(LandmixError):
        look(sentinel2_l2a(tmp_path, offsets=offsets)).check_known()


@pytest.mark.parametrize("broken", [b"PK\x03\x04 and then nothing", b"", b"no zip at all" * 50])
def test_a_corrupt_zip_file_is_refused(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "a.SAFE.zip").write_bytes(broken)
    refused(tmp_path / "a.SAFE.zip", r"cannot read .*a\.SAFE\.zip")


def test_a_truncated_zip_file_is_refused(tmp_path: Path) -> None:
    path = zipped(landsat_c2_l2(tmp_path))
    path.write_bytes(path.read_bytes()[:-2000])
    refused(path, "cannot read")


def flip(path: Path, name: str) -> None:
    """Change a byte in the middle of one packed file."""
    with zipfile.ZipFile(path) as archive:
        info = next(i for i in archive.infolist() if i.filename.endswith(name))
    content = bytearray(path.read_bytes())
    at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["_MTL.txt", "_SR_B3.TIF", "_QA_PIXEL.TIF"])
def test_damage_inside_a_zip_file_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(landsat_c2_l2(tmp_path))
    flip(path, name)
    refused(path, "cannot read|damaged")


def test_a_locked_zip_file_is_refused(tmp_path: Path) -> None:
    path = zipped(landsat_c2_l2(tmp_path))
    content = path.read_bytes()
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(magic, start)) >= 0:
            content = content[: start + at] + bytes([content[start + at] | 1]) + content[start + at + 1 :]
            start += 4
    path.write_bytes(content)
    refused(path, "cannot read .*(encrypted|password)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(scalee=2), r"scalee: "),
        (lambda d: d["bands"]["sea"].update(wavelenght=4), r"bands\.sea\.wavelenght: "),
        (lambda d: d["quality"].update(kind="colours"), r"quality.*kind: "),
        (lambda d: d["quality"].update(clear=["grass"]), "quality.clear names grass"),
        (lambda d: d["quality"]["values"].update(land="many"), r"quality.*values.*land"),
        (lambda d: d.update(scale="big"), r"scale"),
        (lambda d: d.update(bands={}), "either bands or stack must be given"),
        (lambda d: d.pop("title"), "title: "),
        (lambda d: d.update(reference="nir"), "reference must be one of the bands, not 'nir'"),
        (lambda d: d["bands"]["sea"].pop("file"), "no file pattern is given for sea"),
        (lambda d: d.update(decode="rot13"), "decode must be one of alphaearth, not 'rot13'"),
        (lambda d: d.update(nodata="none"), "nodata: "),
        (lambda d: d.update(offset_in="stores"), "offset_in: "),
        (lambda d: d.update(scale={"key": "A", "absnt": 1}), r"scale.*absnt: "),
    ],
)
def test_a_wrong_key_in_a_product_file_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    folder, definition = own(tmp_path)
    content = own_definition()
    change(content)
    definition.write_text(yaml.safe_dump(content, sort_keys=False))
    refused(
        folder, rf"the product file .*my\.yaml cannot be used: (.*; |.*Value error, )?{words}", product=str(definition)
    )


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2", "", "just words", "!!python/object/apply:os.getcwd []"])
def test_a_product_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    folder, definition = own(tmp_path)
    definition.write_text(text)
    refused(folder, r"product file .*my\.yaml", product=str(definition))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale", 0),
        ("scale", float("nan")),
        ("scale", float("inf")),
        ("offset", float("nan")),
        ("offset", float("inf")),
    ],
)
def test_a_product_file_with_impossible_numbers_is_refused(tmp_path: Path, key: str, value: float) -> None:
    folder, definition = own(tmp_path)
    content = own_definition()
    content[key] = value
    definition.write_text(yaml.safe_dump(content, sort_keys=False))
    refused(folder, key, product=str(definition))


def test_a_product_file_of_another_sensor_finds_nothing(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands")
    _, definition = own(tmp_path)
    refused(folder, r"holds no file that fits a band of .*my\.yaml \(Quokka-1 reflectance\)", product=str(definition))


def test_bands_that_do_not_overlap_are_refused_and_both_are_named(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands")
    write(folder / "X_B05.tif", s2_pixels("B05"), north_up(X + 5000, Y, 20))
    refused(folder, r"must overlap, but .*X_B02\.tif .*X_B05\.tif", offset=0)


def test_a_band_without_georeference_among_others_is_refused(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands")
    write(folder / "X_B05.tif", s2_pixels("B05"), north_up(X, Y, 20), crs="")
    refused(folder, r"different grids.*X_B05\.tif", offset=0)


@pytest.mark.parametrize("name", [f"{LC08_C2}_SR_B2.TIF", f"{LC08_C2}_QA_PIXEL.TIF"])
def test_a_band_file_that_is_no_raster_is_refused(tmp_path: Path, name: str) -> None:
    product = landsat_c2_l2(tmp_path)
    (product / name).write_text("<html>404 not found</html>")
    refused(product, rf"{name} is no raster")


def test_a_band_file_that_is_a_vrt_is_refused(tmp_path: Path) -> None:
    product = landsat_c2_l2(tmp_path)
    (product / f"{LC08_C2}_SR_B2.TIF").write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    refused(product, r"SR_B2\.TIF is a VRT")


def test_a_truncated_band_file_is_refused_when_it_is_read(tmp_path: Path) -> None:
    product = landsat_c2_l2(tmp_path)
    path = product / f"{LC08_C2}_SR_B2.TIF"
    path.write_bytes(path.read_bytes()[:700])
    refused(product, f"{LC08_C2}")


def test_a_file_with_too_few_bands_is_refused(tmp_path: Path) -> None:
    product = planetscope(tmp_path, 8, pixels=planet_pixels(8)[:5])
    refused(product, rf"{PLANET}_AnalyticMS_SR_8b_clip\.tif should hold band red as number 6, but holds only 5")


def test_a_quality_raster_with_too_few_bands_is_refused(tmp_path: Path) -> None:
    product = planetscope(tmp_path, 4, udm2=np.ones((1, 20, 25), np.uint8))
    refused(product, r"udm2_clip\.tif should have 6 bands, but it has 1")


def test_radiance_of_planetscope_is_not_taken_for_reflectance(tmp_path: Path) -> None:
    product = planetscope(tmp_path, 4)
    folder = product / "PSScene"
    (folder / f"{PLANET}_AnalyticMS_SR_clip.tif").rename(folder / f"{PLANET}_AnalyticMS_clip.tif")
    refused(product, "no product that landmix knows")


def test_tags_that_contradict_the_product_are_named_with_it_and_settled_by_the_user(tmp_path: Path) -> None:
    product = hls(tmp_path, "S30", scale=0.0002)
    refused(product, r"HLS S30 says scale 0\.0001 .*tags of .*\.B01\.tif say 0\.0002 .*scene\.scale=tiff")
    expected = hls_pixels("S30", "B04")
    found = physical(look(product, scale="tiff"))["B04"]
    np.testing.assert_allclose(found, expected * 0.0002, atol=1e-6)
    found = physical(look(product, scale=0.0001))["B04"]
    np.testing.assert_allclose(found, expected * 0.0001, atol=1e-6)


def test_tags_that_contradict_the_metadata_file_name_that_file(tmp_path: Path) -> None:
    product = landsat_c2_l2(tmp_path, mtl=("txt",))
    path = product / f"{LC08_C2}_SR_B4.TIF"
    write(path, landsat_pixels("SR_B4"), north_up(483_285, 5_628_525, 30), scale=(0.0001, 0.0))
    refused(product, r"_MTL\.txt says scale 2\.75e-05 and offset -0\.2 for SR_B4, but the tags of .*SR_B4\.TIF say")


def test_metadata_that_say_nothing_of_a_band_leave_it_unknown(tmp_path: Path) -> None:
    product = landsat_c2_l2(tmp_path, mtl=())
    tree = landsat_mtl(2, 2)
    del tree["LANDSAT_METADATA_FILE"]["LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"]
    write_mtl(product, LC08_C2, tree, ("txt",))
    with pytest.raises(LandmixError, match=r"scene\.scale"):
        look(product).check_known()


def test_a_corrupt_band_is_found_while_reading_a_zip_file_of_jpeg_2000(tmp_path: Path) -> None:
    product = sentinel2_l2a(tmp_path)
    (path,) = product.rglob("*_B03_10m.jp2")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(product, "cannot read")
