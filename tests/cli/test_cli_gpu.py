"""Training and prediction on a CUDA GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from commands import done_inside, read, world

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


def test_a_model_trained_on_the_gpu_maps_alike_on_the_cpu(tmp_path: Path) -> None:
    model = tmp_path / "model"
    done_inside("train", *world().data, f"out_dir={model}", "net=small", "optim.steps=30", "device=auto")
    for device in ("cuda", "cpu"):
        maps = tmp_path / device
        mapping = (f"model={model / 'model.ckpt'}", f"scenes={world().scene}", f"out_dir={maps}")
        done_inside("predict", *mapping, f"device={device}")
    name = world().scene.stem + ".tif"
    assert (read(tmp_path / "cuda" / name) == read(tmp_path / "cpu" / name)).mean() >= 0.999
