"""Good TIFFs with seeded damage: each is read, or refused with the name of the file."""

from __future__ import annotations

import functools
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from fuzz_depth import fuzzed
from hypothesis import given
from hypothesis import strategies as st

from landmix.errors import LandmixError
from landmix.geo.georeference import check_holds
from landmix.geo.open import open_scene
from landmix.geo.survey import survey

FORMS: tuple[dict[str, Any], ...] = (
    {},
    {"compress": "deflate", "predictor": 2},
    {"compress": "lzw", "tiled": True, "blockxsize": 16, "blockysize": 16},
    {"compress": "zstd", "interleave": "band"},
    {"compress": "packbits", "bigtiff": "yes"},
    {"endianness": "big", "nodata": 3},
    {"compress": "lerc"},
    {"compress": "jpeg"},
)
SIDE = 40


@functools.cache
def good(form: int) -> bytes:
    values = np.random.default_rng(form).integers(0, 200, (3, SIDE, SIDE)).astype(np.uint8)
    place = rasterio.Affine(10, 0, 500_000, 0, -10, 5_400_000)
    shape = {"width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "crs": "EPSG:32633", "transform": place}
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", **shape, **FORMS[form]) as file:
            file.write(values)
            file.descriptions = ("red", "nir", "swir")
            file.scales = (0.01,) * 3
        return bytes(memory.read())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Some bytes changed, most of them in the directory; perhaps cut, perhaps a piece repeated."""
    content = bytearray(good(draw(st.integers(0, len(FORMS) - 1))))
    for _ in range(draw(st.integers(0, 8))):
        end = len(content) if draw(st.booleans()) else min(400, len(content))
        content[draw(st.integers(0, end - 1))] = draw(st.sampled_from([0, 1, 2, 127, 128, 255]) | st.integers(0, 255))
    if draw(st.integers(0, 3)) == 0:
        del content[draw(st.integers(0, len(content) - 1)) :]
    if draw(st.integers(0, 5)) == 0 and content:
        start = draw(st.integers(0, len(content) - 1))
        content[start:start] = content[start : start + draw(st.integers(1, 64))]
    return bytes(content)


@fuzzed(150)
@given(damaged())
def test_a_damaged_tiff_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        path.write_bytes(content)
        try:
            scene = open_scene([str(path)], "scene")
            check_holds(scene.grid, scene.where)
            survey(scene, most=2**22)
        except LandmixError as error:
            assert "scene.tif" in str(error)  # noqa: PT017 - both endings are good
        assert [found.name for found in Path(folder).iterdir()] == ["scene.tif"]


@fuzzed(60)
@given(st.binary(max_size=300), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0"]))
def test_noise_is_refused(content: bytes, head: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        path.write_bytes(io.BytesIO(head + content).getvalue())
        try:
            survey(open_scene([str(path)], "scene"), most=2**22)
        except LandmixError as error:
            assert "scene.tif" in str(error)  # noqa: PT017
