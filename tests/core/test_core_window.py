from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landmix.core.tiling import Tiling
from landmix.core.window import Window

places = st.integers(-20, 20)
sizes = st.integers(1, 20)
windows = st.builds(Window, row=places, col=places, height=sizes, width=sizes)


def pixels(window: Window) -> set[tuple[int, int]]:
    return {(r, c) for r in range(window.row, window.row_end) for c in range(window.col, window.col_end)}


@given(windows, windows)
def test_intersect_is_the_set_of_common_pixels(a: Window, b: Window) -> None:
    common = a.intersect(b)
    assert (pixels(common) if common else set()) == pixels(a) & pixels(b)
    assert common == b.intersect(a)


@given(windows, st.integers(0, 5))
def test_grow_adds_the_margin_on_each_side_and_keeps_the_window_inside(window: Window, margin: int) -> None:
    grown = window.grow(margin)
    assert window.intersect(grown) == window
    assert grown.size == (window.height + 2 * margin) * (window.width + 2 * margin)
    assert window.relative_to(grown) == Window(row=margin, col=margin, height=window.height, width=window.width)


@given(windows, windows)
def test_relative_to_moves_every_pixel_alike(window: Window, origin: Window) -> None:
    moved = window.relative_to(origin)
    assert pixels(moved) == {(r - origin.row, c - origin.col) for r, c in pixels(window)}


@given(windows)
def test_size_counts_the_pixels(window: Window) -> None:
    assert window.size == len(pixels(window))


def test_slices_choose_the_pixels_of_the_window() -> None:
    rows, cols = np.indices((9, 11))
    window = Window(row=2, col=3, height=4, width=5)
    chosen = set(zip(rows[window.slices].ravel().tolist(), cols[window.slices].ravel().tolist(), strict=True))
    assert chosen == pixels(window)


@pytest.mark.parametrize(("height", "width"), [(0, 1), (1, 0), (-1, 5)])
def test_empty_windows_do_not_exist(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{height} x {width}"):
        Window(row=0, col=0, height=height, width=width)


@given(windows, st.integers(1, 25), st.integers(0, 4))
def test_tiles_cover_each_pixel_exactly_once(area: Window, core: int, margin: int) -> None:
    tiling = Tiling(core=core, margin=margin)
    times = np.zeros((area.height, area.width), int)
    tiles = list(tiling.tiles(area))
    for tile in tiles:
        assert area.intersect(tile.write) == tile.write
        assert max(tile.write.height, tile.write.width) <= core
        assert tile.read == tile.write.grow(margin)
        times[tile.write.relative_to(area).slices] += 1
    assert (times == 1).all()


@given(windows, st.integers(1, 25))
def test_tiles_come_row_by_row(area: Window, core: int) -> None:
    corners = [(tile.write.row, tile.write.col) for tile in Tiling(core=core).tiles(area)]
    assert corners == sorted(corners)


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    core, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    early = draw(st.integers(0, min(core, width) - 1))
    return Tiling(core=core, width=width, margin=draw(st.integers(0, 4)), early=early)


@given(windows, tilings())
def test_oblong_and_early_tiles_cover_each_pixel_exactly_once(area: Window, tiling: Tiling) -> None:
    times = np.zeros((area.height, area.width), int)
    tiles = list(tiling.tiles(area))
    for tile in tiles:
        times[tile.write.relative_to(area).slices] += 1
        assert area.intersect(tile.write) == tile.write
        assert tile.read == tile.write.grow(tiling.margin)
    assert (times == 1).all()
    assert [tile for row in tiling.rows(area) for tile in row] == tiles


@given(windows, tilings())
def test_cuts_lie_early_before_multiples_counted_from_the_rasters_corner(area: Window, tiling: Tiling) -> None:
    wide = tiling.width or tiling.core
    for own in (tile.write for tile in tiling.tiles(area)):
        # a last piece that is no wider than what is early is not cut off
        assert own.height <= tiling.core + tiling.early
        assert own.width <= wide + tiling.early
        assert own.row_end == area.row_end or (own.row_end + tiling.early) % tiling.core == 0
        assert own.col_end == area.col_end or (own.col_end + tiling.early) % wide == 0


@given(windows, tilings())
def test_rows_of_tiles_are_rows(area: Window, tiling: Tiling) -> None:
    rows = list(tiling.rows(area))
    for row in rows:
        assert len({(tile.write.row, tile.write.row_end) for tile in row}) == 1
        assert [tile.write.col for tile in row] == [tile.write.col for tile in rows[0]]


@pytest.mark.parametrize(("core", "width", "early"), [(4, 4, 4), (9, 3, 3), (5, None, -1)])
def test_cuts_cannot_be_so_early(core: int, width: int | None, early: int) -> None:
    with pytest.raises(ValueError, match="early"):
        Tiling(core=core, width=width, early=early)


@pytest.mark.parametrize(("core", "margin"), [(0, 0), (-3, 1), (4, -1)])
def test_impossible_tilings_are_refused(core: int, margin: int) -> None:
    with pytest.raises(ValueError, match="core >= 1"):
        Tiling(core=core, margin=margin)
