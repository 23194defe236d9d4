"""The figures: well-formed, honest about gaps, small."""

import copy
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from report_numbers import NASTY, NASTY_NAME, Fake

from landmix.accuracy.confusion import Confusion
from landmix.core.bands import Band, BandSet
from landmix.report import figures, words
from landmix.report import spectra as spectra_module
from landmix.report import svg as svg_module
from landmix.report import sweep as sweep_module
from landmix.report.figures import Places
from landmix.report.places import cells_of
from landmix.report.seeds import over_seeds
from landmix.report.svg import apart

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def fake() -> Fake:
    return Fake()


def parse(svg: str) -> ET.Element:
    root = ET.fromstring(svg)  # noqa: S314  (what landmix wrote)
    assert root.tag == SVG + "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert all(link.startswith(("#", "data:")) for link in re.findall(r'href="([^"]*)"', svg))
    return root


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in parse(svg).iter(SVG + "text")]


@pytest.mark.parametrize("classes", [1, 2, 7, 12, 13, 30, 120])
def test_confusion_names_every_class_twice(fake: Fake, classes: int) -> None:
    said = texts(figures.confusion(fake.confusion(fake.legend(classes))))
    assert said.count("class 0") == 2
    assert said.count(f"class {classes - 1}") == 2
    assert {"Reference", "Map"} <= set(said)


def test_confusion_cells_hold_counts_and_percent(fake: Fake) -> None:
    counts = np.array([[90, 10, 0], [0, 0, 0], [1, 0, 12_345_678]])
    said = texts(figures.confusion(Confusion(classes=fake.legend(3).classes, counts=counts)))
    assert {"90.0 %", "90", "10.0 %", "10", "\N{EN DASH}", ">99.9 %", "<0.1 %", "12.3M"} <= set(said)
    assert "100.0 %" not in said


def test_class_names_are_text_not_markup_nor_mathematics(fake: Fake) -> None:
    legend = fake.legend(3, NASTY_NAME, "_hidden", "$\\frac{1}{2}$ and a name that goes on and on to its end 7")
    numbers = np.ones((3, 4))
    for svg in (
        figures.confusion(fake.confusion(legend)),
        figures.spectra(fake.bands(4), legend.names, [c.color for c in legend], numbers, numbers, NASTY),
        figures.area(legend.classes, np.array([1, 2, 3])),
    ):
        said = " ".join(texts(svg))
        assert "<script>" in said
        assert "_hidden" in said
        assert "$\\frac{1}{2}" in said
        assert "its end 7" in said
        assert "script" not in {node.tag.removeprefix(SVG) for node in parse(svg).iter()}


def test_curves_draw_what_the_history_has(fake: Fake) -> None:
    said = texts(figures.curves(fake.history(20)))
    assert {"Loss", "Validation accuracy", "Learning rate", "macro F1"} <= set(said)
    assert "validation" not in said
    assert texts(figures.curves([])) == ["no epochs were recorded"]
    assert "Validation accuracy" not in texts(figures.curves([{"epoch": 0, "loss": 1.0, "val_macro_f1": float("nan")}]))


def test_curves_bridge_epochs_that_were_not_validated() -> None:
    history = [{"epoch": i, "val_loss": 1 / (i + 1)} if i % 2 else {"epoch": i, "loss": 1.0} for i in range(6)]
    assert {"training", "validation"} <= set(texts(figures.curves(history)))


def test_spectra_lie_in_order_of_wavelength_and_break_in_gaps() -> None:
    centres = np.r_[np.linspace(500, 1000, 50), np.linspace(940, 1300, 30), np.linspace(1500, 2400, 60)]
    bands = BandSet(tuple(Band(name=f"B{i}", wavelength=float(nm)) for i, nm in enumerate(centres)))
    order, x = spectra_module._places(bands)
    assert (np.diff(x) >= 0).all()
    np.testing.assert_array_equal(x, centres[order])
    broken = spectra_module._broken(x, x)
    assert np.flatnonzero(np.isnan(broken)).tolist() == [80]
    np.testing.assert_array_equal(broken[~np.isnan(broken)], x)


