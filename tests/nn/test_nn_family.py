"""Every kind of network: its arithmetic, its receptive field, and that no pixel sees more than it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import pytest
import torch
from test_nn_networks import only_convolution, parameters, tensor
from torch import nn

from landmix.nn.blocks import BLOCKS, Depthwise, Inception
from landmix.nn.layers import BandDropout, ChannelAttention, ResidualMLP, convolution
from landmix.nn.network import Fusion, Network
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

torch.set_num_threads(1)

N = TypeVar("N", bound=nn.Module)

ENCODER = EncoderSpec(widths=(6, 8))
BASE = NetSpec(in_channels=5, classes=3, encoder=ENCODER, head=HeadSpec(blocks=2, reduced=4, width=16))
FAMILY = {
    "pointwise": replace(BASE, head=replace(BASE.head, kind="pointwise")),
    "bottleneck": BASE,
    "depthwise": replace(BASE, head=replace(BASE.head, kind="depthwise")),
    "inception": replace(BASE, head=replace(BASE.head, kind="inception")),
    "dilated": replace(BASE, head=replace(BASE.head, dilation=(1, 3))),
    "dilated inception": replace(BASE, head=replace(BASE.head, kind="inception", dilation=(2, 1))),
    "attention": replace(BASE, encoder=replace(ENCODER, attention=4)),
    "residual": replace(BASE, encoder=replace(ENCODER, residual=2)),
    "gelu": replace(BASE, activation="gelu"),
    "fusion": replace(BASE, inputs=(2, 3)),
    "plain": replace(BASE, batch_norm=False),
}
MARGINS = {"pointwise": 0, "inception": 4, "dilated": 4, "dilated inception": 6}


def noisy(network: N, seed: int = 0) -> N:
    """Random weights of both signs, so that maxima, softmaxes and sums all depend on everything."""
    generator = torch.Generator().manual_seed(seed)
    for name, values in network.state_dict().items():
        if values.is_floating_point():
            drawn = torch.randn(values.shape, generator=generator)
            values.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return network.double().eval()


@pytest.mark.parametrize("kind", FAMILY)
def test_margin_is_what_is_cut_and_no_more_than_what_is_seen(kind: str) -> None:
    network = noisy(Network(FAMILY[kind]))
    m = network.margin
    assert m == MARGINS.get(kind, 2)
    x = tensor(1, 5, 2 * m + 3, 2 * m + 5)
    assert network(x).shape == (1, 3, 3, 5)
    seen = torch.zeros(2 * m + 1, 2 * m + 1, dtype=torch.bool)
    x = x[:, :, : 2 * m + 1, : 2 * m + 1].requires_grad_()
    for seed in range(40):  # a maximum looks at one of its pixels at a time
        grad = torch.autograd.grad(noisy(network, seed)(x).sum(), x)[0]
        seen |= grad.abs().sum((0, 1)) > 0
    assert seen[[0, -1]].any(1).all()
    assert seen[:, [0, -1]].any(0).all()


@pytest.mark.parametrize("kind", FAMILY)
def test_a_crop_gives_what_the_whole_gives(kind: str) -> None:
    network = noisy(Network(FAMILY[kind]))
    m = network.margin
    x = tensor(1, 5, 11 + 2 * m, 9 + 2 * m)
    whole = network(x)
    crop = network(x[..., 3 : 9 + 2 * m, 2 : 7 + 2 * m])
    assert (whole[..., 3:9, 2:7] - crop).abs().max() < 1e-9 * whole.abs().max()


@pytest.mark.parametrize("kind", FAMILY)
def test_a_network_comes_back_from_its_numbers(kind: str) -> None:
    first, again = Network(FAMILY[kind]), Network(FAMILY[kind])
    again.load_state_dict(first.state_dict())
    m = first.margin
    x = torch.randn(2, 5, 2 * m + 2, 2 * m + 2)
    assert torch.equal(first.eval()(x), again.eval()(x))


def test_parameters_of_inception_3a() -> None:
    block = Inception.__new__(Inception)
    nn.Module.__init__(block)
    block._build(192, (64, 128, 32, 32), (96, 16), batch_norm=False)
    assert parameters(block) == 163_696
    wide = Inception(192, 96, 256, batch_norm=False)
    outputs = [only_convolution(branch).out_channels for branch in (wide.one, wide.three, wide.five, wide.pooled)]
    assert outputs == [64, 128, 32, 32]


@pytest.mark.parametrize(("inputs", "outputs", "weights"), [(256, 256, 67_840), (64, 128, 8_768)])
def test_weights_of_a_depthwise_block(inputs: int, outputs: int, weights: int) -> None:
    block = Depthwise(inputs, 1, outputs, batch_norm=True)
    found = sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))
    assert found == weights
    full = 9 * inputs * outputs
    assert found / full == pytest.approx(1 / outputs + 1 / 9, abs=1e-12)


def test_parameters_of_the_queries_keys_and_values() -> None:
    assert parameters(ChannelAttention(64, 8).qkv) == 12_480


def test_attention_is_that_of_the_equation_at_every_pixel() -> None:
    block = noisy(ChannelAttention(6, 3))
    x = tensor(1, 6, 2, 3)
    y = block(x)
    for row in range(2):
        for col in range(3):
            q, k, v = block.qkv(x)[0, :, row, col].reshape(3, 3, 2)
            mixed = torch.softmax(q @ k.T / 2**0.5, 1) @ v
            expected = x[0, :, row, col] + block.out.weight[:, :, 0, 0] @ mixed.reshape(6) + block.out.bias
            assert (y[0, :, row, col] - expected).abs().max() < 1e-12


def test_new_attention_and_residual_blocks_are_the_identity() -> None:
    x = torch.randn(2, 6, 3, 4)
    assert torch.equal(ChannelAttention(6, 2)(x), x)
    assert torch.equal(ResidualMLP(6, batch_norm=True).eval()(x), x)
    plain = ResidualMLP(6, batch_norm=False)
    bias = only_convolution(plain.narrow).bias
    assert bias is not None
    assert torch.allclose(plain(x), x + bias[:, None, None])


def test_concatenation_and_a_1x1_is_the_sum_of_two() -> None:
    mix = convolution(7, 4, batch_norm=False).double()
    conv = only_convolution(mix)
    a, b = tensor(1, 3, 4, 4), tensor(1, 4, 4, 4, seed=2)
    two = nn.functional.conv2d(a, conv.weight[:, :3]) + nn.functional.conv2d(b, conv.weight[:, 3:], conv.bias)
    assert (mix(torch.cat([a, b], 1)) - two).abs().max() < 1e-12


def test_a_transposed_1x1_is_a_1x1_with_the_weight_transposed() -> None:
    transposed = nn.ConvTranspose2d(5, 7, 1).double()
    x = tensor(2, 5, 4, 6)
    plain = nn.functional.conv2d(x, transposed.weight.transpose(0, 1), transposed.bias)
    assert (transposed(x) - plain).abs().max() < 1e-12


def test_sensors_do_not_meet_before_they_are_mixed() -> None:
    fusion = noisy(Fusion((2, 3), BASE))
    x = tensor(1, 5, 3, 3)
    other = x.clone()
    other[:, 2:] += 1
    assert torch.equal(fusion.encoders[0](x[:, :2]), fusion.encoders[0](other[:, :2]))
    assert not torch.equal(fusion(x), fusion(other))


@pytest.mark.parametrize("groups", [(1,) * 6, (2, 4)])
def test_band_dropout_leaves_out_whole_groups_and_never_all(groups: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.ones(500, 6, 2, 2)
    y = BandDropout(0.5, groups)(x)
    assert set(y.flatten().tolist()) == {0.0, 1.0}
    assert (y.sum((1, 2, 3)) > 0).all()
    start = 0
    for count in groups:
        group = y[:, start : start + count].reshape(500, -1)
        assert (group == group[:, :1]).all()
        start += count
    assert 0.4 < float(y.mean()) < 0.65
    assert torch.equal(BandDropout(0.5, groups).eval()(x), x)


def test_every_kind_of_block_is_known() -> None:
    assert set(BLOCKS) == {"pointwise", "bottleneck", "depthwise", "inception"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: EncoderSpec(widths=(8, 6), attention=4), "attention"),
        (lambda: EncoderSpec(band_dropout=1.0), "band_dropout"),
        (lambda: EncoderSpec(residual=-1), "residual"),
        (lambda: HeadSpec(blocks=2, dilation=(1,)), "dilation"),
        (lambda: HeadSpec(blocks=1, dilation=(0,)), "dilation"),
        (lambda: HeadSpec(kind="inception", width=4), "width"),
        (lambda: replace(BASE, inputs=(2, 2)), "inputs"),
        (lambda: replace(BASE, inputs=(5, 0)), "inputs"),
    ],
)
def test_impossible_members_are_refused(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()
