"""The world of `commands` as satellites deliver it: folders of bands in several resolutions, zip files, STAC items."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from commands import SIZE, TINY, TRANSFORM, Done, ended_inside, load_json, read, truth, write_classes
from rasterio.transform import Affine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

HARD = "Jürgen's (1), a=b [x]"
"""What a folder may be called."""
SPECTRA = {
    "coastal": (0.07, 0.02, 0.07),
    "blue": (0.08, 0.03, 0.06),
    "green": (0.10, 0.05, 0.06),
    "red": (0.12, 0.04, 0.04),
    "nir": (0.35, 0.28, 0.02),
    "nir08": (0.36, 0.30, 0.02),
    "swir16": (0.30, 0.15, 0.01),
    "swir22": (0.22, 0.08, 0.01),
}
"""Reflectance of field, forest and water by common name."""
SENTINEL = {
    "B01": ("coastal", 60),
    "B02": ("blue", 10),
    "B04": ("red", 10),
    "B08": ("nir", 10),
    "B8A": ("nir08", 20),
    "B11": ("swir16", 20),
    "B12": ("swir22", 20),
}
"""Common name and metres of a pixel."""
LANDSAT = {
    "SR_B1": "coastal",
    "SR_B2": "blue",
    "SR_B3": "green",
    "SR_B4": "red",
    "SR_B5": "nir08",
    "SR_B6": "swir16",
    "SR_B7": "swir22",
}
LANDSAT_SCALE, LANDSAT_OFFSET = 0.0000275, -0.2
CLOUD = (slice(12, 24), slice(36, 60))
"""Rows and columns, in pixels of 10 m, that the quality bands call cloud: whole pixels of 20 m."""


def outside_cloud() -> NDArray[np.bool_]:
    """(H, W): what the quality bands let through."""
    clear = np.ones((SIZE, SIZE), np.bool_)
    clear[CLOUD] = False
    return clear


def at(metres: float) -> Affine:
    """The world's corner with pixels of another size."""
    return Affine(metres, 0, TRANSFORM.c, 0, -metres, TRANSFORM.f)


def reflected(common: str, metres: int = 10, seed: int = 0) -> NDArray[np.float64]:
    """(H, W): what a band sees."""
    rng = np.random.default_rng([seed, list(SPECTRA).index(common)])
    fine = np.array(SPECTRA[common])[truth() - 1] + rng.normal(0, 0.005, (SIZE, SIZE))
    step = metres // 10
    return np.asarray(fine.reshape(SIZE // step, step, SIZE // step, step).mean((1, 3)).clip(0.001, 1))


def digital(values: NDArray[np.float64], scale: float, offset: float) -> NDArray[np.uint16]:
    """Stored numbers of physical values, never 0."""
    return np.rint((values - offset) / scale).clip(1, 65535).astype(np.uint16)


def sentinel_folder(
    folder: Path, *, seed: int = 0, offset: float = -0.1, bands: Iterable[str] = SENTINEL, scl: bool = True
) -> Path:
    """A bare folder of Sentinel-2 bands, with or without its scene classification."""
    for band in bands:
        common, metres = SENTINEL[band]
        stored = digital(reflected(common, metres, seed), 0.0001, offset)
        write_classes(folder / f"T33_{band}.tif", stored, transform=at(metres), nodata=None)
    if scl:
        classes = np.full((SIZE, SIZE), 4, np.uint8)
        classes[CLOUD] = 9
        write_classes(folder / "T33_SCL.tif", classes[::2, ::2], transform=at(20), nodata=None)
    return folder


def landsat_folder(folder: Path, *, seed: int = 0) -> Path:
    """A folder of Landsat Collection 2 Level 2 without its metadata file."""
    for band, common in LANDSAT.items():
        stored = digital(reflected(common, seed=seed), LANDSAT_SCALE, LANDSAT_OFFSET)
        write_classes(folder / f"{folder.name}_{band}.TIF", stored, nodata=None)
    flags = np.full((SIZE, SIZE), 1 << 6, np.uint16)
    flags[CLOUD] = 1 << 3
    write_classes(folder / f"{folder.name}_QA_PIXEL.TIF", flags, nodata=None)
    return folder


def safe_folder(folder: Path, *, seed: int = 0, offset: int | None = None) -> Path:
    """A Sentinel-2 L2A product with three bands of 10 m; `offset` None: from before the baseline that has one."""
    image = folder / "GRANULE" / "L2A_T33" / "IMG_DATA" / "R10m"
    for band in ("B02", "B04", "B08"):
        stored = digital(reflected(SENTINEL[band][0], seed=seed), 0.0001, (offset or 0) / 10_000)
        write_classes(image / f"T33_20240713_{band}_10m.tif", stored, nodata=None)
    offsets = (
        "" if offset is None else "".join(f'<BOA_ADD_OFFSET band_id="{i}">{offset}</BOA_ADD_OFFSET>' for i in range(13))
    )
    values = f"<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>{offsets}"
    (folder / "MTD_MSIL2A.xml").write_text(f"<n1:P xmlns:n1='x'><Q>{values}</Q></n1:P>", encoding="utf-8")
    return folder


def zipped(folder: Path) -> Path:
    """A folder as the zip file that portals hand out."""
    target = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, str(file.relative_to(folder.parent)))
    return target


def stac_item(folder: Path, name: str, *, seed: int = 0, said: bool = True) -> dict[str, Any]:
    """An item whose assets lie beside it, as links relative to `folder`."""
    assets: dict[str, Any] = {
        "thumbnail": {"href": "thumbnail.png", "type": "image/png", "roles": ["thumbnail"]},
        "info": {"href": "info.xml", "type": "application/xml", "roles": ["metadata"]},
    }
    for band, micrometres in {"B02": 0.49, "B04": 0.665, "B08": 0.842}.items():
        common = SENTINEL[band][0]
        path = folder / f"{name} files" / f"{common}.tif"
        write_classes(path, digital(reflected(common, seed=seed), 0.0001, -0.1), nodata=None)
        raster = {"nodata": 0} | ({"scale": 0.0001, "offset": -0.1} if said else {})
        assets[common] = {
            "href": f"./{path.relative_to(folder).as_posix()}",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data", "reflectance"],
            "eo:bands": [{"name": band, "common_name": common, "center_wavelength": micrometres}],
            "raster:bands": [raster],
        }
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "properties": {}, "assets": assets}


