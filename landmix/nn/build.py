"""From the numbers of a network, or the user's own file, to a network with new weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.nn.network import Network
from landmix.nn.own import OwnNetwork
from landmix.nn.plugin import Plugin
from landmix.nn.spec import NetSpec

if TYPE_CHECKING:
    from landmix.nn.spec import NetShape

AnyNetwork = Network | OwnNetwork


def build(shape: NetShape, bands: int, classes: int, inputs: tuple[int, ...] = ()) -> AnyNetwork:
    """A network for so many bands and classes; `inputs`: how many of the bands each sensor or date brings.

    Raises `LandmixError` where the user's own file fails or its network breaks a rule.
    """
    if shape.plugin is None:
        return Network(shape.spec(bands, classes, inputs))
    plugin = Plugin.read(shape.plugin, shape.name)
    return OwnNetwork(NetSpec(in_channels=bands, classes=classes, own=plugin.own), plugin)
