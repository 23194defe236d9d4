"""What a real QGIS makes of landmix's maps, with their styles and without."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from geo_files import grid, write_tif
from qgis_runs import in_qgis, needs_qgis

from landmix.core.legend import Legend, LegendClass, palette
from landmix.geo.pam import pam_path
from landmix.geo.sidecars import write_share_style, write_sidecars
from landmix.geo.writing import Mosaic, write_cog

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = needs_qgis

NAMES = ["Grün & <b> \"x\" 'y'", "it's; a, b", "水域", "a" * 90, "ß" * 60, "&amp; %20 {x}"]


def legend(*values: int) -> Legend:
    named = zip(values, palette(len(values)), strict=True)
    return Legend(
        tuple(
            LegendClass(value=value, name=f"{NAMES[i % len(NAMES)]} {i}", color=color)
            for i, (value, color) in enumerate(named)
        )
    )


LEGENDS = {
    "one": legend(1),
    "names": legend(1, 2, 3, 4, 5, 6),
    "zero": legend(0, 7, 200),
    "top": legend(254, 255),
    "unsorted": legend(9, 3, 5),
    "many": legend(*range(1, 251)),
    "uint16": legend(5, 300, 65535),
    "all": legend(*range(256)),
}
BYTES = [name for name, classes in LEGENDS.items() if classes.dtype == np.uint8]


def values_of(classes: Legend, height: int = 20, width: int = 30) -> NDArray[Any]:
    """Every class and nodata, at random, all of them at least once."""
    every = np.array([*classes.values, classes.nodata], classes.dtype)
    values = np.random.default_rng(0).choice(every, height * width)
    values[: len(every)] = every
    return values.reshape(height, width)


def write_raster(path: Path, values: NDArray[Any], **settings: Any) -> dict[int, int]:
    """A finished raster, as landmix predict writes it."""
    part = path.with_name(f"part of {path.name}")
    write_tif(part, values[None], transform=None, crs=None)
    on = grid(*values.shape)
    settings = {"tags": {}, "bands": ("class",), **settings}
    return write_cog(Mosaic(parts=[(on.window, part)], grid=on, dtype=values.dtype, **settings), path)


@dataclass(frozen=True, slots=True)
class Seen:
    """What QGIS says of three copies of one map."""

    styled: dict[str, Any]
    unstyled: dict[str, Any]
    """Without its .qml."""
    alone: dict[str, Any]
    """Without any side file."""


@pytest.fixture(scope="module", name="seen")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """All maps, opened by one QGIS."""
    folder = tmp_path_factory.mktemp("maps")
    for name, classes in LEGENDS.items():
        paths = [folder / f"{name} {kind}.tif" for kind in ("styled", "unstyled", "alone")]
        counts = write_raster(paths[0], values_of(classes), nodata=classes.nodata, legend=classes)
        write_sidecars(paths[0], classes, counts)
        for path in paths[1:]:
            shutil.copy(paths[0], path)
        shutil.copy(pam_path(paths[0]), pam_path(paths[1]))
    kinds = ("styled", "unstyled", "alone")
    wanted = [str(folder / f"{name} {kind}.tif") for name in LEGENDS for kind in kinds]
    (found,) = in_qgis(folder, {"do": "describe", "paths": wanted})
    return {name: Seen(*found[3 * i : 3 * i + 3]) for i, name in enumerate(LEGENDS)}


@pytest.mark.parametrize("name", LEGENDS)
def test_with_the_style_exactly_the_legend(seen: dict[str, Seen], name: str) -> None:
    found = seen[name].styled
    assert found["valid"]
    assert found["type"] == "paletted"
    assert found["classes"] == [[c.value, c.name, c.color, 255] for c in LEGENDS[name]]
    assert found["nodata"] == LEGENDS[name].nodata


@pytest.mark.parametrize("name", BYTES)
def test_without_the_style_the_same_names_and_colours(seen: dict[str, Seen], name: str) -> None:
    found = seen[name].unstyled
    assert found["type"] == "paletted"
    by_value = {value: [name, color] for value, name, color, _ in found["classes"]}
    assert {c.value: by_value[c.value] for c in LEGENDS[name]} == {c.value: [c.name, c.color] for c in LEGENDS[name]}
    others = [label for value, label, _, _ in found["classes"] if value not in LEGENDS[name].values]
    assert all(label.isdigit() for label in others)


@pytest.mark.parametrize("name", BYTES)
def test_the_raster_alone_has_the_colours(seen: dict[str, Seen], name: str) -> None:
    found = seen[name].alone
    assert found["type"] == "paletted"
    colors = {value: color for value, _, color, _ in found["classes"]}
    assert {c.value: colors[c.value] for c in LEGENDS[name]} == {c.value: c.color for c in LEGENDS[name]}


@pytest.mark.parametrize("name", ["uint16", "all"])
def test_uint16_has_colours_by_its_style_only(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].unstyled["type"] == "singlebandgray"
    assert seen[name].alone["type"] == "singlebandgray"


@pytest.mark.parametrize("styled", [True, False])
def test_each_pixel_is_drawn_in_the_colour_of_its_class(tmp_path: Path, styled: bool) -> None:  # noqa: FBT001
    classes, values = LEGENDS["names"], values_of(LEGENDS["names"])
    counts = write_raster(tmp_path / "map.tif", values, nodata=classes.nodata, legend=classes)
    write_sidecars(tmp_path / "map.tif", classes, counts)
    if not styled:
        (tmp_path / "map.qml").unlink()
    (drawn,) = in_qgis(tmp_path, draw(tmp_path / "map.tif", *values.shape))
    colors = {c.value: c.color for c in classes} | {classes.nodata: "#ffffff"}
    assert drawn == [[colors[value] for value in row] for row in values.tolist()]


def draw(path: Path, height: int, width: int) -> dict[str, Any]:
    return {"do": "render", "path": str(path), "png": str(path.with_suffix(".png")), "width": width, "height": height}


def test_zoomed_out_no_colour_but_those_of_classes(tmp_path: Path) -> None:
    classes = legend(1, 6, 250)
    values = values_of(classes, 1100, 1300)
    write_sidecars(
        tmp_path / "map.tif",
        classes,
        write_raster(tmp_path / "map.tif", values, nodata=classes.nodata, legend=classes),
    )
    (drawn,) = in_qgis(tmp_path, draw(tmp_path / "map.tif", 137, 162))
    assert {color for row in drawn for color in row} <= {"#ffffff", *(c.color for c in classes)}


SHARES = [(np.uint8, 200, 255), (np.float32, 1, float("nan"))]


@pytest.mark.parametrize(("dtype", "full", "nodata"), SHARES)
def test_confidence_is_drawn_from_0_to_1_whatever_it_holds(
    tmp_path: Path, dtype: type[Any], full: float, nodata: float
) -> None:
    values = np.full((2, 4), nodata, dtype)
    values[0] = np.array([0.5, 0.75, 0.75, 1]) * full
    bands = {"bands": ("confidence",), "scale": 1 / full, "nodata": nodata}
    write_raster(tmp_path / "c.tif", values, **bands)
    write_share_style(tmp_path / "c.tif")
    described, drawn = in_qgis(
        tmp_path, {"do": "describe", "paths": [str(tmp_path / "c.tif")]}, draw(tmp_path / "c.tif", 2, 4)
    )
    assert described[0]["type"] == "singlebandpseudocolor"
    assert described[0]["range"] == [0, 1]
    assert described[0]["ramp"][0][0] == 0
    assert described[0]["ramp"][-1][0] == 1
    assert drawn == [["#21918c", "#5ec962", "#5ec962", "#fde725"], ["#ffffff"] * 4]
