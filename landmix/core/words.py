"""How messages name what is allowed, wherever a value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def either(words: Sequence[str]) -> str:
    """Choose one.

    >>> either(["none", "flips"]), either(["a", "b", "c"])
    ('none or flips', 'a, b or c')
    """
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list, as in [a,b]",
    "tuple": "a list, as in [a,b]",
    "dict": "a group of settings",
    "dataclass": "a group of settings",
}
"""By what pydantic's names of faults begin with."""


def rule(fault: str, message: str, expected: str = "") -> str:
    """What a value must be, of pydantic's fault: its type, its message, and the values that it expected.

    >>> rule("int_parsing", "Input should be a valid integer"), rule("literal_error", "", "'a', 'b' or 'c'")
    ('a whole number', 'a, b or c')
    """
    if fault == "literal_error":
        return either([word.strip("' ") for word in expected.replace(" or ", ",").split(",")])
    kind, _, what = fault.partition("_")
    if kind in _KINDS and not what.startswith("too"):
        return _KINDS[kind]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")
