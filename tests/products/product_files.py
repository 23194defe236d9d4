"""Satellite products on disk: true names, folders and metadata around tiny rasters."""

from __future__ import annotations

import copy
import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import yaml
from affine import Affine as Transform

from landmix.core.tiling import Tiling
from landmix.geo.open import open_entry
from landmix.geo.options import ReadOptions
from landmix.geo.paths import scene_entries
from landmix.geo.validity import band_validity, validity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene

Pixels = dict[str, "NDArray[Any]"]

UTM = "EPSG:32633"
X, Y = 399_960.0, 5_400_000.0
"""The corner of every Sentinel-2 fixture."""
TALL, WIDE = 42, 36
"""Pixels of 10 m in a Sentinel-2 fixture: whole pixels of 20 m and 60 m too."""
LANDSAT_X, LANDSAT_Y = 483_285.0, 5_628_525.0
LANDSAT_SHAPE = (21, 24)

S2_METRES = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20,
    "B08": 10, "B8A": 20, "B09": 60, "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip
S2_OFFSETS = {i: -1000 - 10 * (i - 1) for i in range(13)}
"""As `band_id` in the metadata; B02 is 1. Real ones are all alike, so that a mix-up would not show."""
S2_IDS = {name: i for i, name in enumerate([*[f"B{i:02d}" for i in range(1, 9)], "B8A", "B09", "B10", "B11", "B12"])}
S2_TILE, S2_TIME = "T33UUP", "20240628T103021"
L2A = f"S2A_MSIL2A_{S2_TIME}_N0510_R108_{S2_TILE}_20240628T162057.SAFE"
L1C = f"S2A_MSIL1C_{S2_TIME}_N0510_R108_{S2_TILE}_20240628T123456.SAFE"
BARE = "X_"

LC08_C2 = "LC08_L2SP_195025_20130707_20200912_02_T1"
LT05_C2 = "LT05_L2SP_224063_19880814_20200917_02_T1"
LC08_L1 = {1: "LC08_L1TP_195025_20130707_20170503_01_T1", 2: "LC08_L1TP_195025_20130707_20200912_02_T1"}
SUN = 30.0
"""Degrees: its sine is 0.5."""
HLS_STEM = {"L30": "HLS.L30.T33UUP.2024180T101500.v2.0", "S30": "HLS.S30.T33UUP.2024180T103021.v2.0"}
HLS_BANDS = {
    "L30": [f"B{i:02d}" for i in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)],
    "S30": list(S2_METRES),
}
PLANET = "20240628_101500_12_24a1_3B"


def noise(name: str, shape: Sequence[int], low: int = 1, high: int = 12_000, dtype: str = "uint16") -> NDArray[Any]:
    """Pixels that depend on the name alone."""
    return np.random.default_rng(zlib.crc32(name.encode())).integers(low, high, shape).astype(dtype)


def north_up(x: float, y: float, metres: float) -> Transform:
    return Transform(metres, 0, x, 0, -metres, y)


def s2_shape(metres: int) -> tuple[int, int]:
    return TALL * 10 // metres, WIDE * 10 // metres


def s2_pixels(band: str) -> NDArray[Any]:
    """What a Sentinel-2 fixture holds where a test does not say otherwise."""
    return noise(band, s2_shape(S2_METRES[band]))


def landsat_pixels(band: str) -> NDArray[Any]:
    return noise(band, LANDSAT_SHAPE, 7000, 40_000)


