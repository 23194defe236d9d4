from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from landmix.nn import layers
from landmix.nn.blocks import Bottleneck
from landmix.nn.layers import convolution
from landmix.nn.network import Network, SpectralMLP
from landmix.nn.spec import EncoderSpec, HeadSpec, NetSpec

torch.set_num_threads(1)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def spec(blocks: int = 1, *, batch_norm: bool = True, widths: tuple[int, ...] = (6, 5), dropout: float = 0) -> NetSpec:
    head = HeadSpec(blocks=blocks, reduced=3, width=5, dropout=dropout)
    return NetSpec(in_channels=4, classes=3, encoder=EncoderSpec(widths=widths), head=head, batch_norm=batch_norm)


def only_convolution(module: nn.Module) -> nn.Conv2d:
    (found,) = (m for m in module.modules() if isinstance(m, nn.Conv2d))
    return found


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and batch norm statistics that leave no unit dead, so that every dependence shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.1)
        else:
            assert "num_batches_tracked" in name
    return network.double().eval()


def tensor(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("inputs", "outputs", "size", "expected"),
    [(256, 256, 1, 65_792), (256, 256, 3, 590_080), (64, 64, 3, 36_928), (64, 192, 1, 12_480), (10, 7, 1, 77)],
)
def test_parameters_of_a_convolution(inputs: int, outputs: int, size: int, expected: int) -> None:
    assert parameters(convolution(inputs, outputs, size, batch_norm=False)) == expected


@pytest.mark.parametrize(("batch_norm", "expected"), [(False, 70_016), (True, 70_400)])
def test_parameters_of_a_bottleneck(batch_norm: bool, expected: int) -> None:  # noqa: FBT001
    assert parameters(Bottleneck(256, 64, 256, batch_norm=batch_norm)) == expected


def test_weights_of_a_bottleneck_without_biases() -> None:
    block = Bottleneck(256, 64, 256, batch_norm=True)
    assert sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d)) == 69_632
    assert all(m.bias is None for m in block.modules() if isinstance(m, nn.Conv2d))


def test_parameters_of_a_projection_shortcut() -> None:
    block = Bottleneck(48, 16, 64, batch_norm=False)
    assert parameters(block.shortcut) == (48 + 1) * 64
    assert parameters(Bottleneck(64, 16, 64, batch_norm=False).shortcut) == 0


def test_a_1x1_convolution_is_a_linear_layer_at_every_pixel() -> None:
    layer = convolution(7, 5, batch_norm=False).double()
    conv = only_convolution(layer)
    x = tensor(2, 7, 4, 6)
    linear = nn.functional.linear(x.movedim(1, -1), conv.weight[:, :, 0, 0], conv.bias).movedim(-1, 1)
    assert (layer(x) - linear).abs().max() < 1e-12


def test_two_1x1_without_relu_collapse_into_one() -> None:
    first, second = convolution(7, 5, batch_norm=False).double(), convolution(5, 3, batch_norm=False).double()
    inner, outer = only_convolution(first), only_convolution(second)
    assert inner.bias is not None
    assert outer.bias is not None
    a, b = inner.weight[:, :, 0, 0], outer.weight[:, :, 0, 0]
    weight, bias = b @ a, b @ inner.bias + outer.bias
    x = tensor(1, 7, 4, 4)
    one = nn.functional.conv2d(x, weight[:, :, None, None], bias)
    assert (second(first(x)) - one).abs().max() < 1e-12


def test_relu_keeps_the_encoder_from_collapsing() -> None:
    encoder = SpectralMLP(4, spec(widths=(8, 8), batch_norm=False)).double()
    a, b = tensor(1, 4, 3, 3), tensor(1, 4, 3, 3, seed=2)
    zero = torch.zeros_like(a)
    assert (encoder(a) + encoder(b) - encoder(a + b) - encoder(zero)).abs().max() > 1e-3


@pytest.mark.parametrize("size", [1, 3])
def test_batch_norm_folds_into_the_convolution(size: int) -> None:
    layer = lively(convolution(4, 6, size, batch_norm=True))
    conv, norm = layer.children()
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    x = tensor(2, 4, 5, 5)
    folded = nn.functional.conv2d(x, conv.weight * factor[:, None, None, None], norm.bias - norm.running_mean * factor)
    assert (layer(x) - folded).abs().max() < 1e-12


def test_batch_norm_of_one_process_is_torchs() -> None:
    ours, theirs = layers.BatchNorm(3), nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5)
    assert torch.equal(ours(x), theirs(x))
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("blocks", "touched"), [(0, 1), (1, 9), (2, 25), (3, 49)])
def test_one_changed_pixel_changes_its_receptive_field_only(blocks: int, touched: int, *, batch_norm: bool) -> None:
    network = lively(Network(spec(blocks, batch_norm=batch_norm)))
    x = tensor(1, 4, 15, 17).abs()
    changed = x.clone()
    changed[0, :, 7, 8] += 1
    m = blocks
    differs = (network(x) != network(changed)).any(1)[0]
    assert int(differs.sum()) == touched
    rows, cols = torch.nonzero(differs, as_tuple=True)
    # output pixel (r, c) stands for input pixel (r + margin, c + margin)
    assert (int(rows.min()) + m, int(rows.max()) + m) == (7 - m, 7 + m)
    assert (int(cols.min()) + m, int(cols.max()) + m) == (8 - m, 8 + m)


