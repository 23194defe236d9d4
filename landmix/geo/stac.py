"""STAC items: which of their assets are bands, and what they say of the numbers.

Reads STAC 1.0 (`eo:bands`, `raster:bands`) and 1.1 (`bands`). An item is a stranger's file: its links are opened only
where docs/products.md says so.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit

from landmix.core.bands import Band
from landmix.errors import LandmixError
from landmix.files import is_remote, read_bytes
from landmix.geo import remote
from landmix.geo.delivery import DeliveredBand, Delivery, Said
from landmix.geo.products.definition import Product, built_in, find
from landmix.geo.products.folder import product_band, quality_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landmix.geo.options import ReadOptions
    from landmix.geo.quality import QualityRule

_LIMIT = 64 * 2**20
"""Bytes of an item or item collection."""

_RASTERS = {".tif", ".tiff", ".jp2", ".j2k", ".vrt", ".img", ".dat", ".bsq", ".png", ".gtif", ".gtiff"}
_NO_BANDS = {"thumbnail", "overview", "visual", "metadata", "mask", "cloud", "cloud-shadow", "snow-ice"}
"""Roles of assets that hold no measured band."""


@dataclass(frozen=True, slots=True)
class Item:
    """A STAC item and where it came from."""

    href: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its id."""
        return str(self.data.get("id") or "item")

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"the STAC item {self.name} ({self.href})"


def read_items(path: str) -> list[Item] | None:
    """The items of a file or address; None where it is no JSON, so that it may be a raster.

    Raises `LandmixError` for JSON that is no STAC item or item collection.
    """
    content = _content(path)
    if content is None:
        return None
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"cannot read {path} as a STAC item: {error}"
        raise LandmixError(msg) from error
    kind = data.get("type") if isinstance(data, dict) else None
    found = data.get("features") if kind == "FeatureCollection" else [data] if kind == "Feature" else []
    items = [
        Item(path, item) for item in found or [] if isinstance(item, dict) and isinstance(item.get("assets"), dict)
    ]
    if not items or len(items) != len(found):
        what = f"a STAC {kind}" if kind in {"Catalog", "Collection"} else "no STAC item"
        msg = f"{path} is {what}: a scene is a STAC item, or an item collection of several"
        raise LandmixError(msg)
    return items


