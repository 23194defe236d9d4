"""Networks of a user's own, from their file."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from commands import TINY, done_inside
from provoking import Group, good_files

import landmix

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "import torch\nfrom torch import nn\nfrom landmix.nn import register\n"
TRAIN = ("train", *TINY[1:], "data.scenes=scene.tif", "data.labels=labels.gpkg", "data.field=class", "out_dir=new")
PREDICT = ("predict", "device=cpu", "scenes=scene.tif", "out_dir=new")

NETS = {
    "good": "return self.out(x)",
    "other": "return self.out(x[:, :, 1:-1, 1:-1])",
    "strided": "return self.out(x)[..., ::2, ::2]",
    "padded": "return self.out(x + x.mean((2, 3), keepdim=True))",
    "shifted": "return self.out(x[:, :, 2:, 2:]) ",
    "beside": "return self.out(x[:, :, 2:, 2:] + x[:, :, 1:-1, 1:-1])",
    "random": "return self.out(x) + torch.rand(1)",
    "batched": "return self.out(x - x.mean(0, keepdim=True))",
    "short": "return self.out(x)[:, :1]",
    "detached": "return self.out(x).detach()",
    "double": "return self.out(x).double()",
    "infinite": "return self.out(x) / 0",
    "tied": "return self.out(x * self.scale)",
    "failing": "return self.out(x, x)",
}


def _net(forward: str, name: str = "net") -> str:
    lines = "super().__init__()\nself.out = nn.Conv2d(bands, classes, 1)\n"
    if "scale" in forward:  # the result of a computation, which cannot be copied
        lines += "self.scale = self.out.bias.sum()\n"
    text = f'\n@register("{name}")\nclass Net(nn.Module):\n    def __init__(self, bands, classes):\n'
    return text + indent(lines, " " * 8) + "    def forward(self, x):\n" + indent(forward, " " * 8) + "\n"


def _prepare(folder: Path) -> None:
    good_files(folder)
    texts = {name: HEAD + _net(forward) for name, forward in NETS.items()}
    texts |= {
        "empty": HEAD,
        "two": HEAD + _net(NETS["good"], "a") + _net(NETS["good"], "b"),
        "doubled": HEAD + _net(NETS["good"]) * 2,
        "syntax": "class (",
        "leaving": "import sys\nsys.exit(3)\n",
        "no module": HEAD + '\n@register("net")\ndef make(bands, classes):\n    return 3\n',
        "nothing to train": HEAD + '\n@register("net")\ndef make(bands, classes):\n    return nn.Identity()\n',
        "wider": HEAD
        + _net(NETS["good"]).replace("nn.Conv2d(bands, classes, 1)", "nn.Conv2d(bands, classes, 1, bias=False)"),
    }
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    done_inside(*TRAIN[:-1], "out_dir=own", "net.plugin=good.py", "optim.steps=2", "progress=off")


GROUPS = [
    Group(
        "Networks of one's own",
        {
            **{
                f"file that is {name}": (*TRAIN, f"net.plugin={name}.py")
                for name in (*NETS, "empty", "doubled", "wider")
            },
            "file that is not there": (*TRAIN, "net.plugin=gone.py"),
            "file that is no Python": (*TRAIN, "net.plugin=syntax.py"),
            "file that leaves": (*TRAIN, "net.plugin=leaving.py"),
            "file of two networks": (*TRAIN, "net.plugin=two.py"),
            "network that the file lacks": (*TRAIN, "net.plugin=two.py", "net.name=c"),
            "function that makes no network": (*TRAIN, "net.plugin=no module.py"),
            "network without weights": (*TRAIN, "net.plugin=nothing to train.py"),
            "model without its file": (*PREDICT, "model=own/model.ckpt"),
            "model with another file": (*PREDICT, "model=own/model.ckpt", "net.plugin=wider.py"),
            "model with a changed file": (*PREDICT, "model=own/model.ckpt", "net.plugin=other.py"),
            "file that is not there, from Python": lambda: landmix.load("own/model.ckpt", plugin="gone.py"),
            "model of landmix's own": (*PREDICT, "model=model.ckpt", "net.plugin=good.py"),
        },
        _prepare,
    )
]
