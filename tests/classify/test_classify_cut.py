"""How scenes are cut, and that no block of a shard is decoded twice."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from classify_files import LEGEND, model, plan_of, write_scene
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landmix.classify import cut
from landmix.classify.cut import Cut, cut_for
from landmix.classify.loaded import Loaded
from landmix.classify.pipeline import Workers
from landmix.classify.plan import PredictSettings, layers
from landmix.classify.stages import Stages
from landmix.core.window import Window
from landmix.geo.open import open_scene
from landmix.geo.reader import SceneReader

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.geo.scene import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return open_scene([write_scene(tmp_path_factory.mktemp("scene") / "a.tif")], "a")


def sized(scene: Scene, height: int, width: int, blocks: tuple[int, int], bands: int = 2) -> Scene:
    """The scene as if its file had this size and these blocks; nothing of it is read."""
    grid = replace(scene.grid, height=height, width=width)
    raster = replace(scene.rasters[0], grid=grid, blocks=blocks)
    return replace(scene, grid=grid, rasters=(raster,), stored=scene.stored[:1] * bands)


FEW = layers(LEGEND, PredictSettings())
MANY = layers(LEGEND, PredictSettings(outputs=("classes", "confidence", "probabilities", "gap"), dtype="float32"))

squares = st.sampled_from([16, 128, 256, 512, 1024]).map(lambda side: (side, side))
oblong = st.tuples(st.integers(1, 1500), st.integers(1, 1500))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    blocks=st.one_of(squares, oblong),
    margin=st.integers(0, 20),
    core=st.sampled_from([16, 100, 512, 2048]),
)
def test_shards_and_their_tiles_own_each_pixel_once(
    scene: Scene, height: int, width: int, blocks: tuple[int, int], margin: int, core: int
) -> None:
    found = cut_for(sized(scene, height, width, blocks), FEW, margin, core)
    whole = Window(row=0, col=0, height=height, width=width)
    rows, columns = np.zeros(height, int), np.zeros(width, int)
    for shard in found.shards.tiles(whole):
        if shard.write.col == 0:
            for row in found.tiles.rows(shard.write):
                rows[row[0].write.row : row[0].write.row_end] += 1
        if shard.write.row == 0:
            for tile in next(found.tiles.rows(shard.write)):
                columns[tile.write.col : tile.write.col_end] += 1
    assert (rows == 1).all()
    assert (columns == 1).all()
    assert found.shard[0] % found.tile[0] == found.shard[1] % found.tile[1] == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    size=st.tuples(st.integers(1100, 60_000), st.integers(1100, 60_000)),
    block=st.sampled_from([128, 256, 512, 1024]),
    margin=st.integers(0, 20),
    core=st.sampled_from([256, 512, 1000]),
)
def test_blocks_are_whole(scene: Scene, size: tuple[int, int], block: int, margin: int, core: int) -> None:
    """What a tile reads ends where a block of the file ends, or where the shard or the scene does."""
    found = cut_for(sized(scene, *size, (block, block)), FEW, margin, core)
    assert found.tile[0] % block == found.tile[1] % block == 0
    assert found.margin == margin
    area = Window(row=0, col=0, height=size[0], width=size[1])
    shard = next(iter(found.shards.tiles(area))).write
    for tile in found.tiles.tiles(shard):
        assert tile.read.row_end % block == 0 or tile.write.row_end == shard.row_end
        assert tile.read.col_end % block == 0 or tile.write.col_end == shard.col_end


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    size=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)),
    blocks=st.one_of(squares, oblong, st.tuples(st.integers(1, 64), st.just(60_000))),
    bands=st.sampled_from([1, 12, 218]),
    core=st.sampled_from([16, 512, 4096, 16384]),
    many=st.booleans(),
)
def test_memory_is_bounded(
    scene: Scene,
    size: tuple[int, int],
    blocks: tuple[int, int],
    bands: int,
    core: int,
    many: bool,  # noqa: FBT001
) -> None:
    wide = sized(scene, *size, (min(blocks[0], size[0]), min(blocks[1], size[1])), bands)
    wanted = MANY if many else FEW
    found = cut_for(wide, wanted, 2, core)
    pixel = bands * wide.dtype.itemsize
    assert found.tile[0] * found.tile[1] * pixel <= cut._TILE_BYTES or max(found.tile) <= cut._LEAST
    output = sum(len(layer.bands) * layer.dtype.itemsize for layer in wanted)
    rows, columns = min(found.shard[0], size[0]), min(found.shard[1], size[1])
    assert (
        rows * columns * output <= 2 * cut._SHARD_BYTES
        or found.shard[0] == found.tile[0]
        or found.shard[1] == found.tile[1]
    )


@pytest.mark.parametrize("width", [3000, 10980])
@pytest.mark.parametrize("rows", [1, 16, 500])
def test_strips_are_read_whole(scene: Scene, width: int, rows: int) -> None:
    found = cut_for(sized(scene, 9000, width, (rows, width)), FEW, 2, 512)
    assert found.tile[1] == width
    assert found.tile[0] % rows == 0
    assert found.tile[0] >= 128


def test_a_sentinel_2_scene_is_cut_into_few_shards(scene: Scene) -> None:
    found = cut_for(sized(scene, 10980, 10980, (512, 512), 12), FEW, 2, 512)
    assert found == Cut(tile=(512, 512), shard=found.shard, margin=2)
    whole = Window(row=0, col=0, height=10980, width=10980)
    shards = [tile.write.size for tile in found.shards.tiles(whole)]
    assert len(shards) in {4, 9}
    assert max(shards) < 2.5 * min(shards)


# reading


class Reads:
    """Which windows were read, and by whom."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.windows: list[Window] = []
        self._lock = threading.Lock()
        read = SceneReader.read

        def recorded(reader: SceneReader, window: Window, *into: Any) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
            with self._lock:
                self.windows.append(window)
            return read(reader, window, *into)

        monkeypatch.setattr(SceneReader, "read", recorded)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("side", [32, 4096])
@pytest.mark.parametrize(("blocks", "tile"), [(0, 32), (1, 32), (2, 16), (2, 48), (18, 16)])
def test_no_row_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, tile: int, side: int, workers: int
) -> None:
    """Each pixel once; but the last rows are cut in pieces, whose first margins are read again."""
    monkeypatch.setattr(cut, "SHARD", side)
    bundle = model(blocks)
    plan = plan_of(bundle, write_scene(tmp_path / "scene.tif"), tmp_path / "out" / "map.tif", tile=tile)
    plan.work.mkdir(parents=True)
    assert (len(plan.shards) > 1) == (side == 32)
    reads = Reads(monkeypatch)
    predictor = Loaded(bundle, workers).predictor(plan)
    with Workers(plan, predictor, bundle.legend, workers, Stages(), threading.Event()) as threads:
        threads.run(plan.shards, lambda _: None)
    area = plan.scene.grid.window.grow(blocks)
    times = np.zeros((area.height, area.width), int)
    for window in reads.windows:
        times[window.relative_to(area).slices] += 1
    rows = [row[0].read.row - area.row for row in plan.cut.tiles.rows(plan.shards[-1])]
    pieces = rows[-workers:][0] if workers > 1 else area.height
    assert (times > 0).all()
    assert (times[:pieces] == 1).all()
    if blocks < tile:  # what is read ends where the file's blocks end
        assert all(window.row_end % 16 == 0 or window.row_end == area.row_end for window in reads.windows)
        assert all(window.col_end % 16 == 0 or window.col_end == area.col_end for window in reads.windows)
