from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from seam_models import labelled_at, noise, scene_of

from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.samples import Labelled, Samples, collect

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

LONE = [(0, 0, 0), (0, 0, 29), (0, 19, 0), (0, 19, 29), (0, 10, 15)]
BLOCK = [(0, r, c) for r in range(3, 14) for c in range(16, 30)]


def collected(
    scenes: list[Scene], labelled: Labelled, folder: Path, margin: int, memory: int = 2**30, side: int = 4
) -> Samples:
    return collect(scenes, labelled, margin=margin, side=side, memory=memory, cache=folder / "cache")


def crops_of(values: NDArray[np.generic], samples: Samples) -> NDArray[np.generic]:
    """The crop around each labelled pixel, (N, C, 1 + 2 margin, ...), read directly; 0 outside the scene."""
    m = samples.margin
    padded = np.pad(values, ((0, 0), (m, m), (m, m)))
    at = samples.labelled
    return np.stack([padded[:, r : r + 2 * m + 1, c : c + 2 * m + 1] for r, c in zip(at.rows, at.cols, strict=True)])


def around(samples: Samples, stored: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same from the samples' crops (M, C, S, S)."""
    size = 2 * samples.margin + 1
    places = zip(samples.crop, samples.place, strict=True)
    return np.stack([stored[i, :, r : r + size, c : c + size] for i, (r, c) in places])


@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize("places", [LONE, BLOCK, [(0, 7, 7)]])
def test_crops_are_what_the_file_holds(tmp_path: Path, margin: int, places: list[tuple[int, int, int]]) -> None:
    values = noise(3, 20, 30)
    samples = collected([scene_of(tmp_path / "a.tif", values)], labelled_at(places), tmp_path, margin)
    np.testing.assert_array_equal(around(samples, samples.stored), crops_of(values, samples))
    inside = crops_of(np.ones((1, 20, 30), bool), samples)
    np.testing.assert_array_equal(around(samples, samples.valid[:, None]), inside)


@pytest.mark.parametrize("margin", [0, 1, 2])
@pytest.mark.parametrize("places", [LONE, BLOCK])
def test_labels_lie_at_their_places_once(tmp_path: Path, margin: int, places: list[tuple[int, int, int]]) -> None:
    labelled = labelled_at(places)
    samples = collected([scene_of(tmp_path / "a.tif", noise(2, 20, 30))], labelled, tmp_path, margin)
    chosen = np.arange(len(labelled)) % 4 > 0
    labels = samples.labels(chosen)
    assert labels.shape == (len(samples), samples.side, samples.side)
    assert (labels >= 0).sum() == chosen.sum()
    rows, cols = samples.place[chosen].T
    np.testing.assert_array_equal(labels[samples.crop[chosen], rows, cols], labelled.index[chosen])


def test_with_margin_0_the_samples_are_a_pixel_table(tmp_path: Path) -> None:
    values = noise(3, 20, 30, "int16")
    labelled = labelled_at(BLOCK)
    samples = collected([scene_of(tmp_path / "a.tif", values)], labelled, tmp_path, 0, side=1)
    assert samples.stored.shape == (len(BLOCK), 3, 1, 1)
    numbers = np.array([5, 0, 77])
    ((piece, found),) = samples.pixels(numbers)
    assert piece.tolist() == [5, 0, 77]
    np.testing.assert_array_equal(found, values[:, labelled.rows[numbers], labelled.cols[numbers]].T)


def two_scenes(folder: Path) -> tuple[list[Scene], list[NDArray[np.float64]], Labelled]:
    first, second = noise(2, 12, 13, "uint8"), noise(2, 9, 30, "int16", seed=1)
    second[:, 4, 5] = -1
    first[0, 2, 2] = 0
    scenes = [
        scene_of(folder / "a.tif", first, scale=0.5, offset=3, nodata=0),
        scene_of(folder / "b.tif", second, scale=0.01, offset=-1, nodata=-1),
    ]
    places = [(0, 2, 2), (0, 2, 3), (0, 11, 12), (1, 0, 0), (1, 4, 5), (1, 4, 6), (1, 8, 29)]
    return scenes, [first * 0.5 + 3, second * 0.01 - 1], labelled_at(places)


@pytest.mark.parametrize("margin", [0, 2])
def test_scenes_of_different_type_scale_and_nodata(tmp_path: Path, margin: int) -> None:
    scenes, physical, labelled = two_scenes(tmp_path)
    samples, empty = collected(scenes, labelled, tmp_path, margin).without_empty_bands("labels.gpkg")
    assert empty == []
    at = samples.labelled
    places = list(zip(at.scene.tolist(), at.rows.tolist(), at.cols.tolist(), strict=True))
    assert places == [(0, 2, 3), (0, 11, 12), (1, 0, 0), (1, 4, 6), (1, 8, 29)]
    found = np.concatenate(list(samples.physical(np.arange(len(at)))))
    np.testing.assert_allclose(found, [physical[s][:, r, c] for s, r, c in places])


@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize("chosen", [[0, 1], [1], [0]])
def test_normalised_is_zero_where_invalid_and_physical_elsewhere(
    tmp_path: Path, margin: int, chosen: list[int]
) -> None:
    scenes, physical, labelled = two_scenes(tmp_path)
    samples, _ = collected(scenes, labelled, tmp_path, margin).without_empty_bands("labels.gpkg")
    after = Affine(scale=(2.0, 0.25), offset=(-1.0, 0.5))
    seen = samples.normalised(np.arange(len(samples)), np.array(chosen), after.take(chosen))
    assert seen.dtype == np.float32
    size = 2 * margin + 1
    for i, (r, c) in enumerate(zip(samples.labelled.rows, samples.labelled.cols, strict=True)):
        scene = samples.labelled.scene[i]
        holes = ~np.isfinite(physical[scene][0])
        holes[(2, 2) if scene == 0 else (4, 5)] = True
        whole = physical[scene] * np.array([2, 0.25])[:, None, None] + np.array([-1, 0.5])[:, None, None]
        whole = np.pad(np.where(holes, 0, whole)[chosen], ((0, 0), (margin, margin), (margin, margin)))
        row, col = samples.place[i]
        crop = seen[samples.crop[i], :, row : row + size, col : col + size]
        np.testing.assert_allclose(crop, whole[:, r : r + size, c : c + size], atol=1e-4)


def test_bands_that_are_empty_at_every_label_are_left_out(tmp_path: Path) -> None:
    values = noise(4, 20, 30, "float32")
    values[1] = np.nan
    values[3, :, 16:] = 250
    values[3, 0, 0] = 3  # not labelled
    values[2, 5, 20] = 250
    samples = collected([scene_of(tmp_path / "a.tif", values, nodata=250)], labelled_at(BLOCK), tmp_path, 1)
    rest, empty = samples.without_empty_bands("labels.gpkg")
    assert empty == [1, 3]
    assert rest.bands.names == ("band 0", "band 2")
    assert (len(rest.scalings[0].scale), rest.nodata) == (2, ((250.0, 250.0),))
    np.testing.assert_array_equal(rest.stored, samples.stored[:, [0, 2]])
    assert len(rest.labelled) == len(BLOCK) - 1
    assert not ((rest.labelled.rows == 5) & (rest.labelled.cols == 20)).any()


def test_a_band_that_one_scene_fills_is_kept(tmp_path: Path) -> None:
    first, second = noise(2, 6, 7, "int16"), noise(2, 6, 7, "int16")
    first[1] = -5
    scenes = [scene_of(tmp_path / "a.tif", first, nodata=-5), scene_of(tmp_path / "b.tif", second, nodata=-5)]
    samples, empty = collected(scenes, labelled_at([(0, 1, 1), (1, 2, 2)]), tmp_path, 0).without_empty_bands(
        "labels.gpkg"
    )
    assert empty == []
    assert samples.labelled.scene.tolist() == [1]


@pytest.mark.parametrize(("bad", "told"), [([0, 1], "every band"), ([0], "some band")])
def test_no_valid_label_is_an_error(tmp_path: Path, bad: list[int], told: str) -> None:
    values = noise(2, 6, 7)
    places = [(0, 1, 1), (0, 2, 2)]
    if told == "every band":
        values[bad] = 0
    else:
        values[0, 1, 1], values[1, 2, 2] = 0, 0
    samples = collected([scene_of(tmp_path / "a.tif", values, nodata=0)], labelled_at(places), tmp_path, 0)
    with pytest.raises(LandmixError, match=told):
        samples.without_empty_bands("labels.gpkg")


@pytest.mark.parametrize("margin", [0, 2])
def test_a_cache_on_disk_gives_the_same(tmp_path: Path, margin: int) -> None:
    scenes, _, labelled = two_scenes(tmp_path)
    memory = collected(scenes, labelled, tmp_path, margin)
    mapped = collected(scenes, labelled, tmp_path, margin, memory=10)
    assert memory.cache is None
    assert mapped.cache == tmp_path / "cache"
    assert mapped.cache.stat().st_size >= memory.stored.nbytes
    np.testing.assert_array_equal(memory.stored, mapped.stored)
    np.testing.assert_array_equal(memory.valid, mapped.valid)
    a, b = (s.without_empty_bands("labels.gpkg")[0] for s in (memory, mapped))
    np.testing.assert_array_equal(a.valid, b.valid)
    np.testing.assert_array_equal(a.labelled.rows, b.labelled.rows)


def test_large_scenes_are_read_in_tiles_without_seams(tmp_path: Path) -> None:
    values = noise(1, 300, 700)
    scene = scene_of(tmp_path / "a.tif", values, tiled=True, blockxsize=128, blockysize=128)
    assert scene.block == 128
    places = [(0, r, c) for r in (0, 126, 127, 128, 129, 299) for c in (0, 127, 128, 383, 384, 699)]
    for margin in (0, 1, 5):
        samples = collected([scene], labelled_at(places), tmp_path, margin)
        np.testing.assert_array_equal(around(samples, samples.stored), crops_of(values, samples))


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    scene = scene_of(tmp_path / "a.tif", noise(1, 20, 30))
    samples = collect(
        [scene], labelled_at(LONE), margin=1, memory=2**30, cache=tmp_path / "c", progress=lambda *x: heard.append(x)
    )
    assert heard[-1] == (len(samples), len(samples))
