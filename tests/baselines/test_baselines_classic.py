"""Plain classifiers see the pixels that they say they see."""

from __future__ import annotations

import numpy as np
import pytest

from landmix.baselines import classic
from landmix.baselines.classic import Judged, judge
from landmix.core.bands import Band, BandSet
from landmix.core.scaling import Affine
from landmix.samples import Labelled, Samples

SIDE, MARGIN = 5, 2


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic, "_TREES", 20)


def known_by(offset: int, crops: int = 12) -> Samples:
    """Noise, but for a band that says the class of the pixel `offset` columns to its left."""
    rng = np.random.default_rng(0)
    size = SIDE + 2 * MARGIN
    stored = rng.normal(size=(crops, 2, size, size)).astype(np.float32)
    crop, rows, cols = (found.ravel() for found in np.indices((crops, SIDE, SIDE)))
    index = rng.integers(0, 2, len(crop)).astype(np.int16)
    stored[crop, 1, rows + MARGIN, cols + MARGIN + offset] = 10 * index
    return Samples(
        labelled=Labelled(
            scene=np.zeros(len(crop), np.int32),
            rows=(rows + SIDE * crop).astype(np.int32),
            cols=cols.astype(np.int32),
            index=index,
            units=np.full(len(crop), -1, np.int32),
        ),
        crop=crop,
        place=np.stack([rows, cols], axis=1),
        stored=stored,
        valid=np.ones((crops, size, size), np.bool_),
        scene=np.zeros(crops, np.int32),
        side=SIDE,
        margin=MARGIN,
        bands=BandSet((Band(name="a", number=1), Band(name="b", number=2))),
        scalings=(Affine.identity(2),),
        nodata=((None, None),),
    )


def judged(samples: Samples, training: np.ndarray) -> dict[tuple[str, str], Judged]:
    found = judge(samples, training, ~training, np.arange(2), Affine.identity(2), seed=0, workers=2, say=lambda _: None)
    return {(one.name, one.features): one for one in found}


@pytest.mark.parametrize(("offset", "sees"), [(0, {"1x1", "3x3", "5x5"}), (1, {"3x3", "5x5"}), (2, {"5x5"})])
def test_neighbours_are_seen_where_they_should_be(offset: int, sees: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    samples = known_by(offset)
    training = samples.crop < 8
    whole = judged(samples, training)
    truth = samples.labelled.index[~training]
    for (name, features), one in whole.items():
        right = (one.predicted == truth).mean()
        assert (right > 0.9) == (features in sees), (name, features, right)
    monkeypatch.setattr(classic, "_CHUNK", 300)  # a few pixels at a time
    for key, one in judged(samples, training).items():
        assert (one.predicted == whole[key].predicted).all()


def test_wide_neighbourhoods_are_given_fewer_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic, "_VALUES", 2 * 25 * 60)
    samples = known_by(0)
    found = judged(samples, samples.crop < 8)
    assert found["LDA", "1x1"].trained_on == 200
    assert found["LDA", "5x5"].trained_on == 60


def test_a_class_of_one_pixel_is_no_obstacle() -> None:
    samples = known_by(0)
    samples.labelled.index[:1] = 2
    found = judged(samples, samples.crop < 8)
    assert len(found) == 9