def test_bands_that_lie_close_keep_their_names_apart() -> None:
    places = np.array([490.0, 700, 705, 710, 2200])
    moved = apart(places, 30.0)
    assert (np.diff(moved) >= 30 - 1e-9).all()
    np.testing.assert_allclose(moved, [490, 675, 705, 735, 2200])


@pytest.mark.parametrize(
    ("count", "wavelengths"), [(1, True), (1, False), (5, False), (60, False), (10, True), (224, True)]
)
def test_spectra_of_any_bands(fake: Fake, count: int, *, wavelengths: bool) -> None:
    shown = fake.spectra(3, count)
    mean = shown.mean.copy()
    mean[1] = np.nan
    legend = fake.legend(3)
    colors = [c.color for c in legend]
    svg = figures.spectra(
        fake.bands(count, wavelengths=wavelengths), legend.names, colors, mean, shown.std, "reflectance"
    )
    said = texts(svg)
    assert ("wavelength (nm)" in said) == (wavelengths and count > 1)
    assert "class 0" in said
    assert "class 1" not in said
    assert len(svg) < 200_000


def test_dates_of_one_sensor_are_categories(fake: Fake) -> None:
    names = [f"{month}.{band}" for month in ("jan", "jul") for band in ("B04", "B08")]
    bands = BandSet(tuple(Band(name=n, wavelength=665.0 if "B04" in n else 842.0) for n in names))
    legend = fake.legend(2)
    svg = figures.spectra(bands, legend.names, ["#ffffff", "#000000"], np.ones((2, 4)), np.ones((2, 4)), "")
    assert set(names) <= set(texts(svg))


def test_every_labelled_pixel_of_a_large_scene_shows() -> None:
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(0, 10980, (2, 200))
    scene = Places(name="s", shape=(10980, 10980), rows=rows, cols=cols, part=(np.arange(200) % 2).astype(np.int8))
    cells = cells_of(scene, 440)
    assert cells.shape == (440, 440)
    assert (cells[rows * 440 // 10980, cols * 440 // 10980] >= 0).all()
    assert set(np.unique(cells)) == {-1, 0, 1}
    lone = Places(name="s", shape=(10980, 10980), rows=rows[:1], cols=cols[:1], part=np.array([1], np.int8))
    assert (cells_of(lone, 440) == 1).sum() == 5


def test_a_small_scene_is_drawn_as_it_is(fake: Fake) -> None:
    scene = fake.places((20, 30), 50)
    cells = cells_of(scene, 440)
    expected = np.full((20, 30), -1)
    for wanted in (scene.part == 2, scene.part < 2):
        for row, col, part in zip(scene.rows[wanted], scene.cols[wanted], scene.part[wanted], strict=True):
            expected[row, col] = part
    np.testing.assert_array_equal(cells, expected)


def test_millions_of_pixels_make_a_small_picture(fake: Fake) -> None:
    scene = fake.places((10980, 10980), 3_000_000)
    look = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3)).astype(np.uint8)
    svg = figures.places([replace(scene, quicklook=look)])
    assert len(parse(svg).findall(SVG + "image")) == 2
    assert len(svg) < 600_000


def test_many_scenes_stand_side_by_side(fake: Fake) -> None:
    said = texts(figures.places([replace(fake.places((40, 60)), name=f"tile {i}") for i in range(30)]))
    assert {"tile 0", "tile 23", "and 6 more scenes"} <= set(said)
    assert "tile 24" not in said
    parse(figures.places([]))
    parse(figures.places([replace(fake.places((1, 5000)), name="a strip")]))


