from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landmix.core.legend import Legend, LegendClass, colors_for, palette


def legend_of(*values: int) -> Legend:
    return Legend(tuple(LegendClass(value=v, name=f"class {v}", color="#00ff7f") for v in values))


value_lists = st.lists(st.integers(0, 65535), min_size=1, max_size=40, unique=True)


@given(value_lists, st.randoms(use_true_random=False))
def test_decoding_what_was_encoded_gives_it_back(values: list[int], random: Any) -> None:
    legend = legend_of(*values)
    raster = np.array(random.choices(values, k=60)).reshape(6, 10)
    index = legend.encode(raster)
    assert index.dtype == np.int16
    assert [legend[i].value for i in index.ravel().tolist()] == raster.ravel().tolist()
    valid = np.arange(60).reshape(6, 10) % 7 > 0
    decoded = legend.decode(index, valid)
    assert decoded.dtype == legend.dtype
    np.testing.assert_array_equal(decoded, np.where(valid, raster, legend.nodata))


@given(value_lists, st.lists(st.integers(0, 65535), min_size=1, max_size=40))
def test_values_that_are_no_class_encode_to_minus_one(values: list[int], others: list[int]) -> None:
    index = legend_of(*values).encode(np.array(others, np.uint16))
    assert index.tolist() == [values.index(v) if v in values else -1 for v in others]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64])
def test_encode_takes_every_integer_type(dtype: type[np.integer[Any]]) -> None:
    assert legend_of(7, 3, 100).encode(np.array([[3, 100], [7, 0]], dtype)).tolist() == [[1, 2], [0, -1]]


def test_encode_does_not_wrap_negative_values() -> None:
    assert legend_of(255, 65535).encode(np.array([-1, 255, 65535])).tolist() == [-1, 0, 1]


@given(value_lists)
def test_nodata_is_no_class_and_fits_the_type(values: list[int]) -> None:
    legend = legend_of(*values)
    assert legend.nodata not in values
    assert max(*values, legend.nodata) <= np.iinfo(legend.dtype).max


@pytest.mark.parametrize(
    ("values", "nodata", "dtype"),
    [
        ([1, 2, 3], 0, np.uint8),
        ([0, 1, 2], 255, np.uint8),
        ([0, 255], 254, np.uint8),
        ([0, *range(10, 256)], 9, np.uint8),
        (list(range(256)), 65535, np.uint16),
        ([1, 300], 0, np.uint16),
        ([0, 300], 65535, np.uint16),
        ([0, 65535], 65534, np.uint16),
        ([255], 0, np.uint8),
        ([256], 0, np.uint16),
    ],
)
def test_nodata_rule(values: list[int], nodata: int, dtype: type[np.integer[Any]]) -> None:
    legend = legend_of(*values)
    assert legend.nodata == nodata
    assert legend.dtype == dtype


def test_legend_order_is_the_index_order() -> None:
    legend = legend_of(9, 2, 5)
    assert legend.values == (9, 2, 5)
    assert legend.names == ("class 9", "class 2", "class 5")
    assert [c.value for c in legend] == [legend[i].value for i in range(len(legend))] == [9, 2, 5]


@pytest.mark.parametrize("field", ["value", "name"])
def test_what_stands_twice_is_named(field: str) -> None:
    first = LegendClass(value=1, name="forest", color="#000000")
    second = LegendClass(value=1 if field == "value" else 2, name="forest" if field == "name" else "b", color="#ffffff")
    with pytest.raises(ValueError, match=f"class {field} .* stands twice"):
        Legend((first, second))


@pytest.mark.parametrize(
    ("value", "name", "color"),
    [(-1, "a", "#000000"), (65536, "a", "#000000"), (1, "  ", "#000000"), (1, "a", "red"), (1, "a", "#FFF")],
)
def test_impossible_classes_are_refused(value: int, name: str, color: str) -> None:
    with pytest.raises(ValueError, match="class"):
        LegendClass(value=value, name=name, color=color)


def test_rgb_reads_the_hex_digits() -> None:
    assert LegendClass(value=1, name="a", color="#01fe80").rgb == (1, 254, 128)


@given(st.integers(0, 80))
def test_palette_is_stable_and_distinct(count: int) -> None:
    colors = palette(count)
    assert colors == palette(count)
    assert len(set(colors)) == count


@given(st.lists(st.sampled_from(["Wasser", "forest", "Forest 2", "Größe", "x", "crop", "road"]), max_size=12))
def test_every_class_gets_a_colour_of_its_own(names: list[str]) -> None:
    colors = colors_for(names)
    assert len(set(colors)) == len(names)
    for value, (name, color) in enumerate(zip(names, colors, strict=True)):
        LegendClass(value=value, name=name, color=color)


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "a\x0bb", "\ud800"])
def test_a_name_is_one_line_of_printable_text(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        LegendClass(value=1, name=name, color="#000000")
