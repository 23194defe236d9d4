"""From a composed configuration to checked settings."""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError

from landmix.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        msg = f"a setting cannot be resolved: {str(error).splitlines()[0]}"
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
        raise UsageError("; ".join(dict.fromkeys(map(_fault, error.errors())))) from None


def _dataclasses(kind: Any) -> Iterable[Any]:
    """A settings class and those of its fields."""
    yield kind
    for part in get_type_hints(kind).values():
        if dataclasses.is_dataclass(part):
            yield from _dataclasses(part)


def _fault(error: Any) -> str:
    """One fault as a sentence."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    path = ".".join(str(part) for part in error["loc"] if isinstance(part, int) or part.isidentifier())
    came = json.dumps(error["input"], default=str)[:60]
    rule = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"there is no setting {path}"
    choices = error.get("ctx", {}).get("expected", "")
    near = difflib.get_close_matches(
        str(error["input"]), [c.strip("' ") for c in choices.replace(" or ", ",").split(",")], 1
    )
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{path} must be {rule}, not {came}{hint}"


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
