"""Somebody's own networks: their margin is found, and those that would depend on how a scene is tiled are refused."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch
from own_networks import GOOD, HEAD, write_net
from torch import nn

from landmix.errors import LandmixError
from landmix.nn.build import build
from landmix.nn.layers import BatchNorm, Dropout
from landmix.nn.own import OwnNetwork
from landmix.nn.spec import HeadSpec, NetShape

if TYPE_CHECKING:
    from pathlib import Path

torch.set_num_threads(1)


def own(path: Path, name: str | None = None, bands: int = 4) -> OwnNetwork:
    found = build(NetShape(plugin=str(path), name=name), bands, 3)
    assert isinstance(found, OwnNetwork)
    return found


ALLOWED = {
    "a pixel": ("return self.out(x)", "", 0),
    "3x3": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, 3)", 1),
    "dilated": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, 3, dilation=9)", 9),
    "separable": (
        "return self.out(self.rows(self.cols(x)))",
        "self.rows = nn.Conv2d(bands, bands, (5, 1))\nself.cols = nn.Conv2d(bands, bands, (1, 5))",
        2,
    ),
    "a maximum": ("return self.out(F.max_pool2d(x, 3, 1))", "", 1),
    "cut by size": ("return self.out(x[:, :, 2 : x.shape[2] - 2, 2 : x.shape[3] - 2])", "", 2),
    "channels last": (
        "return self.mix(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)",
        "self.norm, self.mix = nn.LayerNorm(bands), nn.Linear(bands, classes)",
        0,
    ),
    "a shortcut": ("return self.far(x) + self.out(x)[..., 1:-1, 1:-1]", "self.far = nn.Conv2d(bands, classes, 3)", 1),
    "large": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, 5, dilation=31)", 62),
    "no gain at first": ("return self.out(x) * self.gain", "self.gain = nn.Parameter(torch.zeros(classes, 1, 1))", 0),
}


@pytest.mark.parametrize("kind", ALLOWED)
def test_the_margin_is_found(tmp_path: Path, kind: str) -> None:
    forward, parts, margin = ALLOWED[kind]
    network = own(write_net(tmp_path / "n.py", forward, parts)).eval()
    assert network.margin == margin
    assert network(torch.zeros(2, 4, 2 * margin + 3, 2 * margin + 5)).shape == (2, 3, 3, 5)


REFUSED = {
    "padding": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, 3, padding=1)", "sees farther than the 0"),
    "replicate": (
        "return self.far(x)",
        "self.far = nn.Conv2d(bands, classes, 3, padding=1, padding_mode='replicate')",
        "sees farther",
    ),
    "squeeze-and-excite": (
        "return self.out(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())",
        "self.gate = nn.Conv2d(bands, bands, 1)",
        "squeeze-and-excite",
    ),
    "the brightest pixel": ("return self.out(x) / x.amax((1, 2, 3), keepdim=True)", "", "sees farther"),
    "instance norm": ("return self.out(F.instance_norm(x))", "", "sees farther"),
    "attention over pixels": (
        """
        b, c, h, w = x.shape
        p = x.flatten(2).transpose(1, 2)
        return self.out((torch.softmax(p @ p.transpose(1, 2), -1) @ p).transpose(1, 2).reshape(b, c, h, w))
        """,
        "",
        "sees farther",
    ),
    "place in the tile": (
        "return self.out(x) + torch.linspace(-1, 1, x.shape[3], dtype=x.dtype)",
        "",
        "sees farther",
    ),
    "strides": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, 3, stride=2)", "the same even number"),
    "down and up": (
        "return F.interpolate(self.out(F.avg_pool2d(x, 2, ceil_mode=True)), x.shape[2:])",
        "",
        "sees farther",
    ),
    "an even kernel": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, 2)", "odd kernels"),
    "more rows than columns": ("return self.far(x)", "self.far = nn.Conv2d(bands, classes, (3, 1))", "the same even"),
    "a shift": ("return self.out(x[..., 2:, 2:])", "", "the map would be shifted"),
    "chance": ("return self.out(x) + torch.randn(1).to(x)", "", "may be random"),
    "dropout that stays on": ("return self.out(F.dropout(x, 0.5))", "", "may be random"),
    "statistics of a batch": (
        "return self.out(self.norm(x))",
        "self.norm = nn.BatchNorm2d(bands, track_running_stats=False)",
        "crops of a batch",
    ),
    "another number of classes": ("return x", "", "(1, 3, H, W)"),
    "two answers": ("return self.out(x), x", "", "not tuple"),
    "numbers of float32": ("return F.conv2d(x, torch.ones(3, x.shape[1], 1, 1)) + self.out(x)", "", "RuntimeError"),
    "no gradient": ("return self.out(x).detach()", "", "gradients"),
    "nothing to learn": ("return x[:, :3]", "del self.out", "nothing to train"),
    "an error": ("return self.nothing(x)", "", "line 16: AttributeError"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_depends_on_the_tile_is_refused(tmp_path: Path, kind: str) -> None:
    forward, parts, told = REFUSED[kind]
    path = write_net(tmp_path / "n.py", forward, parts)
    with pytest.raises(LandmixError) as caught:
        own(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_layers_that_count_over_processes_are_landmixs(tmp_path: Path) -> None:
    (tmp_path / "n.py").write_text(GOOD)
    network = own(tmp_path / "n.py")
    assert network.margin == 3
    kinds = {type(module) for module in network.modules()}
    assert {BatchNorm, Dropout} <= kinds
    assert not {nn.BatchNorm2d, nn.Dropout2d} & kinds
    assert not hasattr(network, "encoder")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "registers no network"),
        ("def f(:", "line 6: SyntaxError"),
        ("\n1 / 0", "line 7: ZeroDivisionError"),
        ("@register('a')\ndef a(b, c): return nn.Conv2d(b, c, 1)\nregister('a')(a)", "two networks are called 'a'"),
        ("@register('a')\ndef a(b, c): return 3", "must make a torch.nn.Module, not int"),
        ("@register('a')\ndef a(b): return nn.Conv2d(b, 1, 1)", "TypeError"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "n.py"
    path.write_text(HEAD + text + "\n")
    with pytest.raises(LandmixError) as caught:
        own(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_one_of_several(tmp_path: Path) -> None:
    text = "@register('a')\ndef a(b, c): return nn.Conv2d(b, c, 1)\nregister('b')(lambda b, c: nn.Conv2d(b, c, 3))\n"
    (tmp_path / "n.py").write_text(HEAD + text)
    assert [own(tmp_path / "n.py", name).margin for name in "ab"] == [0, 1]
    for name in (None, "c"):
        with pytest.raises(LandmixError, match="registers a, b"):
            own(tmp_path / "n.py", name)
    with pytest.raises(LandmixError, match="cannot be read"):
        own(tmp_path / "none.py")


def test_a_file_leaves_nothing_behind(tmp_path: Path) -> None:
    text = HEAD + "from dataclasses import dataclass\n@dataclass\nclass Numbers:\n    width: int = 3\n"
    (tmp_path / "n.py").write_text(text + "@register('a')\ndef a(b, c): return nn.Conv2d(b, c, Numbers().width)\n")
    before = torch.random.get_rng_state()
    path = list(sys.path)
    assert own(tmp_path / "n.py").margin == 1
    assert [found.name for found in tmp_path.iterdir()] == ["n.py"]
    assert sys.path == path
    torch.random.set_rng_state(before)
    first = own(tmp_path / "n.py")
    torch.random.set_rng_state(before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), own(tmp_path / "n.py").parameters(), strict=True))


def test_other_settings_of_a_network_are_refused_beside_it() -> None:
    with pytest.raises(ValueError, match=r"net\.plugin brings a whole network"):
        NetShape(plugin="n.py", head=HeadSpec(blocks=1))
    with pytest.raises(ValueError, match=r"net\.plugin"):
        NetShape(name="a")
