"""Several training processes, started by torchrun or srun, never by landmix itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from landmix.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    world: int = 1
    devices: int = 1
    """Processes on this machine."""
    nodes: int = 1
    """Machines."""

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process, in all of them."""
        if self.world == 1:
            return make()
        box: list[T | None] = [make() if self.first else None]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]  # type: ignore[return-value]


def join(devices: int | None, nodes: int, device: str) -> Processes:
    """Find the other processes, if a launcher started several.

    Raises `UsageError` where more devices are wanted than a launcher started.
    """
    launcher = _launcher()
    if launcher is None or launcher.world_size() == 1:
        if (devices or 1) * nodes > 1:
            msg = (
                f"trainer.devices={devices or 1} and trainer.num_nodes={nodes} need a launcher: torchrun --nnodes="
                f"{nodes} --nproc-per-node={devices or 1} -m landmix train ..., or srun with as many tasks"
            )
            raise UsageError(msg)
        return Processes()
    world = launcher.world_size()
    local = devices or max(1, world // nodes)
    if local * nodes != world:
        msg = f"trainer.devices={local} times trainer.num_nodes={nodes} must be the {world} processes that were started"
        raise UsageError(msg)
    fabric = Fabric(accelerator="gpu" if device == "cuda" else "cpu", devices=local, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    return Processes(rank=fabric.global_rank, world=world, devices=local, nodes=nodes)


def _launcher() -> SLURMEnvironment | TorchElasticEnvironment | None:
    """The launcher that started this process."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    return SLURMEnvironment() if SLURMEnvironment.detect() else None