def write(
    path: Path,
    array: NDArray[Any],
    transform: Transform,
    *,
    crs: str = UTM,
    names: Sequence[str] = (),
    scale: tuple[float, float] | None = None,
    **profile: Any,
) -> Path:
    """Write (H, W) or (C, H, W), as JPEG 2000 where the name ends so."""
    array = array if array.ndim == 3 else array[None]
    if path.suffix == ".jp2":
        profile = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", **profile}
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "crs": crs, "transform": transform, "dtype": array.dtype.name, **profile}
    count, height, width = array.shape
    with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as file:
        file.write(array)
        if names:
            file.descriptions = tuple(names)
        if scale:
            file.scales, file.offsets = (scale[0],) * count, (scale[1],) * count
    return path


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def zipped(folder: Path, name: str | None = None) -> Path:
    """A folder as the zip file that portals hand out: its name is the first part of every path inside."""
    target = folder.with_name(name or f"{folder.name}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, str(Path(folder.name) / file.relative_to(folder)))
    return target


# Sentinel-2


def _s2_xml(level: str, product: str, quantification: str, offsets: Mapping[int, int] | None) -> str:
    tag, around = ("BOA_ADD_OFFSET", "BOA_ADD_OFFSET_VALUES_LIST")
    scale = f"""<QUANTIFICATION_VALUES_LIST>
        <BOA_QUANTIFICATION_VALUE unit="none">{quantification}</BOA_QUANTIFICATION_VALUE>
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
        <WVP_QUANTIFICATION_VALUE unit="cm">1000.0</WVP_QUANTIFICATION_VALUE>
      </QUANTIFICATION_VALUES_LIST>"""
    if level == "1C":
        tag, around = "RADIO_ADD_OFFSET", "Radiometric_Offset_List"
        scale = f'<QUANTIFICATION_VALUE unit="none">{quantification}</QUANTIFICATION_VALUE>'
    rows = "".join(f'<{tag} band_id="{i}">{value}</{tag}>\n' for i, value in (offsets or {}).items())
    block = f"<{around}>\n{rows}</{around}>" if offsets else ""
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_URI>{product}</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL>
      <PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>
      <Datatake datatakeIdentifier="GS2A_20240628T103021_046789_N05.10"><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
      </Datatake>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      {scale}
      {block}
      <Reflectance_Conversion><U>0.967</U><Solar_Irradiance_List>
        <SOLAR_IRRADIANCE bandId="0" unit="W/m²/µm">1884.69</SOLAR_IRRADIANCE>
        <SOLAR_IRRADIANCE bandId="1" unit="W/m²/µm">1959.66</SOLAR_IRRADIANCE>
      </Solar_Irradiance_List></Reflectance_Conversion>
      <PHYSICAL_GAINS bandId="0">4.1</PHYSICAL_GAINS>
    </Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info><Product_Footprint/></n1:Geometric_Info>
</n1:Level-{level}_User_Product>
"""


def _s2_jp2(path: Path, array: NDArray[Any], metres: int) -> None:
    write(path, array, north_up(X, Y, metres))


def _s2_around(product: Path, granule: Path, level: str) -> None:
    """What else lies in a SAFE folder; no scene may take any of it for a band."""
    stem = f"{S2_TILE}_{S2_TIME}"
    empty = '<?xml version="1.0" encoding="UTF-8"?>\n<root><BOA_ADD_OFFSET band_id="1">7</BOA_ADD_OFFSET></root>\n'
    for name in ("manifest.safe", "INSPIRE.xml", "DATASTRIP/DS_VGS1/MTD_DS.xml"):
        put(product / name, empty)
    put(granule / "MTD_TL.xml", empty)
    put(granule / "QI_DATA" / "GENERAL_QUALITY.xml", empty)
    for band in ("B02", "B05"):
        for kind in ("DETFOO", "QUALIT"):
            _s2_jp2(granule / "QI_DATA" / f"MSK_{kind}_{band}.jp2", np.full((4, 4), 3, np.uint8), 10)
    _s2_jp2(granule / "QI_DATA" / "MSK_CLASSI_B00.jp2", np.zeros((3, 7, 6), np.uint8), 60)
    _s2_jp2(granule / "QI_DATA" / f"{stem}_PVI.jp2", np.ones((3, 7, 6), np.uint8), 60)
    tci = granule / "IMG_DATA" / ("R10m" if level == "2A" else "")
    _s2_jp2(tci / f"{stem}_TCI{'_10m' if level == '2A' else ''}.jp2", np.ones((3, TALL, WIDE), np.uint8), 10)


def sentinel2_l2a(
    parent: Path,
    *,
    name: str = L2A,
    offsets: Mapping[int, int] | None = S2_OFFSETS,
    quantification: str = "10000",
    pixels: Mapping[str, NDArray[Any]] | None = None,
    skip: Sequence[str] = (),
) -> Path:
    """A SAFE folder; `pixels` replaces bands and `SCL`. `offsets` None: as before processing baseline 04.00."""
    product = parent / name
    granule = product / "GRANULE" / f"L2A_{S2_TILE}_A046789_20240628T103022"
    given = {"SCL": np.full(s2_shape(20), 4, np.uint8), **(pixels or {})}
    put(product / "MTD_MSIL2A.xml", _s2_xml("2A", name, quantification, offsets))
    _s2_around(product, granule, "2A")
    stem = f"{S2_TILE}_{S2_TIME}"
    for band in [*S2_METRES, "SCL"]:
        if band == "B10" or band in skip:
            continue
        metres = 20 if band == "SCL" else S2_METRES[band]
        array = given[band] if band in given else s2_pixels(band)
        _s2_jp2(granule / "IMG_DATA" / f"R{metres}m" / f"{stem}_{band}_{metres}m.jp2", array, metres)
    # each resolution folder repeats the finer bands
    for band, metres in (("B01", 20), ("B02", 20), ("B02", 60), ("B05", 60), ("AOT", 10), ("WVP", 20)):
        other = np.full(s2_shape(metres), 9999, np.uint16)
        _s2_jp2(granule / "IMG_DATA" / f"R{metres}m" / f"{stem}_{band}_{metres}m.jp2", other, metres)
    for name_60, value in (("SCL", 9), ("CLDPRB", 100)):
        folder, prefix = ("IMG_DATA/R60m", f"{stem}_") if name_60 == "SCL" else ("QI_DATA", "MSK_")
        _s2_jp2(granule / folder / f"{prefix}{name_60}_60m.jp2", np.full(s2_shape(60), value, np.uint8), 60)
    return product


def sentinel2_l1c(
    parent: Path,
    *,
    offsets: Mapping[int, int] | None = S2_OFFSETS,
    quantification: str = "10000",
    pixels: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    product = parent / L1C
    granule = product / "GRANULE" / f"L1C_{S2_TILE}_A046789_20240628T103022"
    put(product / "MTD_MSIL1C.xml", _s2_xml("1C", L1C, quantification, offsets))
    _s2_around(product, granule, "1C")
    for band, metres in S2_METRES.items():
        array = (pixels or {}).get(band, s2_pixels(band))
        _s2_jp2(granule / "IMG_DATA" / f"{S2_TILE}_{S2_TIME}_{band}.jp2", array, metres)
    return product


def sentinel2_bands(
    folder: Path,
    *,
    prefix: str = BARE,
    pixels: Mapping[str, NDArray[Any]] | None = None,
    bands: Sequence[str] = ("B01", "B02", "B03", "B04", "B05", "B11"),
    suffix: str = ".tif",
) -> Path:
    """Band files without any metadata, on three grids."""
    for band in bands:
        metres = S2_METRES[band]
        array = (pixels or {}).get(band, s2_pixels(band))
        write(folder / f"{prefix}{band}{suffix}", array, north_up(X, Y, metres))
    return folder


# Landsat


def _odl(tree: Mapping[str, Any], depth: int = 0) -> str:
    pad, lines = "  " * depth, []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += [f"{pad}GROUP = {key}", _odl(value, depth + 1), f"{pad}END_GROUP = {key}"]
        else:
            lines.append(f'{pad}{key} = "{value}"' if value.isalpha() else f"{pad}{key} = {value}")
    return "\n".join(lines)


def _xml(tree: Mapping[str, Any]) -> str:
    return "\n".join(f"<{key}>{_xml(v) if isinstance(v, dict) else v}</{key}>" for key, v in tree.items())


def write_mtl(folder: Path, stem: str, tree: Mapping[str, Any], kinds: Sequence[str]) -> None:
    """Landsat's metadata; the text is padded with NUL bytes, as in older deliveries."""
    if "txt" in kinds:
        (folder / f"{stem}_MTL.txt").write_bytes(f"{_odl(tree)}\nEND\n".encode() + b"\0" * 3000)
    if "json" in kinds:
        put(folder / f"{stem}_MTL.json", json.dumps(tree, indent=2))
    if "xml" in kinds:
        put(folder / f"{stem}_MTL.xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{_xml(tree)}\n')


def _rescaling(bands: Sequence[int]) -> dict[str, str]:
    """Level 1 numbers, another pair for every band."""
    found: dict[str, str] = {}
    for i in bands:
        found |= {f"RADIANCE_MULT_BAND_{i}": f"{i}.5000E-03", f"RADIANCE_ADD_BAND_{i}": f"-{i}.25000"}
        if i < 10:
            found |= {f"REFLECTANCE_MULT_BAND_{i}": f"2.{i}000E-05", f"REFLECTANCE_ADD_BAND_{i}": f"-0.1{i}0000"}
    return found


def landsat_mtl(level: int, collection: int, *, mult: str = "2.75e-05", thermal: str = "10") -> dict[str, Any]:
    level_1 = _rescaling(range(1, 12))
    attributes = {"SPACECRAFT_ID": "LANDSAT_8", "SUN_AZIMUTH": "146.98479703", "SUN_ELEVATION": str(SUN)}
    if collection == 1:
        groups: dict[str, Any] = {"METADATA_FILE_INFO": {"ORIGIN": "USGS", "COLLECTION_NUMBER": "01"}}
        groups |= {"IMAGE_ATTRIBUTES": attributes, "RADIOMETRIC_RESCALING": level_1}
        return {"L1_METADATA_FILE": groups}
    groups = {"PRODUCT_CONTENTS": {"ORIGIN": "USGS", "COLLECTION_NUMBER": "02"}, "IMAGE_ATTRIBUTES": attributes}
    if level == 2:
        surface = {f"REFLECTANCE_MULT_BAND_{i}": mult for i in range(1, 8)}
        surface |= {f"REFLECTANCE_ADD_BAND_{i}": "-0.2" for i in range(1, 8)}
        heat = {
            f"TEMPERATURE_MULT_BAND_ST_B{thermal}": "0.00341802",
            f"TEMPERATURE_ADD_BAND_ST_B{thermal}": "149.0",
        }
        groups["LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"] = surface
        groups["LEVEL2_SURFACE_TEMPERATURE_PARAMETERS"] = heat
    groups["LEVEL1_RADIOMETRIC_RESCALING"] = level_1
    return {"LANDSAT_METADATA_FILE": groups}


def _landsat_tif(path: Path, array: NDArray[Any], **profile: Any) -> None:
    write(path, array, north_up(LANDSAT_X, LANDSAT_Y, 30), **profile)


def landsat_c2_l2(
    parent: Path,
    *,
    stem: str = LC08_C2,
    mtl: Sequence[str] = ("txt", "json", "xml"),
    pixels: Mapping[str, NDArray[Any]] | None = None,
    mult: str = "2.75e-05",
) -> Path:
    """Landsat 8 or 5, Collection 2 Level 2; `pixels` replaces bands and `QA_PIXEL`."""
    folder = parent / stem
    oli = stem.startswith("LC08")
    thermal = "10" if oli else "6"
    reflective = [1, 2, 3, 4, 5, 6, 7] if oli else [1, 2, 3, 4, 5, 7]
    given = {"QA_PIXEL": np.full(LANDSAT_SHAPE, 21_824 if oli else 5440, np.uint16), **(pixels or {})}
    for band in [*[f"SR_B{i}" for i in reflective], f"ST_B{thermal}"]:
        _landsat_tif(folder / f"{stem}_{band}.TIF", given.get(band, landsat_pixels(band)), nodata=0)
    _landsat_tif(folder / f"{stem}_QA_PIXEL.TIF", given["QA_PIXEL"], nodata=1)
    _landsat_tif(folder / f"{stem}_QA_RADSAT.TIF", np.zeros(LANDSAT_SHAPE, np.uint16))
    _landsat_tif(folder / f"{stem}_ST_QA.TIF", np.full(LANDSAT_SHAPE, 300, np.int16), nodata=-9999)
    other = "SR_QA_AEROSOL" if oli else "SR_CLOUD_QA"
    _landsat_tif(folder / f"{stem}_{other}.TIF", np.full(LANDSAT_SHAPE, 96, np.uint8), nodata=1)
    put(folder / f"{stem}_ANG.txt", "GROUP = FILE_HEADER\nEND_GROUP = FILE_HEADER\nEND\n")
    write_mtl(folder, stem, landsat_mtl(2, 2, mult=mult, thermal=thermal), mtl)
    return folder


def pan_pixels() -> NDArray[Any]:
    return noise("B8", (2 * LANDSAT_SHAPE[0], 2 * LANDSAT_SHAPE[1]), 7000, 40_000)


def landsat_l1(
    parent: Path,
    *,
    collection: int = 1,
    pixels: Mapping[str, NDArray[Any]] | None = None,
    tree: Mapping[str, Any] | None = None,
) -> Path:
    """Landsat 8 Level 1; `pixels` replaces bands and `QA`. Files declare no nodata value, as USGS writes them."""
    stem = LC08_L1[collection]
    folder = parent / stem
    clear = 2720 if collection == 1 else 21_824
    given = {"QA": np.full(LANDSAT_SHAPE, clear, np.uint16), **(pixels or {})}
    for i in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11):
        _landsat_tif(folder / f"{stem}_B{i}.TIF", given.get(f"B{i}", landsat_pixels(f"B{i}")))
    pan = north_up(LANDSAT_X - 7.5, LANDSAT_Y - 7.5, 15)
    write(folder / f"{stem}_B8.TIF", given.get("B8", pan_pixels()), pan)
    _landsat_tif(folder / f"{stem}_{'BQA' if collection == 1 else 'QA_PIXEL'}.TIF", given["QA"])
    if collection == 2:
        _landsat_tif(folder / f"{stem}_QA_RADSAT.TIF", np.zeros(LANDSAT_SHAPE, np.uint16))
        _landsat_tif(folder / f"{stem}_SZA.TIF", np.full(LANDSAT_SHAPE, 3100, np.int16))
    put(folder / f"{stem}_ANG.txt", "GROUP = FILE_HEADER\nEND_GROUP = FILE_HEADER\nEND\n")
    kinds = ("txt",) if collection == 1 else ("txt", "json", "xml")
    write_mtl(folder, stem, tree or landsat_mtl(1, collection), kinds)
    return folder


# HLS, PlanetScope, embeddings


def hls_pixels(kind: str, band: str) -> NDArray[Any]:
    return noise(f"{kind}{band}", LANDSAT_SHAPE, -50, 9000, "int16")


def hls(
    parent: Path,
    kind: str,
    *,
    pixels: Mapping[str, NDArray[Any]] | None = None,
    scale: float = 0.0001,
) -> Path:
    """`kind` L30 or S30; `pixels` replaces bands and `Fmask`. `scale` is the tag of the files."""
    stem = HLS_STEM[kind]
    given = {"Fmask": np.full(LANDSAT_SHAPE, 64, np.uint8), **(pixels or {})}
    folder = parent / stem
    for band in HLS_BANDS[kind]:
        own = 0.01 if kind == "L30" and band in {"B10", "B11"} else scale
        array = given.get(band, hls_pixels(kind, band))
        _landsat_tif(folder / f"{stem}.{band}.tif", array, nodata=-9999, scale=(own, 0.0), compress="deflate")
    _landsat_tif(folder / f"{stem}.Fmask.tif", given["Fmask"], nodata=255)
    for angle in ("SAA", "SZA", "VAA", "VZA"):
        _landsat_tif(folder / f"{stem}.{angle}.tif", np.full(LANDSAT_SHAPE, 4000, np.uint16), nodata=40_000)
    put(folder / f"{stem}.cmr.xml", "<Granule><Temporal>2024</Temporal></Granule>")
    return folder


def udm2_clear(shape: tuple[int, int]) -> NDArray[Any]:
    """A usable data mask of eight bands that is clear everywhere."""
    array = np.zeros((8, *shape), np.uint8)
    array[0], array[6] = 1, 95
    return array


def planet_pixels(count: int) -> NDArray[Any]:
    return noise(f"planet{count}", (count, 20, 25))


def planetscope(
    parent: Path, count: int, *, pixels: NDArray[Any] | None = None, udm2: NDArray[Any] | None = None
) -> Path:
    """Four or eight bands in one file, as an order of clipped scenes brings it."""
    folder = parent / f"order_{count}" / "PSScene"
    place = north_up(X, Y, 3)
    array = planet_pixels(count) if pixels is None else pixels
    mask = udm2_clear(array.shape[-2:]) if udm2 is None else udm2
    eight = "_8b" if count == 8 else ""
    write(folder / f"{PLANET}_AnalyticMS_SR{eight}_clip.tif", array, place, nodata=0)
    write(folder / f"{PLANET}_udm2_clip.tif", mask, place)
    put(folder / f"{PLANET}_AnalyticMS{eight}_metadata_clip.xml", '<ps:EarthObservation xmlns:ps="http://p"/>')
    put(folder.parent / "manifest.json", '{"name": "", "files": []}')
    return folder.parent


def alphaearth(parent: Path, pixels: NDArray[Any] | None = None) -> Path:
    """One file of 64 bands whose rows run north."""
    array = noise("alphaearth", (64, 20, 24), -128, 128, "int8") if pixels is None else pixels
    path = parent / "x8qqwcsisbgygl2ry-0000008192-0000000000.tiff"
    layout: dict[str, Any] = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "nodata": -128}
    names = [f"A{i:02d}" for i in range(64)]
    return write(path, array, Transform(10, 0, X, 0, 10, Y - 200), names=names, **layout)


