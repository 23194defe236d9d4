"""Scenes as files, as the command classifies them, and as arrays."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest
from classify_files import model, plan_of, read, run, scene_values, write_scene

from landmix.engines.choose import choose
from landmix.model import Model

pytest.importorskip("rioxarray")
import rioxarray

if TYPE_CHECKING:
    from pathlib import Path as PathLike

    import xarray as xr
    from numpy.typing import NDArray

    from landmix.bundle import Bundle

BLOCKS = 2
"""Of the network: a margin of several pixels."""


def opened(path: PathLike | str, **options: Any) -> xr.DataArray:
    """A file as rioxarray opens it; what it warns of is its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Any = rioxarray.open_rasterio(path, **options)
    array: xr.DataArray = found.load() if "chunks" not in options else found
    return array


def bundle() -> Bundle:
    """A model that looks at neighbours."""
    return model(BLOCKS, nodata=(0.0, 0.0))


@cache
def world() -> tuple[Path, Path]:
    """A scene and the map that the command's own code makes of it with the default engine, in small tiles."""
    folder = Path(mkdtemp(prefix="landmix-arrays-"))
    scene = write_scene(folder / "scene.tif", scene_values(150, 170))
    plan = plan_of(bundle(), scene, folder / "map" / "map.tif", engine=choose("cpu"), outputs=ALL)
    run(plan, bundle())
    return folder / "scene.tif", plan.target


ALL = ("classes", "confidence", "probabilities", "gap")


def landmix_model(**wish: str) -> Model:
    return Model(bundle(), **{"device": "cpu", **wish})


def expected(layer: str = "classes") -> NDArray[Any]:
    """What the command says, (bands, H, W)."""
    target = world()[1]
    return read(target if layer == "classes" else target.with_stem(f"map_{layer}"))
