"""Words that several tasks take."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "fp32", "bf16"]
Show = Literal["auto", "rich", "json", "off"]
"""How progress is shown."""
