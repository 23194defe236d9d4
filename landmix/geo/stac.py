"""STAC items: which of their assets are bands, and what they say of the numbers.

Reads STAC 1.0 (`eo:bands`, `raster:bands`) and 1.1 (`bands`). An item is a stranger's file: its links are opened only
where docs/products.md says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landmix.core.bands import NEAR_NM, Band
from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.files import is_remote
from landmix.geo import remote
from landmix.geo.delivery import DeliveredBand, Delivery, Said
from landmix.geo.items import RASTERS, resolve
from landmix.geo.products.definition import BandEntry, Product, built_in, find
from landmix.geo.products.folder import product_band, quality_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from landmix.geo.items import Item
    from landmix.geo.options import ReadOptions
    from landmix.geo.quality import QualityRule

_NO_BANDS = {"thumbnail", "overview", "visual", "metadata", "mask", "cloud", "cloud-shadow", "snow-ice"}
"""Roles of assets that hold no measured band."""

_SPECTRAL = {"common_name", "eo:common_name", "center_wavelength", "eo:center_wavelength"}
"""Fields that say what part of the spectrum a band is."""


def open_item(item: Item, options: ReadOptions, *, inherited: bool = False) -> Delivery:
    """The bands that an item's assets hold; `inherited`: `options` are those of training.

    Raises `LandmixError` where it has none, or contradicts itself.
    """
    product = _product(item, options, inherited=inherited)
    bands = list(_bands(item, product, options))
    if not bands:
        msg = f"{item.where} has no asset that is a raster of bands: it has {', '.join(item.data['assets']) or 'none'}"
        raise LandmixError(msg)
    flag = _properties(item).get("earthsearch:boa_offset_applied")
    shifted = [band for band in bands if band.said and band.said.offset]
    if flag is True and shifted and options.scale == "auto" and options.offset is None:
        msg = (
            f"{item.where} says that the offset was applied (earthsearch:boa_offset_applied) and gives an offset of"
            f" {shifted[0].said.offset:g}"  # type: ignore[union-attr]  # just looked at
            " for its bands: settle it with scene.scale=stac, or with scene.offset=0"
        )
        raise LandmixError(msg)
    return Delivery(
        where=item.where,
        bands=tuple(bands),
        quality=_quality(item, product, options),
        reference=product.reference if product and product.reference in {b.band.name for b in bands} else None,
        headers=() if is_remote(item.href) else (item.href,),
        title=product.title if product else None,
        catalogue=True,
    )


def _product(item: Item, options: ReadOptions, *, inherited: bool) -> Product | None:
    """The product that the user names, or that the item's collection is known as."""
    named = find(options.product)[1] if options.product is not None else None
    if named is not None and not inherited:
        return named
    products = [*([named] if named else []), *built_in().values()]
    return next((product for product in products if _is_of(item, product)), None)


def _is_of(item: Item, product: Product) -> bool:
    """Whether an item's collection, and its platform if both say one, are a product's."""
    collection = str(item.data.get("collection", "")).casefold()
    platform = str(_properties(item).get("platform", "")).casefold().replace("_", "-")
    platforms = {name.casefold() for name in product.stac.platforms}
    known = collection in {name.casefold() for name in product.stac.collections}
    return known and (not platforms or not platform or platform in platforms)


def _baseline(item: Item) -> float:
    """The processing baseline of a Sentinel-2 item; 0 where it is not said."""
    try:
        return float(str(_properties(item).get("s2:processing_baseline", "0")))
    except ValueError:
        return 0.0


def _properties(item: Item) -> dict[str, Any]:
    found = item.data.get("properties")
    return found if isinstance(found, dict) else {}


def _bands(item: Item, product: Product | None, options: ReadOptions) -> Iterator[DeliveredBand]:
    """Bands of all assets; of bands that several hold, the asset with the fewest bands, GeoTIFF before JPEG 2000.

    Where any asset says what part of the spectrum it is, those that do not (aerosol, water vapour, classes) are none.
    """
    known = set(product.entries) if product else set()
    found = [(key, asset, _described(asset, measured=key in known)) for key, asset in _assets(item)]
    found = [row for row in found if row[2]]
    spectral = [
        row for row in found if any(_SPECTRAL & set(text) or {row[0], text.get("name")} & known for text in row[2])
    ]
    found = spectral or found
    order = {key: i for i, (key, _, _) in enumerate(found)}
    seen: dict[str, tuple[int, int, DeliveredBand]] = {}
    for key, asset, described in sorted(found, key=lambda f: (len(f[2]), remote.suffix(f[1]["href"]) == ".jp2")):
        for number, text in enumerate(described, start=1):
            name = _name(key, text, single=len(described) == 1)
            if name not in seen:
                seen[name] = order[key], number, _band(item, key, asset, text, number, name, product, options)
    yield from (band for _, _, band in sorted(seen.values(), key=lambda row: row[:2]))


def _assets(item: Item) -> Iterator[tuple[str, dict[str, Any]]]:
    """The assets that may hold bands."""
    for key, asset in item.data["assets"].items():
        if isinstance(asset, dict) and isinstance(asset.get("href"), str) and not _NO_BANDS & _roles(asset):
            yield key, asset


