"""What the numbers of a band mean: product, catalogue, tags of the file, or the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.geo.delivery import DeliveredBand, Delivery, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    import rasterio

    from landmix.geo.options import ReadOptions


def meaning(
    dataset: rasterio.DatasetReader,
    delivered: DeliveredBand,
    delivery: Delivery,
    options: ReadOptions,
    *,
    inherited: bool,
) -> Said | None:
    """What a band's numbers mean, by whom the user believes; None where nobody says.

    `inherited`: `options` are those of training, and count only where this scene says nothing itself. Raises
    `LandmixError` where sources contradict each other.
    """
    if options.scale == "none":
        return Said(scale=1.0, offset=0.0, by="scene.scale=none")
    tags, said = _tags(dataset, delivered), delivered.said
    if options.scale == "tiff" and (tags or not inherited):
        return tags
    by_item = said if delivery.catalogue else None
    if options.scale == "stac" and not by_item and not inherited:
        msg = f"scene.scale=stac needs a STAC item that says scale and offset, but {delivery.where} does not"
        raise LandmixError(msg)
    if options.scale == "stac" and by_item:
        return by_item
    # an offset alone was said of a product that leaves it open, not of whatever comes later
    meant = not inherited or not (said or tags or (options.scale == "auto" and delivered.unknown_offset is None))
    # what a user says of a product holds for its main unit: not for temperatures beside reflectances
    meant = meant and (not delivery.bands or delivered.band.unit == delivery.bands[0].band.unit)
    users = _users(delivered, options, said or tags) if meant else None
    if users:
        return users
    if said and tags and not np.allclose([said.scale, said.offset], [tags.scale, tags.offset], rtol=1e-5, atol=1e-12):
        way = "stac, tiff" if delivery.catalogue else "tiff"
        msg = (
            f"{said.by} says scale {said.scale:g} and offset {said.offset:g} for {delivered.band.name}, but the tags"
            f" of {delivered.path} say {tags.scale:g} and {tags.offset:g}: settle it with scene.scale={way} or a number"
        )
        raise LandmixError(msg)
    return said or tags


def _users(delivered: DeliveredBand, options: ReadOptions, otherwise: Said | None) -> Said | None:
    """What the user says with numbers; either may be left to the metadata."""
    number = None if isinstance(options.scale, str) else float(options.scale)
    if number is None and options.offset is None:
        return None
    known = otherwise.scale if otherwise else delivered.unknown_offset
    scale = number if number is not None else 1.0 if known is None else known
    offset = options.offset
    if offset is None and otherwise and otherwise.offset:
        msg = (
            f"scene.scale={scale:g} replaces what {otherwise.by} says, which is an offset of {otherwise.offset:g} too:"
            " say scene.offset as well"
        )
        raise LandmixError(msg)
    if offset is None:
        offset = 0.0
    elif delivered.offset_is_stored and abs(offset) >= 1:
        offset *= scale  # -1000, as the metadata write it; -0.1 is physical already
    return Said(scale=scale, offset=offset, by="scene.scale and scene.offset")


def _tags(dataset: rasterio.DatasetReader, delivered: DeliveredBand) -> Said | None:
    """Scale and offset as the file's tags have them; None where they are the defaults."""
    scale, offset = (float(values[delivered.number - 1]) for values in (dataset.scales, dataset.offsets))
    if (scale, offset) == (1.0, 0.0):
        return None
    try:
        Affine(scale=(scale,), offset=(offset,))
    except ValueError as error:
        msg = f"the scale tags of {delivered.path} cannot be used ({error}): read stored values with scene.scale=none"
        raise LandmixError(msg) from error
    return Said(scale=scale, offset=offset, by=delivered.path)


def unknown(delivered: Sequence[DeliveredBand], delivery: Delivery, options: ReadOptions) -> str | None:
    """Why the physical values of a delivery cannot be known, and the way out; None where they can."""
    if options.scale in {"none", "tiff", "stac"} or options.offset is not None:
        return None
    doubtful = [band for band in delivered if band.unknown_offset is not None]
    if not doubtful:
        return None
    example = "scene.offset=-1000 or scene.offset=0" if doubtful[0].offset_is_stored else "scene.offset=..."
    return (
        f"{delivery.where} does not say the offset of its numbers ({delivery.title}, no metadata file): say it with"
        f" {example}, or take stored numbers with scene.scale=none"
    )


def silenced(dataset: rasterio.DatasetReader, delivered: DeliveredBand, options: ReadOptions) -> bool:
    """Whether `scene.scale=none` overrides what somebody says of a band, rather than speak where nobody does."""
    tags = dataset.scales[delivered.number - 1], dataset.offsets[delivered.number - 1]
    told = delivered.said is not None or delivered.unknown_offset is not None or tags != (1.0, 0.0)
    return options.scale == "none" and (told or delivered.decode is not None)
