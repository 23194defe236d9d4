"""Arrays are classified as the command classifies files: byte for byte, whatever the chunks."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from array_files import ALL, bundle, expected, landmix_model, opened, world
from classify_files import CUT, plan_of, read, run, scene_values, write_scene

from landmix.classify.array_blocks import _models
from landmix.engines.choose import choose, has_bf16
from landmix.errors import LandmixError
from landmix.model import Model

pytest.importorskip("dask.array")
import dask

if TYPE_CHECKING:
    from pathlib import Path

CHUNKS: list[Any] = [
    {"band": 1, "y": 16, "x": 16},
    {"y": 150, "x": 170},
    {"y": 1, "x": 170},
    {"y": 31, "x": 1},
    {"y": (3, 100, 2, 45), "x": (160, 10)},
    {"y": (149, 1), "x": (1, 168, 1)},
    {"y": (70, 80), "x": -1},
]


def test_in_memory_as_the_command() -> None:
    found = landmix_model().classify_xarray(opened(world()[0]))
    assert isinstance(found.data, np.ndarray)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected()[0])
    assert len(np.unique(found)) == 4


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_any_chunks_as_the_command(chunks: Any) -> None:
    array = opened(world()[0]).chunk(chunks)
    found = landmix_model().classify_xarray(array)
    assert isinstance(found.data, dask.array.Array)
    assert found.shape == (150, 170)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found.compute(), expected()[0])


def test_large_chunks_stay_as_they_are() -> None:
    array = opened(world()[0]).chunk({"y": 50, "x": 60})
    assert landmix_model().classify_xarray(array).chunksizes == {"y": (50, 50, 50), "x": (60, 60, 50)}


@pytest.mark.parametrize("backend", ["torch", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_engine(tmp_path: Path, backend: str, precision: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    if precision == "bf16" and not has_bf16():
        pytest.skip("this processor does not compute in bf16")
    scene, _ = world()
    plan = plan_of(bundle(), str(scene), tmp_path / "map" / "map.tif", engine=choose("cpu", backend, precision))
    run(plan, bundle())
    one = landmix_model(backend=backend, precision=precision)
    for array in (opened(scene), opened(scene).chunk({"y": 37, "x": 64})):
        np.testing.assert_array_equal(one.classify_xarray(array), read(plan.target)[0])


def test_all_layers_are_stored_as_the_command_stores_them() -> None:
    found = landmix_model().classify_xarray(opened(world()[0]).chunk({"y": 64, "x": 64}), outputs=ALL)
    assert list(found) == list(ALL)
    assert found.probabilities.dims == ("class", "y", "x")
    assert list(found["class"].values) == ['Grün & <b> "x"', "b", "c"]
    computed = found.compute()
    np.testing.assert_array_equal(computed.classes, expected()[0])
    for name in ALL[1:]:
        values = np.atleast_3d(computed[name].values.T).T
        # torch's last bits follow the cut, and a share lies between two numbers now and then
        assert np.abs(values.astype(int) - expected(name)).max() <= (0 if choose("cpu").backend == "openvino" else 1)
        assert found[name].attrs["scale_factor"] == 1 / 200
        assert found[name].rio.nodata == 255
    alone = landmix_model().classify_xarray(opened(world()[0]), outputs=["gap"])
    assert list(alone) == ["gap"]


def test_flips() -> None:
    array = opened(world()[0])
    plain, flips = (landmix_model().classify_xarray(array, tta=tta) for tta in ("none", "flips"))
    assert 0 < (plain != flips).mean() < 0.5
    np.testing.assert_array_equal(flips, landmix_model().classify_xarray(array.chunk({"y": 40}), tta="flips"))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (5, 90), (1, 600), (513, 1)], ids=str)
def test_arrays_smaller_than_the_margin(tmp_path: Path, size: tuple[int, int]) -> None:
    scene = write_scene(tmp_path / "scene.tif", scene_values(600, 600)[:, 200 : 200 + size[0], : size[1]])
    plan = plan_of(bundle(), scene, tmp_path / "map" / "map.tif", engine=choose("cpu"))
    run(plan, bundle())
    array = opened(scene)
    for given in (array, array.chunk({"y": 1, "x": 1} if max(size) < 100 else {"y": 100, "x": 100})):
        found = landmix_model().classify_xarray(given)
        np.testing.assert_array_equal(found, read(plan.target)[0])


def test_no_pixel_at_all() -> None:
    array = opened(world()[0])
    for given in (array, array.chunk({"y": 50})):
        assert landmix_model().classify_xarray(given.isel(y=slice(0, 0))).shape == (0, 170)


def test_masked_and_scaled_arrays(tmp_path: Path) -> None:
    """What rioxarray has masked is the same to the bit; what it has scaled is as near as rounding allows."""
    import rasterio  # noqa: PLC0415

    scene = write_scene(tmp_path / "scene.tif", scene_values(150, 170))
    with rasterio.open(scene, "r+") as file:
        file.scales, file.offsets = (0.5, 0.5), (-3.0, -3.0)
    plan = plan_of(bundle(), scene, tmp_path / "map" / "map.tif", engine=choose("cpu"), outputs=("classes", "gap"))
    run(plan, bundle())
    said = read(plan.target)[0]
    assert (said != expected()[0]).any()
    for options in ({}, {"masked": True}):
        np.testing.assert_array_equal(landmix_model().classify_xarray(opened(scene, **options)), said)
    found = landmix_model().classify_xarray(opened(scene, mask_and_scale=True)).values
    tied = read(plan.path(plan.layers[1]))[0] <= 200 * CUT
    assert ((found != said) & ~tied).sum() == 0
    np.testing.assert_array_equal(found == 0, said == 0)


def test_a_graph_has_one_name_and_one_copy_of_the_model() -> None:
    array = opened(world()[0]).chunk({"y": 16, "x": 16})
    one, other = landmix_model().classify_xarray(array), landmix_model().classify_xarray(array)
    assert one.data.name == other.data.name
    assert one.data.name != landmix_model().classify_xarray(array, tta="flips").data.name
    assert one.data.name != Model(bundle(), device="cpu", backend="torch").classify_xarray(array).data.name
    keys = [key for key in dict(one.data.dask) if str(key).startswith("landmix-model")]
    assert keys == [f"landmix-model-{bundle().digest}"]
    assert np.array_equal(pickle.loads(pickle.dumps(one)).compute(), expected()[0])  # noqa: S301 - our own


def test_a_model_is_loaded_once_in_a_process() -> None:
    _models.clear()
    array = opened(world()[0]).chunk({"y": 16, "x": 16})
    one = landmix_model()
    one.classify_xarray(array).compute()
    assert list(_models.values()) == [one._loaded]
    landmix_model().classify_xarray(array).compute()
    assert list(_models.values()) == [one._loaded]


@pytest.mark.slow
def test_processes_of_a_cluster() -> None:
    distributed = pytest.importorskip("distributed")
    lazy = landmix_model().classify_xarray(opened(world()[0]).chunk({"y": 40, "x": 40}))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        np.testing.assert_array_equal(lazy.compute(), expected()[0])


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415

    array = opened(world()[0])
    monkeypatch.setitem(sys.modules, "rioxarray", None)
    with pytest.raises(LandmixError, match=r"needs the package rioxarray: pip install 'landmix\[xarray\]'"):
        landmix_model().classify_xarray(array)
