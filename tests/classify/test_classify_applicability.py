"""The applicability of a scene as a raster: cut or whole, by any engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import torch
from classify_files import ENGINES, LEGEND, model, plan_of, read, run, scene_values, write_scene

from landmix.core.legend import Legend
from landmix.errors import LandmixError
from landmix.geo.sidecars import sidecar_paths
from landmix.model import Model
from landmix.nn.network import Network
from landmix.nn.reference import Reference

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.engines.engine import EngineSpec

BOTH = ("classes", "applicability")


def knowing(blocks: int = 1) -> Bundle:
    """A model whose points are the features of some pixels of the scene, stored values 40 to 120."""
    plain = model(blocks)
    seen = torch.rand(20, 2, 1, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.8, 1.6])[:, None, None]
    network = plain.network()
    assert isinstance(network, Network)
    points = network.encoder(seen - 0.5)[:, :, 0, 0]
    mean, scale = points.mean(0), 1 / points.std(0).clamp(min=0.1)
    moved = (points - mean) * scale
    reference = Reference(
        mean=mean, scale=scale, points=moved, distance=float(torch.pdist(moved).mean()), threshold=0.5
    )
    return model(blocks, reference=reference, temperature=1.5)


@pytest.fixture
def scene(tmp_path: Path) -> str:
    return write_scene(tmp_path / "scene.tif")


def mapped(bundle: Bundle, scene: str, target: Path, engine: EngineSpec, workers: int = 1, **settings: Any) -> Path:
    run(plan_of(bundle, scene, target, engine=engine, outputs=BOTH, **settings), bundle, workers=workers)
    return target.with_stem(f"{target.stem}_applicability")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_tiles_and_workers_change_no_value(scene: str, tmp_path: Path, engine: EngineSpec, dtype: str) -> None:
    bundle = knowing()
    found = [
        read(mapped(bundle, scene, tmp_path / str(tile) / "map.tif", engine, workers, tile=tile, dtype=dtype))
        for tile, workers in ((16, 2), (48, 1), (512, 1))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    valid = (scene_values() != 0).all(0)
    if dtype == "uint8":
        assert (found[0][0][~valid] == 255).all()
        assert found[0][0][valid].max() <= 200
        assert len(np.unique(found[0][0][valid])) > 50
    else:
        np.testing.assert_array_equal(np.isnan(found[0][0]), ~valid)


def test_the_raster_says_what_it_is(scene: str, tmp_path: Path) -> None:
    path = mapped(knowing(), scene, tmp_path / "map.tif", ENGINES[0].values[0])  # type: ignore[arg-type]
    with rasterio.open(path) as file:
        assert file.scales == (0.01,)
        assert file.nodata == 255
        assert "inside up to 1" in file.descriptions[0]
        assert '"threshold": 0.5' in file.tags()["LANDMIX_APPLICABILITY"]
    assert 'maximumValue="2"' in sidecar_paths(path)["qml"].read_text()
    with rasterio.open(tmp_path / "map.tif") as file:
        assert "LANDMIX_DIGEST" in file.tags()


def test_an_array_is_told_the_same(scene: str, tmp_path: Path) -> None:
    rioxarray = pytest.importorskip("rioxarray")
    bundle = knowing()
    path = mapped(bundle, scene, tmp_path / "map.tif", ENGINES[0].values[0])  # type: ignore[arg-type]
    own = Model(bundle, device="cpu", backend="torch", precision="fp32")
    for chunks in (None, {"y": 33, "x": 40}):
        with rioxarray.open_rasterio(scene, chunks=chunks) as array:
            found = own.classify_xarray(array, bands=[2, 1], outputs=["applicability"]).applicability
            np.testing.assert_array_equal(found.values, read(path)[0])
            assert found.attrs["scale_factor"] == 0.01
            with pytest.raises(LandmixError, match="applicability"):
                Model(model(), device="cpu").classify_xarray(array, bands=[2, 1], outputs=["applicability"])


def test_a_model_without_a_reference_is_told_so(scene: str, tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match="applicability"):
        plan_of(model(), scene, tmp_path / "map.tif", outputs=BOTH)
    assert not (tmp_path / "map.tif").exists()


def test_the_legend_has_no_say(scene: str, tmp_path: Path) -> None:
    """Applicability is of the features alone: other classes at the end change nothing."""
    bundle = knowing()
    first = read(mapped(bundle, scene, tmp_path / "a" / "map.tif", ENGINES[0].values[0]))  # type: ignore[arg-type]
    weights = {**bundle.weights, "head.classifier.bias": torch.tensor([9.0, -9.0, 0.0])}
    other = model(1, reference=bundle.reference, weights=weights, legend=Legend(LEGEND.classes[::-1]))
    second = read(mapped(other, scene, tmp_path / "b" / "map.tif", ENGINES[0].values[0]))  # type: ignore[arg-type]
    np.testing.assert_array_equal(first, second)
