"""From deliveries to a scene: open the files, settle what their numbers mean, choose the grid."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags

from landmix.core.bands import BandSet
from landmix.errors import LandmixError
from landmix.geo import remote
from landmix.geo.delivery import DeliveredBand, Delivery, Said
from landmix.geo.grid import Grid
from landmix.geo.grids import choose_grid
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.meaning import meaning, silenced, unknown
from landmix.geo.metadata import file_bands
from landmix.geo.opening import band_kinds, looking, open_raster
from landmix.geo.scene import QualityLayer, Scene, SceneFile, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    import rasterio

    from landmix.core.bands import Band
    from landmix.geo.options import ReadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One acquisition, its files looked at."""

    delivery: Delivery
    rasters: tuple[SceneFile, ...]
    stored: tuple[Stored, ...]
    bands: tuple[Band, ...]
    quality: QualityLayer | None
    unknown: str | None
    assumed: str | None
    beside: tuple[str, ...]
    """Headers that rasters of raw numbers are read by."""


def assemble(
    deliveries: Sequence[tuple[str, Delivery]],
    name: str,
    options: ReadOptions,
    *,
    inherited: bool = False,
    limits: Limits = DEFAULT,
) -> Scene:
    """Make one scene of acquisitions with their roles (one without a role: `""`), without reading a pixel.

    `inherited`: the scale and offset in `options` are those of the training scenes, so they count only where this
    scene says nothing itself. Raises `LandmixError` for files that are no rasters, complex numbers, equal band names,
    grids that cannot be brought together, and sources that contradict each other.
    """
    parts = [_look(role, delivery, options, limits, inherited=inherited) for role, delivery in deliveries]
    rasters: list[SceneFile] = []
    stored: list[Stored] = []
    bands: list[Band] = []
    quality: list[QualityLayer] = []
    for part in parts:
        shift = len(rasters)
        rasters += part.rasters
        stored += [replace(s, file=s.file + shift) for s in part.stored]
        bands += [replace(band, number=i) for i, band in enumerate(part.bands, start=1)]
        if part.quality:
            quality.append(replace(part.quality, file=part.quality.file + shift))
    every = BandSet(tuple(bands))
    notes = [part.assumed for part in parts if part.assumed]
    listed = not isinstance(options.quality, str)
    if not quality and (listed or options.quality_dilate > 0):
        need = f"scene.quality and scene.quality_dilate count on one, but {parts[0].delivery.where} has no quality band"
        if listed and not inherited:
            msg = f"{need}: use scene.quality=all"
            raise LandmixError(msg)
        notes.append(f"{need}: no pixel is left out")
    first = parts[0]
    reference = first.delivery.reference
    role = deliveries[0][0]
    return Scene(
        name=name,
        where=", ".join(dict.fromkeys(part.delivery.where for part in parts[:3])),
        rasters=tuple(rasters),
        stored=tuple(stored),
        bands=every,
        origins=tuple((i,) for i in range(len(stored))),
        grid=choose_grid(
            every,
            [rasters[s.file] for s in stored],
            [rasters[layer.file] for layer in quality],
            options.resolution,
            f"{role}.{reference}".removeprefix(".") if reference else None,
        ),
        quality=tuple(quality),
        options=options,
        limits=limits,
        headers=tuple(path for part in parts for path in (*part.delivery.headers, *part.beside)),
        missing=tuple(f"{r}.{b}".removeprefix(".") for r, delivery in deliveries for b in delivery.missing),
        notes=tuple(notes),
        unknown=next((part.unknown for part in parts if part.unknown), None),
        product=" + ".join(part.delivery.title for part in parts if part.delivery.title) or None,
    )


def _look(role: str, delivery: Delivery, options: ReadOptions, limits: Limits, *, inherited: bool) -> _Part:
    paths = list(dict.fromkeys([*delivery.files, *(band.path for band in delivery.bands)]))
    paths += [delivery.quality[0]] if delivery.quality and delivery.quality[0] not in paths else []
    with contextlib.ExitStack() as stack:
        stack.enter_context(remote.settings(paths))
        opened = {
            path: stack.enter_context(open_raster(path, allow_vrt=options.allow_vrt, limits=limits)) for path in paths
        }
        stack.enter_context(looking(delivery.where))
        delivered = delivery.bands or _own_bands(delivery.files, opened)
        for band in delivered:
            if not 1 <= band.number <= opened[band.path].count:
                msg = f"{band.path} should hold band {band.band.name} as number {band.number}, but holds only"
                msg += f" {opened[band.path].count}"
                raise LandmixError(msg)
        stored = tuple(
            _stored(paths.index(band.path), opened[band.path], band, delivery, options, inherited=inherited)
            for band in delivered
        )
        return _Part(
            delivery=delivery,
            rasters=tuple(_scene_file(path, dataset) for path, dataset in opened.items()),
            stored=stored,
            bands=tuple(
                _with_role(role, band, own, opened[band.path]) for band, own in zip(delivered, stored, strict=True)
            ),
            quality=_quality(delivery, paths, opened),
            beside=tuple(path for dataset in opened.values() if dataset.driver == "ENVI" for path in dataset.files[1:]),
            unknown=unknown(delivered, delivery, options),
            assumed=_assumed(delivered, delivery, options) if inherited else None,
        )


