"""The page in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from view_files import LEGEND, NASTY, class_values, write_map
from view_server import served, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(write_all(tmp_path_factory.mktemp("view"))) as address:
        yield address


class Seen:
    """A page, and all that went wrong on it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", lambda request: self.faults.append(f"{request.url}: {request.failure}"))
        self.page.on("response", lambda answer: self.faults.extend([answer.url] if answer.status >= 400 else []))
        self.page.goto(address)
        self.page.wait_for_selector("body.ready")
        self.page.wait_for_load_state("networkidle")

    def place(self, row: float, col: float) -> tuple[float, float]:
        """Where on the screen a place of the map is drawn."""
        script = """([row, col]) => {
          const map = landmix.map, pane = map.layerPointToContainerPoint([0, 0]);
          const p = map.project([row, col]).subtract(map.getPixelOrigin()).add(pane);
          return [p.x, p.y];
        }"""
        x, y = self.page.evaluate(script, [row, col])
        box = self.page.locator("#map").bounding_box()
        return box["x"] + x, box["y"] + y

    def color(self, row: int, col: int) -> tuple[int, ...]:
        """What a screenshot shows in the middle of a pixel of the map."""
        from io import BytesIO  # noqa: PLC0415

        import matplotlib.image  # noqa: PLC0415

        picture = matplotlib.image.imread(BytesIO(self.page.screenshot()))
        x, y = self.place(row + 0.5, col + 0.5)
        return tuple(np.round(255 * picture[int(y), int(x), :3]).astype(int).tolist())

    def told(self, name: str, text: str) -> None:
        """Wait until an element says something. Functions alone: the page lets no text be run."""
        script = "([name, text]) => document.getElementById(name).textContent.includes(text)"
        self.page.wait_for_function(script, arg=[name, text], timeout=10_000)

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def seen(browser: Any, address: str) -> Iterator[Seen]:
    found = Seen(browser, address, viewport=WIDE)
    yield found
    found.close()
    assert found.faults == []
    assert [url for url in found.asked if not url.startswith((address, "data:"))] == []


def zoom_to(seen: Seen, row: int, col: int, zoom: float) -> None:
    seen.page.evaluate("([at, zoom]) => landmix.map.setView(at, zoom, {animate: false})", [[row, col], zoom])
    seen.page.wait_for_load_state("networkidle")
    seen.page.wait_for_timeout(100)


def rgb(index: int) -> tuple[int, ...]:
    return LEGEND[index].rgb


def test_legend_and_areas(seen: Seen) -> None:
    rows = seen.page.locator("#classes tbody tr")
    assert rows.count() == 3
    assert rows.nth(0).inner_text().split()[0] == "field"
    assert NASTY in rows.nth(1).inner_text()  # as a text
    assert seen.page.locator("#classes img").count() == 0
    seen.told("areas-note", "classified")
    count = int((class_values() == 2).sum())
    assert rows.nth(0).locator("td").nth(0).inner_text() == f"{round(count / 100):,}"
    assert seen.page.locator("#area-h").inner_text() == "ha"
    shares = [float(rows.nth(i).locator("td").nth(1).inner_text().split()[0]) for i in range(3)]
    assert sum(shares) == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize(("row", "col"), [(100, 300), (299, 519), (255, 256)])
def test_the_pixel_under_the_mouse(seen: Seen, row: int, col: int) -> None:
    zoom_to(seen, row, col, 4)
    seen.page.mouse.move(*seen.place(row + 0.5, col + 0.5))
    seen.told("pixel-list", f"{row}, {col}")
    index = LEGEND.values.index(class_values()[row, col])
    assert seen.page.locator("#pixel-name").inner_text() == LEGEND[index].name
    sure = float(seen.page.locator("#pixel-sure").inner_text().split()[1])
    assert sure == pytest.approx(((row + col) % 201) / 2, abs=0.51)
    assert seen.page.locator("#spectrum circle").count() == 5
    titles = seen.page.locator("#spectrum circle title").all_text_contents()
    values = [float(title.rpartition(": ")[2]) for title in titles]
    assert values == pytest.approx([(1000 * (i + 1) + 2 * row + col) / 10000 for i in range(5)], rel=1e-3)
    assert titles[0].startswith("blue, 490 nm: ")


@pytest.mark.parametrize("zoom", [4, 0])
def test_classes_are_drawn_where_they_are(seen: Seen, zoom: int) -> None:
    zoom_to(seen, 150, 400, zoom)
    seen.page.keyboard.press("c")  # one layer: classes
    for row, col in ((150, 400), (151, 402), (140, 410), (155, 395)):
        assert seen.color(row, col) == rgb(LEGEND.values.index(class_values()[row, col]))


