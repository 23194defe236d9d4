"""The model card says what the model's own facts say, and shows foreign text as text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt
from onnx_models import GRID, legend_of, model

from landmix import bundle as bundles
from landmix.core.bands import Band, Formula
from landmix.core.legend import Legend, LegendClass
from landmix.export.card import rendered
from landmix.progress import Silent
from landmix.tasks.export import export
from landmix.tasks.settings import ExportSettings

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle

HOSTILE = (
    'a | b <script>alert(1)</script> & "c"',
    "![x](http://evil.example/x.png) [y](javascript:1)",
    "*bold* _it_ `code` ~~gone~~ $x$ :smile: a@b.example www.evil.example",
    "&lt;b&gt; \\| \\",
)


def row(name: str, support: int, mapped: int, producers: float | None, users: float | None) -> dict[str, Any]:
    return {
        "value": 1, "name": name, "support": support, "mapped": mapped,
        "producers_accuracy": producers, "users_accuracy": users, "f1": 0.5, "iou": 0.4,
    }  # fmt: skip


def trained(kind: str = "blocks", **changes: Any) -> Bundle:
    """A model that was trained near Linz on a day of 2023."""
    classes = [
        row("class 0", 400, 700, 0.9, 0.52),
        row("class 1", 400, 390, 0.95, 0.9996),
        row("class 2", 8, 8, 1.0, 1.0),
        row("class 3", 0, 0, None, None),
        row("class 4", 200, 200, 0.8, 0.8),
    ]
    accuracy = {
        "overall_accuracy": 0.81, "balanced_accuracy": 0.8, "kappa": 0.7, "macro_f1": 0.75, "mean_iou": 0.6,
        "n": 1008, "unmapped": 0, "classes": classes,
        "confusion": [[0, 0, 0, 0, 0], [91, 0, 0, 0, 0], [0] * 5, [0] * 5, [0, 7, 0, 0, 0]],
        "split": {"kind": kind, "side_m": 320.0}, "distance_m": {"min": 42.0, "median": 310.0, "max": 900.0},
        "trained_on": {f"class {i}": 100 * i for i in range(5)}, "warnings": ["mind the gap"],
    }  # fmt: skip
    training = {
        "scenes": [{"name": "S2B_MSIL2A_20230607T100559_N0509.tif", "sha256": "ab" * 32}],
        "labels": [{"name": "fields.gpkg", "sha256": "cd" * 32}],
        "grids": [GRID],
        "bands_left_out": ["B10"],
        "seed": 7,
        "versions": {"landmix": "0.0.9"},
    }
    settings = {"accuracy": accuracy, "training": training, **changes}
    return model(**settings)


def html(bundle: Bundle) -> str:
    """The card as a page, by another program's rules."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(rendered(bundle)))


def shown(page: str) -> str:
    """Its text without tags."""
    return re.sub(r"<[^>]+>", " ", page)


def part(text: str, heading: str) -> str:
    """What stands under a heading."""
    return text.split(f"## {heading}")[1].split("\n## ", maxsplit=1)[0]


LIMITS = "What it must not be used for"


def test_facts() -> None:
    bundle = trained()
    text = rendered(bundle)
    assert bundle.digest in text
    assert "| License | not stated" in text
    assert f"| Parameters | {sum(p.numel() for p in bundle.network().parameters()):,} |" in text
    assert "5 x 5 pixels (margin 2)" in text
    assert "landmix 0.0.9" in text
    assert f"`{'ab' * 32}`" in text
    assert "| fields.gpkg |" in text
    assert "2023-06-07" in text
    assert re.search(r"Where \| 48\.7\d+° N to 48\.7\d+° N, 15\.0\d*° E to 15\.0\d+° E", text), text
    assert "EPSG:32633" in text
    assert "B10" in text
    assert "mind the gap" in text
    assert "| seed | 7 |" in text
    assert "0.3 | 0.25 |" in text  # value * 4 - 1.2 undone
    assert "stored x 0.0001 - 0.1" in text
    assert "class 1 taken for class 0 (91 pixels), class 4 taken for class 1 (7 pixels)" in text
    assert "| 4 | class 1 | #" in text
    assert "| 100 | 400 | 95.0 % | &gt;99.9 % |" in text
    assert "Calibration was not measured" in text


def test_what_it_is_not_for() -> None:
    said = part(rendered(trained()), LIMITS)
    assert "42 m to 900 m (median 310 m)" in said or "42 m" in said
    assert "Relying on class 3: no pixel of it was validated" in said
    assert "few validation pixels: class 2 (8)" in said
    assert "class 0 (90.0 % of it is found, 52.0 % of what is mapped as it is right)" in said
    assert "class 4 (" not in said
    assert "class 0 is mapped on 700 pixels and is on 400" in said
    assert "class 1 is mapped" not in said
    assert "48.7" in said
    assert "2023-06-07" in said
    assert "Other pixel sizes than 10 m: it looks at 5 x 5 pixels" in said
    assert "which one it was is not recorded" in said
    assert "flatters" not in said


