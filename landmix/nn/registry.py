"""How a user's own Python file names the networks that it holds."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[[int, int], Any]
    """Bands and classes -> `torch.nn.Module`."""

M = TypeVar("M", bound="Callable[[int, int], Any]")

_collected: ContextVar[dict[str, Make] | None] = ContextVar("_collected", default=None)


def register(name: str) -> Callable[[M], M]:
    """Name a network for `net.plugin=FILE`: a class, or a function, of (bands, classes).

    It makes a `torch.nn.Module` from normalised pixels (B, bands, H, W) to logits (B, classes, H - 2m, W - 2m), float
    in and out; landmix finds the margin m by running it. Raises `ValueError` for a name that is taken in the file.
    """

    def named(make: M) -> M:
        found = _collected.get()
        if found is not None:
            if name in found:
                msg = f"two networks are called {name!r}"
                raise ValueError(msg)
            found[name] = make
        return make

    return named


@contextlib.contextmanager
def collecting() -> Iterator[dict[str, Make]]:
    """What is registered meanwhile, by name."""
    found: dict[str, Make] = {}
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)
