"""Convolutions that do what follows them: bias, sum and ReLU in one pass over the pixels, without a compiler.

oneDNN, which torch brings along on x86, can do this; torch itself asks it to in compiled networks only. Each tensor
that is not made saves writing and reading it, and the page faults of fresh memory: a network is half again as fast in
bf16, two and a half times as fast in fp32.
"""

from __future__ import annotations

import operator

import torch
from torch import Tensor, fx, nn


def fused(network: nn.Module) -> nn.Module:
    """`network` (evaluation mode, batch norms folded, final dtype) with fused convolutions.

    Itself without oneDNN, and where its code cannot be followed without running it.
    """
    # names with an underscore: they are what torch's own compiler calls, and tests compare their results
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):  # type: ignore[no-untyped-call]
        return network
    try:
        traced = fx.symbolic_trace(network)
    except Exception:  # noqa: BLE001 - somebody's own network, which may do anything with what it is given
        return network
    for node in list(traced.graph.nodes):
        module = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and isinstance(module.padding, tuple):
            _fuse(traced, node, module)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


class _Convolution(nn.Module):
    """A convolution, perhaps plus another tensor, perhaps followed by ReLU."""

    def __init__(self, of: nn.Conv2d, *, relu: bool) -> None:
        super().__init__()
        self._sides: tuple[tuple[int, ...], ...] = (of.kernel_size, of.padding, of.stride, of.dilation)  # type: ignore[assignment]
        self._how = of.padding, of.stride, of.dilation, of.groups
        # in the order of oneDNN's kernels, once instead of at each call
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(of.weight.detach(), *self._how)  # noqa: SLF001
        self.bias = of.bias
        self._relu = relu

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """(B, in, H, W), and what is added to the result, -> (B, out, H', W')."""
        run = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001
        after = "relu" if self._relu else None
        if other is None:
            return run(x, self.weight, self.bias, *self._how, after or "none", [], "")  # type: ignore[no-any-return]
        sides = (
            (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, padding, stride, dilation in zip(x.shape[2:], *self._sides, strict=True)
        )
        # oneDNN does not broadcast, and torch 2.10 cannot hand it a single pixel
        if other.shape != (len(x), self.weight.shape[0], *sides) or other.shape[2:].numel() == 1:
            total = run(x, self.weight, self.bias, *self._how, "none", [], "") + other
            return total.relu() if self._relu else total  # type: ignore[no-any-return]
        other = other.contiguous(memory_format=torch.channels_last)
        return run(x, other, self.weight, self.bias, *self._how, "add", 1.0, after, [], None)  # type: ignore[no-any-return]


def _fuse(traced: fx.GraphModule, node: fx.Node, module: nn.Conv2d) -> None:
    """Take the sum and the ReLU that follow a convolution with it, where nothing else reads what is between."""
    last, arguments = node, [node.args[0]]
    after = _only_user(last)
    if after is not None and after.target in (operator.add, torch.add) and len(after.args) == 2 and not after.kwargs:  # noqa: PLR2004
        others = [arg for arg in after.args if isinstance(arg, fx.Node) and arg is not last]
        if others:
            last, arguments = after, [node.args[0], others[0]]
            after = _only_user(last)
    relu = after is not None and _is_relu(traced, after)
    if relu:
        last = after  # type: ignore[assignment]
    name = f"fused_{node.name}"
    traced.add_submodule(name, _Convolution(module, relu=relu))
    with traced.graph.inserting_before(last):
        new = traced.graph.call_module(name, tuple(arguments))
    last.replace_all_uses_with(new)
    traced.graph.eliminate_dead_code()


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_relu(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(traced.get_submodule(str(node.target)), nn.ReLU)
    return node.target in (torch.relu, nn.functional.relu, "relu")
