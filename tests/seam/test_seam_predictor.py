from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from seam_models import bundle_of, noise, scene_of

from landmix.core.legend import Legend, LegendClass
from landmix.core.scaling import Affine, normalise
from landmix.core.tiling import Tiling
from landmix.errors import LandmixError
from landmix.predictor import Prediction, Predictor, choose_device

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.bundle import Bundle
    from landmix.geo.scene import Scene

CPU = torch.device("cpu")


def predictor(bundle: Bundle, **settings: Any) -> Predictor:
    settings = {"scaling": Affine.identity(len(bundle.bands)), "nodata": bundle.nodata, "device": CPU, **settings}
    return Predictor(bundle, **settings)


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


@pytest.mark.parametrize("blocks", [0, 1, 2])
@pytest.mark.parametrize("core", [7, 64, 512])
def test_a_tiled_run_equals_the_untiled_one(tmp_path: Path, blocks: int, core: int) -> None:
    values = holes(noise(3, 150, 160, "int16"), -1)
    scene = scene_of(tmp_path / "a.tif", values, scale=0.5, offset=3, nodata=-1)
    bundle = bundle_of(blocks=blocks)
    valid = (values != -1).all(0)
    expected = whole(bundle, values, valid, scene.scaling)
    predict = predictor(bundle, scaling=scene.scaling, nodata=scene.nodata, probabilities=True)
    best = expected.argmax(0)
    assert len(np.unique(best)) >= 2
    tiles = tiled(predict, scene, core)
    for (rows, cols), found in tiles[:: 5 if core == 7 else 1]:
        np.testing.assert_array_equal(found.valid, valid[rows, cols])
        np.testing.assert_array_equal(found.index, np.where(found.valid, best[rows, cols], 0))
        assert found.probabilities is not None
        np.testing.assert_allclose(
            found.probabilities[:, found.valid], expected[:, rows, cols][:, found.valid], atol=1e-5
        )


def test_a_hole_does_not_reach_its_neighbours_as_a_number(tmp_path: Path) -> None:
    """Whatever stands in an invalid pixel, its neighbours' classes are the same."""
    bundle = bundle_of(blocks=2)
    probabilities = []
    for bad in (np.nan, np.inf, -1e30):
        values = noise(3, 20, 22, "float32")
        values[1, 9, 9] = bad
        scene = scene_of(tmp_path / "a.tif", values, nodata=-1e30)
        predict = predictor(bundle, nodata=scene.nodata, probabilities=True)
        ((_, found),) = tiled(predict, scene, 64)
        assert (~found.valid).sum() == 1
        assert found.probabilities is not None
        probabilities.append(found.probabilities)
    for other in probabilities[1:]:
        np.testing.assert_array_equal(probabilities[0], other)


def test_masked_pixels_are_invalid() -> None:
    inside = np.ones((9, 9), bool)
    inside[4, 5] = False
    found = predictor(bundle_of(blocks=1))(noise(3, 9, 9), inside)
    assert found.index.shape == (7, 7)
    assert np.argwhere(~found.valid).tolist() == [[3, 4]]
    assert found.index[3, 4] == 0
    assert found.probabilities is None


def test_nothing_valid_is_nothing_computed() -> None:
    found = predictor(bundle_of())(noise(3, 9, 9), np.zeros((9, 9), bool))
    assert not found.valid.any()
    assert not found.index.any()


def test_margin_is_the_networks() -> None:
    assert [predictor(bundle_of(blocks=b)).margin for b in (0, 1, 3)] == [0, 1, 3]


def test_probabilities_sum_to_one() -> None:
    found = predictor(bundle_of(blocks=1), probabilities=True)(noise(3, 12, 13), np.ones((12, 13), bool))
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-6)
    np.testing.assert_array_equal(found.probabilities.argmax(0), found.index)


@pytest.mark.parametrize(("count", "dtype"), [(256, np.uint8), (300, np.uint16)])
def test_many_classes(count: int, dtype: type[np.generic]) -> None:
    legend = Legend(tuple(LegendClass(value=i, name=str(i), color="#000000") for i in range(count)))
    bundle = bundle_of(legend=legend)
    bundle.weights["head.classifier.bias"][count - 1] = 1e4
    found = predictor(bundle)(noise(3, 4, 5), np.ones((4, 5), bool))
    assert found.index.dtype == dtype
    assert (found.index == count - 1).all()


def test_bfloat16_gives_nearly_the_same_classes() -> None:
    stored, inside = noise(3, 60, 60), np.ones((60, 60), bool)
    a, b = (predictor(bundle_of(blocks=1), precision=p)(stored, inside) for p in ("fp32", "bf16"))
    assert (a.index == b.index).mean() > 0.95


def test_devices() -> None:
    assert choose_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert choose_device("auto").type == "cuda"
        return
    assert choose_device("auto").type == "cpu"
    with pytest.raises(LandmixError, match="use device=auto"):
        choose_device("cuda")
