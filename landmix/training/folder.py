"""A training run's folder: what lies in it, and whether a run may begin or go on there."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout

from landmix.errors import LandmixError
from landmix.files import STALE, TEMPORARY, WORK, check_no_link, make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IRRELEVANT = ("out_dir", "resume", "overwrite", "progress", "trainer", "limits")
"""Settings that do not change the model."""

_FILES = ("model.ckpt", "last.ckpt", "metrics.json", "report.html", "config.yaml", "train.csv")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`out_dir` of a training run."""

    root: Path
    stale_after: float = STALE
    """Seconds after which unfinished files of other hosts are removed."""

    @property
    def model(self) -> Path:
        """The finished model."""
        return self.root / "model.ckpt"

    @property
    def work(self) -> Path:
        """Unfinished work; there as long as a run is not finished."""
        return self.root / WORK

    @property
    def unfinished(self) -> bool:
        """Whether an interrupted run can go on here."""
        return (self.work / "unfinished").exists()

    def finished(self, config: dict[str, Any], *, resume: bool, overwrite: bool) -> bool:
        """Whether the very model that `config` describes is there already; else make room for it.

        Raises `LandmixError` where another model or unfinished run is there, unless `overwrite`.
        """
        if overwrite or not (self.unfinished or self.model.exists()):
            return False
        differing = self._differing(config)
        state = "an unfinished run" if self.unfinished else "a finished model"
        if differing:
            msg = f"{self.root} holds {state} with other settings ({', '.join(differing[:4])}): replace it with"
            msg += " overwrite=true, or choose another out_dir"
            raise LandmixError(msg)
        if not resume:
            onward = "go on with resume=true" if self.unfinished else "it is done"
            msg = f"{self.root} holds {state} with the same settings: {onward}, or begin anew with overwrite=true"
            raise LandmixError(msg)
        return not self.unfinished

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep the folder for this process.

        A run that fails before it began leaves nothing behind. Raises `LandmixError` where another process has it,
        or it cannot be written.
        """
        make_folder(self.root, self.stale_after)
        for name in (*_FILES, WORK):
            check_no_link(self.root / name)
        path = self.root / f"{TEMPORARY}lock"
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            msg = f"another landmix is training into {self.root}: wait for it, or choose another out_dir"
            raise LandmixError(msg) from None
        try:
            make_folder(self.work, self.stale_after)
            yield
        finally:
            for cache in self.work.glob("samples-*"):
                with contextlib.suppress(OSError):
                    cache.unlink()
            if not self.unfinished:
                shutil.rmtree(self.work, ignore_errors=True)
            lock.release()  # before it is removed: Windows removes no open file
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                self.root.rmdir()  # only if it is empty

    def begin(self, config: dict[str, Any], hashes: list[str], *, resume: bool) -> None:
        """Write down the settings; a run that does not go on begins without older states.

        Raises `LandmixError` where a run would go on with other `hashes` of its scenes and labels.
        """
        marker, data = self.work / "unfinished", "\n".join(hashes)
        if resume and self.unfinished:
            if marker.read_text(encoding="utf-8") != data:
                msg = (
                    f"the scenes, labels or network of the unfinished run in {self.root} have changed: begin anew with"
                )
                msg += " overwrite=true"
                raise LandmixError(msg)
        else:
            for state in [*self.work.glob("fold-*"), *self.work.glob("inner-*"), *self.work.glob("*.json")]:
                shutil.rmtree(state) if state.is_dir() else state.unlink()
            for name in ("last.ckpt", "train.csv"):
                (self.root / name).unlink(missing_ok=True)
        write_text(marker, data)
        write_text(self.root / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def end(self) -> None:
        """Nothing is unfinished any more."""
        (self.work / "unfinished").unlink(missing_ok=True)

    def _differing(self, config: dict[str, Any]) -> list[str]:
        """Dotted names of settings that the earlier run had otherwise."""
        try:
            earlier = yaml.safe_load((self.root / "config.yaml").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError):
            return ["config.yaml cannot be read"]
        before, now = _flat(earlier), _flat(config)
        keys = dict.fromkeys([*now, *before])
        return [key for key in keys if key.split(".")[0] not in _IRRELEVANT and before.get(key) != now.get(key)]


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys."""
    if not isinstance(data, dict):
        return {prefix: data}
    return {
        key: value for name, part in data.items() for key, value in _flat(part, f"{prefix}.{name}".lstrip(".")).items()
    }
