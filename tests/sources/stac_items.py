"""Assets as the large catalogues describe them."""

from __future__ import annotations

from typing import Any

from source_files import GEOTIFF

Assets = dict[str, Any]

_SENTINEL = {
    "blue": ("blue", 0.49, 0.098),
    "green": ("green", 0.56, 0.045),
    "red": ("red", 0.665, 0.038),
    "nir": ("nir", 0.842, 0.145),
    "rededge1": ("rededge", 0.704, 0.019),
}
_SHIFTED = {"nodata": 0, "data_type": "uint16", "spatial_resolution": 10, "scale": 0.0001, "offset": -0.1}


def earth_search(*, raster: dict[str, Any] | None = _SHIFTED) -> Assets:
    """Earth Search's sentinel-2-l2a, with `raster` as each band's `raster:bands`."""
    assets: Assets = {}
    for name, (common, centre, width) in _SENTINEL.items():
        described = {"name": name, "common_name": common, "center_wavelength": centre, "full_width_half_max": width}
        asset = {"href": f"{name}.tif", "type": GEOTIFF, "eo:bands": [described], "roles": ["data", "reflectance"]}
        assets[name] = asset | ({"raster:bands": [raster]} if raster else {})
    assets["scl"] = {
        "href": "scl.tif",
        "type": GEOTIFF,
        "raster:bands": [{"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}],
        "roles": ["data", "reflectance"],
    }
    rgb = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
    assets["visual"] = {"href": "visual.tif", "type": GEOTIFF, "eo:bands": rgb, "roles": ["visual"]}
    assets["thumbnail"] = {"href": "thumbnail.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}
    assets["granule_metadata"] = {"href": "meta.xml", "type": "application/xml", "roles": ["metadata"]}
    for name in _SENTINEL:
        assets[f"{name}-jp2"] = assets[name] | {"href": f"s3://sentinel/{name}.jp2", "type": "image/jp2"}
    return assets


def planetary_landsat() -> Assets:
    """The Planetary Computer's landsat-c2-l2."""
    bands = {"blue": ("OLI_B2", 0.48), "red": ("OLI_B4", 0.65), "nir08": ("OLI_B5", 0.87)}
    raster = {"scale": 2.75e-05, "offset": -0.2, "nodata": 0, "data_type": "uint16"}
    assets: Assets = {
        key: {
            "href": f"LC08_SR_{name}.tif",
            "type": GEOTIFF,
            "eo:bands": [{"name": name, "common_name": key, "center_wavelength": centre}],
            "raster:bands": [raster],
            "roles": ["data", "reflectance"],
        }
        for key, (name, centre) in bands.items()
    }
    thermal = {"unit": "kelvin", "scale": 0.00341802, "offset": 149.0, "nodata": 0}
    assets["lwir11"] = {
        "href": "LC08_ST_B10.tif",
        "type": GEOTIFF,
        "eo:bands": [{"name": "TIRS_B10", "common_name": "lwir11", "center_wavelength": 10.9}],
        "raster:bands": [thermal],
        "roles": ["data", "temperature"],
    }
    assets["qa_pixel"] = {
        "href": "LC08_QA_PIXEL.tif",
        "type": GEOTIFF,
        "raster:bands": [{"unit": "bit index", "nodata": 1}],
        "roles": ["cloud", "cloud-shadow", "snow-ice", "water-mask"],
    }
    return assets


def hls() -> Assets:
    """NASA's HLSS30: links and titles, and nothing else."""
    return {
        key: {"href": f"HLS.S30.{key}.tif", "title": f"Download HLS.S30.{key}.tif"} for key in ("B04", "B8A", "Fmask")
    }


def stac_1_1() -> Assets:
    """STAC 1.1 in its three ways: all in `bands`, shared things at the asset, two bands in one file."""
    line = {"raster:scale": 0.0001, "raster:offset": -0.1}
    red = {"name": "B04", "eo:common_name": "red", "eo:center_wavelength": 0.665}
    nir = {"name": "B08", "eo:common_name": "nir", "eo:center_wavelength": 0.842}
    more = [{"name": "B11", "eo:common_name": "swir16", **line}, {"name": "B12", "eo:common_name": "swir22"}]
    return {
        "red": {"href": "red.tif", "type": GEOTIFF, "roles": ["data"], "bands": [red | line | {"nodata": 0}]},
        "nir": {"href": "nir.tif", "type": GEOTIFF, "roles": ["data"], "bands": [nir], **line, "nodata": 0},
        "swir": {"href": "swir.tif", "type": GEOTIFF, "roles": ["data"], "bands": more},
    }
