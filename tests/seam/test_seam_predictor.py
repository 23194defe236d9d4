from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch
from seam_models import bundle_of, noise, scene_of

from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine, normalise
from landmix.core.tiling import Tiling
from landmix.engines.choose import has_bf16
from landmix.engines.engine import EngineSpec, Wanted
from landmix.engines.load import Engines
from landmix.predictor import Prediction, Predictor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.bundle import Bundle
    from landmix.geo.scene import Scene

EXACT = EngineSpec(backend="torch", precision="fp32")
SHARES = Wanted(shares=("probabilities",), coded=False)

NO_BF16 = pytest.mark.skipif(not has_bf16(), reason="this processor does not compute in bf16")

BACKENDS = [
    "torch",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"),
    ),
]


def predictor(bundle: Bundle, spec: EngineSpec = EXACT, **settings: Any) -> Predictor:
    settings = {"scaling": Affine.identity(len(bundle.bands)), "nodata": bundle.nodata, **settings}
    return Predictor(bundle, Engines(bundle.network(), spec), **settings)


def whole(bundle: Bundle, stored: NDArray[Any], valid: NDArray[np.bool_], scaling: Affine) -> NDArray[np.float32]:
    """Softmax of the whole scene at once, without any tiling; invalid pixels and surroundings count as 0."""
    m = bundle.network().margin
    seen = normalise(stored, valid, *scaling.then(bundle.normalise).arrays)
    padded = torch.from_numpy(np.pad(seen, ((0, 0), (m, m), (m, m))))[None]
    with torch.inference_mode():
        return np.asarray(bundle.network()(padded)[0].softmax(0))


def tiled(predict: Predictor, scene: Scene, core: int) -> list[tuple[tuple[slice, slice], Prediction]]:
    with scene.open() as reader:
        tiles = Tiling(core=core, margin=predict.margin).tiles(scene.grid.window)
        return [(tile.write.slices, predict(*reader.read(tile.read))) for tile in tiles]


def holes(values: NDArray[Any], nodata: float) -> NDArray[Any]:
    values[0, 3, 4] = nodata
    values[1, :, 90:97] = nodata
    values[2, 140:, :3] = nodata
    return values


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("blocks", [0, 1, 2])
@pytest.mark.parametrize("core", [7, 64, 512])
def test_a_tiled_run_equals_the_untiled_one(
    tmp_path: Path, blocks: int, core: int, backend: Literal["torch", "openvino"]
) -> None:
    values = holes(noise(3, 150, 160, "int16"), -1)
    scene = scene_of(tmp_path / "a.tif", values, scale=0.5, offset=3, nodata=-1)
    bundle = bundle_of(blocks=blocks)
    valid = (values != -1).all(0)
    expected = whole(bundle, values, valid, scene.scaling)
    spec = EngineSpec(backend=backend, precision="fp32")
    predict = predictor(bundle, spec, scaling=scene.scaling, nodata=scene.nodata, wanted=SHARES)
    best = expected.argmax(0)
    assert len(np.unique(best)) >= 2
    tiles = tiled(predict, scene, core)
    for (rows, cols), found in tiles[:: 5 if core == 7 else 1]:
        np.testing.assert_array_equal(found.valid, valid[rows, cols])
        np.testing.assert_array_equal(found.index, np.where(found.valid, best[rows, cols], 0))
        shares = found.shares["probabilities"]
        np.testing.assert_allclose(shares[:, found.valid], expected[:, rows, cols][:, found.valid], atol=1e-5)


def test_a_hole_does_not_reach_its_neighbours_as_a_number(tmp_path: Path) -> None:
    """Whatever stands in an invalid pixel, its neighbours' classes are the same."""
    bundle = bundle_of(blocks=2)
    probabilities = []
    for bad in (np.nan, np.inf, -1e30):
        values = noise(3, 20, 22, "float32")
        values[1, 9, 9] = bad
        scene = scene_of(tmp_path / "a.tif", values, nodata=-1e30)
        predict = predictor(bundle, nodata=scene.nodata, wanted=SHARES)
        ((_, found),) = tiled(predict, scene, 64)
        assert (~found.valid).sum() == 1
        probabilities.append(found.shares["probabilities"])
    for other in probabilities[1:]:
        np.testing.assert_array_equal(probabilities[0], other)


def test_masked_pixels_are_invalid() -> None:
    inside = np.ones((9, 9), bool)
    inside[4, 5] = False
    found = predictor(bundle_of(blocks=1))(noise(3, 9, 9), inside)
    assert found.index.shape == (7, 7)
    assert np.argwhere(~found.valid).tolist() == [[3, 4]]
    assert found.index[3, 4] == 0
    assert not found.shares