@pytest.mark.parametrize("blocks", [0, 1, 2, 5])
def test_margin_is_one_a_block_and_is_cut_from_each_side(blocks: int) -> None:
    network = Network(spec(blocks)).eval()
    assert network.margin == blocks
    assert network(torch.zeros(2, 4, 2 * blocks + 3, 2 * blocks + 1)).shape == (2, 3, 3, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3), st.integers(0, 3))
def test_a_crop_gives_what_the_whole_gives(blocks: int, height: int, width: int, row: int, col: int) -> None:
    network = lively(Network(spec(blocks)))
    x = tensor(1, 4, 9 + 2 * blocks, 9 + 2 * blocks)
    whole = network(x)[..., row : row + height, col : col + width]
    crop = network(x[..., row : row + height + 2 * blocks, col : col + width + 2 * blocks])
    assert (whole - crop).abs().max() < 1e-12


def test_flips_and_transposes_of_a_1x1_network_commute() -> None:
    network = lively(Network(spec(0)))
    x = tensor(1, 4, 5, 5)
    assert torch.allclose(network(x.flip(2)), network(x).flip(2), atol=1e-12)
    assert torch.allclose(network(x.mT), network(x).mT, atol=1e-12)


def test_dropout_is_off_when_predicting() -> None:
    network = Network(spec(1, dropout=0.5)).eval()
    x = torch.randn(1, 4, 7, 7)
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_new_bottleneck_is_its_shortcut(*, batch_norm: bool) -> None:
    block = Bottleneck(4, 3, 4, batch_norm=batch_norm).eval()
    x = torch.randn(2, 4, 5, 6)
    bias = only_convolution(block.expand).bias
    shift = torch.zeros(4) if bias is None else bias
    assert torch.allclose(block(x), (x[:, :, 1:-1, 1:-1] + shift[:, None, None]).relu())


class Group:
    """A process group as `torch.distributed` shows it, without processes."""

    def __init__(self, rank: int, world: int) -> None:
        self._rank, self._world = rank, world

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def get_rank(self) -> int:
        return self._rank

    def get_world_size(self) -> int:
        return self._world


def test_batch_norm_of_several_processes_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with the same part of a batch, in bf16, have the statistics of one with that part in float32."""
    x = torch.randn(8, 3, 9, 9) + 100  # whose squares bf16 cannot tell apart
    ours, theirs = layers.BatchNorm(3), nn.BatchNorm2d(3)
    expected = theirs(x.bfloat16().float())
    monkeypatch.setattr(layers, "dist", Group(0, 2))
    monkeypatch.setattr("torch.distributed.nn.functional.all_reduce", lambda sums: 2 * sums)
    found = ours(x.bfloat16())
    assert found.dtype == torch.bfloat16
    assert (found - expected).abs().max() < 0.02
    for name in ("running_mean", "running_var"):
        assert torch.allclose(ours.state_dict()[name], theirs.state_dict()[name], rtol=1e-3)


@pytest.mark.parametrize("crops", [2, 7, 40])
@pytest.mark.parametrize("world", [2, 3])
def test_processes_drop_what_one_process_drops(monkeypatch: pytest.MonkeyPatch, crops: int, world: int) -> None:
    x = torch.arange(1, crops * 20 + 1.0).reshape(crops, 5, 2, 2)
    torch.manual_seed(3)
    alone = layers.Dropout(0.4)(x)
    for rank in range(world):
        monkeypatch.setattr(layers, "dist", Group(rank, world))
        torch.manual_seed(3)
        assert torch.equal(layers.Dropout(0.4)(x[rank::world]), alone[rank::world])


def test_dropout_leaves_out_whole_channels_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = layers.Dropout(0.2)(torch.ones(2000, 4, 2, 3))
    assert set(dropped.flatten().tolist()) == {0, 1.25}
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
    assert (dropped == dropped[..., :1, :1]).all()


def test_parameters_of_the_whole_network() -> None:
    net = spec(2, batch_norm=False, widths=(6, 8))
    encoder = (4 + 1) * 6 + (6 + 1) * 8
    first = (8 + 1) * 3 + (9 * 3 + 1) * 3 + (3 + 1) * 5 + (8 + 1) * 5
    second = (5 + 1) * 3 + (9 * 3 + 1) * 3 + (3 + 1) * 5
    assert parameters(Network(net)) == encoder + first + second + (5 + 1) * 3


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: EncoderSpec(widths=()), "widths"),
        (lambda: EncoderSpec(widths=(8, 0)), "width"),
        (lambda: HeadSpec(blocks=-1), "blocks"),
        (lambda: HeadSpec(reduced=0), "reduced"),
        (lambda: HeadSpec(width=70000), "width"),
        (lambda: HeadSpec(dropout=1.0), "dropout"),
        (lambda: HeadSpec(dropout=float("nan")), "dropout"),
        (lambda: NetSpec(in_channels=0, classes=2), "bands"),
        (lambda: NetSpec(in_channels=3, classes=0), "classes"),
    ],
)
def test_impossible_networks_are_refused(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_normalisation_folds_into_the_convolution() -> None:
    layer = convolution(7, 5, batch_norm=False).double()
    conv = only_convolution(layer)
    assert conv.bias is not None
    mean, std, x = tensor(7, seed=2), tensor(7, seed=3).abs() + 0.1, tensor(1, 7, 4, 6)
    normalised = (x - mean[:, None, None]) / std[:, None, None]
    weight = conv.weight / std[:, None, None]
    bias = conv.bias - weight[:, :, 0, 0] @ mean
    assert (layer(normalised) - nn.functional.conv2d(x, weight, bias)).abs().max() < 1e-12