def _content(path: str) -> bytes | None:
    """The text of a file that could be JSON."""
    if not is_remote(path):
        return read_bytes(path, _LIMIT) if Path(path).suffix.lower() in {".json", ".geojson"} else None
    if not path.lower().startswith(("http://", "https://")) or remote.suffix(path) in _RASTERS:
        return None
    request = urllib.request.Request(path, headers={"Accept": "application/geo+json, application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - http(s), as the user wrote it
            content = b""
            while block := answer.read(2**20):
                content += block
                if not content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
                    return None
                if len(content) > _LIMIT:
                    msg = f"{path} has more than {_LIMIT} bytes, too many for a STAC item"
                    raise LandmixError(msg)
            return content
    except (URLError, OSError, ValueError) as error:
        msg = f"cannot read {path}: {error}"
        raise LandmixError(msg) from error


def open_item(item: Item, options: ReadOptions) -> Delivery:
    """The bands that an item's assets hold. Raises `LandmixError` where it has none, or contradicts itself."""
    product = _product(item, options)
    bands = list(_bands(item, product))
    if not bands:
        msg = f"{item.where} has no asset that is a raster of bands: it has {', '.join(item.data['assets']) or 'none'}"
        raise LandmixError(msg)
    flag = item.data.get("properties", {}).get("earthsearch:boa_offset_applied")
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


def _product(item: Item, options: ReadOptions) -> Product | None:
    """The product that the user names, or that the item's collection is known as."""
    if options.product is not None:
        return find(options.product)[1]
    collection = str(item.data.get("collection", "")).casefold()
    known = (p for p in built_in().values() if collection in {c.casefold() for c in p.stac.collections})
    return next(known, None)


def _bands(item: Item, product: Product | None) -> Iterator[DeliveredBand]:
    """Bands of all assets; of bands that several hold, the asset with the fewest bands, GeoTIFF before JPEG 2000."""
    found: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = []
    for key, asset in item.data["assets"].items():
        if (
            isinstance(asset, dict)
            and isinstance(asset.get("href"), str)
            and not _NO_BANDS & set(asset.get("roles") or ())
        ):
            described = _described(asset)
            if described:
                found.append((key, asset, described))
    order = {key: i for i, (key, _, _) in enumerate(found)}
    seen: dict[str, tuple[int, int, DeliveredBand]] = {}
    for key, asset, described in sorted(found, key=lambda f: (len(f[2]), remote.suffix(f[1]["href"]) == ".jp2")):
        for number, text in enumerate(described, start=1):
            name = _name(key, text, single=len(described) == 1)
            if name not in seen:
                seen[name] = order[key], number, _band(item, key, asset, text, number, name, product)
    yield from (band for _, _, band in sorted(seen.values(), key=lambda row: row[:2]))


def _described(asset: dict[str, Any]) -> list[dict[str, Any]]:
    """What an asset says of each of its bands, in the words of STAC 1.1; empty where it is no raster of bands."""
    now, eo, raster = (asset.get(key) for key in ("bands", "eo:bands", "raster:bands"))
    lists = [part for part in (now, eo, raster) if isinstance(part, list) and part]
    media = str(asset.get("type", ""))
    is_raster = "tiff" in media or "jp2" in media or remote.suffix(asset["href"]) in _RASTERS
    measured = isinstance(now or eo, list) or bool({"data", "reflectance"} & set(asset.get("roles") or ()))
    if not is_raster or not measured:
        return []
    count = max((len(part) for part in lists), default=1)
    common: dict[str, Any] = {
        key: asset[key] for key in ("nodata", "unit", "raster:scale", "raster:offset") if key in asset
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
    item: Item, key: str, asset: dict[str, Any], text: dict[str, Any], number: int, name: str, product: Product | None
) -> DeliveredBand:
    common = text.get("eo:common_name", text.get("common_name"))
    path = resolve(asset["href"], item)
    known = _known(name, key, common, product, path)
    said = _said(item, text)
    nm, width = (_nm(text, key) for key in ("center_wavelength", "full_width_half_max"))
    reflective = "reflectance" in (asset.get("roles") or ()) or (product is not None and product.unit == "reflectance")
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
        said=said or (known.said if known else None),
        unknown_offset=known.unknown_offset if known and said is None else None,
        offset_is_stored=known.offset_is_stored if known else False,
        nodata=_nodata(text, known),
        decode=known.decode if known else None,
    )


def _known(name: str, key: str, common: Any, product: Product | None, path: str) -> DeliveredBand | None:
    """The product's own band of that name, asset key or common name."""
    if product is None:
        return None
    entries = product.entries
    fits = [own for own in (name, key) if own in entries]
    fits += [own for own, entry in entries.items() if common is not None and entry.common_name == common]
    return product_band(fits[0], entries[fits[0]], product, path, None, None) if fits else None


def _said(item: Item, text: dict[str, Any]) -> Said | None:
    scale, offset = (text.get(f"raster:{key}", text.get(key)) for key in ("scale", "offset"))
    if scale is None and offset is None:
        return None
    try:
        return Said(scale=float(1 if scale is None else scale), offset=float(offset or 0), by=item.where)
    except (TypeError, ValueError):
        msg = f"{item.where} gives a scale or offset that is no number: {scale!r}, {offset!r}"
        raise LandmixError(msg) from None


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
    for key in product.stac.quality if product and product.qualities else ():
        asset = assets.get(key.casefold())
        if isinstance(asset, dict) and isinstance(asset.get("href"), str):
            path = resolve(asset["href"], item)
            rule = quality_rule(product.qualities[0], options, path)  # type: ignore[union-attr]  # looked at above
            return None if rule is None else (path, rule)
    return None


def resolve(href: str, item: Item) -> str:
    """The path that a link of an item means.

    Raises `LandmixError` for one that an item may not name: anything local outside its folder, GDAL's own schemes,
    and addresses of this machine or its network, unless the item came from there.
    """
    scheme = urlsplit(href).scheme.lower() if "://" in href else ""
    if href.startswith("/vsi") or (scheme and scheme not in {"http", "https", "s3", "gs"}):
        msg = f"{item.where} links to {href[:100]}, which an item may not: only files beside it, http(s), s3 and gs"
        raise LandmixError(msg)
    if scheme in {"s3", "gs"}:
        return href
    if is_remote(item.href) or scheme:
        address = urljoin(item.href, href) if is_remote(item.href) else href
        _check_host(address, item)
        return address
    folder = Path(item.href).resolve().parent
    target = (folder / unquote(href)).resolve() if not (folder / href).exists() else (folder / href).resolve()
    if not target.is_relative_to(folder):
        msg = f"{item.where} links to {href[:100]}, outside its folder: name the files in a list instead"
        raise LandmixError(msg)
    return str(target)


def _check_host(address: str, item: Item) -> None:
    """No stranger's item makes landmix ask machines that only the user can reach."""
    host, own = urlsplit(address).hostname or "", urlsplit(item.href).hostname if "://" in item.href else None
    if host == own or not _private(host):
        return
    msg = f"{item.where} links to {address[:100]}, a machine inside this network: name the files in a list instead"
    raise LandmixError(msg)


def _private(host: str) -> bool:
    """Whether a host is this machine or in a network of its own; one that cannot be found is not."""
    try:
        found = {str(row[4][0]) for row in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return host in {"", "localhost"} or host.endswith((".localhost", ".local", ".internal"))
    return any(not ipaddress.ip_address(address.split("%")[0]).is_global for address in found)
