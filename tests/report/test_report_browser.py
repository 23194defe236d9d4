"""The pages in a real browser: whole and readable in light and dark, on a screen, a phone and paper, from one file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from report_numbers import NASTY_NAME, Fake

from landmix.accuracy.groups import class_intervals
from landmix.report import page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

SCREEN, PHONE, A4 = 1280, 390, 690
"""Widths in CSS pixels; of the paper, what lies between its margins."""
LEAST_CONTRAST = 4.5
"""Of text against its background (WCAG 2.2, AA)."""

SEEN_TEXTS = """() => {
  const paints = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(color) && color !== 'transparent') return color;
    }
  };
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  const found = new Set();
  while (walker.nextNode()) {
    const owner = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !owner.getClientRects().length) continue;
    const style = getComputedStyle(owner), svg = owner.closest('svg');
    if (svg && svg.ariaLabel.startsWith('Confusion')) continue;
    found.add(JSON.stringify([svg ? style.fill : style.color, paints(owner), svg ? svg.ariaLabel : owner.tagName]));
  }
  return [...found].map((text) => JSON.parse(text));
}"""
"""Colours of text, of what is behind it, and where it is. A matrix has a background for each figure: see CELLS."""

CELLS = """() => {
  const probe = document.body.appendChild(document.createElement('i'));
  const of = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  return Object.fromEntries(['card', 'right', 'wrong', 'cell-ink'].map((name) => [name, of(name)]));
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind, with everything that it can show and a class whose name is long and markup."""
    fake, folder = Fake(), tmp_path_factory.mktemp("pages")
    legend = fake.legend(6, NASTY_NAME, "a-class-with-a-name-of-many-letters-and-no-space-in-it", "pale")
    confusion = fake.confusion(legend)
    group = np.arange(600) % 40
    intervals = class_intervals(group % 6, np.arange(600) % 6, group, 6)
    figures = confusion.to_json()
    figures["classes"] = [row | more for row, more in zip(figures["classes"], intervals, strict=True)]
    figures["overall_accuracy_interval"] = {"value": 0.8, "low": 0.7, "high": 0.9, "groups": 40}
    train = fake.train(6, 12, legend=legend, confusion=confusion)
    metrics = {**train.metrics, **figures, "baselines": [baseline("LDA", 0.03), baseline("random forest", -0.01)]}
    texts = {
        "train": page.train_page(replace(train, metrics=metrics)),
        "evaluate": page.evaluate_page(fake.evaluate(6, confusion=confusion, metrics=figures)),
        "design": page.evaluate_page(fake.evaluate(6, design=fake.design(6))),
    }
    paths = {name: folder / f"{name}.html" for name in texts}
    for name, path in paths.items():
        path.write_text(texts[name], encoding="utf-8")
    return paths


def baseline(name: str, difference: float) -> dict[str, Any]:
    """A row of `baselines` in metrics.json."""
    figures = {"overall_accuracy": 0.9, "macro_f1": 0.8, "difference": difference, "p": 0.5, "groups": 11}
    return {
        "name": name,
        "features": "3x3",
        **figures,
        "network_is": "no difference that chance does not explain",
    }


class Opened:
    """A page, and all that went wrong on it."""

    def __init__(self, browser: Any, path: Path, width: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state("networkidle")

    def close(self) -> None:
        self.context.close()
        assert self.faults == []
        assert [url for url in self.asked if not url.startswith("data:")] == self.asked[:1]  # the file itself


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [SCREEN, PHONE])
@pytest.mark.parametrize("name", ["train", "evaluate", "design"])
def test_a_page_is_whole_and_alone(browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    seen = Opened(browser, pages[name], width, scheme)
    assert seen.page.title()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [figure.bounding_box() for figure in seen.page.locator("figure svg").all()]
    assert len(boxes) == {"train": 4, "evaluate": 2, "design": 3}[name]
    for box in boxes:
        assert box["width"] > 300
        assert box["height"] > 80
    assert seen.page.locator("img, iframe, script").count() == 0
    links = seen.page.locator("nav a").evaluate_all("all => all.map((link) => link.getAttribute('href').slice(1))")
    heads = seen.page.locator("section[id]").evaluate_all("all => all.map((section) => section.id)")
    assert links == heads != []
    seen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["train", "design"])
def test_text_can_be_read(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    seen = Opened(browser, pages[name], SCREEN, scheme)
    found = seen.page.evaluate(SEEN_TEXTS)
    assert len(found) > 12
    faint = [where for where in found if contrast(rgb(where[0]), rgb(where[1])) < LEAST_CONTRAST]
    assert faint == []
    light = sum(rgb(found[0][1])) / 3
    assert (light > 128) == (scheme == "light")
    seen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_in_the_cells_of_a_matrix_can_be_read(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    """Whatever the share: cells are as much of their colour, over the card."""
    from landmix.report.matrix import DEEP  # noqa: PLC0415

    seen = Opened(browser, pages["train"], SCREEN, scheme)
    colors = {name: rgb(color) for name, color in seen.page.evaluate(CELLS).items()}
    for shade in np.linspace(0, 1, 51):
        for side in ("right", "wrong"):
            cell = colors["card"] + shade * (colors[side] - colors["card"])
            ink = np.full(3, 255.0) if side == "right" and shade > DEEP else colors["cell-ink"]
            assert contrast(ink, cell) >= LEAST_CONTRAST, (side, shade)
    seen.close()


def test_the_colours_of_classes_are_the_same_in_light_and_dark(browser: Any, pages: dict[str, Path]) -> None:
    bars = {}
    for scheme in ("light", "dark"):
        seen = Opened(browser, pages["evaluate"], SCREEN, scheme)
        bars[scheme] = seen.page.locator("svg[aria-label^=Mapped] path").evaluate_all(
            "all => all.map((path) => getComputedStyle(path).fill)"
        )
        seen.close()
    assert bars["light"] == bars["dark"]
    wanted = {tuple(bytes.fromhex(c.color[1:])) for c in Fake().legend(6)}
    assert wanted <= {tuple(rgb(fill).astype(int)) for fill in bars["light"] if fill.startswith("rgb")}


@pytest.mark.parametrize("name", ["train", "design"])
def test_paper_is_light_and_nothing_is_cut(browser: Any, pages: dict[str, Path], name: str) -> None:
    seen = Opened(browser, pages[name], A4, "dark")
    seen.page.emulate_media(media="print", color_scheme="dark")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= A4
    assert rgb(seen.page.evaluate("getComputedStyle(document.body).backgroundColor")).min() == 255
    found = seen.page.evaluate(SEEN_TEXTS)
    assert [where for where in found if contrast(rgb(where[0]), rgb(where[1])) < LEAST_CONTRAST] == []
    wide = seen.page.locator("table, svg[role=img]").evaluate_all(
        "all => all.filter((own) => own.getClientRects().length).map((own) => own.getBoundingClientRect().right)"
    )
    assert max(wide) <= A4
    whole = seen.page.locator("figure").evaluate_all("all => all.map((own) => getComputedStyle(own).breakInside)")
    assert set(whole) == {"avoid"}
    assert seen.page.pdf(format="A4").startswith(b"%PDF")
    seen.close()


def rgb(color: str) -> np.ndarray:
    """`rgb(1, 2, 3)` as (3,), 0 to 255."""
    return np.array([float(part) for part in re.findall(r"[\d.]+", color)[:3]])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """As WCAG counts it, of two colours (3,)."""
    light = []
    for color in (one, other):
        channels = color / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)