@pytest.mark.parametrize("change", [{"shape": (0, 5)}, {"shape": (10, 10)}, {"part": np.full(500, 3, np.int8)}])
def test_places_must_lie_in_the_scene(fake: Fake, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must lie in|need a shape"):
        replace(fake.places(), **change)


def test_area_in_pixels_or_on_the_ground(fake: Fake) -> None:
    classes = fake.legend(2).classes
    assert "75.0 % \N{MIDDLE DOT} 30,000 px" in texts(figures.area(classes, np.array([10_000, 30_000])))
    assert "75.0 % \N{MIDDLE DOT} 3.0 km²" in texts(figures.area(classes, np.array([10_000, 30_000]), 100.0))
    parse(figures.area(classes, np.zeros(2, int)))


@pytest.mark.parametrize("hectares", [True, False])
def test_estimated_areas_have_the_axis_of_what_is_known(fake: Fake, *, hectares: bool) -> None:
    svg = figures.estimates(fake.legend(4).classes, fake.design(hectares=hectares))
    assert ("ha" if hectares else "percent of the map") in texts(svg)
    assert {"class 0", "class 3"} <= set(texts(svg))


def test_colours_of_the_house_follow_the_page_and_those_of_classes_do_not(fake: Fake) -> None:
    legend, numbers = fake.legend(3), np.ones((3, 4))
    colors = [c.color for c in legend]
    for svg, classes in (
        (figures.curves(fake.history(5)), []),
        (figures.confusion(fake.confusion(legend)), colors),
        (figures.area(legend.classes, np.array([1, 2, 3])), colors),
        (figures.spectra(fake.bands(4), legend.names, colors, numbers, numbers, ""), colors),
        (figures.places([fake.places()]), []),
    ):
        bare = re.sub(r"var\(--[a-z-]+, #[0-9a-f]{6}\)", "", svg)
        assert bare != svg
        assert [color for color in svg_module.THEMED if color in bare] == []
        assert [color for color in classes if color not in bare] == []


@pytest.mark.parametrize("count", [0, 1, 12, 200])
def test_sweep_is_a_picture(tmp_path: Path, count: int) -> None:
    rows = [{"overrides": f"net=$a$,seed={i}", "macro_f1": None if i % 5 == 4 else i / 200} for i in range(count)]
    png = figures.sweep(rows)
    assert png == figures.sweep(list(reversed(rows)))
    (tmp_path / "sweep.png").write_bytes(png)
    height, width = imread(tmp_path / "sweep.png").shape[:2]
    assert 50 < height < 4000
    assert 500 < width < 3000


def jobs(*nets: str, seeds: int = 3, cost: float = 1.0) -> list[dict[str, Any]]:
    return [
        {"overrides": f"net={net},seed={seed}", "group": f"net={net}", "macro_f1": 0.8 + number / 99 + seed / 1000,
         "overall_accuracy": 0.9, "parameters": round(1000 * (1 + cost * number)), "megapixels_per_s": 2.0 + number}
        for number, net in enumerate(nets)
        for seed in range(seeds)
    ]  # fmt: skip


def test_seeds_are_taken_together() -> None:
    best, other, failed = over_seeds([*jobs("a", "b"), {"overrides": "net=c,seed=1", "group": "net=c"}])
    assert (best.label, other.label, failed.label) == ("net=b", "net=a", "net=c")
    assert best.macro_f1.mean == pytest.approx(0.8 + 1 / 99 + 0.001)
    assert best.macro_f1.std == pytest.approx(0.001)  # n - 1
    assert str(other.macro_f1) == "0.801 ± 0.001"
    assert (best.parameters, best.megapixels_per_s) == (2000, 3.0)
    assert str(failed.macro_f1) == "\N{EN DASH}"
    assert failed.parameters is None
    (alone,) = over_seeds(jobs("a", seeds=1))
    assert alone.macro_f1.std is None
    assert [group.label for group in over_seeds([{"overrides": "seed=1", "group": "", "macro_f1": 0.5}])] == [
        "all jobs"
    ]


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("cost", [0.0, 1.0])
def test_sweep_of_networks_is_drawn_against_their_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: int, cost: float
) -> None:
    ranked: list[int] = []
    ranking = sweep_module._ranking

    def counted(groups: list[Any]) -> Figure:
        ranked.append(len(groups))
        return ranking(groups)

    monkeypatch.setattr(sweep_module, "_ranking", counted)
    rows = [*jobs("$a$", "b", "c", seeds=seeds, cost=cost), {"overrides": "net=d", "group": "net=d"}]
    (tmp_path / "sweep.png").write_bytes(figures.sweep(rows))
    height, width = imread(tmp_path / "sweep.png").shape[:2]
    assert 50 < height < 1500
    assert 500 < width < 3000
    assert ranked == ([] if cost else [4])  # networks of one size have nothing to be drawn against


