"""From what a user names to a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.files import is_remote
from landmix.geo.assemble import assemble
from landmix.geo.delivery import Delivery
from landmix.geo.opening import open_raster
from landmix.geo.options import ReadOptions
from landmix.geo.paths import Entry
from landmix.geo.products.definition import find
from landmix.geo.products.folder import describe_file, is_delivery, open_folder, recognise_file
from landmix.geo.stac import open_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.geo.scene import Scene


def open_entry(entry: Entry, options: ReadOptions | None = None, *, inherited: bool = False) -> Scene:
    """Look at the files of a scene, without reading a pixel.

    `inherited`: `options` are those of the training scenes, whose scale and offset count only where this scene says
    nothing itself. Raises `LandmixError` for anything that cannot be read as one band stack on one grid.
    """
    options = options or ReadOptions()
    parts = entry.roles or (("", entry),)
    return assemble(
        [(role, _delivery(part, options)) for role, part in parts], entry.stem, options, inherited=inherited
    )


def open_scene(files: Sequence[str], name: str, options: ReadOptions | None = None) -> Scene:
    """`open_entry` of files."""
    return open_entry(Entry(files=tuple(files), stem=name), options)


def _delivery(entry: Entry, options: ReadOptions) -> Delivery:
    if entry.item is not None:
        return open_item(entry.item, options)
    first = entry.files[0]
    plain = Delivery(
        where=first if len(entry.files) == 1 else f"{first} and {len(entry.files) - 1} more", files=entry.files
    )
    if len(entry.files) > 1:
        return plain
    if not is_remote(first) and is_delivery(first):
        return open_folder(first, options)
    with open_raster(first, allow_vrt=options.allow_vrt) as dataset:
        descriptions, dtypes = dataset.descriptions, dataset.dtypes
    if options.product is not None:
        product = find(options.product)[1]
        if product.stack and len(dtypes) == product.stack.count:
            return describe_file(first, product)
    return recognise_file(first, descriptions, dtypes) or plain
