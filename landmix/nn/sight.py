"""How far each module of a network sees, found by running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Field = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class Call:
    """One module, run once."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    sees: Field


@dataclass(frozen=True, slots=True)
class Product(Call):
    """A matrix product that a module computes itself, as in attention."""

    inner: int
    """Multiply-adds for each number that comes out."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one run called, in order, and what came out of it."""

    calls: list[Call]
    """Products among them."""
    sees: Field


class _Sight(TorchFunctionMode):
    """Follows receptive fields: what comes out of an operation has seen what its inputs have."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[Tensor, Field]] = {}  # with the tensors, so that no id is used again
        self._names = [""]
        """Of the modules that are running, the innermost last."""
        self.calls: list[Call] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, and note what its results have seen."""
        del types
        out = func(*args, **(kwargs or {}))
        self.note(out, self.of((args, kwargs)))
        if func in _PRODUCTS:
            name = f"{self._names[-1]}.product".lstrip(".")
            self.calls.append(Product(name, nn.Identity(), tuple(out.shape), self.of(out), args[0].shape[-1]))
        return out

    def enter(self, name: str) -> Callable[..., None]:
        """A hook for the beginning of a module."""
        return lambda *_: self._names.append(name)

    def leave(self, *_: Any) -> None:
        """A hook for its end."""
        self._names.pop()

    def of(self, values: Any) -> Field:
        """Receptive field of tensors, wherever they lie in `values`; 1 x 1 for a network's input and weights."""
        fields = [self._known[id(t)][1] for t in _tensors(values) if id(t) in self._known]
        return max((rows for rows, _ in fields), default=1), max((cols for _, cols in fields), default=1)

    def note(self, values: Any, field: Field) -> None:
        """Remember it."""
        self._known.update({id(tensor): (tensor, field) for tensor in _tensors(values)})


_PRODUCTS = {torch.matmul, torch.bmm, Tensor.matmul, Tensor.bmm, Tensor.__matmul__}
"""`@` in all its forms."""


def _tensors(values: Any) -> Iterable[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict | list | tuple):
        for part in values.values() if isinstance(values, dict) else values:
            yield from _tensors(part)


def run(network: nn.Module, shape: tuple[int, ...]) -> Record:
    """Run a network on zeros of `shape` (B, C, H, W) and note what its modules with weights or kernels do."""
    sight = _Sight()

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            rows, cols = sight.of(inputs)
            (height, width), (down, right) = kernel(module) or (1, 1), dilation(module)
            field = rows + down * (height - 1), cols + right * (width - 1)
            sight.note(output, field)
            sight.calls.append(Call(name, module, tuple(output.shape), field))

        return hook

    watched = [(name, m) for name, m in network.named_modules() if kernel(m) or any(True for _ in own_parameters(m))]
    hooks = [module.register_forward_hook(watch(name)) for name, module in watched]
    for name, module in network.named_modules():
        hooks += [module.register_forward_pre_hook(sight.enter(name)), module.register_forward_hook(sight.leave)]
    try:
        with torch.no_grad(), sight:
            output = network(next(network.parameters()).new_zeros(shape))
    finally:
        for handle in hooks:
            handle.remove()
    return Record(sight.calls, sight.of(output))


def kernel(module: nn.Module) -> Field | None:
    """Of a convolution or pooling; None for other modules."""
    size = getattr(module, "kernel_size", None)
    return None if size is None else _pair(size)


def dilation(module: nn.Module) -> Field:
    """Steps between what a kernel looks at; 1 where there is none."""
    return _pair(getattr(module, "dilation", 1))


def _pair(size: Any) -> Field:
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


def own_parameters(module: nn.Module) -> Iterable[nn.Parameter]:
    """Those of the module itself, not of its parts."""
    return module.parameters(recurse=False)