def _roles(asset: dict[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {role for role in roles if isinstance(role, str)} if isinstance(roles, list) else set()


def _described(asset: dict[str, Any], *, measured: bool) -> list[dict[str, Any]]:
    """What an asset says of each of its bands, in the words of STAC 1.1; empty where it is no raster of bands.

    `measured`: it is known as a band, whatever it says itself.
    """
    now, eo, raster = (asset.get(key) for key in ("bands", "eo:bands", "raster:bands"))
    lists = [part for part in (now, eo, raster) if isinstance(part, list) and part]
    media = str(asset.get("type", ""))
    is_raster = "tiff" in media or "jp2" in media or remote.suffix(asset["href"]) in RASTERS
    measured = measured or isinstance(now or eo, list) or bool({"data", "reflectance"} & _roles(asset))
    if not is_raster or not measured:
        return []
    count = max((len(part) for part in lists), default=1)
    common = {
        key: asset[key] for key in ("nodata", "unit", "raster:scale", "raster:offset", *_SPECTRAL) if key in asset
    }
    merged = []
    for i in range(count):
        text = dict(common)
        for part in lists:
            if i < len(part) and isinstance(part[i], dict):
                text |= part[i]
        merged.append(text)
    return merged


def _name(key: str, text: dict[str, Any], *, single: bool) -> str:
    name = text.get("name")
    return name if isinstance(name, str) and name else key if single else f"{key}.{text.get('description', '')}"


def _band(
    item: Item,
    key: str,
    asset: dict[str, Any],
    text: dict[str, Any],
    number: int,
    name: str,
    product: Product | None,
    options: ReadOptions,
) -> DeliveredBand:
    common = text.get("eo:common_name", text.get("common_name"))
    path = resolve(asset["href"], item)
    known = _known((name, key), common, _nm(text, "center_wavelength"), product, path)
    said = _said(item, text)
    scale_alone = None
    if said and known and known.unknown_offset is not None and _leaves_open(item, text, said, options):
        scale_alone, said = said.scale, None
    nm, width = (_nm(text, key) for key in ("center_wavelength", "full_width_half_max"))
    reflective = "reflectance" in _roles(asset) or (product is not None and product.unit == "reflectance")
    unit = text.get("unit") if isinstance(text.get("unit"), str) else None
    own = known.band if known else None
    return DeliveredBand(
        path=path,
        number=number,
        band=Band(
            name=name,
            wavelength=nm or (own.wavelength if own else None),
            width=width or (own.width if own else None),
            common=common if isinstance(common, str) else own.common if own else None,
            sensor=product.sensor if product else None,
            unit=unit or (own.unit if own else None) or ("reflectance" if reflective and (nm or common) else None),
        ),
        said=said or (known.said if known and scale_alone is None else None),
        unknown_offset=scale_alone or (known.unknown_offset if known and said is None else None),
        offset_is_stored=known.offset_is_stored if known else False,
        nodata=_nodata(text, known),
        decode=known.decode if known else None,
    )


def _leaves_open(item: Item, text: dict[str, Any], said: Said, options: ReadOptions) -> bool:
    """Whether an item is as silent about the offset of Sentinel-2 as files without metadata.

    Raises `LandmixError` where it says that an offset was not applied, but not which.
    """
    applied = _properties(item).get("earthsearch:boa_offset_applied")
    if text.get("raster:offset", text.get("offset")) is None:
        return applied is not True
    contradicts = said.offset == 0 and applied is False and _baseline(item) >= 4  # noqa: PLR2004 - the first with one
    if contradicts and options.offset is None and options.scale == "auto":
        msg = (
            f"{item.where} says that the offset of its processing baseline was not applied, and gives none: settle"
            " it with scene.offset=-1000 or scene.offset=0"
        )
        raise LandmixError(msg)
    return contradicts


def _known(
    names: Sequence[str], common: Any, nm: float | None, product: Product | None, path: str
) -> DeliveredBand | None:
    """The product's own band of that name, asset key, common name or wavelength; else what holds for all of them."""
    if product is None:
        return None
    entries = product.entries
    fits = [name for name in names if name in entries]
    fits += [name for name, entry in entries.items() if common is not None and entry.common_name == common]
    apart = {name: abs(entry.wavelength - nm) for name, entry in entries.items() if nm and entry.wavelength}
    fits += [name for name in sorted(apart, key=lambda name: apart[name]) if apart[name] <= NEAR_NM]
    chosen = fits[0] if fits else names[0]
    return product_band(chosen, entries.get(chosen, BandEntry()), product, path, None, None)


def _said(item: Item, text: dict[str, Any]) -> Said | None:
    scale, offset = (text.get(f"raster:{key}", text.get(key)) for key in ("scale", "offset"))
    if scale is None and offset is None:
        return None
    try:
        said = Said(scale=float(1 if scale is None else scale), offset=float(offset or 0), by=item.where)
        Affine(scale=(said.scale,), offset=(said.offset,))
    except (TypeError, ValueError):
        msg = f"{item.where} gives a scale or offset that no pixel can be scaled with: {scale!r}, {offset!r}"
        raise LandmixError(msg) from None
    return said


def _nm(text: dict[str, Any], key: str) -> float | None:
    """A wavelength, which STAC gives in micrometres."""
    value = text.get(f"eo:{key}", text.get(key))
    return round(float(value) * 1e3, 6) if isinstance(value, int | float) and value > 0 else None


def _nodata(text: dict[str, Any], known: DeliveredBand | None) -> float | None:
    value = text.get("nodata")
    try:
        return float(value) if value is not None else known.nodata if known else None
    except (TypeError, ValueError):
        return None


def _quality(item: Item, product: Product | None, options: ReadOptions) -> tuple[str, QualityRule] | None:
    """The quality asset that the product knows."""
    assets = {key.casefold(): asset for key, asset in item.data["assets"].items()}
    for key in product.stac.quality if product and product.quality else ():
        asset = assets.get(key.casefold())
        if isinstance(asset, dict) and isinstance(asset.get("href"), str):
            path = resolve(asset["href"], item)
            rule = quality_rule(product.quality[0], options, path)  # type: ignore[union-attr]  # looked at above
            return None if rule is None else (path, rule)
    return None
