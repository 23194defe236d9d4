"""A user's own network: its margin is found, and that no pixel sees more is proved, by running it."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor, nn

from landmix.errors import LandmixError
from landmix.nn.plugin import failed

if TYPE_CHECKING:
    from landmix.nn.plugin import Plugin
    from landmix.nn.spec import NetSpec

_SIDES = 32, 128, 512
"""Tiles that a network is first tried on; a large margin needs a large one."""
_WEIGHTS = 4
"""How many random sets of weights a network is tried with: in one of them a unit may be dead."""
_FAR = 1e-3
"""Largest difference, as a share of the largest logit, that is rounding."""


class OwnNetwork(nn.Module):
    """Somebody's own network, to be trained and run like landmix's; it has no encoder."""

    def __init__(self, spec: NetSpec, plugin: Plugin) -> None:
        """Raises `LandmixError` for a network that breaks a rule, which `margin_of` names."""
        super().__init__()
        self.spec, self.plugin = spec, plugin
        self.margin = margin_of(plugin, spec.in_channels, spec.classes)
        self.own = plugin.make(spec.in_channels, spec.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pixels (B, C, H, W) -> logits (B, K, H - 2 margin, W - 2 margin)."""
        return self.own(x)  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=64)
def margin_of(plugin: Plugin, bands: int, classes: int) -> int:
    """How many pixels a network cuts off on each side.

    Raises `LandmixError` where a tile of a scene could get other classes than the scene: where an answer depends on
    chance, on other crops of a batch, on pixels farther away than the margin, on where a tile begins, or where the
    margin is not the same on all sides.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trial = _Trial(plugin, bands, classes)
        margin = trial.margin()
        seen = torch.zeros(2 * margin + 1, 2 * margin + 1, dtype=torch.bool)
        for _ in range(_WEIGHTS):
            trial.shake()
            trial.check_same_again(margin)
            trial.check_crops(margin)
            seen |= trial.seen(margin)
        trial.check_centred(seen)
        trial.check_rough(margin)
    return margin


class _Trial:
    """A network with new weights in evaluation mode, to be tried out."""

    def __init__(self, plugin: Plugin, bands: int, classes: int) -> None:
        self._plugin, self._bands, self._classes = plugin, bands, classes
        self._network = plugin.make(bands, classes).eval()
        if not any(p.requires_grad for p in self._network.parameters()):
            self._refuse("has nothing to train: it needs parameters")
        try:
            copy.deepcopy(self._network)  # as it is deployed
        except Exception:  # noqa: BLE001 - whatever its parts raise
            self._refuse(
                "cannot be copied, which deploying it takes: compute tensors in forward, and take weight_norm from"
                " torch.nn.utils.parametrizations"
            )

    def _refuse(self, why: str) -> NoReturn:
        msg = f"the network {self._plugin.own.name} of net.plugin={self._plugin.path} {why}"
        raise LandmixError(msg)

    def _run(self, x: Tensor) -> Tensor:
        try:
            found = self._network(x)
        except Exception as error:
            raise failed(self._plugin.path, error, f"on {tuple(x.shape)} pixels") from error
        if not isinstance(found, Tensor) or found.ndim != 4 or found.shape[:2] != (len(x), self._classes):  # noqa: PLR2004
            what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            self._refuse(f"must give logits of the shape ({len(x)}, {self._classes}, H, W), not {what}")
        if found.dtype != x.dtype:
            self._refuse(f"must give logits of the type that it is given, {x.dtype}, not {found.dtype}")
        if not torch.isfinite(found).all():
            self._refuse("gives logits that are no finite numbers")
        return found

    @torch.no_grad()
    def margin(self) -> int:
        """From the size of what comes out of two sizes."""
        for side in _SIDES:
            try:
                cut = [self._cut(side, side + 3), self._cut(side + 5, side + 1)]
                break
            except LandmixError:
                if side == _SIDES[-1]:
                    raise
        rows_cols = {size for pair in cut for size in pair}
        if len(rows_cols) != 1 or (size := rows_cols.pop()) < 0 or size % 2:
            what = ", ".join(f"{rows} rows and {cols} columns" for rows, cols in cut)
            self._refuse(
                f"must make tiles of any size smaller by the same even number of rows and columns, not by {what}:"
                " leave out strides, and take odd kernels without padding"
            )
        return size // 2

    def _cut(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns that are lost."""
        found = self._run(torch.randn(1, self._bands, height, width))
        return height - found.shape[2], width - found.shape[3]

    def shake(self) -> None:
        """Random weights: new ones may be such that nothing passes through a block."""
        for name, values in self._network.state_dict().items():
            if name.endswith("running_var"):
                values.uniform_(0.5, 2)
            elif name.endswith("running_mean"):
                values.normal_(0, 0.3)
        for p in self._network.parameters():
            with torch.no_grad():
                p.normal_(0, 1.5 * p[0].numel() ** -0.5) if p.ndim > 1 else p.normal_(0.5, 0.5)

    @torch.no_grad()
    def check_same_again(self, margin: int) -> None:
        """The same crop, alone and beside another one."""
        x = torch.randn(2, self._bands, 2 * margin + 9, 2 * margin + 7)
        one = self._run(x[:1])
        if _differ(one, self._run(x[:1])):
            self._refuse("gives another answer each time: once trained, nothing in it may be random")
        if _differ(one, self._run(x)[:1]):
            self._refuse("lets the crops of a batch see each other: normalise with stored statistics")

    @torch.no_grad()
    def check_crops(self, margin: int) -> None:
        """A tile, cut anywhere from a picture that is wildly different around it, gives what the picture gives."""
        m, (height, width) = margin, (9, 12)
        for row, col in ((1, 2), (3, 8), (6, 5), (8, 3)):
            tile = slice(row, row + height + 2 * m), slice(col, col + width + 2 * m)
            x = 5 * torch.randn(1, self._bands, 2 * m + 20, 2 * m + 24) + 10
            x[..., *tile] = torch.randn_like(x[..., *tile])
            whole = self._run(x)[..., row : row + height, col : col + width]
            if _differ(whole, self._run(x[..., *tile])):
                self._refuse(
                    f"sees farther than the {m} pixels that it cuts off on each side, so a pixel's class would depend"
                    " on how the scene is tiled: leave out padding, strides, and pooling over the tile as in"
                    " squeeze-and-excite"
                )

    def seen(self, margin: int) -> Tensor:
        """Which pixels (2 margin + 1, 2 margin + 1) one output pixel depends on, for these weights."""
        # many pictures: a maximum looks at one of its pixels at a time
        x = torch.randn(64, self._bands, 2 * margin + 1, 2 * margin + 1, requires_grad=True)
        found = self._run(x)
        if not found.requires_grad:
            self._refuse("passes no gradients on, so it cannot be trained")
        (slope,) = torch.autograd.grad((found * torch.randn_like(found)).sum(), x)
        return slope.abs().sum((0, 1)) > 0

    def check_centred(self, seen: Tensor) -> None:
        """What an output pixel sees lies around the pixel that it stands for."""
        last = len(seen) - 1
        for sides in (seen.any(1), seen.any(0)):
            places = torch.nonzero(sides)[:, 0].tolist() or [0, last]
            if places[0] + places[-1] != last:
                self._refuse(
                    "must cut as many pixels off on one side as on the other, but what it says of a pixel lies beside"
                    " that pixel: the map would be shifted"
                )

    @torch.no_grad()
    def check_rough(self, margin: int) -> None:
        """It computes in bf16 too."""
        self._network.to(torch.bfloat16)
        self._run(torch.randn(1, self._bands, 2 * margin + 3, 2 * margin + 3, dtype=torch.bfloat16))


def _differ(one: Tensor, other: Tensor) -> bool:
    return not bool((one - other).abs().max() <= _FAR * one.abs().max().clamp_min(1e-6))
