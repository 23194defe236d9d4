"""A network becomes engines: one for each set of outputs that is wanted, built once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from landmix.engines.choose import check
from landmix.engines.deployed import Flips, TurnedPictures, folded
from landmix.engines.engine import Trust
from landmix.nn.network import Network
from landmix.nn.reference import WithFeatures

if TYPE_CHECKING:
    from torch import nn

    from landmix.engines.engine import Engine, EngineSpec, Wanted
    from landmix.nn.build import AnyNetwork


class Engines:
    """One network, ready to compute; a worker makes this once, whatever the number of scenes."""

    def __init__(
        self,
        network: AnyNetwork,
        spec: EngineSpec,
        *,
        trust: Trust | None = None,
        flips: bool = False,
        threads: int = 1,
    ) -> None:
        """`flips`: average over turned surroundings; `threads`: callers that compute at once.

        `trust`: what is known of the network besides its weights; None: its confidence is taken as it is.

        Raises `LandmixError` where this machine cannot compute as `spec` says.
        """
        check(spec)
        plain = folded(network)
        self._network: nn.Module = plain
        if flips:
            self._network = Flips(plain) if isinstance(plain, Network) else TurnedPictures(plain)
        self._trust = trust or Trust()
        self.spec, self.margin = spec, network.margin
        self._foreign = not isinstance(network, Network)
        self._bands, self._classes, self._threads = network.spec.in_channels, network.spec.classes, threads
        self._built: dict[Wanted, Engine] = {}
        self._lock = threading.Lock()

    def get(self, wanted: Wanted) -> Engine:
        """The engine that gives these outputs; applicability needs a reference."""
        with self._lock:
            if wanted not in self._built:
                self._built[wanted] = self._build(wanted)
            return self._built[wanted]

    def _build(self, wanted: Wanted) -> Engine:
        """Back-ends are imported when they are chosen: OpenVINO may not be installed."""
        network = WithFeatures(self._network) if "applicability" in wanted.shares else self._network
        if self.spec.device == "cuda":
            from landmix.engines.gpu_torch import GpuEngine  # noqa: PLC0415

            return GpuEngine(network, self.margin, self.spec, wanted, self._trust)
        if self.spec.backend == "openvino":
            from landmix.engines.cpu_openvino import OpenVinoEngine  # noqa: PLC0415

            engine = OpenVinoEngine(
                network, self._bands, self.margin, self._classes, self.spec, wanted, self._threads, self._trust
            )
            if self._foreign:
                engine.check()
            return engine
        from landmix.engines.cpu_torch import TorchEngine  # noqa: PLC0415

        return TorchEngine(network, self.margin, self._classes, self.spec, wanted, self._trust)
