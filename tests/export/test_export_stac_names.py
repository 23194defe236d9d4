"""Classes under names that machines take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from stac_files import bundle_of, legend_of
from stac_rules import problems

from landmix.export.stac import model_item
from landmix.export.stac_words import class_names, classes

if TYPE_CHECKING:
    from pathlib import Path


def test_odd_class_names(tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"weights")
    names = ['Grünland & <b> "x"', "Gruenland   b_x", "水", "'; --", "nodata", "水 ", "a", "a_6", "A"]
    legend = legend_of(*names, first=0)
    item = model_item(bundle_of(legend=legend), tmp_path, file)
    assert problems(item) == []
    found = item["properties"]["mlm:output"][0]["classification:classes"]
    assert [c["title"] for c in found] == names
    assert [c["name"] for c in found] == [
        "gruenland_b_x_0", "gruenland_b_x_1", "class_2", "class_3", "nodata_4", "class_5", "a_6_", "a_6", "a_8",
    ]  # fmt: skip
    assert found[0]["color_hint"] == legend[0].color[1:].upper()


TEXTS = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable() and bool(text.strip()))


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, unique=True))
def test_names_for_machines_are_distinct(names: list[str]) -> None:
    found = class_names(legend_of(*names, step=7))
    assert len(set(found)) == len(names)
    assert all(re.fullmatch("[0-9A-Za-z_-]+", name) for name in found)
    assert "nodata" not in found


def test_many_classes_and_high_values() -> None:
    legend = legend_of(*(f"class {i}" for i in range(250)), first=1, step=200)
    found = classes(legend, nodata=True)
    assert [c["value"] for c in found[:-1]] == list(legend.values)
    assert found[-1] == {
        "value": 0, "name": "nodata", "title": "No data", "description": "Not classified", "nodata": True,
    }  # fmt: skip
    full = classes(legend_of(*(f"class {i}" for i in range(256)), first=0), nodata=True)
    assert full[-1]["value"] not in {c["value"] for c in full[:-1]}