def tessera(parent: Path, pixels: NDArray[Any] | None = None) -> Path:
    rng = np.random.default_rng(5)
    array = rng.normal(0, 3, (128, 18, 22)).astype(np.float32) if pixels is None else pixels
    names = [f"Tessera_Band_{i}" for i in range(128)]
    return write(parent / "grid_0.15_52.05_2024.tiff", array, north_up(X, Y, 10), names=names, compress="lzw")


# a sensor of the user's own

OWN_QUALITY: dict[str, dict[str, Any]] = {
    "classes": {
        "file": "*_qc.tif", "kind": "classes", "clear": ["land"],
        "values": {"nodata": 0, "land": [1, 2], "cloud": 3},
    },
    "bits": {
        "file": ["*_qc.tif"], "kind": "bits", "clear": ["wet"], "fill": 200,
        "values": {"cloud": [0, 1], "wet": 2, "haze": 3},
    },
    "bands": {
        "file": ["*_qc.tif"], "kind": "bands", "clear": ["good"],
        "values": {"good": 2, "poor": 1},
    },
}  # fmt: skip


def own_definition(kind: str = "classes") -> dict[str, Any]:
    """What a user writes of an invented sensor."""
    return {
        "title": "Quokka-1 reflectance",
        "unit": "reflectance",
        "scale": 0.002,
        "offset": -0.5,
        "nodata": 65535,
        "bands": {
            "sea": {"file": "*_sea.tif", "wavelength": 481, "width": 40, "common_name": "blue"},
            "leaf": {"file": ["*_leaf.tiff", "*_leaf.tif"], "wavelength": 851.5, "nodata": 7},
            "heat": {"file": "*_heat.tif", "number": 2, "wavelength": 10900, "unit": "K", "scale": 0.1, "offset": 100},
        },
        "quality": copy.deepcopy(OWN_QUALITY[kind]),
    }


