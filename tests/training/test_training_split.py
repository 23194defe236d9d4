from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landmix.errors import LandmixError
from landmix.samples import Labelled
from landmix.training.settings import SplitSettings
from landmix.training.split import ALWAYS_TRAINS, Split, allocate, default_side, split_pixels, stopping_part

if TYPE_CHECKING:
    from numpy.typing import NDArray


def patches(seed: int = 0, count: int = 60, side: int = 300, scenes: int = 1) -> Labelled:
    """Square patches of 3 classes scattered over a scene; each is a polygon of its own."""
    rng = np.random.default_rng(seed)
    owner = np.full((scenes, side, side), -1)
    size = rng.integers(1, 12, count)
    for unit in range(count):
        row, col = rng.integers(0, side - 12, 2)
        owner[rng.integers(scenes), row : row + size[unit], col : col + size[unit]] = unit
    scene, rows, cols = np.nonzero(owner >= 0)
    units = owner[scene, rows, cols]
    return Labelled(
        scene=scene.astype(np.int32),
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        index=(units % 3).astype(np.int16),
        units=units.astype(np.int32),
    )


def split_of(labelled: Labelled, margin: int = 0, seed: int = 0, pixel: float = 10.0, **changes: Any) -> Split:
    xy = np.stack([labelled.cols * pixel, -labelled.rows * pixel], axis=1) + 1e8 * labelled.scene[:, None]
    return split_pixels(labelled, xy, SplitSettings(**changes), margin=margin, pixel=(pixel, pixel), seed=seed)


