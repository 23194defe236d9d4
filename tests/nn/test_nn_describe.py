"""What a network costs and sees, against printed examples, torch's own counter and gradients."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from landmix.nn.blocks import Bottleneck
from landmix.nn.describe import Description, describe
from landmix.nn.layers import ChannelAttention, convolution
from landmix.nn.network import Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

if TYPE_CHECKING:
    from collections.abc import Callable

torch.set_num_threads(1)


def spec(blocks: int = 2, *, classes: int = 10, batch_norm: bool = True, widths: tuple[int, ...] = (6, 5)) -> NetSpec:
    head = HeadSpec(blocks=blocks, reduced=3, width=5)
    return NetSpec(in_channels=4, classes=classes, encoder=EncoderSpec(widths=widths), head=head, batch_norm=batch_norm)


class Branches(nn.Module):
    """Inception's way: several kernels side by side, cut to one size and put together."""

    def __init__(self, inputs: int, single: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> None:
        super().__init__()
        self.single = nn.Conv2d(inputs, single, 1)
        self.three = nn.Sequential(nn.Conv2d(inputs, three[0], 1), nn.Conv2d(three[0], three[1], 3))
        self.five = nn.Sequential(nn.Conv2d(inputs, five[0], 1), nn.Conv2d(five[0], five[1], 5))
        self.pooled = nn.Sequential(nn.AvgPool2d(3, stride=1), nn.Conv2d(inputs, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, all, H - 4, W - 4)."""
        inner = x[:, :, 1:-1, 1:-1]
        parts = [self.single(x[:, :, 2:-2, 2:-2]), self.three(inner), self.five(x), self.pooled(inner)]
        return torch.cat(parts, dim=1)


class Excite(nn.Module):
    """Channels weighed by their means over the tile."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), same shape."""
        mean = x.mean((2, 3), keepdim=True)
        weighed: Tensor = x * self.up(self.down(mean).relu()).sigmoid()
        return weighed


def conv(
    inputs: int, outputs: int, size: int = 1, *, groups: int = 1, dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, groups=groups, dilation=dilation, bias=bias)


def without_biases(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(conv(inputs, inputs, 3, groups=inputs, bias=False), conv(inputs, outputs, bias=False))


EXAMPLES: dict[str, tuple[Callable[[], nn.Module], int, int, int]] = {
    # module, channels that it takes, margin, parameters as printed in the literature
    "1x1": (lambda: conv(256, 256), 256, 0, 65_792),
    "3x3": (lambda: conv(256, 256, 3), 256, 1, 590_080),
    "3x3 of 64": (lambda: conv(64, 64, 3), 64, 1, 36_928),
    "3x3 without biases": (lambda: conv(64, 128, 3, bias=False), 64, 1, 73_728),
    "bottleneck": (lambda: Bottleneck(256, 64, 256, batch_norm=False), 256, 1, 70_016),
    "bottleneck, batch norm": (lambda: Bottleneck(256, 64, 256, batch_norm=True), 256, 1, 70_400),
    "separable 256": (lambda: without_biases(256, 256), 256, 1, 67_840),
    "separable 64 to 128": (lambda: without_biases(64, 128), 64, 1, 8_768),
    "inception 3a": (lambda: Branches(192, 64, (96, 128), (16, 32), 32), 192, 2, 163_696),
    "queries, keys, values": (lambda: conv(64, 192), 64, 0, 12_480),
    "squeeze and excite": (lambda: Excite(64, 4), 64, 0, 580),
    "projection": (lambda: convolution(48, 64, batch_norm=False), 48, 0, 49 * 64),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_parameters_are_those_of_printed_examples(name: str) -> None:
    make, channels, margin, expected = EXAMPLES[name]
    found = describe(make().eval(), channels=channels, margin=margin)
    assert found.parameters == expected
    assert sum(layer.parameters for layer in found.layers) == expected
    for layer in found.layers:
        assert re.fullmatch(r"[0-9+*()]*", layer.arithmetic)
        assert eval(layer.arithmetic or "0") == layer.parameters  # noqa: S307 - digits and signs only


def test_the_formula_is_the_one_of_the_books() -> None:
    found = describe(nn.Sequential(conv(64, 128, 3), nn.BatchNorm2d(128), conv(128, 7)).eval(), channels=64, margin=1)
    assert [layer.arithmetic for layer in found.layers] == ["(9*64+1)*128", "2*128", "(128+1)*7"]
    (grouped,) = describe(conv(64, 128, 3, groups=16, bias=False), channels=64, margin=1).layers
    assert (grouped.arithmetic, grouped.groups) == ("9*4*128", 16)
    assert grouped.multiply_adds == 9 * 4 * 128


@pytest.mark.parametrize(("blocks", "thousands"), [(2, 53.0), (0, 35.6)])
def test_operations_of_the_reference_networks(blocks: int, thousands: float) -> None:
    net = Network(NetSpec(in_channels=12, classes=10, head=HeadSpec(blocks=blocks))).eval()
    found = describe(net, channels=12, margin=net.margin)
    assert round(2 * found.multiply_adds / 1000, 1) == thousands
    assert found.sees == (2 * blocks + 1,) * 2


def counted(network: nn.Module, channels: int, size: int) -> float:
    """Multiply-adds for each pixel of the output of a large tile, as torch counts."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        out = network.to("meta")(torch.empty(1, channels, size, size))
    return float(counter.get_total_flops() / 2 / (out.shape[-1] * out.shape[-2]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_multiply_adds_are_what_torch_counts(name: str) -> None:
    make, channels, margin, _ = EXAMPLES[name]
    module = make().eval()
    found = describe(module, channels=channels, margin=margin).multiply_adds
    assert counted(module, channels, 2**14) == pytest.approx(found, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("net", [spec(0), spec(3), spec(1, batch_norm=False), spec(2, widths=(5, 9, 5))])
def test_multiply_adds_of_networks_are_what_torch_counts(net: NetSpec) -> None:
    network = Network(net).eval()
    found = describe(network, channels=4, margin=network.margin)
    assert counted(network, 4, 2**14) == pytest.approx(found.multiply_adds, rel=1e-3)


def lively(module: nn.Module) -> nn.Module:
    """Positive weights, so that every dependence shows in the gradient."""
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) * 0.5 + 0.1)
    return module.double().eval()


def seen(module: nn.Module, name: str, channels: int, size: int) -> tuple[int, int]:
    """Rows and columns of the input on which a pixel in the middle of what a part gives depends, by its gradient."""
    kept: list[Tensor] = []
    handle = module.get_submodule(name).register_forward_hook(lambda _, __, output: kept.append(output))
    x = torch.rand(1, channels, size, size, dtype=torch.float64).requires_grad_()
    module(x)
    handle.remove()
    out = kept[0]
    (gradient,) = torch.autograd.grad(out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum(), x)
    touched = gradient[0].abs().sum(0) > 0
    rows, cols = touched.any(1).nonzero(), touched.any(0).nonzero()
    return int(rows.max() - rows.min()) + 1, int(cols.max() - cols.min()) + 1


SEEING: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "network": (lambda: Network(spec(3)), 3),
    "dilated": (lambda: nn.Sequential(conv(4, 5, 3, dilation=2), conv(5, 6, 3, dilation=3), conv(6, 2)), 5),
    "branches": (lambda: nn.Sequential(conv(4, 4, 3), Branches(4, 2, (3, 4), (2, 3), 2), conv(11, 3)), 3),
    "oblong": (lambda: nn.Sequential(nn.Conv2d(4, 3, (1, 5)), nn.Conv2d(3, 3, (3, 1), dilation=(2, 1))), 2),
}


@pytest.mark.parametrize("name", SEEING)
def test_receptive_fields_are_those_of_the_gradient(name: str) -> None:
    make, margin = SEEING[name]
    module = lively(make())
    found = describe(module, channels=4, margin=margin)
    assert len(found.layers) > 1
    for layer in found.layers:
        assert layer.sees == seen(module, layer.name, 4, 2 * margin + 9), layer.name
    assert found.sees == max(layer.sees for layer in found.layers)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3), st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(1, 5), st.booleans())
def test_networks_of_any_size(blocks: int, widths: list[int], classes: int, batch_norm: bool) -> None:  # noqa: FBT001
    net = spec(blocks, classes=classes, widths=tuple(widths), batch_norm=batch_norm)
    network = Network(net).eval()
    found = describe(network, channels=4, margin=network.margin)
    assert found.sees == (2 * network.margin + 1,) * 2
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    check_outputs(network, found)


def check_outputs(network: nn.Module, found: Description) -> None:
    """Shapes of another tile, by the words of the description."""
    height, width = 31, 44
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in found.layers:
        part = network.get_submodule(layer.name)
        part.register_forward_hook(lambda _, __, out, name=layer.name: shapes.update({name: tuple(out.shape[1:])}))
    network(torch.zeros(1, 4, height, width))
    for layer in found.layers:
        channels, rows, cols = layer.output.split(", ")
        expected = (int(channels), height + int(rows[1:] or 0), width + int(cols[1:] or 0))
        assert (rows[0], cols[0]) == ("H", "W")
        assert shapes[layer.name] == expected, layer


def test_what_is_one_number_for_a_tile_costs_nothing_a_pixel() -> None:
    found = describe(Excite(64, 4).eval(), channels=64, margin=0)
    assert [layer.output for layer in found.layers] == ["4, 1, 1", "64, 1, 1"]
    assert found.multiply_adds == 0


def test_the_products_of_attention_are_counted() -> None:
    """By hand: 8 tokens of 8 numbers; each token against each, 8 * 8 * 8, and the weighted sums, as many again."""
    block = ChannelAttention(64, 8).eval()
    found = describe(block, channels=64, margin=0)
    assert [(layer.name, layer.kind, layer.multiply_adds) for layer in found.layers] == [
        ("qkv", "conv", 64 * 192),
        ("product", "product", 512),
        ("product", "product", 512),
        ("out", "conv", 64 * 64),
    ]
    assert found.multiply_adds == 64 * 192 + 2 * 512 + 64 * 64
    assert found.multiply_adds == pytest.approx(counted(ChannelAttention(64, 8), 64, 2**10))
    assert [layer.output for layer in found.layers] == ["192, H, W", "64, H, W", "64, H, W", "64, H, W"]
    assert sum(layer.parameters for layer in found.layers) == found.parameters


class LastAxis(nn.Module):
    """Channels on the last axis, once with pixels on one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix, self.out = nn.LayerNorm(4), nn.Linear(4, 6), nn.Linear(5, 3)
        self.table = nn.Parameter(torch.ones(6, 5))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, H, W) -> (B, 3, H, W)."""
        batch, _, height, width = x.shape
        y = self.mix(self.norm(x.permute(0, 2, 3, 1))) @ self.table
        flat: Tensor = self.out(y.flatten(1, 2))
        return flat.reshape(batch, height, width, 3).permute(0, 3, 1, 2)


def test_channels_may_lie_on_the_last_axis() -> None:
    found = describe(LastAxis().eval(), channels=4, margin=0)
    assert [(layer.name, layer.output, layer.multiply_adds) for layer in found.layers[:-1]] == [
        ("norm", "4, H, W", 0),
        ("mix", "6, H, W", 24),
        ("product", "5, H, W", 30),
        ("out", "3, H, W", 15),
    ]


def test_attention_over_pixels_has_no_cost_a_pixel() -> None:
    class Everywhere(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Conv2d(4, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            p = x.flatten(2)
            y = (p @ (p.transpose(1, 2) @ p).softmax(1)).reshape(x.shape)
            return self.out(y)  # type: ignore[no-any-return]

    with pytest.raises(ValueError, match="product"):
        describe(Everywhere().eval(), channels=4, margin=0)


def test_layers_come_in_the_order_in_which_they_run() -> None:
    network = Network(spec(1)).eval()
    found = describe(network, channels=4, margin=1)
    weights = [name.rpartition(".")[0] for name, _ in network.named_parameters()]
    assert [layer.name for layer in found.layers] == list(OrderedDict.fromkeys(weights))
    assert {layer.kind for layer in found.layers} == {"conv", "batch norm"}


def test_strides_are_refused() -> None:
    module = nn.Sequential(OrderedDict(halved=nn.Conv2d(4, 3, 3, stride=2)))
    with pytest.raises(ValueError, match="halved"):
        describe(module, channels=4, margin=1)


def test_a_network_stays_as_it_was() -> None:
    network = Network(spec(1)).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    describe(network, channels=4, margin=1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