def own_pixels(band: str) -> NDArray[Any]:
    return noise(band, (14, 17), 10, 3000)


def own(
    parent: Path,
    *,
    kind: str = "classes",
    quality: NDArray[Any] | None = None,
    pixels: Mapping[str, NDArray[Any]] | None = None,
) -> tuple[Path, Path]:
    """Its folder and its definition."""
    folder, given, place = parent / "quokka", pixels or {}, north_up(X, Y, 7)
    write(folder / "q_sea.tif", given.get("sea", own_pixels("sea")), place)
    write(folder / "q_leaf.tif", given.get("leaf", own_pixels("leaf")), place)
    heat = given.get("heat", own_pixels("heat"))
    write(folder / "q_heat.tif", np.stack([np.zeros_like(heat), heat]), place)
    usual = np.ones((2, 14, 17), np.uint8) if kind == "bands" else np.full((14, 17), 1, np.uint8)
    if kind == "bits":
        usual = np.zeros((14, 17), np.uint8)
    write(folder / "q_qc.tif", usual if quality is None else quality, place)
    return folder, put(parent / "my.yaml", yaml.safe_dump(own_definition(kind), sort_keys=False))


# reading


def look(spec: Any, **options: Any) -> Scene:
    """The one scene that a path or a list of paths means."""
    named = [str(part) for part in spec] if isinstance(spec, list) else str(spec)
    (entry,) = scene_entries([named] if isinstance(spec, list) else named, "scenes")
    return open_entry(entry, ReadOptions(**options))


