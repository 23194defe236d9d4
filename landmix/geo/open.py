"""From what a user names to a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo.assemble import assemble
from landmix.geo.delivery import Delivery
from landmix.geo.opening import open_raster
from landmix.geo.options import ReadOptions
from landmix.geo.paths import Entry
from landmix.geo.products.definition import find
from landmix.geo.products.folder import (
    describe_file,
    is_delivery,
    open_as,
    open_folder,
    recognise_file,
    recognised_products,
)
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
    deliveries = [(role, _delivery(part, options, inherited=inherited)) for role, part in parts]
    return assemble(deliveries, entry.stem, options, inherited=inherited)


def open_scene(files: Sequence[str], name: str, options: ReadOptions | None = None) -> Scene:
    """`open_entry` of files."""
    return open_entry(Entry(files=tuple(files), stem=name), options)


def _delivery(entry: Entry, options: ReadOptions, *, inherited: bool) -> Delivery:
    if entry.item is not None:
        return open_item(entry.item, options, inherited=inherited)
    first, single = entry.files[0], len(entry.files) == 1
    where = first if single else f"{first} and {len(entry.files) - 1} more"
    folder = single and not is_remote(first) and is_delivery(first)
    # a built-in product that training named says less of another scene than that scene's own files do
    if inherited and isinstance(options.product, str):
        found = _recognised(first, options, folder=folder) if single else None
        if found is not None:
            return found
    if options.product is not None:
        found = _as_product(where, entry.files, options, folder=folder)
        if found is not None:
            return found
        if not inherited:
            msg = f"{where} holds no file that fits a band of {_named(options)}"
            raise LandmixError(msg)
    if folder:
        return open_folder(first, options)
    found = _recognised(first, options, folder=False) if single else None
    return found or Delivery(where=where, files=entry.files)


def _recognised(path: str, options: ReadOptions, *, folder: bool) -> Delivery | None:
    """A folder or single file as the product that it is; None for any other."""
    if folder:
        return open_folder(path, options) if recognised_products(path) else None
    with open_raster(path, allow_vrt=options.allow_vrt) as dataset:
        return recognise_file(path, dataset.descriptions, dataset.dtypes)


def _as_product(where: str, files: Sequence[str], options: ReadOptions, *, folder: bool) -> Delivery | None:
    """What `scene.product` says that the files are; None where they are not."""
    assert options.product is not None  # noqa: S101 - the caller looked
    product = find(options.product)[1]
    if product.stack and len(files) == 1 and not folder:
        with open_raster(files[0], allow_vrt=options.allow_vrt) as dataset:
            fits = dataset.count == product.stack.count and set(dataset.dtypes) <= {
                product.stack.dtype or dataset.dtypes[0]
            }
        return describe_file(files[0], product) if fits else None
    return open_as(where, files, options)


def _named(options: ReadOptions) -> str:
    """How messages call the product that the user names."""
    assert options.product is not None  # noqa: S101 - the caller looked
    name, product = find(options.product)
    return f"{name} ({product.title})"
