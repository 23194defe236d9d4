from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import shapely
from seam_models import LEGEND, noise, scene_of

from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend
from landmix.errors import LandmixError, UsageError
from landmix.geo.label_pixels import LabelPixels
from landmix.geo.options import ReadOptions
from landmix.geo.pam import pam_path, pam_xml
from landmix.labelling import LabelledScenes, LabelSettings, classes_beside, classes_of, label_scenes
from landmix.progress import Silent
from landmix.training.prepare import Part, Source, open_part, prepare
from landmix.training.settings import SplitSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene


def scenes(folder: Path, *names: str) -> list[Scene]:
    return [scene_of(folder / f"{name}.tif", noise(2, 6, 7, seed=i)) for i, name in enumerate(names)]


def label_file(path: Path, values: NDArray[Any]) -> str:
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", count=1, height=6, width=7, dtype=values.dtype) as file:
        file.write(values, 1)
    return str(path)


def pixels(**counts: int) -> LabelPixels:
    """Some pixels a class; `_3` is the number 3."""
    names = tuple(int(key[1:]) if key.startswith("_") else key for key in counts)
    keys = np.repeat(np.arange(len(names)), list(counts.values())).astype(np.int32)
    n = np.arange(len(keys), dtype=np.int32)
    return LabelPixels(rows=n, cols=n, keys=keys, names=names, units=n)


def labelled(*parts: LabelPixels, **settings: Any) -> LabelledScenes:
    return LabelledScenes(pixels=parts, files=("labels.gpkg",), **settings)


def test_texts_are_sorted_and_numbered_from_1() -> None:
    classes = classes_of(labelled(pixels(b=2, a=1), pixels(c=1, a=5)), None, Silent())
    assert list(zip(classes.legend.values, classes.legend.names, strict=True)) == [(1, "a"), (2, "b"), (3, "c")]
    pooled = classes.labelled(labelled(pixels(b=2, a=1), pixels(c=1, a=5)).pixels)
    assert pooled.index.tolist() == [1, 1, 0, 2, 0, 0, 0, 0, 0]
    assert pooled.scene.tolist() == [0] * 3 + [1] * 6


def test_numbers_keep_their_values_names_and_colours() -> None:
    found = classes_of(
        labelled(pixels(_40=1, _2=3, _300=1), names={40: "Wald"}, colors={2: "#123456"}), None, Silent()
    ).legend
    assert [(c.value, c.name) for c in found] == [(2, "2"), (40, "Wald"), (300, "300")]
    assert found[0].color == "#123456"


def test_classes_without_pixels_are_not_learnt_and_said() -> None:
    silent = Silent()
    classes = classes_of(labelled(pixels(a=2, b=0, c=1)), None, silent)
    assert classes.legend.names == ("a", "c")
    assert classes.legend.values == (1, 3)
    assert "labelled b" in silent.warnings[0]


@pytest.mark.parametrize(
    ("counts", "told"),
    [({"a": 1, "_3": 1}, r"as text and as numbers.*data\.legend"), ({"_70000": 1, "_1": 1}, r"65535.*data\.ignore")],
)
def test_useless_classes_are_refused(counts: dict[str, int], told: str) -> None:
    with pytest.raises(LandmixError, match=told):
        classes_of(labelled(pixels(**counts)), None, Silent())


def test_negative_values_are_refused() -> None:
    part = pixels(_1=1, _2=1)
    part = LabelPixels(rows=part.rows, cols=part.cols, keys=part.keys, names=(-1, 2), units=part.units)
    with pytest.raises(LandmixError, match="between 0 and 65535"):
        classes_of(labelled(part), None, Silent())


