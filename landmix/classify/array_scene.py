"""What an xarray DataArray says of itself: its bands and what its numbers mean, as a scene without files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from affine import Affine as Transform

from landmix.classify.array_bands import bands_of, names_of, numbers_of
from landmix.core.bands import BandSet
from landmix.errors import LandmixError
from landmix.geo.delivery import DeliveredBand, Delivery, Said
from landmix.geo.grid import Grid
from landmix.geo.meaning import meaning, unknown
from landmix.geo.products.definition import find
from landmix.geo.products.folder import describe_file, recognise_file
from landmix.geo.scene import Scene, SceneFile, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from landmix.core.bands import Band
    from landmix.geo.options import ReadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tags:
    """Scales and offsets as an open raster would have them, one a band."""

    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    decoded: bool
    """Whether somebody has applied them already."""


def scene_of(array: xr.DataArray, dim: str, options: ReadOptions, *, inherited: bool) -> Scene:
    """A scene whose one file is the array; its bands are numbered along the axis `dim`.

    Raises `LandmixError` for numbers that cannot be bands, and where it cannot be known whether they are scaled.
    """
    where = f"the array '{array.name}'" if array.name else "the array"
    if array.dtype.kind not in "iuf":
        msg = f"{where} must hold integers or floating-point numbers, not {array.dtype}"
        raise LandmixError(msg)
    delivery = _delivery(where, names_of(array, dim), array, options)
    bands = delivery.bands or tuple(
        DeliveredBand(path=where, number=band.number, band=band) for band in bands_of(array, dim)
    )
    nodata, tags = array.rio.nodata, _tags(array, dim, where, options, inherited=inherited)
    stored = tuple(_stored(band, tags, delivery, options, array, nodata, inherited=inherited) for band in bands)
    height, width = (int(array.sizes[axis]) for axis in (array.rio.y_dim, array.rio.x_dim))
    grid = Grid(crs=None, transform=Transform.identity(), height=height, width=width)
    return Scene(
        name=where,
        where=where,
        rasters=(SceneFile(path=where, grid=grid, masked=False, blocks=(512, 512)),),
        stored=stored,
        bands=BandSet(tuple(_with_unit(b.band, array, s) for b, s in zip(bands, stored, strict=True))),
        origins=tuple((i,) for i in range(len(stored))),
        grid=grid,
        options=options,
        unknown=unknown(bands, delivery, options),
        product=delivery.title,
    )


def _delivery(where: str, names: Sequence[str], array: xr.DataArray, options: ReadOptions) -> Delivery:
    """A product of one file where it is one by the names and type of its bands, else nothing but an array."""
    dtypes = [array.dtype.name] * len(names)
    found = recognise_file(where, [name or None for name in names], dtypes)
    if isinstance(options.product, dict):  # the user's own description, in the model
        _, product = find(options.product)
        stack = product.stack
        if stack and stack.count == len(names) and stack.dtype in {None, array.dtype.name}:
            found = describe_file(where, product)
    return found or Delivery(where=where)


def _tags(array: xr.DataArray, dim: str, where: str, options: ReadOptions, *, inherited: bool) -> _Tags:
    """What rioxarray says of scale and offset; its encoding has them where it has applied them."""
    said, applied = (_lines(kept, array, dim) for kept in (array.attrs, array.encoding))
    identity = ((1.0,) * array.sizes[dim], (0.0,) * array.sizes[dim])
    floating = array.dtype.kind == "f"
    if floating and applied != identity and said == identity:
        if inherited and options.scale == "none":
            msg = f"the model was trained on stored numbers, but {where} is scaled: open it with mask_and_scale=False"
            raise LandmixError(msg)
        return _Tags(scales=identity[0], offsets=identity[1], decoded=True)
    if floating and said != identity and inherited and "rasterio_dtype" not in array.encoding:
        msg = (
            f"{where} says scale_factor {said[0][0]:g} and add_offset {said[1][0]:g}, but after a computation nobody"
            " knows whether they were applied: say scale=1 and offset=0 if they were, else scale=... and offset=..."
        )
        raise LandmixError(msg)
    return _Tags(scales=said[0], offsets=said[1], decoded=False)


def _lines(kept: Any, array: xr.DataArray, dim: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scales and offsets, one a band, of attributes or encoding."""
    numbers = numbers_of(array, dim)
    found = []
    for one, many, default in (("scale_factor", "scales", 1.0), ("add_offset", "offsets", 0.0)):
        listed = kept.get(many)
        if listed is not None and all(0 < number <= len(listed) for number in numbers):
            found.append(tuple(float(listed[number - 1]) for number in numbers))
        else:
            found.append((float(kept.get(one, default)),) * len(numbers))
    return found[0], found[1]


def _stored(
    band: DeliveredBand,
    tags: _Tags,
    delivery: Delivery,
    options: ReadOptions,
    array: xr.DataArray,
    nodata: Any,
    *,
    inherited: bool,
) -> Stored:
    said: Said | None = Said(scale=1.0, offset=0.0, by="its encoding")
    if not (tags.decoded and inherited):
        said = meaning(tags, band, delivery, options, inherited=inherited)
    line = said or Said(scale=1.0, offset=0.0, by="")
    own = None if nodata is None else float(nodata)
    if own is None and tags.decoded:
        own = float("nan")  # the training scene's nodata is a stored number
    return Stored(
        file=0,
        number=band.number,
        dtype=array.dtype,
        nodata=own if own is not None else band.nodata,
        fill=band.nodata if own is not None and band.nodata not in {None, own} else None,
        scale=line.scale,
        offset=line.offset,
        decode=band.decode if options.scale != "none" else None,
        known=said is not None or band.decode is not None,
    )


def _with_unit(band: Band, array: xr.DataArray, stored: Stored) -> Band:
    """As a file's band: whole numbers are no reflectance, whatever anybody calls them."""
    said = array.attrs.get("units")
    unit = band.unit or (said.strip() or None if isinstance(said, str) else None)
    whole = stored.dtype.kind != "f" and (stored.scale, stored.offset) == (1.0, 0.0)
    return replace(band, unit=None if unit == "reflectance" and whole else unit)
