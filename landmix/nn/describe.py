"""A network layer by layer: what comes out, what it costs, how far it sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from landmix.nn.sight import Product, dilation, kernel, own_parameters, run

if TYPE_CHECKING:
    from landmix.nn.sight import Call, Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A part of a network that has parameters or looks at neighbours, or a matrix product inside one."""

    name: str
    """As in the model file, whose weights are `name.weight`, `name.bias` ..."""
    kind: str
    """`conv`, `batch norm`, `product`, or the name of its class."""
    kernel: Field | None
    """None where it has none."""
    dilation: Field
    groups: int
    output: str
    """Channels, rows and columns of what comes out of H x W pixels: `64, H-2, W-2`."""
    parameters: int
    arithmetic: str
    """How they come about: `(9*64+1)*64` are (k^2 C_in / groups + 1) C_out; batch norm has two a channel."""
    multiply_adds: int
    """For each pixel of the network's output, where tiles are large; batch norm folds into its convolution."""
    sees: Field
    """Receptive field of what comes out: 1 + sum of dilation * (kernel - 1) along the longest path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A network in numbers."""

    layers: tuple[Layer, ...]
    """In the order in which they run."""
    parameters: int
    multiply_adds: int
    """A pixel; twice as many floating-point operations."""
    sees: Field


def describe(network: nn.Module, *, channels: int, margin: int) -> Description:
    """Run a network of (B, `channels`, H, W) on two small tiles, on any device, and note what its modules do.

    Raises `ValueError` where a layer does not give a row for each row, as with strides, or not (B, C, H, W).
    """
    size = 2 * margin + 1
    tiles = [(size + more, size + more + 1) for more in (1, 3)]
    records = [run(network, (1, channels, *tile)) for tile in tiles]
    calls = zip(*(record.calls for record in records), strict=True)
    layers = tuple(_layer(small, large, tiles[0]) for small, large in calls)
    return Description(
        layers=layers,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        sees=records[0].sees,
    )


def _layer(small: Call, large: Call, tile: Field) -> Layer:
    """What two runs say of a module or a product, the first with `tile` rows and columns."""
    module = small.module
    channels, rows, cols = _output(small, large, tile)
    # what is one number for a whole tile costs nothing a pixel
    everywhere = rows.startswith("H") and cols.startswith("W")
    return Layer(
        name=small.name,
        kind="product" if isinstance(small, Product) else _kind(module),
        kernel=kernel(module),
        dilation=dilation(module),
        groups=int(getattr(module, "groups", 1)),
        output=f"{channels}, {rows}, {cols}",
        parameters=sum(p.numel() for p in own_parameters(module)),
        arithmetic=_arithmetic(module),
        multiply_adds=channels * _each(small, large) if everywhere else 0,
        sees=small.sees,
    )


def _output(small: Call, large: Call, tile: Field) -> tuple[int, str, str]:
    """Numbers a pixel, rows and columns of what comes out; pixels may lie on any axes, or on a common one."""
    axes = list(enumerate(zip(small.shape, large.shape, strict=True)))
    grown = [axis for axis, (before, after) in axes if before != after]
    if len(small.shape) == 4 and set(grown) <= {2, 3}:  # noqa: PLR2004 - rows and columns
        grown = [2, 3]
    elif not grown:
        msg = f"{small.name} gives {small.shape} of any tile, not a row for each row"
        raise ValueError(msg)
    channels = math.prod(before for axis, (before, _) in axes if axis not in grown)
    if len(grown) == 1:
        return channels, "H", "W"
    before, after = [small.shape[axis] for axis in grown], [large.shape[axis] for axis in grown]
    if len(grown) != 2 or {b - a for a, b in zip(before, after, strict=True)} - {0, 2}:  # noqa: PLR2004
        msg = f"{small.name} gives {small.shape} of one tile and {large.shape} of another, not a row for each row"
        raise ValueError(msg)
    rows, cols = (_size(*sizes) for sizes in zip("HW", before, after, tile, strict=True))
    return channels, rows, cols


def _each(small: Call, large: Call) -> int:
    """Multiply-adds for each number that comes out."""
    if isinstance(small, Product) and isinstance(large, Product):
        if small.inner != large.inner:
            msg = f"{small.name} sums over {small.inner} numbers of one tile and {large.inner} of another"
            raise ValueError(msg)
        return small.inner
    module = small.module
    return module.weight[0].numel() if isinstance(module, nn.Conv2d | nn.Linear) else 0


def _size(letter: str, before: int, after: int, tile: int) -> str:
    """`H-2` for what grows with the tile, else a number."""
    if before == after:
        return str(before)
    return f"{letter}{before - tile:+}" if before != tile else letter


def _kind(module: nn.Module) -> str:
    named = {nn.Conv2d: "conv", nn.BatchNorm2d: "batch norm", nn.Linear: "linear"}
    return next((word for kind, word in named.items() if isinstance(module, kind)), type(module).__name__)


def _arithmetic(module: nn.Module) -> str:
    """The number of parameters as a formula; empty where there are none."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        outputs, inputs, *size = module.weight.shape
        area = math.prod(size)
        each = f"{area}*{inputs}" if area > 1 else str(inputs)
        return f"{each}*{outputs}" if module.bias is None else f"({each}+1)*{outputs}"
    shapes = ["*".join(map(str, p.shape)) for p in own_parameters(module)]
    return f"{len(shapes)}*{shapes[0]}" if len(shapes) > 1 and len(set(shapes)) == 1 else "+".join(shapes)
