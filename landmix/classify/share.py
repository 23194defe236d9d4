"""Work shared out by number, for job arrays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One of several equal shares of the work."""

    number: int
    """From 1."""
    count: int

    @staticmethod
    def parse(text: str) -> Share:
        """Read `3/8`. Raises `ValueError`."""
        number, slash, count = text.partition("/")
        if not slash or not (number.isdecimal() and count.isdecimal()) or not 1 <= int(number) <= int(count):
            msg = f"shard is written number/count, as in 3/8, with a number from 1 to count, not {text}"
            raise ValueError(msg)
        return Share(number=int(number), count=int(count))

    def has(self, position: int) -> bool:
        """Whether the piece at `position`, counted from 0, is in this share."""
        return position % self.count == self.number - 1
