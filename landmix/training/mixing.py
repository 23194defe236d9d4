"""Synthetic mixed pixels: crops of several classes, mixed linearly, whose fractions are known.

Linear mixing of reflectances (Settle and Drake 1993, doi:10.1080/01431169308904402) of pixels with known classes, to
train on (Okujeni et al. 2013, doi:10.1016/j.rse.2013.06.007). Scaling is affine and shares sum to 1, so mixing what the
network sees is the same as mixing physical values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

MOST = 4
"""Classes in a mixture."""
PURE = 0.6
"""Share of the samples that are not mixed: most pixels of a scene are not."""
EVEN = 0.5
"""Share of the mixtures whose crops have the same weights in all pixels; the others have soft edges."""
STEEP = 2.0
"""Deviation of the slope of an edge: how much the logarithm of a weight changes from pixel to pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixtures:
    """What the samples of a batch are mixed from; a sample has `MOST` places for crops, some of them empty."""

    crops: NDArray[np.intp]
    """(B, MOST) positions in the training crops; the first is the sample's own."""
    shares: NDArray[np.float32]
    """(B, MOST) fraction of each crop in the centre pixel; 0 for an empty place; sums to 1."""
    slopes: NDArray[np.float32]
    """(B, MOST, 2) change of the logarithm of a crop's weight a row and a column."""

    def __getitem__(self, some: slice) -> Mixtures:
        """The mixtures of some samples."""
        return Mixtures(crops=self.crops[some], shares=self.shares[some], slopes=self.slopes[some])

    @property
    def taken(self) -> NDArray[np.intp]:
        """(P,) the crops with a share, sample after sample."""
        return self.crops[self.shares > 0]

    def weights(self, side: int) -> NDArray[np.float32]:
        """(B, MOST, side, side) fraction of each crop in each pixel: shares at the centre, soft edges around it."""
        away = np.arange(side, dtype=np.float32) - side // 2
        rise = self.slopes[..., 0, None, None] * away[:, None] + self.slopes[..., 1, None, None] * away
        # the highest exponent is 0 among the crops that are there, so that none overflows
        rise -= np.where(self.shares[..., None, None] > 0, rise, -np.inf).max(1, keepdims=True)
        powers = self.shares[..., None, None] * np.exp(np.minimum(rise, 0))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    def fractions(self, index: NDArray[np.integer], classes: int) -> NDArray[np.float32]:
        """(B, classes) fraction of each class in the centre pixel; `index` is the class of each training crop."""
        found = np.zeros((len(self.crops), classes), np.float32)
        np.add.at(found, (np.arange(len(found))[:, None], index[self.crops]), self.shares)
        return found


def draw(rng: Generator, own: NDArray[np.intp], index: NDArray[np.integer], *, pure: float = PURE) -> Mixtures:
    """Mix each of the crops `own` (B,) with crops of other classes; `index` (M,) is the class of each crop, from 0.

    The number of classes is 1 for a share `pure` of the samples, else uniform from 2 to `MOST` (or as many as there
    are); the others are drawn uniformly from the classes, then from a class's crops. Shares are uniform on the simplex:
    Dirichlet(1, ..., 1). In a scene mixed pixels lie along edges, and what lies on either side tells of them: about
    half the mixtures have such edges, in any direction.
    """
    count = len(own)
    present, place = np.unique(index, return_inverse=True)
    most = min(MOST, len(present))
    number = np.where(rng.random(count) < pure, 1, rng.integers(2, most + 1, count))
    rank = rng.random((count, len(present)))
    rank[np.arange(count), place[own]] = -1  # its own class comes first
    chosen = rank.argsort(1)[:, :most]
    by_class = np.argsort(place, kind="stable")
    sizes = np.bincount(place)
    drawn = (rng.random((count, most)) * sizes[chosen]).astype(np.intp)
    crops = np.zeros((count, MOST), np.intp)
    crops[:, :most] = by_class[np.cumsum(sizes)[chosen] - sizes[chosen] + drawn]
    crops[:, 0] = own
    shares = rng.standard_exponential((count, MOST))
    shares[np.arange(MOST) >= number[:, None]] = 0
    slopes = STEEP * rng.standard_normal((count, MOST, 2))
    slopes[rng.random(count) < EVEN] = 0
    return Mixtures(
        crops=crops,
        shares=np.asarray(shares / shares.sum(1, keepdims=True), np.float32),
        slopes=np.asarray(slopes, np.float32),
    )


def mix(pixels: NDArray[np.float32], valid: NDArray[np.bool_], mixtures: Mixtures) -> NDArray[np.float32]:
    """Mix crops into samples, (B, C, S, S).

    `pixels` (P, C, S, S) and `valid` (P, S, S) are the crops in `mixtures.taken`. A pixel that is invalid in one crop
    is invalid in the mixture: 0.
    """
    if not len(mixtures.crops):
        return pixels
    there = mixtures.shares > 0
    first = np.concatenate([[0], np.cumsum(there.sum(1))[:-1]])
    mixed = np.add.reduceat(pixels * mixtures.weights(pixels.shape[-1])[there][:, None], first, axis=0)
    return np.asarray(mixed * np.logical_and.reduceat(valid, first, axis=0)[:, None], np.float32)
