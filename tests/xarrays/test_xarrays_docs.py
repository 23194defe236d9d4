"""docs/python.md: every example runs, and the names that it uses are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from commands import read, world

import landmix

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_every_example_runs(tmp_path: Path) -> None:
    """In a process of its own: what a reader copies from above to below."""
    shutil.copy(world().model, tmp_path / "model.ckpt")
    shutil.copy(world().scene, tmp_path / "scene.tif")
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 7
    (tmp_path / "page.py").write_text("\n".join(examples), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "scene.tif is no landmix model" in done.stdout
    assert "field forest water" in done.stdout
    np.testing.assert_array_equal(read(tmp_path / "from_xarray.tif"), read(tmp_path / "map.tif"))
    assert read(tmp_path / "sure.tif").max() <= 200


def test_what_landmix_offers() -> None:
    assert set(landmix.__all__) == {"LandmixError", "Model", "__version__", "load"}
    for name in landmix.__all__:
        assert getattr(landmix, name) is not None
    for name in ("classify", "classify_scene", "classify_xarray", "bands", "legend", "margin"):
        assert f"{name}" in PAGE.read_text(encoding="utf-8")
        assert getattr(landmix.Model, name).__doc__
