"""What the threads of the server share: open files, and tiles that were drawn before."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

T = TypeVar("T")

_PATIENCE = 3.0
"""Seconds for a thread to give its reader back."""


class Pool(Generic[T]):
    """A few readers that threads take turns with: a reader serves one thread at a time."""

    def __init__(self, opened: Callable[[], contextlib.AbstractContextManager[T]], most: int) -> None:
        """At most `most` readers, each opened when it is first needed."""
        self._opened = opened
        self._handles = contextlib.ExitStack()
        self._free: LifoQueue[T | None] = LifoQueue()
        for _ in range(most):
            self._free.put(None)
        self._most = most

    @contextlib.contextmanager
    def take(self) -> Iterator[T]:
        """A reader, as soon as one is free."""
        reader = self._free.get()
        try:
            if reader is None:
                reader = self._handles.enter_context(self._opened())
            yield reader
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """Close every reader, if they are back in time: one that another machine keeps waiting is left alone."""
        with contextlib.suppress(Empty):
            for _ in range(self._most):
                self._free.get(timeout=_PATIENCE)
            self._handles.close()


class Cache:
    """The tiles that were asked for last."""

    def __init__(self, limit: int = 64 * 2**20) -> None:
        """`limit` in bytes."""
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, made: Callable[[], bytes]) -> bytes:
        """The bytes of `key`, `made` where they are not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        content = made()
        with self._lock:
            self._size += len(content) - len(self._kept.get(key, b""))
            self._kept[key] = content
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])
        return content
