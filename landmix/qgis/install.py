"""Put the Processing script where QGIS looks for scripts."""

from __future__ import annotations

import configparser
import os
import re
import sys
from importlib import resources
from pathlib import Path

from landmix.errors import LandmixError
from landmix.files import make_folder, write_text

NAME = "classify_with_landmix.py"

MARK = "# landmix: Processing script for QGIS"
"""How every version of the script begins."""

_TEMPLATE = "COMMAND: list[str] = []\n"


def install(profile: Path, *, overwrite: bool = False) -> Path:
    """Write the script into a QGIS profile; returns where it lies.

    An older version of it is replaced. Raises `LandmixError` where the profile is no folder or cannot be written, or
    where a file of that name is not landmix's and `overwrite` is False.
    """
    if not profile.is_dir():
        msg = f"profile={profile} is no folder: give that of a QGIS profile (QGIS shows it: Settings > User Profiles)"
        raise LandmixError(msg)
    target = profile / "processing" / "scripts" / NAME
    if not overwrite and not _ours(target):
        msg = f"{target} exists and was not written by landmix: replace it with overwrite=true"
        raise LandmixError(msg)
    make_folder(target.parent)
    write_text(target, script([sys.executable, "-P", "-m", "landmix"]))  # -P: a folder `landmix` is not taken for it
    return target


def script(command: list[str]) -> str:
    """The text of the script that runs landmix by `command`."""
    template = resources.files("landmix.qgis").joinpath(NAME).read_text(encoding="utf-8")
    return template.replace(_TEMPLATE, _TEMPLATE.replace("[]", ascii(command)), 1)


def _ours(target: Path) -> bool:
    """Whether nothing is lost when a file is replaced."""
    try:
        return target.read_bytes().startswith(MARK.encode())
    except FileNotFoundError:
        return True
    except OSError as error:
        msg = f"cannot read {target}: {error.strerror or error}"
        raise LandmixError(msg) from error


def find_profile() -> Path:
    """The profile that QGIS starts with. Raises `LandmixError` where QGIS has never been started."""
    for base in _bases():
        folder = base / "profiles"
        for name in (*_started_with(folder / "profiles.ini"), "default"):
            if (folder / name).is_dir():
                return folder / name
    looked = " or ".join(str(base / "profiles") for base in _bases())
    msg = f"no QGIS profile found in {looked}: start QGIS once, or name its folder with profile=DIR"
    raise LandmixError(msg)


def _bases() -> list[Path]:
    """Where QGIS keeps its profiles, most likely first."""
    custom = os.environ.get("QGIS_CUSTOM_CONFIG_PATH")
    if custom:
        return [Path(custom)]
    if sys.platform == "win32":
        data = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return [data / "QGIS" / name for name in ("QGIS3", "QGIS4")]


def _started_with(path: Path) -> list[str]:
    """Names of profiles that QGIS may start with, by its own `profiles.ini`."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, ValueError, configparser.Error):
        return []
    core = {key: _text(value) for key, value in parser.items("core")} if parser.has_section("core") else {}
    # QGIS 3.32 and later can start with the last one that was used (0, unless told otherwise)
    last = core.get("lastprofile") if core.get("selectionpolicy", "0") == "0" else None
    return [name for name in (last, core.get("defaultprofile")) if name]


def _text(value: str) -> str:
    r"""A text as Qt writes it: in quotes if need be, letters beyond ASCII as \xfc.

    >>> _text(r'"J\xfcrgen, 2"')
    'Jürgen, 2'
    """
    return re.sub(r"\\x([0-9a-f]{1,4})", lambda match: chr(int(match[1], 16)), value.strip('"'))