def stored(scene: Scene) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values as they are read, and which pixels are valid in all bands."""
    with scene.open() as reader:
        values, inside = reader.read(scene.grid.window)
    return values, inside & validity(values, scene.nodata)


def physical(scene: Scene) -> dict[str, NDArray[np.float64]]:
    """Each band's physical values, NaN where that band is invalid or the scene is not clear."""
    with scene.open() as reader:
        values, inside = reader.read(scene.grid.window)
    found = {}
    for i, (band, nodata) in enumerate(zip(scene.bands, scene.nodata, strict=True)):
        line = values[i].astype(np.float64) * scene.scaling.scale[i] + scene.scaling.offset[i]
        found[band.name] = np.where(inside & band_validity(values[i], nodata), line, np.nan)
    return found


def clear(scene: Scene) -> NDArray[np.bool_]:
    """Where the quality raster lets pixels through."""
    with scene.open() as reader:
        return reader.read(scene.grid.window)[1]


def assert_tiles_agree(scene: Scene, core: int, margin: int) -> None:
    """Every tile, margin and all, is bit for bit what the whole scene has there; 0 and outside beyond it."""
    with scene.open() as reader:
        whole, inside = reader.read(scene.grid.window)
        around = core + margin
        values = np.pad(whole, ((0, 0), (around, around), (around, around)))
        valid = np.pad(inside, around)
        for tile in Tiling(core=core, margin=margin).tiles(scene.grid.window):
            part, mask = reader.read(tile.read)
            rows, cols = (slice(s.start + around, s.stop + around) for s in tile.read.slices)
            np.testing.assert_array_equal(_bits(part), _bits(values[:, rows, cols]), err_msg=str(tile))
            np.testing.assert_array_equal(mask, valid[rows, cols], err_msg=str(tile))


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """Floats as their bits, all NaN alike."""
    if values.dtype != np.float32:
        return values
    return np.where(np.isnan(values), np.float32(np.nan), values).view(np.uint32)