def test_nothing_valid_is_nothing_computed() -> None:
    found = predictor(bundle_of())(noise(3, 9, 9), np.zeros((9, 9), bool))
    assert not found.valid.any()
    assert not found.index.any()


def test_margin_is_the_networks() -> None:
    assert [predictor(bundle_of(blocks=b)).margin for b in (0, 1, 3)] == [0, 1, 3]


def test_probabilities_sum_to_one() -> None:
    found = predictor(bundle_of(blocks=1), wanted=SHARES)(noise(3, 12, 13), np.ones((12, 13), bool))
    np.testing.assert_allclose(found.shares["probabilities"].sum(0), 1, atol=1e-6)
    np.testing.assert_array_equal(found.shares["probabilities"].argmax(0), found.index)


@pytest.mark.parametrize(("count", "dtype"), [(256, np.uint8), (300, np.uint16)])
def test_many_classes(count: int, dtype: type[np.generic]) -> None:
    legend = Legend(tuple(LegendClass(value=i, name=str(i), color="#000000") for i in range(count)))
    bundle = bundle_of(legend=legend)
    bundle.weights["head.classifier.bias"][count - 1] = 1e4
    found = predictor(bundle)(noise(3, 4, 5), np.ones((4, 5), bool))
    assert found.index.dtype == dtype
    assert (found.index == count - 1).all()


@NO_BF16
def test_bfloat16_gives_nearly_the_same_classes() -> None:
    stored, inside = noise(3, 60, 60), np.ones((60, 60), bool)
    rough = EngineSpec(backend="torch", precision="bf16")
    a, b = (predictor(bundle_of(blocks=1), spec)(stored, inside) for spec in (EXACT, rough))
    assert (a.index == b.index).mean() > 0.95


@pytest.mark.parametrize("dtype", ["uint32", "int64", "uint64", "float64"])
def test_wide_data_types_are_judged_before_they_are_narrowed(dtype: str) -> None:
    """In float32 16777217, the nodata value, would be its neighbour 16777216."""
    stored = np.full((3, 5, 6), 2**24, dtype)
    stored[1, 2, 3] = 2**24 + 1
    found = predictor(bundle_of(), nodata=(None, 2**24 + 1, None))(stored, np.ones((5, 6), bool))
    assert np.argwhere(~found.valid).tolist() == [[2, 3]]


def test_what_float32_cannot_hold_is_invalid() -> None:
    stored = noise(3, 5, 6, "float64")
    stored[0, 1, 1], stored[2, 4, 5] = 1e300, -1e300
    found = predictor(bundle_of())(stored, np.ones((5, 6), bool))
    assert np.argwhere(~found.valid).tolist() == [[1, 1], [4, 5]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=NO_BF16)])
@pytest.mark.parametrize("dtype", ["uint16", ">u2", "int32", "uint32", "int64", "uint64", "float32", ">f4", "float64"])
def test_every_data_type_of_rasters_and_arrays(
    backend: Literal["torch", "openvino"], precision: Literal["fp32", "bf16"], dtype: str
) -> None:
    """With values around 30000 that differ by less than bf16 can tell there."""
    bundle = bundle_of(blocks=1, normalise=Affine(scale=(0.005,) * 3, offset=(-150.0,) * 3))
    values = np.random.default_rng(0).integers(29_800, 30_200, (3, 40, 50)).astype("int16")
    inside = np.ones((40, 50), bool)
    predict = predictor(bundle, EngineSpec(backend=backend, precision=precision), nodata=(None, 29_999, None))
    expected, found = predict(values, inside), predict(values.astype(dtype), inside)
    assert len(np.unique(expected.index)) >= 2
    assert (~expected.valid).any()
    np.testing.assert_array_equal(found.valid, expected.valid)
    np.testing.assert_array_equal(found.index, expected.index)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "float16", "bool"])
def test_small_data_types(backend: Literal["torch", "openvino"], dtype: str) -> None:
    bundle = bundle_of(blocks=1, normalise=Affine(scale=(0.05,) * 3, offset=(-1.0,) * 3))
    values = np.random.default_rng(0).integers(0, 100, (3, 40, 50)).astype(dtype)
    predict = predictor(bundle, EngineSpec(backend=backend, precision="fp32"))
    inside = np.ones((40, 50), bool)
    expected, found = predict(values.astype("float32"), inside), predict(values, inside)
    np.testing.assert_array_equal(found.index, expected.index)
