"""What computes a map is settled once: later runs of the same map compute as the first did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from landmix.engines.choose import check
from landmix.engines.engine import EngineSpec
from landmix.errors import LandmixError
from landmix.files import write_json
from landmix.geo.opening import open_raster

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.classify.plan import Plan

_FILE = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user says of the engine; `auto` leaves it open."""

    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"

    def allows(self, engine: EngineSpec) -> bool:
        """Whether an engine is what the user wants."""
        said = (self.device, engine.device), (self.backend, engine.backend), (self.precision, engine.precision)
        return all(wanted in {"auto", has} for wanted, has in said)


def settled(plan: Plan, wish: Wish, *, overwrite: bool) -> Plan:
    """The plan, computed as an earlier run of the same map was, where the wish leaves that open."""
    if not overwrite:
        for known in (_of_parts(plan), _of_map(plan)):
            if known is not None and wish.allows(known):
                return plan.computed_by(known)
    return plan


def claim(plan: Plan, own: str, *, overwrite: bool) -> None:
    """Say in the folder of unfinished work what computes this map; `own` is the lock that this run holds.

    Raises `LandmixError` where another run has begun the same map with another engine, or this machine cannot compute
    as was settled.
    """
    try:
        check(plan.engine)
    except LandmixError as error:
        msg = f"{error} ({plan.target} was begun so; overwrite=true begins anew)" if _read(plan.work) else str(error)
        raise LandmixError(msg) from error
    with FileLock(plan.work / "plan.lock", timeout=20):
        _claim(plan, own, overwrite=overwrite)


def _claim(plan: Plan, own: str, *, overwrite: bool) -> None:
    earlier = _read(plan.work)
    other = earlier.get("map") == plan.map_digest and earlier.get("engine") != plan.engine.as_data()
    if other and not overwrite and (_has_parts(plan.work, earlier) or held(plan.work, own)):
        msg = f"{plan.target} was begun with {_words(earlier)}, so it cannot go on with {plan.engine.words}:"
        msg += " say device, backend and precision as then, or leave its parts with overwrite=true"
        raise LandmixError(msg)
    now = {"digest": plan.digest, "map": plan.map_digest, "engine": plan.engine.as_data()}
    if earlier != now:
        write_json(plan.work / _FILE, now)


def _words(data: dict[str, Any]) -> str:
    engine = _spec(data.get("engine"))
    return engine.words if engine else "something else"


def _read(work: Path) -> dict[str, Any]:
    try:
        data = json.loads((work / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _of_parts(plan: Plan) -> EngineSpec | None:
    data = _read(plan.work)
    same = data.get("map") == plan.map_digest
    return _spec(data.get("engine")) if same and (_has_parts(plan.work, data) or held(plan.work)) else None


def _has_parts(work: Path, data: dict[str, Any]) -> bool:
    return any(work.glob(f"{data.get('digest', '')[:16]}-*.tif"))


def held(work: Path, own: str | None = None) -> bool:
    """Whether runs hold a lock of a scene, other than `own`: they may be about to write their first part."""
    for path in work.glob("lock*"):
        try:
            if path.name != own:
                with FileLock(path, timeout=0):
                    pass
        except Timeout:
            return True
    return False


def _of_map(plan: Plan) -> EngineSpec | None:
    if not plan.target.exists():
        return None
    try:
        with open_raster(str(plan.target)) as dataset:
            tags = dataset.tags()
        engine = _spec(json.loads(tags.get("LANDMIX_ENGINE", "null")))
    except (LandmixError, ValueError):
        return None
    same = engine is not None and plan.computed_by(engine).digest == tags.get("LANDMIX_DIGEST")
    return engine if same else None


def _spec(data: Any) -> EngineSpec | None:
    try:
        return EngineSpec(**data)
    except TypeError:
        return None
