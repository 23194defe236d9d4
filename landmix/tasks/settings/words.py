"""Words that several tasks take."""

from dataclasses import dataclass
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "fp32", "bf16"]
Show = Literal["auto", "rich", "json", "off"]
"""How progress is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetFile:
    """`net.*` of tasks that take a model."""

    plugin: str | None = None
    """The user's own Python file that holds the model's network, where it is none of landmix's."""
