from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pyogrio
import pytest
import rasterio
from geo_files import coordinates, write_tif

from landmix.core.legend import Legend, LegendClass
from landmix.errors import LandmixError
from landmix.geo.legends import make_legend, read_legend
from landmix.geo.pam import category_names, pam_path, pam_xml
from landmix.geo.sidecars import sidecar_paths, write_sidecars

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ['Grün & <b> "x"', "it's; a, b", "水域", "a" * 90, "ß" * 60]


def legend(*values: int) -> Legend:
    rows = zip(values, NAMES, strict=False)
    return Legend(tuple(LegendClass(value=v, name=n, color=f"#0{i}ff80") for i, (v, n) in enumerate(rows)))


LEGENDS = [legend(1, 2, 3, 4, 5), legend(0, 7, 200), legend(254, 255), legend(5, 300, 65535), legend(65535)]


@pytest.mark.parametrize("classes", LEGENDS)
def test_class_names_come_back_from_the_side_file(tmp_path: Path, classes: Legend) -> None:
    raster = tmp_path / "map.tif"
    write_sidecars(raster, classes, {classes[0].value: 12})
    assert category_names(raster) == dict(zip(classes.values, classes.names, strict=True))


@pytest.mark.parametrize("classes", LEGENDS)
def test_the_attribute_table_alone_holds_the_names(tmp_path: Path, classes: Legend) -> None:
    root = ET.fromstring(pam_xml(classes, {}))  # noqa: S314
    band = root[0]
    for node in band.findall("CategoryNames"):
        band.remove(node)
    pam_path(tmp_path / "map.tif").write_bytes(ET.tostring(root, encoding="utf-8"))
    assert category_names(tmp_path / "map.tif") == dict(zip(classes.values, classes.names, strict=True))


def test_counts_stand_in_the_attribute_table() -> None:
    root = ET.fromstring(pam_xml(legend(3, 9), {9: 123}))  # noqa: S314
    rows = [[cell.text for cell in row] for row in root.iter("Row")]
    assert [row[:3] for row in rows] == [["3", "0", NAMES[0]], ["9", "123", NAMES[1]]]


def test_gdal_still_reads_the_raster_with_its_side_files(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    write_tif(path, coordinates(1, 4, 5, "uint8"))
    write_sidecars(path, LEGENDS[0], {})
    with rasterio.open(path) as file:
        assert file.read(1).tolist() == coordinates(1, 4, 5, "uint8")[0].tolist()


@pytest.mark.parametrize("content", ["", "<PAMDataset>", "<x/>", "no xml"])
def test_foreign_side_files_name_nothing(tmp_path: Path, content: str) -> None:
    pam_path(tmp_path / "map.tif").write_text(content)
    assert category_names(tmp_path / "map.tif") == {}


def test_no_side_file_names_nothing(tmp_path: Path) -> None:
    assert category_names(tmp_path / "map.tif") == {}


def test_the_style_holds_exactly_the_legend(tmp_path: Path) -> None:
    classes = LEGENDS[1]
    write_sidecars(tmp_path / "map.tif", classes, {})
    root = ET.parse(tmp_path / "map.qml").getroot()  # noqa: S314
    entries = [(int(e.get("value", "")), e.get("label"), e.get("color")) for e in root.iter("paletteEntry")]
    assert entries == [(c.value, c.name, c.color) for c in classes]


@pytest.mark.parametrize("classes", LEGENDS)
def test_the_attribute_table_for_arcgis_is_readable(tmp_path: Path, classes: Legend) -> None:
    write_sidecars(tmp_path / "map.tif", classes, {classes[-1].value: 5_000_000_000})
    path = sidecar_paths(tmp_path / "map.tif")["vat"]
    meta, _, _, columns = pyogrio.raw.read(path)
    table = dict(zip(meta["fields"], columns, strict=True))
    assert table["Value"].tolist() == list(classes.values)
    assert table["ClassName"].tolist() == list(classes.names)
    assert table["Count"].tolist() == [0] * (len(classes) - 1) + [5_000_000_000]
    assert [round(255 * red) for red in table["Red"]] == [c.rgb[0] for c in classes]
    assert [round(255 * blue) for blue in table["Blue"]] == [c.rgb[2] for c in classes]


def test_nothing_else_is_left_beside_the_map(tmp_path: Path) -> None:
    write_sidecars(tmp_path / "map.tif", LEGENDS[0], {})
    assert {p.name for p in tmp_path.iterdir()} == {"map.qml", "map.tif.aux.xml", "map.tif.vat.dbf", "map.tif.vat.cpg"}


# legends that users write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.csv", "\ufeffvalue,name,color\n2,Wald,#00ff00\n1,Wasser,#0000FF\n"),
        ("l.csv", "name,value,colour,note\nWald,2,#00ff00,x\n Wasser ,1,#0000ff,\n"),
        ("l.yaml", "- {value: 1, name: Wasser, color: '#0000ff'}\n- {value: 2, name: Wald, color: '#00FF00'}\n"),
        (
            "l.yml",
            "classes:\n- {value: 1, name: Wasser, color: '#0000ff'}\n- {value: 2, name: Wald, color: '#00ff00'}\n",
        ),
    ],
)
def test_legend_files(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = read_legend(str(tmp_path / name))
    assert [(c.value, c.name, c.color) for c in found] == [(1, "Wasser", "#0000ff"), (2, "Wald", "#00ff00")]


def test_missing_colours_are_chosen() -> None:
    found = make_legend([(2, "b", None), (1, "Wald", None), (3, "c", "#123456")])
    assert found.values == (1, 2, 3)
    assert found[2].color == "#123456"
    assert len({c.color for c in found}) == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "list of classes"),
        ("- 3\n", "list of classes"),
        ("a: [", "cannot read the legend"),
        ("- {value: 1}\n", "needs 'name'"),
        ("- {value: x, name: a}\n", "cannot be used"),
        ("- {value: -1, name: a}\n", "between 0 and 65535"),
        ("- {value: 1, name: a, color: red}\n", "#rrggbb"),
        ("- {value: 1, name: a}\n- {value: 1, name: b}\n", "stands twice"),
        ("- {value: null, name: a}\n", "cannot be used"),
    ],
)
def test_wrong_legend_files_are_named(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "l.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(LandmixError, match=rf"l\.yaml.*{told}|{told}.*l\.yaml"):
        read_legend(str(tmp_path / "l.yaml"))


def test_a_legend_that_is_not_there() -> None:
    with pytest.raises(LandmixError, match=r"cannot read the legend nowhere\.csv"):
        read_legend("nowhere.csv")
