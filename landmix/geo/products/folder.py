"""Folders and zip files of known products: which one it is, and where its bands are."""

from __future__ import annotations

import fnmatch
import itertools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from landmix.core.bands import Band
from landmix.errors import LandmixError
from landmix.files import in_archive, is_remote, read_bytes, why
from landmix.geo.delivery import DeliveredBand, Delivery, Said
from landmix.geo.products.definition import Product, built_in, single_files
from landmix.geo.products.headers import LIMIT, read_header
from landmix.geo.products.numbers import number
from landmix.geo.quality import QualityRule, accept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.geo.options import ReadOptions
    from landmix.geo.products.definition import BandEntry, Patterns, QualityEntry

_MOST = 100_000
"""Files of a folder that are looked at; a product has a few hundred."""


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a folder or zip file, by name."""

    where: str
    paths: tuple[str, ...]

    def fitting(self, patterns: Patterns | None) -> list[str]:
        """The files whose names fit the first pattern that any fits."""
        for pattern in [patterns] if isinstance(patterns, str) else patterns or []:
            found = [path for path in self.paths if _fits(_name(path), pattern)]
            if found:
                return found
        return []

    def one(self, patterns: Patterns | None, what: str) -> str | None:
        """The only file that fits; None if there is none."""
        found = self.fitting(patterns)
        if len(found) > 1:
            names = ", ".join(map(_name, found[:3]))
            msg = (
                f"{self.where} holds {len(found)} files for {what} ({names}): a scene is one acquisition, name it alone"
            )
            raise LandmixError(msg)
        return found[0] if found else None


def is_delivery(path: str) -> bool:
    """Whether a local path is a folder or a zip file."""
    return Path(path).is_dir() or (Path(path).suffix.lower() == ".zip" and Path(path).is_file())


def open_as(where: str, files: Sequence[str], product: Product, options: ReadOptions) -> Delivery | None:
    """Files as a product that the user names; None where none of them fits.

    `files` are the user's list, or one folder, zip file or raster.
    """
    single = len(files) == 1 and not is_remote(files[0])
    found = _list(files[0]) if single and is_delivery(files[0]) else _Files(where, tuple(files))
    delivery = _deliver(found, product, options)
    return delivery if delivery.bands else None


def open_folder(path: str, options: ReadOptions) -> Delivery | None:
    """What lies in a folder or zip file, as one of the known products; None where it is none of them.

    Raises `LandmixError` where it is several, or bands of it are there twice.
    """
    files = _list(path)
    fitting = [product for product in built_in().values() if _recognised(files, product)]
    whole = [product.title for product in fitting if product.complete]
    if len(whole) > 1:
        msg = f"{path} holds {' and '.join(whole)}: a scene is one acquisition, name it alone or say scene.product=..."
        raise LandmixError(msg)
    return _deliver(files, fitting[0], options) if fitting else None


def _list(path: str) -> _Files:
    try:
        if Path(path).is_dir():
            every = sorted(itertools.islice(Path(path).rglob("*"), _MOST + 1))
            if len(every) > _MOST:
                msg = f"{path} holds more than {_MOST} files: name the folder of one scene"
                raise LandmixError(msg)
            meant = [file for file in every if _is_meant(str(file.relative_to(path))) and file.is_file()]
            return _Files(path, tuple(map(str, meant)))
        with zipfile.ZipFile(path) as archive:
            inner = sorted(
                info.filename for info in archive.infolist() if not info.is_dir() and _is_meant(info.filename)
            )
    except (OSError, zipfile.BadZipFile) as error:
        msg = f"cannot read {path}: {why(error)}"
        raise LandmixError(msg) from error
    return _Files(path, tuple(in_archive(path, name) for name in inner))


def _is_meant(name: str) -> bool:
    """Whether a file is part of the delivery, not hidden or left behind by the system."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.replace("\\", "/").split("/"))


def _name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())


def _recognised(files: _Files, product: Product) -> bool:
    return bool(product.recognise) and all(files.fitting(pattern) for pattern in product.recognise)