def test_a_hidden_class_shows_what_is_under_it(seen: Seen) -> None:
    zoom_to(seen, 150, 400, 4)
    seen.page.keyboard.press("c")
    places = {LEGEND.values.index(class_values()[150, col]): col for col in (400, 401, 402)}
    before = len(seen.asked)
    seen.page.locator("#classes input").nth(0).uncheck()
    assert seen.color(150, places[0]) != rgb(0)
    assert seen.color(150, places[1]) == rgb(1)
    seen.page.click("#none")
    assert seen.color(150, places[1]) != rgb(1)
    seen.page.click("#all")
    assert seen.color(150, places[0]) == rgb(0)
    assert len(seen.asked) == before  # at once, without the server


def test_opacity(seen: Seen) -> None:
    zoom_to(seen, 150, 400, 4)
    seen.page.keyboard.press("c")
    for _ in range(10):
        seen.page.keyboard.press("[")
    assert seen.page.locator("#opacity-value").inner_text() == "0 %"
    clear = seen.color(150, 400)
    seen.page.focus("#opacity")
    seen.page.keyboard.press("End")
    solid = rgb(LEGEND.values.index(class_values()[150, 400]))
    assert seen.color(150, 400) == solid
    seen.page.evaluate("landmix.setOpacity(50)")
    half = np.array(seen.color(150, 400))
    assert np.abs(half - (np.array(clear) + solid) / 2).max() <= 2


def test_the_divider_moves_by_keyboard_and_by_hand(seen: Seen) -> None:
    slider = seen.page.locator("#swipe")
    assert slider.get_attribute("role") == "slider"
    zoom_to(seen, 150, 260, 3)
    left, right = (150, 240), (150, 280)

    def is_class(place: tuple[int, int]) -> bool:
        return seen.color(*place) == rgb(LEGEND.values.index(class_values()[place]))

    assert not is_class(left)
    assert is_class(right)
    slider.focus()
    for key, value in (("ArrowLeft", "48"), ("Shift+ArrowRight", "58"), ("End", "100")):
        seen.page.keyboard.press(key)
        assert slider.get_attribute("aria-valuenow") == value
    assert not is_class(right)
    seen.page.keyboard.press("Home")
    assert is_class(left)
    box, area = slider.bounding_box(), seen.page.locator("#map").bounding_box()
    seen.page.mouse.move(area["x"] + 4, box["y"] + box["height"] / 2)
    seen.page.mouse.down()
    seen.page.mouse.move(area["x"] + 0.75 * area["width"], box["y"] + 300, steps=4)
    seen.page.mouse.up()
    assert slider.get_attribute("aria-valuenow") == "75"
    assert not is_class(right)


def test_every_layer_on_both_sides(seen: Seen) -> None:
    for name in ("picture0", "picture1", "classes", "confidence"):
        for side in ("left", "right"):
            seen.page.select_option(f"#{side}", name)
            kind = "canvas" if name == "classes" else f"img[src*={name}]"
            seen.page.wait_for_selector(f".leaflet-{side}-pane {kind}.leaflet-tile-loaded")
    assert seen.page.locator("#ramp").is_visible()
    seen.page.select_option("#left", "picture0")
    seen.page.keyboard.press("x")
    assert seen.page.locator("#left").input_value() == "confidence"
    seen.page.locator("#map").focus()
    seen.page.keyboard.press("3")
    assert seen.page.locator("#right").input_value() == "classes"


def test_the_map_by_keyboard(seen: Seen) -> None:
    for _ in range(30):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate("document.activeElement.id") == "map":
            break
    assert seen.page.locator("#cross").is_visible()
    seen.page.wait_for_selector("#pixel-facts:not([hidden])")
    before = seen.page.locator("#pixel-list").inner_text()
    seen.page.keyboard.press("ArrowRight")
    seen.page.wait_for_function("text => document.getElementById('pixel-list').innerText !== text", arg=before)
    seen.page.keyboard.press("Enter")
    assert seen.page.locator("#pixel-held").is_visible()
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("#pixel-held").is_hidden()
    seen.page.keyboard.press("?")
    assert seen.page.locator("#help").is_visible()
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("#help").is_hidden()
    zoom = seen.page.evaluate("landmix.map.getZoom()")
    seen.page.keyboard.press("+")
    seen.page.wait_for_function("zoom => landmix.map.getZoom() > zoom", arg=zoom)
    seen.page.keyboard.press("0")
    seen.page.wait_for_function("zoom => landmix.map.getZoom() === zoom", arg=zoom)