def _assumed(delivered: Sequence[DeliveredBand], delivery: Delivery, options: ReadOptions) -> str | None:
    """What is taken from training because the delivery does not say it."""
    if options.offset is None or not any(band.unknown_offset is not None for band in delivered):
        return None
    return (
        f"{delivery.where} does not say the offset of its numbers: scene.offset={options.offset:g} is taken from"
        " training; say another if this delivery has another"
    )


def _with_role(role: str, delivered: DeliveredBand, stored: Stored, dataset: rasterio.DatasetReader) -> Band:
    band = delivered.band
    unit = band.unit or (dataset.units[delivered.number - 1] or "").strip() or None
    if unit == "reflectance" and stored.dtype.kind != "f" and (stored.scale, stored.offset) == (1.0, 0.0):
        unit = None  # whole numbers are no reflectance, whatever anybody calls them
    # names come from strangers, and are printed
    name = "".join(c if c.isprintable() else " " for c in band.name).strip() or f"B{delivered.number}"
    return replace(band, unit=unit, role=role, name=f"{role}.{name}".removeprefix("."))


def _scene_file(path: str, dataset: rasterio.DatasetReader) -> SceneFile:
    # no flag at all: a mask a band
    plain = [MaskFlags.all_valid], [MaskFlags.nodata]
    masked = ColorInterp.alpha in band_kinds(dataset) or any(flags not in plain for flags in dataset.mask_flag_enums)
    return SceneFile(path=path, grid=Grid.of(dataset), masked=masked, blocks=dataset.block_shapes[0])


def _quality(delivery: Delivery, paths: list[str], opened: dict[str, rasterio.DatasetReader]) -> QualityLayer | None:
    if delivery.quality is None:
        return None
    path, rule = delivery.quality
    if max(rule.numbers) > opened[path].count:
        msg = f"the quality raster {path} should have {max(rule.numbers)} bands, but it has {opened[path].count}"
        raise LandmixError(msg)
    return QualityLayer(file=paths.index(path), rule=rule)


def _stored(
    file: int,
    dataset: rasterio.DatasetReader,
    delivered: DeliveredBand,
    delivery: Delivery,
    options: ReadOptions,
    *,
    inherited: bool,
) -> Stored:
    dtype, number = dataset.dtypes[delivered.number - 1], delivered.number
    if "complex" in dtype:
        msg = f"{delivered.path} holds complex numbers; landmix classifies real ones: convert them to intensity first"
        raise LandmixError(msg)
    own, fill = dataset.nodatavals[number - 1], delivered.nodata
    flags = dataset.mask_flag_enums[number - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        own = None  # the mask says it, which GDAL may have made of the nodata values of all bands together
    said = meaning(dataset, delivered, delivery, options, inherited=inherited)
    line = said or Said(scale=1.0, offset=0.0, by="")
    return Stored(
        file=file,
        number=number,
        dtype=np.dtype(dtype),
        nodata=own if own is not None else fill,
        fill=fill if own is not None and fill != own else None,
        scale=line.scale,
        offset=line.offset,
        decode=delivered.decode if options.scale != "none" else None,
        known=said is not None or delivered.decode is not None,
        silenced=silenced(dataset, delivered, options),
    )


def _own_bands(files: Sequence[str], opened: dict[str, rasterio.DatasetReader]) -> tuple[DeliveredBand, ...]:
    """Bands by their descriptions; in a scene of several files an unnamed band is called after its file."""
    suffixes = file_suffixes(files)
    bands: list[DeliveredBand] = []
    for suffix, path in zip(suffixes, files, strict=True):
        indexes = [i for i, kind in enumerate(band_kinds(opened[path]), start=1) if kind != ColorInterp.alpha]
        for band in file_bands(opened[path], indexes):
            own = band
            if len(files) > 1 and not band.named:
                name = suffix if len(indexes) == 1 else f"{suffix}.{band.number}"
                own = replace(band, name=name, named=True)
            bands.append(DeliveredBand(path=path, number=band.number, band=own))
    if not bands:
        msg = f"{files[0]} has no band but an alpha band: name a raster of measurements"
        raise LandmixError(msg)
    names = [delivered.band.name for delivered in bands]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        msg = f"the bands of a scene need different names, but {', '.join(doubled)} stands twice in {', '.join(files)}"
        raise LandmixError(msg)
    return tuple(bands)


def common_prefix(names: Sequence[str]) -> str:
    """What several file stems begin with, back to the last separator (`_`, `-`, `.` or a blank)."""
    prefix = os.path.commonprefix(list(names))  # noqa: RUF071 - letter by letter is what is wanted here
    cut = max(prefix.rfind(mark) for mark in "_-. ")
    return prefix[: cut + 1]


def file_suffixes(files: Sequence[str]) -> list[str]:
    """What tells the files of a scene apart: their stems without what all begin with."""
    stems = [Path(path).stem for path in files]
    prefix = common_prefix(stems)
    return [stem[len(prefix) :] or stem for stem in stems]