def test_names_of_networks_do_not_overlap() -> None:
    groups = over_seeds(jobs(*"abcdefghijklmnop"))
    figure = sweep_module._costs(groups, [])
    figure.canvas.draw()
    boxes = sorted(
        (text.get_window_extent() for text in figure.axes[1].texts if text.get_text().startswith("net=")),
        key=lambda box: box.y0,
    )
    assert len(boxes) == 16
    assert all(low.y1 <= high.y0 + 1.5 for low, high in pairwise(boxes))


def test_the_users_matplotlib_is_neither_used_nor_changed(fake: Fake) -> None:
    plain = figures.curves(fake.history(3)), figures.places([fake.places()])
    with mpl.rc_context({"font.size": 30, "image.origin": "lower", "savefig.dpi": 30, "text.color": "red"}):
        before = copy.copy(dict(mpl.rcParams))
        assert (figures.curves(fake.history(3)), figures.places([fake.places()])) == plain
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, ">99.9 %"), (1e-6, "<0.1 %"), (0.1234, "12.3 %"), (None, words.DASH)],
)
def test_percent_is_never_rounded_to_all_or_nothing(fraction: float | None, text: str) -> None:
    assert words.percent(fraction) == text


def histogram(edges: list[float], **split: Any) -> dict[str, Any]:
    return {"split": split, "distance_m": {"histogram": {"edges": edges, "counts": list(range(1, len(edges)))}}}


@pytest.mark.parametrize("edges", [[0.0, 50.0, 100.0], [10.0, 100.0, 1000.0, 10_000.0]])
@pytest.mark.parametrize("reach", [None, 0.0, 45.0, 9_000.0])
def test_distances_with_buffer_and_range(edges: list[float], reach: float | None) -> None:
    said = texts(figures.distances(histogram(edges, buffer_m=42.4, variogram={"range_m": reach})))
    assert "buffer, 42.4 m" in said
    assert any("variogram" in text for text in said) == bool(reach)


def test_distances_of_nothing_are_no_figure() -> None:
    assert figures.distances({}) == figures.distances({"distance_m": {"min": 3.0}, "split": None}) == ""
    parse(figures.distances(histogram([0.0, 1.0])))


def calibration(*, empty: bool = False) -> dict[str, Any]:
    """As metrics.json holds it, of 15 bins."""
    edges = np.linspace(0, 1, 16).tolist()
    counts = [0] * 10 + ([0] * 5 if empty else [3, 20, 100, 1_200, 54_321])
    means = [None if not n else (i + 0.5) / 15 for i, n in enumerate(counts)]
    data = {"edges": edges, "counts": counts, "confidence": means, "accuracy": [m and m / 2 for m in means]}
    return {"ece_before": 0.0712, "ece_after": 0.0123, "reliability": data, "reliability_before": data}


def test_reliability_shows_errors_and_counts() -> None:
    said = texts(figures.reliability(calibration()))
    assert {"Before: error 0.071", "After: error 0.012", "54,321", "confidence", "share that is right"} <= set(said)


def test_reliability_of_nothing_is_still_a_picture() -> None:
    parse(figures.reliability(calibration(empty=True)))
