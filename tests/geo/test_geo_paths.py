from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from geo_files import coordinates, write_tif
from hypothesis import given
from hypothesis import strategies as st

from landmix.errors import LandmixError, UsageError
from landmix.geo.open import open_scene
from landmix.geo.paths import Entry, entries, safe_name, scene_entries

ODD = [
    "with space.tif",
    "comma,s.tif",
    "br[a]ck(e)ts{}.tif",
    "Grün & süß.tif",
    "star*.tif",
    "what?.tif",
    "semi;colon.tif",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.tif", "a.tif", "c.jp2", "sub/d.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def files(spec: Any) -> list[tuple[str, ...]]:
    return [entry.files for entry in entries(spec, "scenes")]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("a.tif", [("a.tif",)]),
        ("*.tif", [("a.tif",), ("b.tif",)]),
        ("[ab].tif", [("a.tif",), ("b.tif",)]),
        ("**/*.tif", [("a.tif",), ("b.tif",), ("sub/d.tif",)]),
        (["c.jp2", "?.tif"], [("c.jp2",), ("a.tif",), ("b.tif",)]),
        ([["a.tif", "b.tif"]], [("a.tif", "b.tif")]),
        ([["*.tif"], "c.jp2"], [("a.tif", "b.tif"), ("c.jp2",)]),
        ({"name": "x", "path": ["a.tif", "b.tif"]}, [("a.tif", "b.tif")]),
        ("https://example.org/a[1].tif", [("https://example.org/a[1].tif",)]),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_a_user_may_write(spec: Any, found: list[tuple[str, ...]]) -> None:
    assert files(spec) == found


@pytest.mark.parametrize("name", ODD)
def test_odd_file_names_are_found_as_written(here: Path, name: str) -> None:
    write_tif(here / name, coordinates(1, 3, 4))
    (entry,) = entries(str(here / name), "scenes")
    assert entry.files == (str(here / name),)
    assert open_scene(entry.files, entry.stem).grid.width == 4


@pytest.mark.parametrize("name", ODD)
def test_odd_file_names_stand_in_lists(here: Path, name: str) -> None:
    (here / name).touch()
    (here / "list.txt").write_text(f"\ufeff# scenes\n\n  {name}  \r\na.tif\n", encoding="utf-8")
    assert files("@list.txt") == [(name,), ("a.tif",)]


@pytest.mark.usefixtures("here")
def test_a_path_is_kept_though_it_does_not_exist() -> None:
    assert files("nothing.tif") == [("nothing.tif",)]


@pytest.mark.parametrize("column", ["label", "mask"])
def test_pairs_are_relative_to_their_csv(here: Path, column: str) -> None:
    csv = here / "sub" / "pairs.csv"
    csv.write_text(f'image,{column},note\n"Grün, 1.tif",y/1.png,x\n/abs/2.tif,/abs/2.png,\n', encoding="utf-8")
    first, second = entries(f"@{csv}", "data.scenes")
    assert first == Entry(files=(str(here / "sub/Grün, 1.tif"),), stem="Grün, 1", label=str(here / "sub/y/1.png"))
    assert second == Entry(files=("/abs/2.tif",), stem="2", label="/abs/2.png")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("picture,label\na,b\n", "header image,label or image,mask, but .*pairs.csv has picture,label"),
        ("image,label\na.tif,\n", "each row of .* needs an image and a label"),
        ("image,mask\na.tif\n", "each row of .* needs an image and a mask"),
        ("", "has none"),
    ],
)
def test_wrong_pairs_are_an_error(here: Path, content: str, told: str) -> None:
    (here / "pairs.csv").write_text(content, encoding="utf-8")
    with pytest.raises(LandmixError, match=told):
        entries("@pairs.csv", "scenes")


def test_a_list_that_cannot_be_read_is_an_error(here: Path) -> None:
    (here / "latin.txt").write_bytes("Grün.tif".encode("latin-1"))
    for spec in ("@missing.txt", "@latin.txt", "@sub"):
        with pytest.raises(LandmixError, match=rf"cannot read the list {spec[1:]} of scenes"):
            entries(spec, "scenes")


@pytest.mark.usefixtures("here")
def test_a_glob_without_files_is_an_error() -> None:
    with pytest.raises(LandmixError, match=r"no file fits \*\.img \(scenes\)"):
        entries("*.img", "scenes")


@pytest.mark.parametrize(
    "spec",
    [[], "", 3, None, [[]], [""], [3], [["a", 3]], {"path": "a"}, {"name": "a"}, {"name": 3, "path": "a"}, [["a", ""]]],
)
def test_other_forms_are_a_usage_error(spec: Any) -> None:
    with pytest.raises(UsageError, match="scenes"):
        entries(spec, "scenes")


def test_an_empty_list_file_is_a_usage_error(here: Path) -> None:
    (here / "list.txt").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(UsageError, match="at least one file"):
        entries("@list.txt", "scenes")


@pytest.mark.parametrize(
    ("spec", "stem"),
    [
        ("dir/scene.2024.tif", "scene.2024"),
        ([["B02.tif", "B03.tif"]], "B02"),
        ([["red.tif", "nir.tif"]], "red"),
        ({"name": "../Süd: <1>", "path": "a.tif"}, "_Süd_ _1_"),
        ({"name": "..", "path": "a.tif"}, "scene"),
    ],
)
def test_stem_of_the_outputs(spec: Any, stem: str) -> None:
    assert entries(spec, "scenes")[0].stem == stem


@given(st.text(max_size=30))
def test_safe_names_stay_in_their_folder(text: str) -> None:
    name = safe_name(text)
    assert Path(name).name == name
    assert not set(name) & set('/\\:*?"<>|\n\0')
    assert safe_name(name) == name


@pytest.mark.parametrize("end", ["", ".img", ".bsq"])
def test_an_envi_header_means_its_pixels(here: Path, end: str) -> None:
    write_tif(here / f"cube{end}", coordinates(2, 4, 5), driver="ENVI")
    (entry,) = scene_entries(str(here / "cube.hdr"), "scenes")
    assert entry.files == (str(here / f"cube{end}"),)
    assert entry.stem == "cube"
    assert open_scene(entry.files, entry.stem).grid.width == 5


@pytest.mark.parametrize("name", ["MTD_MSIL2A.xml", "mtd_msil1c.XML", "LC08_X_MTL.txt", "LC08_X_MTL.json"])
def test_metadata_mean_their_folder(here: Path, name: str) -> None:
    folder = here / "LC08.v2"
    folder.mkdir()
    (folder / name).write_text("x", encoding="utf-8")
    (entry,) = scene_entries(str(folder / name), "scenes")
    assert (entry.files, entry.stem) == ((str(folder),), "LC08.v2")
    (named,) = scene_entries({"name": "mine", "path": str(folder / name)}, "scenes")
    assert named.stem == "mine"
