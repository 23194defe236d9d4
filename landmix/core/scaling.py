"""Stored numbers -> physical values -> what the network sees; the only place where pixels are scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """One line a band: `value * scale + offset`."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scale) != len(self.offset):
            msg = f"as many scales as offsets are needed, not {len(self.scale)} and {len(self.offset)}"
            raise ValueError(msg)
        if not (np.isfinite(self.scale).all() and np.isfinite(self.offset).all() and np.all(self.scale)):
            pairs = zip(self.scale, self.offset, strict=True)
            scale, offset = next((s, o) for s, o in pairs if not (np.isfinite([s, o]).all() and s))
            msg = f"scales must be finite numbers other than 0, and offsets finite ones, not {scale:g} and {offset:g}"
            raise ValueError(msg)

    @staticmethod
    def identity(count: int) -> Affine:
        """`count` bands that stay as they are."""
        return Affine(scale=(1.0,) * count, offset=(0.0,) * count)

    def then(self, after: Affine) -> Affine:
        """This line followed by `after`, as one line."""
        return Affine(
            scale=tuple(a * b for a, b in zip(self.scale, after.scale, strict=True)),
            offset=tuple(o * s + p for o, s, p in zip(self.offset, after.scale, after.offset, strict=True)),
        )

    def take(self, indices: list[int]) -> Affine:
        """The lines of the bands at `indices`."""
        return Affine(scale=tuple(self.scale[i] for i in indices), offset=tuple(self.offset[i] for i in indices))

    @property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and offset, each (C,) float32."""
        return np.asarray(self.scale, np.float32), np.asarray(self.offset, np.float32)


def decode(stored: NDArray[np.generic], step: str | None) -> NDArray[np.generic]:
    """Undo a named non-linear coding of stored values; float32, any shape. None: as they are.

    `alphaearth`: sign(v) (v / 127.5)^2, as the publisher of these embeddings defines it.
    """
    if step is None:
        return stored
    assert step in DECODINGS  # noqa: S101 - checked where a product or model is read
    share: NDArray[np.float32] = stored.astype(np.float32) / np.float32(127.5)
    signed: NDArray[np.float32] = share * np.abs(share)
    return signed


DECODINGS = ("alphaearth",)
"""Names of codings that `decode` knows."""


def normalise(
    stored: NDArray[np.generic],
    valid: NDArray[np.bool_],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Stored pixels -> what the network sees, float32; training, prediction and export all come through here.

    `stored` (..., C, H, W), `valid` (..., H, W), `scale` and `offset` (..., C). Invalid pixels become 0, which is
    the mean of the training pixels.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are invalid pixels, replaced below
        pixels = stored.astype(np.float32)
        pixels *= scale[..., :, None, None]
        pixels += offset[..., :, None, None]
    np.copyto(pixels, 0.0, where=~valid[..., None, :, :])
    return pixels


def standardise(mean: NDArray[np.float64], std: NDArray[np.float64]) -> Affine:
    """Physical values -> zero mean and unit deviation: `(value - mean) / std` for each band."""
    return Affine(scale=tuple((1.0 / std).tolist()), offset=tuple((-mean / std).tolist()))
