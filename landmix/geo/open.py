"""From what a user names to a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo.assemble import assemble
from landmix.geo.delivery import Delivery
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.opening import looking, open_raster
from landmix.geo.options import ReadOptions
from landmix.geo.paths import Entry
from landmix.geo.products.definition import built_in, find
from landmix.geo.products.folder import (
    describe_file,
    is_delivery,
    open_as,
    open_folder,
    recognise_file,
)
from landmix.geo.stac import open_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landmix.geo.scene import Scene


def open_entry(
    entry: Entry, options: ReadOptions | None = None, *, inherited: bool = False, limits: Limits = DEFAULT
) -> Scene:
    """Look at the files of a scene, without reading a pixel.

    `inherited`: `options` are those of the training scenes, whose scale and offset count only where this scene says
    nothing itself. Raises `LandmixError` for anything that cannot be read as one band stack on one grid.
    """
    options = options or ReadOptions()
    parts = entry.roles or (("", entry),)
    deliveries = [(role, _delivery(part, options, limits, inherited=inherited)) for role, part in parts]
    return assemble(deliveries, entry.stem, options, inherited=inherited, limits=limits)


def open_scene(
    files: Sequence[str], name: str, options: ReadOptions | None = None, *, limits: Limits = DEFAULT
) -> Scene:
    """`open_entry` of files."""
    return open_entry(Entry(files=tuple(files), stem=name), options, limits=limits)


def _delivery(entry: Entry, options: ReadOptions, limits: Limits, *, inherited: bool) -> Delivery:
    if entry.item is not None:
        return open_item(entry.item, options, inherited=inherited)
    first, single = entry.files[0], len(entry.files) == 1
    where = first if single else f"{first} and {len(entry.files) - 1} more"
    # a built-in product that training named says less of another scene than that scene's own files do
    late = inherited and isinstance(options.product, str)
    found = _recognised(entry, options, limits) if late else None
    if found is None and options.product is not None:
        found = _as_product(where, entry.files, options, limits, inherited=inherited)
    if found is None and not late:
        found = _recognised(entry, options, limits)
    if found is None and _is_folder(entry):
        msg = (
            f"{first} is no product that landmix knows ({', '.join(built_in())}): name its files in a list, or describe"
            " it in a short file with scene.product=my.yaml"
        )
        raise LandmixError(msg)
    return found or Delivery(where=where, files=entry.files)


def _is_folder(entry: Entry) -> bool:
    return len(entry.files) == 1 and not is_remote(entry.files[0]) and is_delivery(entry.files[0])


def _recognised(entry: Entry, options: ReadOptions, limits: Limits) -> Delivery | None:
    """A folder or single file as the product that it is; None for any other."""
    if _is_folder(entry):
        return open_folder(entry.files[0], options)
    if len(entry.files) > 1:
        return None
    path = entry.files[0]
    with open_raster(path, allow_vrt=options.allow_vrt, limits=limits) as dataset, looking(path):
        return recognise_file(path, dataset.descriptions, dataset.dtypes)


def _as_product(
    where: str, files: Sequence[str], options: ReadOptions, limits: Limits, *, inherited: bool
) -> Delivery | None:
    """Files as what `scene.product` says that they are; None where they are not, and only training said it."""
    assert options.product is not None  # noqa: S101 - the caller looked
    name, product = find(options.product)
    stack = product.stack
    if stack and len(files) == 1 and (is_remote(files[0]) or not is_delivery(files[0])):
        with open_raster(files[0], allow_vrt=options.allow_vrt, limits=limits) as dataset:
            fits = dataset.count == stack.count and set(dataset.dtypes) <= {stack.dtype or dataset.dtypes[0]}
        found = describe_file(files[0], product) if fits else None
    else:
        found = open_as(where, files, product, options)
    if found is None and not inherited:
        msg = f"{where} holds no file that fits a band of {name} ({product.title})"
        raise LandmixError(msg)
    return found
