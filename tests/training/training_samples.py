"""Samples without files."""

from __future__ import annotations

import numpy as np

from landmix.core.bands import Band, BandSet
from landmix.core.scaling import Affine
from landmix.samples import Labelled, Samples


def samples_of(margin: int = 1, side: int = 4, crops: int = 12, bands: int = 3, seed: int = 0) -> Samples:
    """Two scenes of different scale; in each crop about half the pixels are labelled, the value says the class."""
    rng = np.random.default_rng(seed)
    size = side + 2 * margin
    stored = rng.integers(1, 1000, (crops, bands, size, size)).astype(np.int32)
    scene = np.sort(rng.integers(0, 2, crops)).astype(np.int32)
    chosen = rng.random((crops, side, side)) < 0.5
    chosen[:, 0, side // 2] = True
    crop, rows, cols = np.nonzero(chosen)
    index = rng.integers(0, 3, len(crop)).astype(np.int16)
    stored[crop, 0, rows + margin, cols + margin] = 10_000 + index  # band 0 knows the class
    labelled = Labelled(
        scene=scene[crop],
        rows=(rows + side * crop).astype(np.int32),
        cols=cols.astype(np.int32),
        index=index,
        units=np.full(len(crop), -1, np.int32),
    )
    return Samples(
        labelled=labelled,
        crop=crop,
        place=np.stack([rows, cols], axis=1),
        stored=stored,
        valid=np.ones((crops, size, size), bool),
        scene=scene,
        side=side,
        margin=margin,
        bands=BandSet(tuple(Band(name=f"b{i}", number=i + 1) for i in range(bands))),
        scalings=(Affine(scale=(0.5,) * bands, offset=(1.0,) * bands), Affine.identity(bands)),
        nodata=((None,) * bands,) * 2,
    )
