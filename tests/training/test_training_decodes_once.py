"""However many epochs there are, a scene is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from affine import Affine as Transform

from landmix.core.legend import Legend, LegendClass
from landmix.geo.open import open_scene
from landmix.geo.reader import SceneReader
from landmix.nn.spec import EncoderSpec, HeadSpec, NetShape
from landmix.progress import Silent
from landmix.samples import Labelled, collect
from landmix.training.fit import FitSettings, fit
from landmix.training.processes import Processes
from landmix.training.settings import Augmentation, OptimSettings

if TYPE_CHECKING:
    from pathlib import Path

    from landmix.core.window import Window
    from landmix.geo.scene import Scene


def scene_of(path: Path, rng: np.random.Generator) -> Scene:
    """Three bands of 300 x 130 in blocks, so that several tiles are read."""
    values = rng.integers(1, 5000, (3, 300, 130)).astype(np.uint16)
    place = Transform(10, 0, 500_000, 0, -10, 5_400_000)
    profile = {"height": 300, "width": 130, "count": 3, "dtype": "uint16", "crs": "EPSG:32633", "transform": place}
    blocks = {"tiled": True, "blockxsize": 128, "blockysize": 128}
    with rasterio.open(path, "w", driver="GTiff", **profile, **blocks) as file:
        file.write(values)
        file.scales, file.offsets = (0.5,) * 3, (1.0,) * 3
    return open_scene([str(path)], path.stem)


@pytest.mark.parametrize("memory", [2**30, 10])
@pytest.mark.parametrize("blocks", [0, 2])
def test_no_epoch_decodes_the_scene_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, memory: int
) -> None:
    rng = np.random.default_rng(0)
    at = np.sort(rng.choice(300 * 130, 300, replace=False))
    labelled = Labelled(
        scene=np.zeros(300, np.int32),
        rows=(at // 130).astype(np.int32),
        cols=(at % 130).astype(np.int32),
        index=rng.integers(0, 3, 300).astype(np.int16),
        units=np.full(300, -1, np.int32),
    )
    read, windows = SceneReader.read, []

    def counted(reader: SceneReader, window: Window) -> Any:
        windows.append((window.row, window.col))
        return read(reader, window)

    monkeypatch.setattr(SceneReader, "read", counted)
    path = tmp_path / "scene.tif"
    samples = collect([scene_of(path, rng)], labelled, margin=blocks, memory=memory, cache=tmp_path / "cache")
    assert (samples.cache is None) == (memory > 10)
    decoded = len(windows)
    assert decoded == len(set(windows)) > 1
    path.unlink()  # whoever wants to see the scene now fails

    legend = Legend(tuple(LegendClass(value=i + 1, name=f"c{i}", color="#000000") for i in range(3)))
    settings = FitSettings(
        net=NetShape(encoder=EncoderSpec(widths=(8,)), head=HeadSpec(blocks=blocks, reduced=4, width=8)),
        optim=OptimSettings(epochs=3, batch=64),
        augmentation=Augmentation().for_task("classes"),
        balance="none",
        seed=1,
        device="cpu",
        precision="fp32",
    )
    training = np.arange(300) % 4 > 0
    fitted = fit(
        samples, training, ~training, settings, legend,
        classes=3, folder=tmp_path, name="train", processes=Processes(), progress=Silent(),
    )  # fmt: skip
    assert len(fitted.history) == 3
    assert fitted.confusion(samples, ~training, legend).n == 75
    assert len(windows) == decoded
