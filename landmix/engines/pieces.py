"""How a window is cut for the network, and put together again; shared by the engines on CPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.engines.engine import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from landmix.engines.engine import Wanted

    Run = Callable[[slice, slice, int, int], Sequence[NDArray[np.generic]]]


def cut(length: int, side: int) -> tuple[int, list[slice]]:
    """Cut `length` pixels into nearly equal parts of about `side`: the longest part's length, and the parts."""
    count = max(1, round(length / side))
    longest = -(-length // count)
    return longest, [slice(start, min(start + longest, length)) for start in range(0, length, longest)]


def piecewise(valid: NDArray[np.bool_], margin: int, side: int, classes: int, wanted: Wanted, run: Run) -> Answer:
    """Classify a window (H + 2 margin, W + 2 margin) piece by piece.

    `run(rows, cols, height, width)` classifies the owned pixels `rows`, `cols`, computing at least `height` x `width`
    of them, and returns arrays that end in (>= rows, >= cols), of which the top left is used: class indices and shares.
    Pieces without a valid pixel are left out.
    """
    height, width = valid.shape[0] - 2 * margin, valid.shape[1] - 2 * margin
    owned = valid[margin : margin + height, margin : margin + width]
    index = np.zeros((height, width), np.uint8 if classes <= 256 else np.uint16)  # noqa: PLR2004
    dtype = np.uint8 if wanted.coded else np.float32
    shares = {
        name: np.zeros((classes if name == "probabilities" else 1, height, width), dtype) for name in wanted.shares
    }
    tall, bands = cut(height, side)
    wide, columns = cut(width, side)
    for rows in bands:
        for cols in columns:
            if not owned[rows, cols].any():
                continue
            found, *rest = run(rows, cols, tall, wide)
            size = slice(rows.stop - rows.start), slice(cols.stop - cols.start)
            index[rows, cols] = found[..., *size]
            for share, values in zip(shares.values(), rest, strict=True):
                share[:, rows, cols] = values[..., *size]
    return Answer(index=index, shares=shares)
