"""From a composed configuration to checked settings."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError

from landmix.core.words import rule
from landmix.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def config_folder() -> str:
    """`conf/`: beside the code where landmix is installed, in the checkout otherwise."""
    package = Path(__file__).resolve().parent.parent
    beside = package / "conf"
    return str(beside if beside.is_dir() else package.parent / "conf")


def settings_from(config: DictConfig, kind: type[T]) -> T:
    """Check a composed configuration and turn it into settings.

    Raises `UsageError` that names every fault by its dotted path.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        plain = json.dumps(OmegaConf.to_container(config, resolve=not missing))
    except OmegaConfBaseException as error:
        why = re.sub(r"^\w+ raised while resolving interpolation: ", "", str(error).splitlines()[0]).strip('"')
        msg = f"a setting cannot be resolved: {why}"
        raise UsageError(msg) from error
    if missing:
        msg = f"{' and '.join(missing)} must be given: {' '.join(f'{key}=...' for key in missing)}"
        raise UsageError(msg)
    for part in _dataclasses(kind):
        # Unknown keys are faults, and "1" is no number.
        part.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
    try:
        return TypeAdapter(kind).validate_json(plain)
    except ValidationError as error:
        raise UsageError("; ".join(dict.fromkeys(_faults(error.errors())))) from None


def _dataclasses(kind: Any) -> Iterable[Any]:
    """A settings class and those of its fields."""
    yield kind
    for part in get_type_hints(kind).values():
        if dataclasses.is_dataclass(part):
            yield from _dataclasses(part)


def _faults(errors: Iterable[Any]) -> Iterator[str]:
    """A sentence a fault; a setting that can be of several kinds, and is none of them, is one fault."""
    wrong: dict[str, list[Any]] = {}
    for error in errors:
        parts = [part for part in error["loc"] if isinstance(part, int) or part.isidentifier()]
        path = ".".join(str(part) for part in parts if part not in _KINDS)
        if error["type"] == "value_error":
            yield str(error["ctx"]["error"])
        elif error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            yield f"there is no setting {path}: --cfg job shows those that there are"
        elif error["type"] == "missing":
            yield f"{path} must be given: {path}=..."
        else:
            wrong.setdefault(path, []).append(error)
    for path, found in wrong.items():
        yield _wrong(path, found)


_KINDS = {"int", "float", "str", "bool", "dict", "list"}
"""What pydantic puts behind the name of a setting that can be of several kinds."""


def _wrong(path: str, errors: list[Any]) -> str:
    """What a setting must be, what came, and what may have been meant."""
    came = errors[0]["input"]
    expected = [str(error.get("ctx", {}).get("expected", "")) for error in errors]
    rules = [rule(error["type"], error["msg"], known) for error, known in zip(errors, expected, strict=True)]
    words = [word.strip("' ") for known in expected for word in known.replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(came), words, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    shown = f"'{came[:60]}'" if isinstance(came, str) else json.dumps(came, default=str)[:60]
    return f"{path} must be {', or '.join(dict.fromkeys(rules))}, not {shown}{hint}"


def near_keys(wanted: str, config: DictConfig) -> list[str]:
    """Settings whose names are like one that does not exist."""
    keys = list(_flat(OmegaConf.to_container(config, resolve=False)))
    last = wanted.rsplit(".", 1)[-1]
    same = [key for key in keys if key.rsplit(".", 1)[-1] == last]
    like = difflib.get_close_matches(wanted, keys, 3, 0.6)
    ends = {key.rsplit(".", 1)[-1]: key for key in keys}
    like += [ends[end] for end in difflib.get_close_matches(last, list(ends), 3, 0.7)]
    return list(dict.fromkeys([*same, *like]))[:3]


def _flat(data: Any, prefix: str = "") -> Iterable[str]:
    for name, part in data.items():
        path = f"{prefix}.{name}".lstrip(".")
        yield path
        if isinstance(part, dict):
            yield from _flat(part, path)
