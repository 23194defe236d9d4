"""What a product file says: names, wavelengths, scales and quality rules, as plain data."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from landmix.core.scaling import DECODINGS
from landmix.core.words import rule
from landmix.errors import LandmixError
from landmix.files import why

_LIMIT = 1_000_000
"""Bytes of a product file; built-in ones have a few thousand."""

Patterns = list[str] | str
Unknown = Literal["unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FromHeader:
    """A number that stands in the product's metadata file."""

    key: Patterns
    """`TAG` or `PARENT/TAG`, the first of a list that is there; `{id}` is the band's."""
    inverse: bool = False
    """1 / value."""
    divide_by_sine: str | None = None
    """The key of an angle in degrees."""
    absent: float | Unknown = "unknown"
    """Where there is a metadata file, but not the key."""
    otherwise: float | Unknown = "unknown"
    """Where there is no metadata file."""


Number = FromHeader | float | Unknown


def _check_numbers(scale: Number | None, offset: Number | None) -> None:
    """A scale must turn numbers into numbers."""
    if isinstance(scale, float | int) and (not math.isfinite(scale) or scale == 0):
        msg = f"scale must be a finite number other than 0, not {scale:g}"
        raise ValueError(msg)
    if isinstance(offset, float | int) and not math.isfinite(offset):
        msg = f"offset must be a finite number, not {offset:g}"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandEntry:
    """One band of a product."""

    file: Patterns | None = None
    number: int = 1
    id: int | str | None = None
    wavelength: float | None = None
    width: float | None = None
    common_name: str | None = None
    unit: str | None = None
    scale: Number | None = None
    offset: Number | None = None
    nodata: float | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        _check_numbers(self.scale, self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEntry:
    """Many bands of one file with counted names."""

    names: str
    first: int = 0
    count: int
    dtype: str | None = None

    def __post_init__(self) -> None:
        # a product can come with a stranger's model, and format strings can do more than count
        if not re.fullmatch(r"[\w .-]*\{(:0?\d?d?)?\}[\w .-]*", self.names) or not 1 <= self.count <= 65535:  # noqa: PLR2004
            msg = (
                f"stack.names must count the bands, as in A{{:02d}}, and stack.count be 1 to 65535, not {self.names!r}"
            )
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityEntry:
    """A quality raster."""

    file: Patterns
    kind: Literal["classes", "bits", "bands"]
    values: dict[str, int | list[int]]
    clear: list[str]
    fill: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.clear if name not in self.values]
        if unknown:
            msg = f"quality.clear names {', '.join(unknown)}, which quality.values lacks"
            raise ValueError(msg)
        low, high = {"classes": (-(2**31), 2**32), "bits": (0, 62), "bands": (1, 65535)}[self.kind]
        wrong = [name for name, n in self.numbers.items() if not n or not all(low <= number <= high for number in n)]
        if wrong or not self.values:
            what = f" of {', '.join(wrong)}" if wrong else ""
            msg = f"quality.values{what} must be one or more {self.kind} from {low} to {high}"
            raise ValueError(msg)

    @property
    def numbers(self) -> dict[str, tuple[int, ...]]:
        """Name -> values, bits or bands."""
        return {name: tuple(v) if isinstance(v, list) else (v,) for name, v in self.values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StacEntry:
    """How catalogues call the product."""

    collections: list[str] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    """Of collections that several products share; empty: any."""
    quality: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product; docs/products.md explains the keys."""

    title: str
    recognise: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    complete: bool = True
    reference: str | None = None
    sensor: str | None = None
    unit: str | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    offset_in: Literal["physical", "stored"] = "physical"
    nodata: float | None = None
    decode: str | None = None
    file: Patterns | None = None
    bands: dict[str, BandEntry] = field(default_factory=dict)
    stack: StackEntry | None = None
    quality: list[QualityEntry] = field(default_factory=list)
    """Quality rasters that may be there; the first whose file is there is used."""
    stac: StacEntry = field(default_factory=StacEntry)

    def __post_init__(self) -> None:
        _check_numbers(self.scale, self.offset)
        if bool(self.bands) == bool(self.stack):
            msg = "either bands or stack must be given, and not both"
            raise ValueError(msg)
        if self.decode is not None and self.decode not in DECODINGS:
            msg = f"decode must be one of {', '.join(DECODINGS)}, not {self.decode!r}"
            raise ValueError(msg)
        if self.reference is not None and self.reference not in self.entries:
            msg = f"reference must be one of the bands, not {self.reference!r}"
            raise ValueError(msg)
        bare = [name for name, band in self.bands.items() if band.file is None and self.file is None]
        if bare:
            msg = f"no file pattern is given for {', '.join(bare[:3])}"
            raise ValueError(msg)

    @property
    def entries(self) -> dict[str, BandEntry]:
        """The bands by name."""
        stack = self.stack
        if stack is None:
            return self.bands
        return {stack.names.format(stack.first + i): BandEntry(number=i + 1) for i in range(stack.count)}


def parse(data: Any, where: str) -> Product:
    """Check a product's description. Raises `LandmixError` that names every fault by its key."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError  # noqa: PLC0415 - plain rasters need no product

    if isinstance(data, dict) and isinstance(data.get("quality"), dict):
        data = {**data, "quality": [data["quality"]]}
    kinds: tuple[Any, ...] = (Product, BandEntry, StackEntry, QualityEntry, StacEntry, FromHeader)
    for kind in kinds:
        kind.__pydantic_config__ = ConfigDict(extra="forbid")
    try:
        return TypeAdapter(Product).validate_python(data)
    except ValidationError as error:
        faults = [_fault(fault["loc"], _words(fault)) for fault in error.errors()]
        msg = f"the product file {where} cannot be used: {'; '.join(dict.fromkeys(faults[:5]))}"
        raise LandmixError(msg) from None


def _fault(parts: tuple[str | int, ...], message: str) -> str:
    """A fault with its key, without the alternatives of types that pydantic puts between the key's parts."""
    kinds = {"float", "int", "str", "FromHeader"}
    key = ".".join(str(part) for part in parts if part not in kinds and "[" not in str(part))
    key = key.replace("quality.0", "quality")  # mostly there is one, which is then no list
    return message if not key or message.startswith(key) else f"{key}: {message}"


def _words(fault: Any) -> str:
    """What pydantic finds wrong."""
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    if fault["type"] in ("unexpected_keyword_argument", "missing"):
        return "it is not known" if fault["type"] != "missing" else "it must be given"
    return f"it must be {rule(fault['type'], fault['msg'], str(fault.get('ctx', {}).get('expected', '')))}"


@functools.cache
def built_in() -> dict[str, Product]:
    """The products that landmix ships, by name, in the order in which folders are tried."""
    found = {name: parse(data, name) for name, data in _shipped().items()}
    # a bare folder of bands is what a folder is that nothing better describes
    return dict(sorted(found.items(), key=lambda item: not item[1].complete))


def names() -> set[str]:
    """Of the built-in products."""
    return {path.stem for path in Path(__file__).parent.glob("*.yaml")}


@functools.cache
def single_files() -> tuple[Product, ...]:
    """The built-in products that are one file."""
    return tuple(parse(data, name) for name, data in _shipped().items() if "stack" in data)


@functools.cache
def _shipped() -> dict[str, Any]:
    # the same loader in C, where PyYAML was built with it; it overflows the stack on what is nested deeply
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return {path.stem: _load(path, loader) for path in sorted(Path(__file__).parent.glob("*.yaml"))}


def load_yaml(path: Path) -> Any:
    """The content of a YAML file, by the safe loader. Raises `LandmixError` where it is none, or far too large."""
    return _load(path, yaml.SafeLoader)


def _load(path: Path, loader: Any) -> Any:
    try:
        if path.stat().st_size > _LIMIT:
            msg = f"the product file {path} has {path.stat().st_size} bytes; one has a few thousand"
            raise LandmixError(msg)
        return yaml.load(path.read_text(encoding="utf-8-sig"), Loader=loader)  # noqa: S506 - it is a safe one
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        msg = f"cannot read the product file {path}: {why(error)}"
        raise LandmixError(msg) from error


def find(wanted: str | dict[str, Any]) -> tuple[str, Product]:
    """A product by its name, file or content, and how to call it.

    Raises `LandmixError` for a name that is not known or a file that is none.
    """
    if isinstance(wanted, dict):
        return "scene.product", parse(wanted, "scene.product")
    known = built_in()
    if wanted in known:
        return wanted, known[wanted]
    path = Path(wanted)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        msg = f"scene.product knows no '{wanted}': it is one of {', '.join(known)}, or a YAML file"
        raise LandmixError(msg)
    return wanted, parse(load_yaml(path), wanted)


def as_data(wanted: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    """What a model must keep of `scene.product`: a built-in name as it is, a file's content."""
    if wanted is None or isinstance(wanted, dict) or wanted in built_in():
        return wanted
    find(wanted)
    data: dict[str, Any] = load_yaml(Path(wanted))
    return data
