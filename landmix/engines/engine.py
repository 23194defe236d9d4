"""The Protocol that back-ends fulfil, and what names one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from landmix.nn.reference import Reference

SHARES = ("confidence", "probabilities", "gap")
"""What an engine can say of how sure a class is, from 0 to 1."""

BESIDES = (*SHARES, "applicability")
"""All that it can say of a pixel besides its class."""

FULL = 200
"""The stored value of a probability of 1 in uint8, and the highest that is stored."""

INSIDE = 100
"""The stored value of an applicability of 1 in uint8; up to there a pixel is like those of training."""

STORED = frozenset({"uint8", "int8", "uint16", "int16", "int32", "float32"})
"""Data types that engines take as they are; others are turned into float32 before."""


TILE = 128
"""Side in pixels of what goes through the network at once on a CPU: activations then stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What computes, and how: all that can change the last bits of a result on one kind of processor."""

    backend: Literal["torch", "openvino"] = "torch"
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    tile: int = TILE
    """Side in pixels, about, of what goes through the network at once."""
    batch: int = 1
    """Such tiles at a time; more than one on a GPU only."""
    version: str = ""
    """Of the library that computes."""

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.backend} {self.version} {self.precision} {self.device}"

    def as_data(self) -> dict[str, Any]:
        """Plain data, for tags and plans."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a model has learnt of how far it can be trusted."""

    temperature: float = 1.0
    """What logits are divided by before they become probabilities."""
    reference: Reference | None = None
    """What applicability is measured against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an engine is to give: each combination is built once."""

    shares: tuple[str, ...] = ()
    """Of `BESIDES`, in that order."""
    coded: bool = True
    """As uint8 from 0 to `FULL`; else as float32, applicability without an upper end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an engine says of a window."""

    index: NDArray[np.uint8 | np.uint16]
    """(H, W) class indices."""
    shares: dict[str, NDArray[np.uint8 | np.float32]]
    """By name: probabilities (K, H, W), the others (1, H, W); coded as wanted."""


class Engine(Protocol):
    """Stored pixels in, class indices out. Safe to call from several threads at once."""

    def __call__(
        self,
        stored: NDArray[np.generic],
        valid: NDArray[np.bool_],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
    ) -> Answer:
        """Classify a window that was read with its margin m.

        `stored` (C, H + 2m, W + 2m) of a dtype in `STORED`, `valid` (H + 2m, W + 2m), `scale` and `offset` (C,): stored
        -> normalised value. Pixels that are not valid count as 0 after normalising, the training mean. What the answer
        says of them is of no meaning.
        """
