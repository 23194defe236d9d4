"""A network from a user's own Python file, which is named on the command line and never by a model file."""

from __future__ import annotations

import functools
import hashlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from torch import nn

from landmix.errors import LandmixError
from landmix.nn.layers import BatchNorm, Dropout
from landmix.nn.registry import collecting
from landmix.nn.spec import OwnSpec

if TYPE_CHECKING:
    from landmix.nn.registry import Make
    from landmix.nn.spec import NetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A network in a file as it was when it was read. Holds no code, so it can be sent to a worker."""

    path: Path
    """Absolute."""
    own: OwnSpec

    @staticmethod
    def read(path: str | Path, name: str | None = None) -> Plugin:
        """The network `name` of a file; None: the only one.

        Runs the file. Raises `LandmixError` where it fails, or holds no such network.
        """
        path = Path(path).absolute()
        source = _source(path)
        digest = hashlib.sha256(source).hexdigest()
        found = _registered(path, digest)
        if name is None and len(found) == 1:
            (name,) = found
        if name not in found:
            what = "none is chosen with net.name" if name is None else f"none of them is {name!r}"
            has = f"registers {', '.join(found)}, and {what}" if found else "registers no network"
            msg = f"net.plugin={path} {has}: write @landmix.nn.register(NAME) before its class"
            raise LandmixError(msg)
        return Plugin(path=path, own=OwnSpec(name=name, sha256=digest))

    def make(self, bands: int, classes: int) -> nn.Module:
        """The network with new weights; its batch norms and channel dropouts are the same over several processes.

        Raises `LandmixError` where the file has changed, or fails.
        """
        make = _registered(self.path, self.own.sha256)[self.own.name]
        try:
            module = make(bands, classes)
        except Exception as error:
            raise failed(self.path, error, f"with {bands} bands and {classes} classes") from error
        if not isinstance(module, nn.Module):
            msg = f"{self.own.name} of net.plugin={self.path} must make a torch.nn.Module, not {type(module).__name__}"
            raise LandmixError(msg)
        return _alike(module)


def needed(net: NetSpec, where: str) -> LandmixError:
    """What is said where the code of a network is missing."""
    name = net.own.name if net.own else ""
    msg = f"the network {name!r} of {where} is somebody's own code, which no model file holds: name the file with"
    return LandmixError(f"{msg} net.plugin=FILE (in Python plugin=FILE)")


def failed(path: Path, error: BaseException, what: str) -> LandmixError:
    """An error of the user's own code, with the line in their file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else lines[-1] if lines else None
    where = f" in line {line}" if line else ""
    return LandmixError(f"net.plugin={path} fails {what}{where}: {type(error).__name__}: {error}")


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"net.plugin={path} cannot be read: {error.strerror or error}"
        raise LandmixError(msg) from error


@functools.lru_cache(maxsize=16)
def _registered(path: Path, digest: str) -> dict[str, Make]:
    """What a file registers, run once. Not imported: that would leave bytecode beside it."""
    source = _source(path)
    if hashlib.sha256(source).hexdigest() != digest:
        msg = f"net.plugin={path} changed while it was used: run the command again"
        raise LandmixError(msg)
    module = ModuleType(f"landmix_plugin_{digest[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and type hints look their module up
    with collecting() as found:
        try:
            # the user's own code, which they name themselves, on their own machine
            exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102
        except (Exception, SystemExit) as error:
            raise failed(path, error, "when it is read") from error
    return found


def _alike(module: nn.Module) -> nn.Module:
    """The same with layers that do not depend on how many processes share a batch."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout2d:
            setattr(module, name, Dropout(child.p))
        elif type(child) is nn.BatchNorm2d and child.affine and child.track_running_stats:
            child.__class__ = BatchNorm
        else:
            _alike(child)
    return module
