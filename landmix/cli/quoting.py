"""Any file name on the command line: values of path keys are quoted before hydra parses them."""

from __future__ import annotations

import os
import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

PATH_KEYS = frozenset(
    {
        "data.scenes",
        "data.labels",
        "data.legend",
        "data.validation.scenes",
        "data.validation.labels",
        "scenes",
        "model",
        "net.plugin",
        "map",
        "reference",
        "legend",
        "path",
        "out",
        "out_dir",
        "profile",
        "quicklook",
        "scene",
        "scene.product",
        "strata",
    }
)
"""Keys whose values are taken literally, unless they begin like a list, a mapping or a quoted text."""

NAME_KEYS = frozenset({"data.field", "data.layer", "field", "layer"})
"""Keys of names that files hold, in any script: literal too, but commas still make a sweep of them."""


def quote_paths(arguments: list[str]) -> list[str]:
    """Quote the values of path keys where hydra would read them as anything but that very text.

    >>> quote_paths(["scenes=/data/Jürgen (1), a=b.tif", "seed=1,2"])
    ["scenes='/data/Jürgen (1), a=b.tif'", 'seed=1,2']
    """
    return [_quoted(argument) for argument in arguments]


def _quoted(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in PATH_KEYS | NAME_KEYS or not value:
        return argument
    if key == "scene":
        return _scene(value)
    if value[0] in "[{'\"":
        return argument
    if value == "null" and key in NAME_KEYS | {"net.plugin", "scene.product", "quicklook", "profile", "strata"}:
        return argument  # no name after all
    return argument if _plain(argument, value) else f"{key}={_as_text(value)}"


def _scene(value: str) -> str:
    """`scene=FILE` of view; `scene=default` of other verbs is a group.

    Where a group has the name of a key, hydra takes any value but a mapping for one of the group's files.
    """
    group = value[0] not in _QUOTED and not any(mark in value for mark in "/\\.")
    if value[0] == "{" or (group and (value in {"default", "inherit"} or not os.path.exists(value))):  # noqa: PTH110
        return f"scene={value}"
    if value.startswith("[[") and value.endswith("]]"):
        value = value[1:-1]
    return f"scene={{name: scene, path: {value if value[0] in _QUOTED else _as_text(value)}}}"


_QUOTED = "['\""


def _plain(argument: str, value: str) -> bool:
    """Whether hydra reads the value as exactly this text."""
    if "${" in value:
        return False
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    if override.is_sweep_override():
        return override.get_key_element() in NAME_KEYS
    return bool(override.value() == value)


def _as_text(value: str) -> str:
    """The value as a quoted text of hydra's grammar, which doubles backslashes only before quotes and at the end."""
    # OmegaConf: an odd number of backslashes before ${ makes it plain text, and each pair of them is one
    body = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", value)
    # hydra: backslashes are doubled before a quote and at the end
    body = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", body)
    body = re.sub(r"\\+$", lambda match: match[0] * 2, body)
    return f"'{body}'"
