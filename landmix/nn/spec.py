"""The numbers that define a network."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_CHANNELS = 65536


def _check(what: str, number: int, low: int) -> None:
    if not low <= number <= MAX_CHANNELS:
        msg = f"{what} must lie between {low} and {MAX_CHANNELS}, not {number}"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """A stack of 1x1 convolutions: a small perceptron at every pixel."""

    widths: tuple[int, ...] = (64, 128, 64)
    """Channels after each layer; at least one."""

    def __post_init__(self) -> None:
        _check("the number of net.encoder.widths", len(self.widths), 1)
        for width in self.widths:
            _check("a width of net.encoder.widths", width, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSpec:
    """Bottleneck blocks and a classifier."""

    blocks: int = 2
    """Bottlenecks, each with one 3x3 convolution; 0 leaves a classifier of single pixels."""
    reduced: int = 16
    """Channels inside a bottleneck."""
    width: int = 64
    """Channels between bottlenecks."""
    dropout: float = 0.0
    """Share of channels left out before the classifier while training, 0 to below 1."""

    def __post_init__(self) -> None:
        _check("net.head.blocks", self.blocks, 0)
        _check("net.head.reduced", self.reduced, 1)
        _check("net.head.width", self.width, 1)
        if not 0 <= self.dropout < 1:
            msg = f"net.head.dropout must be at least 0 and below 1, not {self.dropout}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSpec:
    """Everything that is needed to build a network."""

    in_channels: int
    """Bands."""
    classes: int
    """Length of the legend."""
    encoder: EncoderSpec = field(default_factory=EncoderSpec)
    head: HeadSpec = field(default_factory=HeadSpec)
    batch_norm: bool = True
    """Batch norm after each convolution, which then has no bias of its own."""

    def __post_init__(self) -> None:
        _check("the number of bands", self.in_channels, 1)
        _check("the number of classes", self.classes, 1)
