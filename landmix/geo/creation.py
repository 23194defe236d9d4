"""GDAL's creation options of finished rasters, as far as a user may choose them."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from landmix.core.words import either
from landmix.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOSSLESS = "NONE|LZW|DEFLATE|ZSTD|LZMA"
"""Anything else would give pixels other values."""

_OPTIONS = {
    "BIGTIFF": "YES|NO|IF_NEEDED|IF_SAFER",
    "BLOCKSIZE": r"128|256|512|1024|2048|4096",
    "COMPRESS": _LOSSLESS,
    "GEOTIFF_VERSION": r"AUTO|1\.0|1\.1",
    "LEVEL": r"\d{1,2}",
    "NUM_THREADS": r"[1-9]\d{0,3}|ALL_CPUS",
    "OVERVIEWS": "AUTO|FORCE_USE_EXISTING|IGNORE_EXISTING|NONE",
    "OVERVIEW_COMPRESS": f"AUTO|{_LOSSLESS}",
    "OVERVIEW_COUNT": r"\d{1,2}",
    "OVERVIEW_PREDICTOR": "YES|NO|STANDARD|FLOATING_POINT",
    "PREDICTOR": "YES|NO|STANDARD|FLOATING_POINT",
    "SPARSE_OK": "YES|NO|TRUE|FALSE",
}
"""Of GDAL's COG driver, with their values. Those that would move or change pixels are not there."""


def creation_options(given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Options by name, in capitals and in order of names.

    GDAL only warns of what it does not know, and ignores it. Raises `UsageError` for an option or value that cannot be.
    """
    found: dict[str, str] = {}
    for key, value in given.items():
        # rasterio's command line reads NONE as no value
        name, text = key.upper(), "NONE" if value is None else str(value).upper()
        if name not in _OPTIONS:
            near = difflib.get_close_matches(name, _OPTIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            msg = f"{name} is no creation option that can be chosen for maps, which are cloud-optimised GeoTIFFs: there"
            msg += f" are {', '.join(_OPTIONS)}{hint}"
            raise UsageError(msg)
        if not re.fullmatch(_OPTIONS[name], text):
            words = [word for word in _OPTIONS[name].replace("\\.", ".").split("|") if "\\" not in word]
            number = ["a number"] if "\\d" in _OPTIONS[name] else []
            msg = f"the creation option {name} must be {either([*words, *number])}, not {text}"
            raise UsageError(msg)
        found[name] = text
    return tuple(sorted(found.items()))
