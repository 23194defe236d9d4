"""The numbers that define a network."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Activation = Literal["relu", "gelu"]
Block = Literal["pointwise", "bottleneck", "depthwise", "inception"]

MAX_CHANNELS = 65536
MAX_DILATION, MAX_LAYERS = 64, 256


def _check(what: str, number: int, low: int, high: int = MAX_CHANNELS) -> None:
    if not low <= number <= high:
        msg = f"{what} must lie between {low} and {high}, not {number}"
        raise ValueError(msg)


def _check_share(what: str, share: float) -> None:
    if not 0 <= share < 1:
        msg = f"{what} must be at least 0 and below 1, not {share:g}"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """A stack of 1x1 convolutions: a small perceptron at every pixel."""

    widths: tuple[int, ...] = (64, 128, 64)
    """Channels after each layer; at least one."""
    residual: int = 0
    """Blocks behind them that add what they find to what they are given."""
    attention: int = 0
    """Into how many tokens channel attention divides the last width; 0: no attention."""
    band_dropout: float = 0.0
    """Share of bands that a crop lacks while training, 0 to below 1: what helps where bands will be missing."""

    def __post_init__(self) -> None:
        _check("net.encoder.residual", self.residual, 0, MAX_LAYERS)
        _check("net.encoder.attention", self.attention, 0)
        _check_share("net.encoder.band_dropout", self.band_dropout)
        if self.attention and self.widths and self.widths[-1] % self.attention:
            msg = f"net.encoder.attention must divide the last width {self.widths[-1]}, not {self.attention}"
            raise ValueError(msg)
        _check("the number of net.encoder.widths", len(self.widths), 1, MAX_LAYERS)
        for width in self.widths:
            _check("a width of net.encoder.widths", width, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSpec:
    """Blocks that look at neighbours, and a classifier."""

    kind: Block = "bottleneck"
    blocks: int = 2
    """0 leaves a classifier of single pixels."""
    reduced: int = 16
    """Channels inside a bottleneck, and before the 3x3 of an inception block."""
    width: int = 64
    """Channels between blocks."""
    dilation: tuple[int, ...] = ()
    """Distance in pixels between the taps of each block's kernel, a number a block; empty: 1."""
    dropout: float = 0.0
    """Share of channels left out before the classifier while training, 0 to below 1."""

    def __post_init__(self) -> None:
        _check("net.head.blocks", self.blocks, 0, MAX_LAYERS)
        _check("net.head.reduced", self.reduced, 1)
        _check("net.head.width", self.width, 1)
        _check_share("net.head.dropout", self.dropout)
        if self.dilation and len(self.dilation) != self.blocks:
            msg = f"net.head.dilation must have a number for each of {self.blocks} blocks, not {len(self.dilation)}"
            raise ValueError(msg)
        for dilation in self.dilation:
            if not 1 <= dilation <= MAX_DILATION:
                msg = f"net.head.dilation must lie between 1 and {MAX_DILATION} pixels, not {dilation}"
                raise ValueError(msg)
        if self.kind == "inception" and self.width < 8:  # noqa: PLR2004
            msg = f"net.head.width must be at least 8 for inception blocks, not {self.width}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSpec:
    """A network that is somebody's own code, which no model file holds."""

    name: str
    """As the file registers it."""
    sha256: str
    """Of the file."""

    def __post_init__(self) -> None:
        named = isinstance(self.name, str) and 0 < len(self.name) <= _NAME and self.name.isprintable()
        if not named or not isinstance(self.sha256, str) or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            msg = "a network of one's own has a name, and the sha256 of its file"
            raise ValueError(msg)


_NAME = 100
"""Letters."""


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
    activation: Activation = "relu"
    inputs: tuple[int, ...] = ()
    """How many of the bands, in their order, each sensor or date brings. Each gets an encoder of its own, a 1x1 mixes
    what they find; empty: one encoder for all bands."""
    own: OwnSpec | None = None
    """Somebody's own network instead: all but the numbers of bands and classes is then of no meaning."""

    def as_data(self) -> dict[str, Any]:
        """What has a meaning, as plain data."""
        data = asdict(self)
        if self.own is None:
            return {key: value for key, value in data.items() if key != "own"}
        return {key: data[key] for key in ("in_channels", "classes", "own")}

    def __post_init__(self) -> None:
        if self.inputs and (sum(self.inputs) != self.in_channels or min(self.inputs) < 1):
            shares = " + ".join(map(str, self.inputs))
            msg = f"the inputs of a network must share out its {self.in_channels} bands, not {shares}"
            raise ValueError(msg)
        if self.activation not in get_args(Activation):
            msg = f"net.activation must be one of {', '.join(get_args(Activation))}, not {self.activation!r}"
            raise ValueError(msg)
        _check("the number of bands", self.in_channels, 1)
        _check("the number of classes", self.classes, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetShape:
    """A network, less what follows from the data."""

    encoder: EncoderSpec = field(default_factory=EncoderSpec)
    head: HeadSpec = field(default_factory=HeadSpec)
    batch_norm: bool = True
    activation: Activation = "relu"
    fusion: bool = False
    """An encoder for each sensor or date, instead of one for all bands."""
    plugin: str | None = None
    """A Python file of the user's own with a network, instead of all of these."""
    name: str | None = None
    """Which of its networks, where it registers several."""

    def __post_init__(self) -> None:
        if self.name is not None and self.plugin is None:
            msg = "net.name chooses a network of a file of your own: name the file with net.plugin"
            raise ValueError(msg)
        plain = NetShape if self.plugin is not None else None
        if plain and any(getattr(self, key) != getattr(plain(), key) for key in _OURS):
            msg = "net.plugin brings a whole network: other settings of net are those of landmix's own, leave them out"
            raise ValueError(msg)

    def spec(self, in_channels: int, classes: int, inputs: tuple[int, ...] = ()) -> NetSpec:
        """The whole; `inputs`: how many of the bands each sensor or date brings."""
        return NetSpec(
            in_channels=in_channels,
            classes=classes,
            encoder=self.encoder,
            head=self.head,
            batch_norm=self.batch_norm,
            activation=self.activation,
            inputs=inputs if self.fusion else (),
        )


_OURS = ("encoder", "head", "batch_norm", "activation", "fusion")
