"""Which labelled pixels train and which validate: apart on the ground, alike in classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from landmix.errors import LandmixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.samples import Labelled
    from landmix.training.settings import SplitSettings

ALWAYS_TRAINS = -1
"""Fold of a pixel whose class has no second group to be validated on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Folds of labelled pixels."""

    fold: NDArray[np.int16]
    """(N,) the fold in which a pixel validates; ALWAYS_TRAINS; with a single split 0 validates, 1 trains."""
    folds: int
    """Number of folds that validate: 0, 1 (a single split) or more."""
    xy: NDArray[np.float64]
    """(N, 2) places on the ground in metres."""
    buffer: float
    """Training pixels this near (metres) to a validation pixel are dropped."""
    side: float | None
    """Side of the blocks in metres, where there are blocks."""
    group: NDArray[np.intp]
    """(N,) the polygon, block or file of a pixel; those of one are alike, and count as one in intervals."""
    trains: NDArray[np.bool_] | None = None
    """(N,) whether a pixel may train; None: each may."""

    @property
    def trainable(self) -> NDArray[np.bool_]:
        """(N,) the pixels that may train where none validates."""
        return np.ones(len(self.fold), np.bool_) if self.trains is None else self.trains

    def validation(self, fold: int) -> NDArray[np.bool_]:
        """(N,) the pixels that validate in a fold."""
        return np.asarray(self.fold == fold)

    def training(self, fold: int) -> NDArray[np.bool_]:
        """(N,) the pixels that train in a fold: not validated in it, and farther away than the buffer."""
        return self.trainable & self.apart(fold)

    def apart(self, fold: int) -> NDArray[np.bool_]:
        """(N,) the same, with those that may not train."""
        validation = self.validation(fold)
        apart = ~validation
        if self.buffer > 0 and validation.any():
            nearest, _ = cKDTree(self.xy[validation]).query(
                self.xy[apart], distance_upper_bound=np.nextafter(self.buffer, np.inf)
            )
            apart[np.flatnonzero(apart)[nearest <= self.buffer]] = False
        return apart

    def distances(self, fold: int) -> NDArray[np.float64]:
        """Metres from each validation pixel to the nearest training pixel."""
        training, validation = self.training(fold), self.validation(fold)
        if not (training.any() and validation.any()):
            return np.empty(0)
        nearest, _ = cKDTree(self.xy[training]).query(self.xy[validation])
        return np.asarray(nearest)


def default_buffer(margin: int, pixel: tuple[float, float]) -> float:
    """Farther than any pixel that a training crop can see, and one more: (margin + 1) pixels along the diagonal.

    Where bands have larger pixels than the scene, their reach counts into `margin`.
    """
    return (margin + 1) * float(np.hypot(*pixel)) * (1 + 1e-6)


def default_side(margin: int, pixel: tuple[float, float], xy: NDArray[np.float64]) -> float:
    """Block side in metres: an eighth of what the labels cover, 4 (margin + 1) to 32 pixels or more.

    At least 4 (margin + 1) pixels, so that a block is more than the buffer that is cut from its neighbours.
    """
    size = max(pixel)
    covered = float(np.ptp(xy, axis=0).max()) / 8
    least = 4 * (margin + 1) * size
    return max(least, min(covered, 32 * size))


def split_pixels(
    labelled: Labelled,
    xy: NDArray[np.float64],
    settings: SplitSettings,
    *,
    margin: int,
    pixel: tuple[float, float],
    seed: int,
) -> Split:
    """Split labelled pixels at the places `xy` (N, 2), metres; `pixel` is the height and width of one in metres.

    Raises `LandmixError` where nothing can be validated.
    """
    spatial = settings.kind in ("blocks", "polygons", "files")
    buffer = default_buffer(margin, pixel) if settings.buffer_m is None else settings.buffer_m
    side = None
    groups = alike(labelled, xy, margin=margin, pixel=pixel)
    rng = np.random.default_rng(seed)
    folds = max(1, settings.folds)
    shares = np.full(folds, 1 / folds) if folds > 1 else np.array([settings.fraction, 1 - settings.fraction])
    if settings.kind == "none":
        fold, folds = np.full(len(labelled), ALWAYS_TRAINS, np.int16), 0
    elif settings.kind == "random":
        fold = _random(labelled.index, shares, rng)
    else:
        if settings.kind == "blocks":
            side = settings.side_m or default_side(margin, pixel, xy)
        groups = _groups(labelled, xy, settings.kind, side)
        trains = 1 if folds == 1 else None
        fold = allocate(_counts(groups, labelled.index), shares, rng, trains=trains)[groups]
        if trains is None:
            fold, folds = _without_empty(fold)
    if settings.kind != "none" and not any((fold == f).any() for f in range(max(1, folds))):
        msg = (
            f"split.kind={settings.kind} leaves nothing to validate on: each class has labels in one place only;"
            " add labels, choose smaller blocks with split.side_m, or train without validation with split.kind=none"
        )
        raise LandmixError(msg)
    return Split(
        fold=fold,
        folds=folds,
        xy=xy,
        buffer=buffer if spatial else 0.0,
        side=side,
        group=groups,
        trains=labelled.trains,
    )


def inner_split(
    labelled: Labelled, split: Split, part: NDArray[np.bool_], *, folds: int, buffer: float, seed: int
) -> Split:
    """Folds of the pixels `part` (N,) alone, by the split's own groups; `buffer` is the least between them.

    All other pixels are ALWAYS_TRAINS, so what trains in a fold is `training(fold) & part`. Fewer than 2 folds where
    there are too few groups.
    """
    numbers = np.flatnonzero(part)
    groups = np.unique(split.group[numbers], return_inverse=True)[1]
    rng = np.random.default_rng([seed, 2])
    drawn = allocate(_counts(groups, labelled.index[numbers]), np.full(folds, 1 / folds), rng)[groups]
    fold = np.full(len(labelled), ALWAYS_TRAINS, np.int16)
    fold[numbers], count = _without_empty(drawn)
    return replace(split, fold=fold, folds=count, buffer=max(split.buffer, buffer))


def alike(labelled: Labelled, xy: NDArray[np.float64], *, margin: int, pixel: tuple[float, float]) -> NDArray[np.intp]:
    """(N,) blocks that hold whole polygons, where the split itself has no groups."""
    return _groups(labelled, xy, "blocks", default_side(margin, pixel, xy))


def _without_empty(fold: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
    """Folds renumbered without those that validate nothing, and how many are left: there may be fewer groups."""
    used = np.unique(fold[fold >= 0])
    return np.where(fold >= 0, np.searchsorted(used, fold), fold).astype(np.int16), len(used)


def _groups(labelled: Labelled, xy: NDArray[np.float64], kind: str, side: float | None) -> NDArray[np.intp]:
    """(N,) the group of each pixel, numbered from 0; a group is never cut in two."""
    if kind == "files":
        keys = labelled.scene.astype(np.int64)
    elif kind == "polygons":
        if (labelled.units < 0).any():
            msg = "split.kind=polygons needs vector labels, but some labels are rasters: use split.kind=blocks"
            raise LandmixError(msg)
        keys = labelled.units.astype(np.int64)
    else:
        blocks = np.floor(xy / (side or 1.0)).astype(np.int64)
        keys = np.unique(blocks, axis=0, return_inverse=True)[1].ravel()
        keys = _keep_whole(keys, labelled.units)
    return np.unique(keys, return_inverse=True)[1]


def _keep_whole(blocks: NDArray[np.int64], units: NDArray[np.int32]) -> NDArray[np.int64]:
    """Give all pixels of a polygon the block that most of them lie in."""
    inside = units >= 0
    pairs, counts = np.unique(np.stack([units[inside], blocks[inside]]), axis=1, return_counts=True)
    order = np.lexsort((counts, pairs[0]))  # the last pair of a unit has its largest count
    home = dict(zip(pairs[0][order].tolist(), pairs[1][order].tolist(), strict=True))
    whole = blocks.copy()
    whole[inside] = [home[unit] for unit in units[inside].tolist()]
    return whole


def _counts(groups: NDArray[np.intp], index: NDArray[np.int16]) -> NDArray[np.int64]:
    """(groups, classes) pixels."""
    classes = int(index.max()) + 1
    flat = np.bincount(groups * classes + index, minlength=(int(groups.max()) + 1) * classes)
    return flat.reshape(-1, classes)


def allocate(
    counts: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator, *, trains: int | None = None
) -> NDArray[np.int16]:
    """Share whole groups out among parts, so that every class comes near its share in each.

    `counts` (G, K) pixels by group and class, `shares` (P,) of each part. Returns the part of each group (G,). A
    class that only one group holds makes that group ALWAYS_TRAINS. Classes with the fewest groups choose first; a
    class with fewer groups than parts is in as many parts as it has groups. `trains` is the part, if any, that
    ALWAYS_TRAINS groups count to.
    """
    part = np.full(len(counts), ALWAYS_TRAINS, np.int16)
    holds = counts > 0
    lone = holds & (holds.sum(0) == 1)
    free = ~lone.any(1)
    got = np.zeros((len(shares), counts.shape[1]))
    wanted = shares[:, None] * counts[free].sum(0)
    if trains is not None:
        wanted = shares[:, None] * counts.sum(0)
        got[trains] = counts[~free].sum(0)
    shuffled = rng.permutation(len(counts))
    for k in np.argsort(holds.sum(0), kind="stable"):
        mine = [g for g in shuffled if free[g] and holds[g, k] and part[g] == ALWAYS_TRAINS]
        mine.sort(key=lambda g: -counts[g, k])
        for left, group in zip(range(len(mine), 0, -1), mine, strict=True):
            part[group] = chosen = _neediest(got, wanted, k, left)
            got[chosen] += counts[group]
    return part


def _neediest(got: NDArray[np.float64], wanted: NDArray[np.float64], k: int, left: int) -> int:
    """The part that lacks most of class k; one without any of it where no more groups are left than such parts."""
    lacking = wanted[:, k] - got[:, k]
    without = got[:, k] == 0
    if without.any() and left <= without.sum():
        lacking = np.where(without, lacking, -np.inf)
    filled = (wanted - got).sum(1)
    return int(np.lexsort((filled, lacking))[-1])


def _random(index: NDArray[np.int16], shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int16]:
    """Pixel by pixel, each class in its shares."""
    fold = np.empty(len(index), np.int16)
    edges = np.cumsum(shares)[:-1]
    for k in np.unique(index):
        mine = rng.permutation(np.flatnonzero(index == k))
        for number, piece in enumerate(np.split(mine, np.round(edges * len(mine)).astype(int))):
            fold[piece] = number
    return fold


def stopping_part(
    labelled: Labelled, split: Split, training: NDArray[np.bool_], *, side: float, seed: int
) -> NDArray[np.bool_]:
    """(N,) a fifth of the training pixels, in whole polygons and blocks, on which early stopping is decided.

    Raises `LandmixError` where every class has one block only.
    """
    numbers = np.flatnonzero(training)
    groups = _groups(labelled.take(numbers), split.xy[numbers], "blocks", side)
    rng = np.random.default_rng([seed, 1])
    part = allocate(_counts(groups, labelled.index[numbers]), np.array([0.2, 0.8]), rng, trains=1)[groups]
    stopping = np.zeros(len(labelled), np.bool_)
    stopping[numbers[part == 0]] = True
    if not stopping.any():
        msg = "optim=constant stops on a part cut from training, but each class has one block: use optim=onecycle"
        raise LandmixError(msg)
    return stopping