def _deliver(files: _Files, product: Product, options: ReadOptions) -> Delivery:
    header_path = files.one(product.metadata, "the metadata")
    header = None if header_path is None else read_header(read_bytes(header_path, LIMIT), header_path)
    bands, missing = [], []
    for name, entry in product.entries.items():
        path = files.one(entry.file or product.file or "*.tif*", f"band {name}")
        if path is not None:
            bands.append(product_band(name, entry, product, path, header, header_path))
        elif product.complete and not entry.optional:
            missing.append(name)
    _check_one(files.where, product, bands)
    return Delivery(
        where=files.where,
        bands=tuple(bands),
        quality=_quality(files, product, options),
        reference=product.reference,
        headers=(header_path,) if header_path else (),
        missing=tuple(missing),
        title=product.title,
    )


def _check_one(where: str, product: Product, bands: list[DeliveredBand]) -> None:
    """Raise `LandmixError` where the bands' files begin with different names: those of different acquisitions."""
    begins: dict[str, str] = {}
    for delivered in bands:
        patterns = product.entries[delivered.band.name].file or product.file or ""
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            begin = _begin(_name(delivered.path), pattern)
            if begin is not None:
                begins.setdefault(begin.lower(), _name(delivered.path))
                break
    if product.recognise and len(begins) > 1:
        names = ", ".join(list(begins.values())[:3])
        msg = f"{where} holds bands of several acquisitions ({names}): a scene is one, name it alone"
        raise LandmixError(msg)


def _begin(name: str, pattern: str) -> str | None:
    """What the first `*` of a pattern stands for, with what is before it; None where the name does not fit."""
    head, star, rest = pattern.partition("*")
    if not _fits(name, pattern):
        return None
    if not star:
        return ""
    places = (i for i in range(len(name), -1, -1) if _fits(name[:i], head + "*") and _fits(name[i:], rest))
    return name[: next(places)]


def describe_file(path: str, product: Product) -> Delivery:
    """One file that holds all bands of a product."""
    entries = product.entries.items()
    bands = tuple(product_band(name, entry, product, path, None, None) for name, entry in entries)
    return Delivery(where=path, bands=bands, title=product.title, reference=product.reference)


def product_band(
    name: str, entry: BandEntry, product: Product, path: str, header: dict[str, str] | None, header_path: str | None
) -> DeliveredBand:
    """A band of a product as it lies in a file, with what the metadata say of it."""
    scale = number(product.scale if entry.scale is None else entry.scale, entry, header, header_path, scales=True)
    offset = number(product.offset if entry.offset is None else entry.offset, entry, header, header_path, scales=False)
    stored = product.offset_in == "stored"
    by = header_path or f"the product {product.title}"
    known = scale is not None and offset is not None
    return DeliveredBand(
        path=path,
        number=entry.number,
        band=Band(
            name=name,
            wavelength=entry.wavelength,
            width=entry.width,
            common=entry.common_name,
            unit=entry.unit or product.unit,
            sensor=product.sensor,
        ),
        said=Said(scale=scale, offset=offset * scale if stored else offset, by=by)  # type: ignore[operator,arg-type]
        if known
        else None,
        unknown_offset=None if known else scale or 1.0,
        offset_is_stored=stored,
        nodata=product.nodata if entry.nodata is None else entry.nodata,
        decode=product.decode,
    )


def _quality(files: _Files, product: Product, options: ReadOptions) -> tuple[str, QualityRule] | None:
    """The quality raster that is there, with the rule that the user wants."""
    for entry in product.quality:
        path = files.one(entry.file, "the quality band")
        if path is not None:
            rule = quality_rule(entry, options, path)
            return None if rule is None else (path, rule)
    return None


def quality_rule(entry: QualityEntry, options: ReadOptions, path: str) -> QualityRule | None:
    """The rule of a quality raster under the user's options; None where all is accepted."""
    accepted = accept(options.quality, entry.numbers, entry.clear, path)
    if accepted is None:
        return None
    return QualityRule(
        kind=entry.kind,
        values=tuple(entry.numbers.items()),
        accepted=accepted,
        fill=entry.fill,
        dilate=options.quality_dilate,
    )


def recognise_file(path: str, descriptions: Sequence[str | None], dtypes: Sequence[str]) -> Delivery | None:
    """A single file as a product of one file, by the names and type of its bands; None if it is none."""
    if not any(descriptions):
        return None
    for product in single_files():
        stack = product.stack
        if stack and tuple(descriptions) == tuple(product.entries) and set(dtypes) == {stack.dtype or dtypes[0]}:
            return describe_file(path, product)
    return None