def chebyshev(labelled: Labelled, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> int:
    """Smallest distance in pixels between two sets of one scene, by rows or columns, whichever is more."""
    rows = np.abs(labelled.rows[a][:, None] - labelled.rows[b][None])
    cols = np.abs(labelled.cols[a][:, None] - labelled.cols[b][None])
    apart = np.where(labelled.scene[a][:, None] == labelled.scene[b][None], np.maximum(rows, cols), 10**6)
    return int(apart.min())


@pytest.mark.parametrize("margin", [0, 2, 5])
@pytest.mark.parametrize(("kind", "folds"), [("blocks", 1), ("blocks", 4), ("polygons", 3)])
def test_no_training_pixel_sees_a_validation_pixel(margin: int, kind: str, folds: int) -> None:
    labelled = patches()
    split = split_of(labelled, margin, kind=kind, folds=folds)
    for fold in range(split.folds):
        training, validation = split.training(fold), split.validation(fold)
        assert not (training & validation).any()
        assert training.sum() > validation.sum() / 2
        assert chebyshev(labelled, training, validation) > margin + 1
        dropped = ~training & ~validation
        nearest = [np.hypot(*(split.xy[validation] - xy).T).min() for xy in split.xy[dropped]]
        assert max(nearest, default=0) <= split.buffer


@pytest.mark.parametrize("buffer", [0.0, 35.0, 200.0])
def test_the_users_buffer_is_kept(buffer: float) -> None:
    labelled = patches()
    split = split_of(labelled, folds=3, buffer_m=buffer)
    assert split.buffer == buffer
    for fold in range(3):
        assert split.distances(fold).min() > buffer


def test_distances_are_those_to_the_nearest_training_pixel() -> None:
    split = split_of(patches(), 1)
    training, validation = split.xy[split.training(0)], split.xy[split.validation(0)]
    expected = [np.hypot(*(training - xy).T).min() for xy in validation]
    np.testing.assert_allclose(split.distances(0), expected)


@pytest.mark.parametrize("kind", ["blocks", "polygons", "random"])
@pytest.mark.parametrize("folds", [2, 5])
def test_every_labelled_pixel_validates_exactly_once(kind: str, folds: int) -> None:
    labelled = patches()
    split = split_of(labelled, kind=kind, folds=folds)
    times = np.sum([split.validation(fold) for fold in range(folds)], axis=0)
    assert (times == 1).all()
    for fold in range(folds):
        assert set(labelled.index[split.validation(fold)]) == {0, 1, 2}


@pytest.mark.parametrize("kind", ["blocks", "polygons"])
@pytest.mark.parametrize("folds", [1, 4])
def test_polygons_are_never_cut(kind: str, folds: int) -> None:
    labelled = patches()
    split = split_of(labelled, kind=kind, folds=folds, side_m=37.0 if kind == "blocks" else None)
    for unit in np.unique(labelled.units):
        assert len(np.unique(split.fold[labelled.units == unit])) == 1


def test_pixels_of_rasters_are_split_by_blocks() -> None:
    labelled = patches()
    labelled = Labelled(
        scene=labelled.scene, rows=labelled.rows, cols=labelled.cols, index=labelled.index,
        units=np.full(len(labelled), -1, np.int32),
    )  # fmt: skip
    split = split_of(labelled, folds=4, side_m=200.0)
    blocks = np.floor(split.xy / 200)
    for block in np.unique(blocks, axis=0):
        assert len(np.unique(split.fold[(blocks == block).all(1)])) == 1
    with pytest.raises(LandmixError, match="polygons needs vector labels"):
        split_of(labelled, kind="polygons")


@pytest.mark.parametrize("kind", ["blocks", "polygons", "random"])
@pytest.mark.parametrize("folds", [1, 3])
def test_the_same_seed_gives_the_same_folds_and_another_one_others(kind: str, folds: int) -> None:
    labelled = patches()
    first, again, other = (split_of(labelled, seed=s, kind=kind, folds=folds).fold for s in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_single_split_validates_about_its_fraction(fraction: float) -> None:
    labelled = patches(count=200, side=600)
    for kind in ("blocks", "polygons", "random"):
        split = split_of(labelled, kind=kind, fraction=fraction, buffer_m=0.0)
        assert split.folds == 1
        for k in range(3):
            mine = labelled.index == k
            assert split.validation(0)[mine].mean() == pytest.approx(fraction, abs=0.1)


@pytest.mark.parametrize("folds", [1, 3])
def test_a_class_with_one_block_always_trains(folds: int) -> None:
    labelled = patches()
    index = np.where(labelled.units == 0, 3, labelled.index).astype(np.int16)
    labelled = Labelled(scene=labelled.scene, rows=labelled.rows, cols=labelled.cols, index=index, units=labelled.units)
    split = split_of(labelled, kind="polygons", folds=folds)
    assert (split.fold[labelled.units == 0] == ALWAYS_TRAINS).all()
    for fold in range(split.folds):
        assert not split.validation(fold)[labelled.units == 0].any()


def test_files_validate_whole() -> None:
    labelled = patches(count=90, scenes=5)
    split = split_of(labelled, kind="files", folds=5)
    for scene in range(5):
        assert len(np.unique(split.fold[labelled.scene == scene])) == 1
    assert sorted(np.unique(split.fold)) == [0, 1, 2, 3, 4]


def test_fewer_groups_than_folds_leave_folds_empty() -> None:
    labelled = patches(count=90, scenes=2)
    split = split_of(labelled, kind="files", folds=6)
    assert (split.fold >= 0).all()
    assert sum(split.validation(fold).any() for fold in range(6)) == 2


@pytest.mark.parametrize("kind", ["files", "blocks"])
def test_nothing_to_validate_on_is_an_error(kind: str) -> None:
    with pytest.raises(LandmixError, match=r"split\.kind=none"):
        split_of(patches(), kind=kind, side_m=1e7)


def test_without_split_everything_trains() -> None:
    split = split_of(patches(), kind="none")
    assert split.folds == 0
    assert split.training(0).all()


def test_random_splits_have_no_buffer() -> None:
    split = split_of(patches(), kind="random", folds=3)
    assert split.buffer == 0
    assert (split.training(1) | split.validation(1)).all()


@pytest.mark.parametrize("margin", [0, 3])
@pytest.mark.parametrize("extent", [100.0, 3000.0, 1e6])
def test_default_blocks_are_larger_than_the_buffer(margin: int, extent: float) -> None:
    side = default_side(margin, (10.0, 9.0), np.array([[0.0, 0.0], [extent, extent / 2]]))
    assert 4 * (margin + 1) * 10 <= side <= max(320, 4 * (margin + 1) * 10)


def test_the_stopping_part_is_a_fifth_of_the_training_pixels_in_whole_polygons() -> None:
    labelled = patches(count=150, side=500)
    split = split_of(labelled, 1)
    training = split.training(0)
    stopping = stopping_part(labelled, split, training, side=200.0, seed=0)
    assert not (stopping & ~training).any()
    assert stopping.sum() / training.sum() == pytest.approx(0.2, abs=0.1)
    assert set(labelled.index[stopping]) == {0, 1, 2}
    for unit in np.unique(labelled.units[training]):
        assert len(np.unique(stopping[training & (labelled.units == unit)])) == 1


group_counts = st.tuples(st.integers(1, 25), st.integers(1, 5)).flatmap(
    lambda shape: hnp.arrays(np.int64, shape, elements=st.integers(0, 3) | st.integers(0, 500))
)


@settings(max_examples=100, deadline=None)
@given(group_counts, st.integers(2, 6), st.integers(0, 3))
def test_allocate_balances_whole_groups(counts: NDArray[np.int64], parts: int, seed: int) -> None:
    counts = counts[counts.any(1)]
    part = allocate(counts, np.full(parts, 1 / parts), np.random.default_rng(seed))
    holds = counts > 0
    lone = (holds & (holds.sum(0) == 1)).any(1)
    np.testing.assert_array_equal(part == ALWAYS_TRAINS, lone)
    assert part.max(initial=-1) < parts
    for k in np.flatnonzero(holds[~lone].any(0)):
        mine = ~lone & holds[:, k]
        used = len(np.unique(part[mine]))
        # the class with the fewest groups chooses first and fills as many parts as it can
        if holds[:, k].sum() == holds.sum(0)[holds.any(0)].min() and mine.sum() == holds[:, k].sum():
            first = np.flatnonzero(holds.sum(0) == holds[:, k].sum())[0]
            if k == first:
                assert used == min(parts, mine.sum())


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.int64, st.integers(2, 30), elements=st.integers(1, 300)), st.integers(2, 5))
def test_allocate_of_one_class_differs_by_at_most_one_group(sizes: NDArray[np.int64], parts: int) -> None:
    part = allocate(sizes[:, None], np.full(parts, 1 / parts), np.random.default_rng(0))
    got = np.bincount(part, sizes, parts)
    if len(sizes) > parts:
        assert got.max() - got.min() <= sizes.max()
    assert (np.bincount(part, minlength=parts) > 0).sum() == min(parts, len(sizes))
