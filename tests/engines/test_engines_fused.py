"""Fused convolutions say what the ones that they replace say."""

from __future__ import annotations

import pytest
import torch
from engine_networks import network
from torch import Tensor, nn

from landmix.engines.deployed import Flips, folded
from landmix.engines.fused import _Convolution, fused

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
    reason="torch comes without oneDNN here",
)


class Odd(nn.Module):
    """What a fusion could get wrong: results read twice, sums that broadcast, strides, groups, dilation, padding."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.wide = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False)
        self.gate = nn.Conv2d(8, 8, 1)
        self.reflecting = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(8, 3, 3, stride=2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, H, W) -> (B, 3, (H - 1) // 2, (W - 1) // 2)."""
        x = self.first(x)
        y = x + self.relu(self.depthwise(x))  # read twice: the sum is not the convolution's
        y = (y + self.wide(y)).relu()
        y = torch.relu(self.gate(y) + y.mean((2, 3), keepdim=True))  # broadcast
        y = torch.add(self.gate(y), y, alpha=2)
        y = nn.functional.relu(self.reflecting(y))
        return self.last(y)  # type: ignore[no-any-return]


def said(net: nn.Module, bands: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, nn.Module]:
    """What a network and its fused copy say of random pixels."""
    torch.manual_seed(3)
    x = torch.randn(2, bands, 21, 30).to(dtype).contiguous(memory_format=torch.channels_last)
    net = net.to(dtype, memory_format=torch.channels_last).eval().requires_grad_(requires_grad=False)  # type: ignore[call-overload]
    copy = fused(net)
    with torch.inference_mode():
        return net(x).float(), copy(x).float(), copy


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)], ids=str)
@pytest.mark.parametrize("kind", ["plain", "projected", "flips", "odd"])
def test_the_same_logits(kind: str, dtype: torch.dtype, far: float) -> None:
    torch.manual_seed(2)
    plain = folded(network(4, 5, 2))
    made = {"plain": plain, "projected": folded(network(4, 5, 0)), "flips": Flips(plain), "odd": Odd()}[kind]
    expected, found, _ = said(made, 4, dtype)
    assert found.shape == expected.shape
    assert float(expected.std()) > 0.05
    torch.testing.assert_close(found, expected, atol=far * float(expected.abs().max()), rtol=0)


@needs_onednn
def test_sums_and_activations_disappear() -> None:
    *_, copy = said(folded(network(4, 5, 2)), 4, torch.float32)
    modules = list(copy.modules())
    assert not any(isinstance(module, nn.Conv2d) for module in modules)
    assert sum(isinstance(module, _Convolution) for module in modules) == 2 + 2 * 3 + 1
    assert not [node for node in copy.graph.nodes if "relu" in str(node.target) or "add" in str(node.target)]  # type: ignore[union-attr]


def test_without_onednn_a_network_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    net = folded(network())
    assert fused(net) is net
