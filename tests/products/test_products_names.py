from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from product_files import (
    alphaearth,
    landsat_c2_l2,
    look,
    own,
    physical,
    s2_pixels,
    sentinel2_bands,
    sentinel2_l2a,
    stored,
    zipped,
)

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from pathlib import Path

ODD = [
    "with blanks", "a,b", "[a] (b)", "a=b", "Größe 新しい", "a*b", "a?b", "100% #1 & more", "it's", "{a}", "a}b", "~x",
    "-x", ".hidden", "a;b", "$HOME",
]  # fmt: skip
VISIBLE = [name for name in ODD if not name.startswith(".")]
"""Hidden files are none of a product's."""


@pytest.mark.parametrize("name", ODD)
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = sentinel2_bands(tmp_path / name, bands=("B02", "B05"))
    np.testing.assert_array_equal(physical(look(folder, scale="none"))["B02"], s2_pixels("B02"))


@pytest.mark.parametrize("name", VISIBLE)
def test_files_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = sentinel2_bands(tmp_path / "bands", prefix=f"{name}_", bands=("B02", "B05"))
    np.testing.assert_array_equal(physical(look(folder, scale="none"))["B02"], s2_pixels("B02"))


@pytest.mark.parametrize("name", VISIBLE)
def test_a_zip_file_and_what_it_holds_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = sentinel2_bands(tmp_path / name, prefix=f"{name}_", bands=("B02", "B05"))
    found = look(zipped(folder), scale="none")
    np.testing.assert_array_equal(physical(found)["B02"], s2_pixels("B02"))


@pytest.mark.parametrize("name", ODD)
def test_a_product_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder, definition = own(tmp_path)
    renamed = definition.rename(tmp_path / f"{name}.yaml")
    assert look(folder, product=str(renamed)).bands.names == ("sea", "leaf", "heat")


def test_a_single_file_may_be_called_anything(tmp_path: Path) -> None:
    path = alphaearth(tmp_path)
    renamed = path.rename(tmp_path / "Größe, [1] (2)=新.tiff")
    assert look(renamed).product == "AlphaEarth embedding"


def test_a_safe_folder_keeps_its_name_with_or_without_a_slash_and_in_a_zip_file(tmp_path: Path) -> None:
    product = sentinel2_l2a(tmp_path)
    stem = product.name.removesuffix(".SAFE")
    assert look(f"{product}/").name == look(product).name == stem
    assert look(zipped(product)).name == stem
    assert look(zipped(product, f"{stem}.zip")).name == stem


def test_names_in_a_folder_are_told_apart_whatever_their_case(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands", bands=("B02", "B05"))
    (folder / "X_B02.tif").rename(folder / "x_b02.TIF")
    assert look(folder, offset=0).bands.names == ("B02", "B05")


def test_hidden_files_and_the_systems_leftovers_are_no_bands(tmp_path: Path) -> None:
    folder = sentinel2_bands(tmp_path / "bands", bands=("B02", "B05"))
    (folder / "._X_B02.tif").write_bytes(b"\0\5\x16\7")
    (folder / "X_B02.tif.aux.xml").write_text("<PAMDataset/>")
    (folder / "Thumbs.db").write_bytes(b"1")
    assert look(folder, offset=0).bands.names == ("B02", "B05")


@pytest.mark.parametrize("place", ["bands", "__MACOSX/bands"])
def test_what_a_mac_leaves_in_a_zip_file_is_no_band(tmp_path: Path, place: str) -> None:
    path = zipped(sentinel2_bands(tmp_path / "bands", bands=("B02", "B05")))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{place}/._X_B02.tif", b"\0\5\x16\7")
    assert look(path, offset=0).bands.names == ("B02", "B05")


def test_a_glob_finds_several_products(tmp_path: Path) -> None:
    sentinel2_bands(tmp_path / "one", bands=("B02",))
    path = landsat_c2_l2(tmp_path)
    assert stored(look(tmp_path / "LC0[89]*"))[0].shape[0] == 8
    assert look(path).where == str(path)


def test_a_message_names_the_odd_path_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "Größe [1], x=y"
    folder.mkdir()
    with pytest.raises(LandmixError, match=re.escape(str(folder))):
        look(folder)
