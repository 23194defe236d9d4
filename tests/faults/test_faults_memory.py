"""A large scene does not need much memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from commands import BANDS, OFFSET, SCALE, TRANSFORM, WAVELENGTHS, world
from fault_runs import start

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="POSIX")

GIB = 2**30


def sparse_scene(path: Path, side: int, bands: int = 12) -> Path:
    """A scene of `side` x `side` pixels, uint16, nearly all of it nodata; the first bands are those of the model."""
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": side,
        "width": side,
        "dtype": "uint16",
        "nodata": 65535,
        "crs": "EPSG:32633",
        "transform": TRANSFORM,
        "tiled": True,
        "compress": "deflate",
        "SPARSE_OK": "TRUE",
        "BIGTIFF": "YES",
    }
    with rasterio.open(path, "w", **profile) as file:
        file.scales, file.offsets = (SCALE,) * bands, (OFFSET,) * bands
        file.descriptions = (*BANDS, *(f"other{n}" for n in range(bands - len(BANDS))))
        for number, wavelength in enumerate(WAVELENGTHS, start=1):
            file.update_tags(number, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{(wavelength or 0) / 1000:g}")
        file.write(np.full((bands, 8, 8), 2000, "uint16"), window=((0, 8), (0, 8)))
    return path


@pytest.mark.parametrize("side", [2500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_sparse_scene_takes_less_than_3_gib(tmp_path: Path, side: int) -> None:
    scene = sparse_scene(tmp_path / "scene.tif", side)
    arguments = ["predict", f"model={world().model}", f"scenes={scene}", f"out_dir={tmp_path / 'out'}", "device=cpu"]
    process = start(arguments, tmp_path)
    _, status, used = os.wait4(process.pid, 0)
    assert process.stdout is not None
    assert process.stderr is not None
    said = process.stdout.read(), process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    print(f"{side} x {side} x 12: {used.ru_maxrss / 2**20:.2f} GiB, {used.ru_utime + used.ru_stime:.0f} s of CPU")  # noqa: T201
    assert used.ru_maxrss * 1024 < 3 * GIB
    with rasterio.open(tmp_path / "out" / "scene.tif") as file:
        assert file.shape == (side, side)