def write_json(path: Path, data: Any) -> Path:
    """Write it as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def labelled(scene: object, labels: object, out: object, *arguments: str) -> list[str]:
    """The command that trains on a scene and its labels."""
    own = any(argument.startswith("data.field=") for argument in arguments)
    field = [] if own else ["data.field=class"]
    return ["train", f"data.scenes={scene}", f"data.labels={labels}", *field, f"out_dir={out}", *TINY, *arguments]


def predicted(model: Path, scenes: object, *arguments: str, out: Path) -> tuple[Path, Done]:
    """Classify one scene in this process, which must succeed: its map, and what was said."""
    done = ended_inside("predict", f"model={model}", f"scenes={scenes}", f"out_dir={out}", "device=cpu", *arguments)
    assert done.code == 0, done.err
    (row,) = load_json(out / "predict.json")
    return Path(row["map"]), done


def agreement(path: Path, expected: NDArray[np.uint8] | None = None) -> float:
    """The share of a map's valid pixels that are right."""
    classes = read(path)[0]
    wanted = truth() if expected is None else expected
    return float((classes == wanted)[classes > 0].mean())


def read_settings(path: Path) -> dict[str, Any]:
    """How a map says that its scene was read."""
    with rasterio.open(path) as file:
        return dict(json.loads(file.tags()["LANDMIX_SETTINGS"])["scene"])


def facts(path: object, *arguments: str) -> dict[str, Any]:
    """What `landmix inspect path=... format=json` prints."""
    done = ended_inside("inspect", f"path={path}", "format=json", *arguments)
    assert done.code == 0, done.err
    return dict(json.loads(done.out))


def band_facts(path: object, key: str, *arguments: str) -> dict[str, Any]:
    """One fact of each band by its name."""
    return {band["name"]: band[key] for band in facts(path, *arguments)["bands"]}


def png_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture, from its header."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content[12:16] == b"IHDR"
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def listed(paths: Sequence[Path]) -> str:
    """Paths as one scene of several files, as hydra reads it."""
    return "[[" + ",".join("'" + str(path).replace("'", "\\'") + "'" for path in paths) + "]]"
