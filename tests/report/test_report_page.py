"""The pages: whole, escaped, alone, the same every time."""

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report_numbers import NASTY, NASTY_NAME, Fake

from landmix.accuracy.confusion import Confusion
from landmix.report import page, tables

Attributes = list[tuple[str, str | None]]
VOID = {"meta", "br", "img", "link", "hr"}


@pytest.fixture
def fake() -> Fake:
    return Fake()


class Outline(HTMLParser):
    """Checks that every element is closed in order, and collects links, ids and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.ids: list[str | None] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in {"src", "href", "srcset", "action", "data"}]
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(text: str) -> Outline:
    found = Outline(text)
    assert "script" not in found.tags
    assert len(found.ids) == len(set(found.ids))
    assert all(link and link.startswith(("data:image/", "#")) for link in found.links)
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert "@import" not in text
    text.encode()
    return found


def test_train_page_says_all_that_it_was_given(fake: Fake) -> None:
    text = page.train_page(fake.train())
    found = outline(text)
    words = " ".join(" ".join(found.text).split())
    wanted = ("the sky is cloudy", "640 m", "8 px", "25.0 %", "90 m", "1.4 km", "91.0 %", "name: spectral", "scene.tif")
    assert [what for what in wanted if what not in words] == []
    assert found.tags.count("svg") == 4
    assert "not validated" not in words


def test_evaluate_page_says_all_that_it_was_given(fake: Fake) -> None:
    found = outline(page.evaluate_page(fake.evaluate()))
    words = " ".join(" ".join(found.text).split())
    assert "7 reference pixels have no map value" in words
    assert {"map.tif", "reference.gpkg"} <= set(words.split())
    assert found.tags.count("svg") == 2


def test_intervals_of_the_classes_and_what_they_rest_on(fake: Fake) -> None:
    metrics = fake.confusion(fake.legend(2)).to_json()
    metrics["overall_accuracy_interval"] = {"value": 0.9, "low": 0.81, "high": 0.952, "groups": 23}
    more = {"users_accuracy_interval": [0.7, 0.9], "producers_accuracy_interval": None, "f1_interval": None}
    metrics["classes"] = [row | more for row in metrics["classes"]]
    said = " ".join(" ".join(outline(page.evaluate_page(fake.evaluate(2, metrics=metrics))).text).split())
    assert said.count("70.0 to 90.0") == 2
    assert "95 % interval: 81.0 to 95.2" in said
    assert "intervals over 23 groups" in said
    assert "None where fewer than 6" in said
    for row in metrics["classes"]:
        row["users_accuracy_interval"] = None
    said = " ".join(outline(page.evaluate_page(fake.evaluate(2, metrics=metrics))).text)
    assert "No intervals: no class lies in 6 or more of the 23" in said


@pytest.mark.parametrize("hectares", [True, False])
def test_a_design_speaks_before_the_counts_of_its_sample(fake: Fake, *, hectares: bool) -> None:
    found = outline(page.evaluate_page(fake.evaluate(design=fake.design(hectares=hectares))))
    said = " ".join(" ".join(found.text).split())
    assert "agreement beyond chance" not in said  # kappa of the sample is no estimate of the map's
    assert said.index("90.0 %") < said.index("Estimated from a") < said.index("Shares of the sampled pixels")
    assert ("500.0 ha ± 100.0" in said) == hectares
    assert found.tags.count("svg") == 3


def test_text_from_outside_is_escaped_everywhere(fake: Fake) -> None:
    legend = fake.legend(3, NASTY_NAME)
    confusion = fake.confusion(legend)
    facts, warnings = [(NASTY, NASTY)], [NASTY]
    metrics = confusion.to_json() | {"split": {NASTY: NASTY}, "distance_m": {NASTY: 1.0}}
    places = [replace(fake.places(), name=NASTY)]
    train = fake.train(
        3, title=NASTY, legend=legend, confusion=confusion, metrics=metrics, facts=facts, warnings=warnings,
        settings=NASTY, places=places, folds=[{"fold": NASTY}],
    )  # fmt: skip
    evaluate = fake.evaluate(
        3, title=NASTY, map_name=NASTY, reference_name=NASTY, confusion=confusion, facts=facts, warnings=warnings
    )
    for text in (page.train_page(train), page.evaluate_page(evaluate)):
        assert '<script>alert(1)</script>&"$x$' in "".join(outline(text).text)
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", text)


def test_a_run_without_validation_shows_dashes(fake: Fake) -> None:
    empty = Confusion(classes=fake.legend(4).classes, counts=np.zeros((4, 4), np.int64)).to_json()
    for metrics in (empty | {"split": {"kind": "none"}, "distance_m": None}, {}):
        text = page.train_page(fake.train(confusion=None, metrics=metrics, folds=(), places=(), warnings=()))
        found = outline(text)
        words = " ".join(found.text)
        assert words.count("\N{EN DASH}") >= 5 + 4 * 4
        assert "not validated: no reference pixels" in words
        assert "nan" not in words.lower().split()
        assert found.tags.count("svg") == 2


def test_a_class_without_reference_pixels_shows_a_dash_and_a_footnote(fake: Fake) -> None:
    confusion = fake.confusion(fake.legend(4))
    confusion.counts[2] = 0
    words = " ".join(outline(page.evaluate_page(fake.evaluate(confusion=confusion))).text)
    assert "the figure has nothing to be computed from" in words
    assert "not validated: no reference" not in words


@pytest.mark.parametrize(("classes", "bands"), [(1, 1), (2, 3), (30, 224)])
def test_any_number_of_classes_and_bands(fake: Fake, classes: int, bands: int) -> None:
    outline(page.train_page(fake.train(classes, bands)))
    outline(page.evaluate_page(fake.evaluate(classes)))


def test_only_the_legend_is_needed(fake: Fake) -> None:
    data = page.TrainReport(title="Bare", legend=fake.legend(2), bands=fake.bands(3))
    assert outline(page.train_page(data)).tags.count("svg") == 0


def test_the_same_numbers_give_the_same_page(fake: Fake) -> None:
    assert page.train_page(fake.train()) == page.train_page(fake.train())
    assert page.evaluate_page(fake.evaluate()) == page.evaluate_page(fake.evaluate())


def test_folds_are_summed_up() -> None:
    folds: list[dict[str, float | None]] = [
        {"overall_accuracy": 0.8, "macro_f1": 0.5, "kappa": None, "n": 10},
        {"overall_accuracy": 0.9, "n": 20},
    ]
    rows = tables.fold_rows(folds)
    assert rows[0] == ("1", "80.0 %", "50.0 %", "\N{EN DASH}", "10")
    assert rows[2] == ("Mean", "85.0 %", "50.0 %", "\N{EN DASH}", "")
    assert rows[3] == ("Standard deviation", "7.1 %", "\N{EN DASH}", "\N{EN DASH}", "")
    assert len(tables.fold_rows(folds[:1])) == 1


def test_reports_load_neither_rasters_nor_networks_nor_pyplot() -> None:
    heavy = "{'torch', 'rasterio', 'hydra', 'matplotlib.pyplot'}"
    code = f"import sys, landmix.report.page; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
