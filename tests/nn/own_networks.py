"""Files with networks of somebody's own."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
import torch
from torch import nn
from torch.nn import functional as F

from landmix.nn import register
"""

GOOD = (
    HEAD
    + '''

@register("my_net")
class MyNet(nn.Module):
    """Sees 7 x 7: a 3x3, and a 3x3 whose taps lie 2 pixels apart."""

    def __init__(self, bands, classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Sequential(nn.Conv2d(bands, 16, 1), nn.BatchNorm2d(16)),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(16, classes, 3, dilation=2),
        )

    def forward(self, x):
        return self.body(x)
'''
)


def write_net(path: Path, forward: str, parts: str = "", name: str = "net") -> Path:
    """A file with a network: `parts` are set up in its constructor, `forward` has `x` and `self`."""
    text = HEAD + f'\n\n@register("{name}")\nclass Net(nn.Module):\n    def __init__(self, bands, classes):\n'
    text += "        super().__init__()\n        self.out = nn.Conv2d(bands, classes, 1)\n"
    text += indent(dedent(parts).strip(), " " * 8) + "\n\n    def forward(self, x):\n"
    path.write_text(text + indent(dedent(forward).strip(), " " * 8) + "\n", encoding="utf-8")
    return path
