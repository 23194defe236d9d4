"""predict.sieve: a minimum mapping unit on the finished mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio.features
from classify_files import model, plan_of, read, run, write_scene
from rio_cogeo.cogeo import cog_validate

from landmix.classify import cut, finish
from landmix.errors import LandmixError
from landmix.geo.sidecars import sidecar_paths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cut, "SHARD", 32)
    return write_scene(tmp_path / "scene.tif")


def mapped(scene: str, folder: Path, sieve: int, tile: int = 16) -> NDArray[np.uint8]:
    plan = plan_of(model(), scene, folder / "map.tif", sieve=sieve, tile=tile, outputs=("classes", "gap"))
    assert run(plan, model(), workers=2) == "done"
    assert not plan.work.exists()
    found: NDArray[np.uint8] = read(plan.target)[0]
    return found


@pytest.mark.parametrize("sieve", [2, 4, 30])
def test_it_is_gdals_sieve_of_the_whole_map(scene: str, tmp_path: Path, sieve: int) -> None:
    plain = mapped(scene, tmp_path / "plain", 0)
    found = mapped(scene, tmp_path / "sieved", sieve)
    valid = plain != 0
    expected = rasterio.features.sieve(plain, sieve, mask=valid)
    assert (expected != plain).any()
    np.testing.assert_array_equal(found[valid], expected[valid])
    np.testing.assert_array_equal(found == 0, ~valid)
    np.testing.assert_array_equal(read(tmp_path / "sieved" / "map_gap.tif"), read(tmp_path / "plain" / "map_gap.tif"))
    assert cog_validate(tmp_path / "sieved" / "map.tif", strict=True) == (True, [], [])


def test_tiles_and_shards_leave_no_trace(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = mapped(scene, tmp_path / "one", 9)
    monkeypatch.setattr(cut, "SHARD", 4096)
    np.testing.assert_array_equal(mapped(scene, tmp_path / "other", 9, tile=512), one)


def test_the_legend_files_count_the_sieved_map(scene: str, tmp_path: Path) -> None:
    found = mapped(scene, tmp_path / "sieved", 30)
    table = sidecar_paths(tmp_path / "sieved" / "map.tif")["vat"].read_bytes()
    for value in np.unique(found[found != 0]):
        assert str((found == value).sum()).encode() in table


def test_a_map_that_is_too_large_is_refused_before_any_work(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "_SIEVE", 70 * 90 - 1)
    with pytest.raises(LandmixError, match=r"predict\.sieve takes maps of up to .*map\.tif"):
        mapped(scene, tmp_path / "out", 4)
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.setattr(finish, "_SIEVE", 70 * 90)
    mapped(scene, tmp_path / "out", 4)


def test_another_sieve_is_another_map(scene: str, tmp_path: Path) -> None:
    mapped(scene, tmp_path / "out", 4)
    with pytest.raises(LandmixError, match="other settings"):
        mapped(scene, tmp_path / "out", 5)