def test_everything_has_a_name(seen: Seen) -> None:
    nameless = seen.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, [role=slider], [tabindex]")]
        .filter((own) => own.getClientRects().length)
        .filter((own) => !(own.ariaLabel || own.textContent.trim() || own.labels?.length || own.title))
        .map((own) => own.outerHTML)"""
    )
    assert nameless == []


def test_a_narrow_screen(browser: Any, address: str) -> None:
    seen = Seen(browser, address, viewport=NARROW, has_touch=True, is_mobile=True)
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert page.locator("#map").bounding_box()["height"] > 600
    assert page.locator("#classes").is_hidden()
    zoom_to(seen, 150, 400, 4)
    x, y = seen.place(150.5, 405.5)
    page.touchscreen.tap(x, y)
    page.wait_for_selector("#pixel-held:not([hidden])", state="attached")
    seen.told("pixel-list", "150, 405")
    page.tap("#drawer")
    assert page.locator("#drawer").get_attribute("aria-expanded") == "true"
    assert page.locator("#classes").is_visible()
    assert page.locator("#pixel-held").is_visible()
    for name in ("#left", "#right", "#opacity", "#spectrum", "#classes tbody tr >> nth=2"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
    assert page.locator("#map").bounding_box()["height"] > 150
    page.tap("#drawer")
    assert page.locator("#classes").is_hidden()
    seen.close()
    assert seen.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(browser: Any, address: str, scheme: str) -> None:
    seen = Seen(browser, address, viewport=WIDE, color_scheme=scheme)
    colors = seen.page.evaluate(
        """() => ["#title", "#subtitle", "#pixel-hint", "#areas-note", "#help-open"].map((name) =>
        getComputedStyle(document.querySelector(name)).color)"""
    )
    back = seen.page.evaluate("getComputedStyle(document.getElementById('panel')).backgroundColor")
    for color in colors:
        assert contrast(color, back) >= 4.5, (color, back)
    seen.close()


def contrast(one: str, other: str) -> float:
    """As WCAG counts it."""
    light = []
    for color in (one, other):
        channels = np.array([int(part) for part in re.findall(r"\d+", color)[:3]]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_a_map_without_a_scene_or_a_place(browser: Any, tmp_path: Path) -> None:
    from rasterio.transform import Affine  # noqa: PLC0415

    write_map(tmp_path / "m.tif", crs=None, transform=Affine.identity())
    with served(tmp_path / "m.tif") as address:
        seen = Seen(browser, address, viewport=WIDE)
        assert seen.page.locator("#swipe").is_hidden()
        assert seen.page.locator("#scale").is_hidden()
        assert "scene=" in seen.page.locator("#notes").inner_text()
        seen.page.mouse.move(*seen.place(100.5, 300.5))
        seen.told("pixel-list", "100, 300")
        assert seen.page.locator("#area-h").inner_text() == "Pixels"
        assert seen.page.locator("#spectrum").is_hidden()
        seen.close()
        assert seen.faults == []


def test_degrees_are_drawn_as_on_the_ground(browser: Any, tmp_path: Path) -> None:
    from rasterio.transform import Affine  # noqa: PLC0415

    write_map(tmp_path / "m.tif", crs="EPSG:4326", transform=Affine(0.0001, 0, 10, 0, -0.0001, 60))
    with served(tmp_path / "m.tif") as address:
        seen = Seen(browser, address, viewport=WIDE)
        (x0, y0), (x1, _), (_, y1) = seen.place(0, 0), seen.place(0, 100), seen.place(100, 0)
        assert (x1 - x0) / (y1 - y0) == pytest.approx(np.cos(np.radians(60)), rel=0.02)
        zoom_to(seen, 150, 300, 4)
        for row, col in ((150, 300), (151, 302), (145, 310), (155, 255), (150, 256)):
            assert seen.color(row, col) == rgb(LEGEND.values.index(class_values()[row, col]))
        seen.close()
        assert seen.faults == []


def test_a_server_that_ended_is_told(browser: Any, tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif")
    with served(tmp_path / "m.tif") as address:
        seen = Seen(browser, address, viewport=WIDE)
    seen.page.mouse.move(*seen.place(100.5, 300.5))
    seen.page.wait_for_selector("#status:not([hidden])")
    assert "ended" in seen.page.locator("#status").inner_text()
    seen.close()