def test_a_legend_file_gives_texts_and_numbers_their_meaning(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("value,name\n5,a\n3,b\n9,c\n", encoding="utf-8")
    classes = classes_of(labelled(pixels(a=1, _3=2, _5=4)), str(path), Silent())
    assert classes.legend.values == (3, 5)
    assert classes.labelled(labelled(pixels(a=1, _3=2, _5=4)).pixels).index.tolist() == [1, 0, 0, 1, 1, 1, 1]
    with pytest.raises(LandmixError, match=r"l\.csv lacks d, 7 of labels\.gpkg.*data\.ignore"):
        classes_of(labelled(pixels(d=1, _7=2)), str(path), Silent())


def test_classes_that_only_the_reference_has_count_as_errors() -> None:
    reference = labelled(pixels(_7=1, _99=2, b=3, x=1), names={99: "Grün"})
    classes = classes_beside(LEGEND, reference)
    assert classes.legend.classes[:3] == LEGEND.classes
    assert classes.index[7] == classes.index["b"] == 1
    assert classes.index[99] == 0
    assert classes.legend.names[3:] == ("x",)
    assert len(set(classes.legend.values)) == len(classes.legend)


def test_a_foreign_value_keeps_its_number_and_gets_a_name_of_its_own() -> None:
    classes = classes_beside(LEGEND, labelled(pixels(_41=1, y=1)))
    foreign = {c.value: c.name for c in classes.legend.classes[3:]}
    assert foreign == {41: "41", max(foreign): "y"}


VALUES = np.arange(42, dtype=np.uint8).reshape(6, 7) % 3


def test_one_label_raster_serves_every_scene(tmp_path: Path) -> None:
    found = label_scenes(
        scenes(tmp_path, "a", "b"), [label_file(tmp_path / "l" / "x.tif", VALUES)], LabelSettings(), Silent()
    )
    assert [len(part) for part in found.pixels] == [28, 28]
    assert found.counts == {1: 28, 2: 28}


@pytest.mark.parametrize(("pairing", "names"), [("stem", ["b", "a"]), ("order", ["y", "x"])])
def test_label_rasters_find_their_scenes(tmp_path: Path, pairing: str, names: list[str]) -> None:
    files = [
        label_file(tmp_path / "l" / f"{names[0]}.tif", np.full((6, 7), 5, np.uint8)),
        label_file(tmp_path / "l" / f"{names[1]}.tif", np.full((6, 7), 6, np.uint8)),
    ]
    found = label_scenes(scenes(tmp_path, "a", "b"), files, LabelSettings(pairing=pairing), Silent())
    assert [part.names for part in found.pixels] == ([(6,), (5,)] if pairing == "stem" else [(5,), (6,)])


@pytest.mark.parametrize(
    ("names", "told"), [(["x", "y"], "none is called like a, b"), (["a", "b", "c"], "3 for 2 scenes")]
)
def test_rasters_that_find_no_scene_are_an_error(tmp_path: Path, names: list[str], told: str) -> None:
    files = [label_file(tmp_path / "l" / f"{name}.tif", VALUES) for name in names]
    with pytest.raises(LandmixError, match=told):
        label_scenes(scenes(tmp_path, "a", "b"), files, LabelSettings(), Silent())


def vector(path: Path, *shapes: tuple[str, tuple[float, float, float, float]]) -> str:
    import pyogrio.raw  # noqa: PLC0415

    boxes = [
        shapely.to_wkb(shapely.box(500_000 + a, 5_400_000 - d, 500_000 + c, 5_400_000 - b))
        for _, (a, b, c, d) in shapes
    ]
    pyogrio.raw.write(
        path, geometry=np.array(boxes, object), field_data=[np.array([name for name, _ in shapes], object)],
        fields=["class"], geometry_type="Polygon", crs="EPSG:32633",
    )  # fmt: skip
    return str(path)


def test_overlaps_and_bare_scenes_are_said(tmp_path: Path) -> None:
    path = vector(tmp_path / "l.gpkg", ("a", (0, 0, 30, 30)), ("b", (20, 20, 50, 50)))
    silent = Silent()
    (scene,) = scenes(tmp_path, "a")
    found = label_scenes([scene], [path], LabelSettings(), silent)
    assert found.counts == {"a": 8, "b": 8}
    assert silent.warnings == ["1 pixels are left out because labels of different classes overlap there"]
    far = vector(tmp_path / "far.gpkg", ("a", (9000, 0, 9030, 30)))
    with pytest.raises(LandmixError, match=r"far\.gpkg label no pixel of .*a\.tif"):
        label_scenes([scene], [far], LabelSettings(), silent)


def test_features_of_several_files_have_numbers_of_their_own(tmp_path: Path) -> None:
    first = vector(tmp_path / "1.gpkg", ("a", (0, 0, 20, 20)), ("b", (20, 0, 40, 20)))
    second = vector(tmp_path / "2.gpkg", ("a", (0, 40, 20, 60)))
    found = label_scenes(scenes(tmp_path, "s", "t"), [first, second], LabelSettings(), Silent())
    for part in found.pixels:
        assert sorted(set(part.units.tolist())) == [0, 1, 2]


# preparing


def source(scene: Any, labels: Any = None) -> Source:
    return Source(scenes=scene, labels=labels, key="data")


def opened(scene: Any, labels: Any, wanted: list[str | int] | None = None, **settings: Any) -> Part:
    return open_part(source(scene, labels), ReadOptions(), LabelSettings(**settings), Silent(), wanted=wanted)


def numbers(part: Part) -> list[list[int]]:
    """The number in its file of each band, for each scene."""
    return [[scene.stored[i].number for (i,) in scene.origins] for scene in part.scenes]


def prepared(tmp_path: Path, part: Part, own: Part | None = None, margin: int = 0, **split: Any) -> Any:
    return prepare(
        part, own, legend_file=None, split=SplitSettings(**split), margin=margin, side=1, memory=2**30,
        cache=tmp_path / "c",
        seed=0, progress=Silent(),
    )  # fmt: skip


def test_pairs_bring_their_own_labels(tmp_path: Path) -> None:
    scenes(tmp_path, "a", "b")
    label_file(tmp_path / "l" / "1.tif", np.full((6, 7), 5, np.uint8))
    label_file(tmp_path / "l" / "2.tif", VALUES)
    csv = tmp_path / "pairs.csv"
    csv.write_text("image,label\nb.tif,l/1.tif\na.tif,l/2.tif\n", encoding="utf-8")
    part = opened(f"@{csv}", None)
    assert [scene.name for scene in part.scenes] == ["b", "a"]
    assert [p.names for p in part.labelled.pixels] == [(5,), (1, 2)]
    with pytest.raises(UsageError, match=r"data\.labels must stay empty"):
        opened(f"@{csv}", str(tmp_path / "l" / "1.tif"))


def test_labels_must_be_named(tmp_path: Path) -> None:
    scenes(tmp_path, "a")
    with pytest.raises(UsageError, match=r"data\.labels must name the labels of data\.scenes"):
        opened(str(tmp_path / "a.tif"), None)


def test_scenes_get_the_band_order_of_the_first(tmp_path: Path) -> None:
    scenes(tmp_path, "a", "b")
    with rasterio.open(tmp_path / "b.tif", "r+") as file:
        file.descriptions = ("band 1", "band 0")
    labels = label_file(tmp_path / "l" / "x.tif", VALUES)
    part = opened(str(tmp_path / "?.tif"), labels)
    assert [scene.bands.names for scene in part.scenes] == [("band 0", "band 1")] * 2
    assert numbers(part) == [[1, 2], [2, 1]]
    chosen = opened(str(tmp_path / "?.tif"), labels, wanted=["band 1"])
    assert numbers(chosen) == [[2], [1]]


def test_everything_fits_together(tmp_path: Path) -> None:
    values = noise(2, 6, 7)
    scene_of(tmp_path / "a.tif", values)
    part = opened(str(tmp_path / "a.tif"), label_file(tmp_path / "l" / "x.tif", VALUES))
    found = prepared(tmp_path, part, kind="random")
    at = found.samples.labelled
    np.testing.assert_array_equal(np.array(found.legend.values)[at.index], VALUES[at.rows, at.cols])
    np.testing.assert_array_equal(found.samples.stored[found.samples.crop, :, 0, 0].T, values[:, at.rows, at.cols])
    assert found.pixel == (10, 10)
    assert len(found.split.fold) == len(at) == 28
    assert found.learnt == found.legend


def test_the_users_own_validation_part_alone_validates(tmp_path: Path) -> None:
    scenes(tmp_path, "a", "b")
    part = opened(str(tmp_path / "a.tif"), label_file(tmp_path / "l" / "x.tif", VALUES))
    own = opened(str(tmp_path / "b.tif"), label_file(tmp_path / "l" / "y.tif", (VALUES + 1).astype(np.uint8)))
    found = prepared(tmp_path, part, own)
    assert found.legend.values == (1, 2, 3)
    assert found.learnt.values == (1, 2)
    at = found.samples.labelled
    np.testing.assert_array_equal(found.split.validation(0), at.scene == 1)
    np.testing.assert_array_equal(found.split.training(0), at.scene == 0)
    expected = np.where(at.scene == 0, VALUES[at.rows, at.cols], VALUES[at.rows, at.cols] + 1)
    np.testing.assert_array_equal(np.array(found.legend.values)[at.index], expected)


def test_one_class_is_too_few(tmp_path: Path) -> None:
    scenes(tmp_path, "a")
    part = opened(str(tmp_path / "a.tif"), label_file(tmp_path / "l" / "x.tif", np.minimum(VALUES, 1)))
    with pytest.raises(LandmixError, match="labels only '1'"):
        prepared(tmp_path, part)


def test_names_of_a_map_as_labels(tmp_path: Path) -> None:
    scenes(tmp_path, "a")
    path = label_file(tmp_path / "l" / "x.tif", np.where(VALUES == 1, 2, 7).astype(np.uint8))
    pam_path(tmp_path / "l" / "x.tif").write_text(pam_xml(LEGEND, {}), encoding="utf-8")
    part = opened(str(tmp_path / "a.tif"), path)
    assert isinstance(classes_of(part.labelled, None, Silent()).legend, Legend)
    assert classes_of(part.labelled, None, Silent()).legend.names == ("Grün", "b")


def test_bands_that_are_left_out_are_named(tmp_path: Path) -> None:
    values = noise(2, 6, 7)
    values[1] = 0
    scene_of(tmp_path / "a.tif", values, nodata=0)
    part = opened(str(tmp_path / "a.tif"), label_file(tmp_path / "l" / "x.tif", VALUES))
    found = prepared(tmp_path, part, kind="random")
    assert found.left_out == ("band 1",)
    assert found.samples.bands == BandSet((Band(name="band 0", number=1),))