def test_a_random_split_flatters() -> None:
    assert "flatters" in part(rendered(trained("random")), LIMITS)


@pytest.mark.parametrize("accuracy", [{}, {"n": 0, "classes": [], "split": {"kind": "none"}}])
def test_never_validated(accuracy: dict[str, Any]) -> None:
    text = rendered(trained(accuracy=accuracy))
    assert "it was never validated" in part(text, LIMITS)
    assert "| Accuracy | never validated |" in text
    assert "None" not in text
    assert "%" not in part(text, "Classes, and how well they are found")


def test_sensors_units_and_formulas() -> None:
    red = Band(name="red", unit="reflectance", sensor="Sentinel-2", wavelength=665.0)
    nir = replace(red, name="nir", wavelength=842.0)
    ndvi = Band(name="ndvi", formula=Formula(expression="(N - R) / (N + R)", inputs=(("N", nir), ("R", red))))
    text = rendered(trained(bands=(red, ndvi)))
    said = part(text, LIMITS)
    assert "Numbers that are not reflectance" in said
    assert "other sensors than Sentinel-2" in said
    assert "not recorded" not in said
    assert "computed: (N - R) / (N + R) with N = nir, R = red" in text
    assert "| 2 | nir | 842 |" in text  # is read, though the network does not see it
    assert "1 more are computed" in text


def test_margin_0_needs_no_pixel_size() -> None:
    text = rendered(trained(blocks=0))
    assert "each pixel alone" in text
    assert "Other pixel sizes" not in text


def test_foreign_text_is_text() -> None:
    classes = tuple(LegendClass(value=i, name=name, color="#010203") for i, name in enumerate((*HOSTILE, "<details>")))
    bundle = trained(
        legend=Legend(classes),
        bands=tuple(
            Band(name=f"{name}\n# x", unit=name, sensor=f"{name}\n\n- y", number=i) for i, name in enumerate(HOSTILE)
        ),
    )
    figures = {**bundle.accuracy, "warnings": [*HOSTILE, "\n\n# head\n<img src=x>", "- a", "1. b", "---", "+ c"]}
    figures["classes"] = [row(name, 5, 500, 0.1, 0.1) for name in (*HOSTILE, "strange\n| <i>")]
    figures["trained_on"] = {"x": HOSTILE[0]}
    figures["split"] = {"kind": "own", "scenes": list(HOSTILE)}
    training = {
        "scenes": [{"name": HOSTILE[0], "sha256": "`" + HOSTILE[1]}, "no row"],
        "labels": [{"name": "a\u202eb\x00\ud800", "sha256": None}],
        "grids": [{"name": HOSTILE[2], "crs": HOSTILE[0]}],
        "settings": {"optim": {HOSTILE[0]: HOSTILE[1]}},
        "versions": {HOSTILE[2]: HOSTILE[3]},
        "license": HOSTILE[0],
    }
    bundle = replace(bundle, accuracy=figures, training=training)
    text, page = rendered(bundle), html(bundle)
    text.encode()  # no lone surrogates
    assert not re.search(r"<(script|img|details|i|a|em|strong|s)\b", page)
    assert page.count("<code>") == 1 + text.count("`split.kind=blocks`")  # the model's own digest
    assert "\u202e" not in text
    for name in HOSTILE:
        escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
        assert page.count(escaped) > 5, name
    assert {line.count("<td") for line in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)} == {0, 2, 4, 8, 10}
    assert page.count("<h1>") == 1
    assert page.count("<h2>") == 5
    assert page.count("<ul>") == 2
    assert not re.search("<(ol|hr)", page)


def test_figures_that_are_none() -> None:
    wrong: dict[str, Any] = {"n": 5, "classes": [{"name": "class 0", "support": "many", "f1": float("nan")}, 3]}
    wrong |= {"confusion": [[1, "x"], None], "split": "blocks", "distance_m": [1], "warnings": 7, "trained_on": []}
    training = {"scenes": 3, "labels": [7], "grids": "x", "settings": [], "versions": None, "bands_left_out": "B1"}
    text = rendered(trained(accuracy=wrong, training=training))
    assert "nan" not in text.lower().replace("nan |", "")
    assert "| class 0 |" in text


def test_many_classes_and_bands() -> None:
    bundle = trained(bands=218, classes=300, legend=legend_of(300), blocks=0)
    text = rendered(bundle)
    assert len(re.findall(r"\| class \d+ \|", text)) == 300
    assert len(re.findall(r"\| band \d+ \|", text)) == 218
    assert "and 280 more" in text


def test_the_verb(tmp_path: Path) -> None:
    bundles.save(trained(), tmp_path / "m.ckpt")
    heard: list[str] = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            heard.append(text)

    settings = ExportSettings(model=str(tmp_path / "m.ckpt"), format="card", out=str(tmp_path / "card.md"))
    export(settings, Heard())
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert text == rendered(bundles.load(tmp_path / "m.ckpt"))
    assert "licence is not stated" in heard[0]
    assert text.endswith("|\n")
    assert "\n\n\n" not in text
