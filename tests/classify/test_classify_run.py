from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import torch
from classify_files import CUT, ENGINES, EXACT, LEGEND, TIE, model, plan_of, read, run, scene_values, write_scene
from filelock import FileLock
from rio_cogeo.cogeo import cog_validate

from landmix.classify import cut
from landmix.core.scaling import normalise
from landmix.engines.engine import SHARES
from landmix.errors import LandmixError
from landmix.geo.pam import category_names
from landmix.progress import Silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.engines.engine import EngineSpec

FOUR = ("classes", *SHARES)


class Interrupted(Exception):  # noqa: N818
    """A run that was killed."""


class Killed(Silent):
    """Kills the run when a share of it is computed."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def step(self, what: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002
        if done >= self.at * total:
            raise Interrupted


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_scene(tmp_path_factory.mktemp("scene") / "scene ü.tif")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "SHARD", 32)


def mapped(
    scene: str, target: Path, blocks: int = 1, workers: int = 1, engine: EngineSpec = EXACT, **settings: Any
) -> Path:
    bundle = model(blocks)
    plan = plan_of(bundle, scene, target, engine=engine, **settings)
    assert run(plan, bundle, workers=workers) == "done"
    return target


def expected(blocks: int) -> tuple[Any, Any]:
    """Softmax (K, H, W) and validity of the whole scene at once."""
    bundle = model(blocks)
    stored = scene_values()[[1, 0]]
    valid = (stored != 0).all(0)
    seen = np.pad(normalise(stored, valid, *bundle.normalise.arrays), ((0, 0), (blocks, blocks), (blocks, blocks)))
    with torch.inference_mode():
        return np.asarray(bundle.network()(torch.from_numpy(seen)[None])[0].softmax(0)), valid


def alike(found: NDArray[Any], classes: NDArray[Any], probabilities: NDArray[Any], tie: float) -> None:
    """The same classes, but for pixels whose two best classes are nearly tied; there must be few of those."""
    best = np.sort(probabilities, axis=0)
    differs = found != classes
    assert (best[-1] - best[-2])[differs].max(initial=0) < tie
    assert differs.mean() < tie


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("blocks", [0, 2])
@pytest.mark.usefixtures("small_shards")
def test_the_map_is_what_the_network_says_of_the_whole_scene(
    scene: str, tmp_path: Path, blocks: int, engine: EngineSpec
) -> None:
    target = mapped(scene, tmp_path / "out" / "map ü.tif", blocks, engine=engine, outputs=FOUR)
    probabilities, valid = expected(blocks)
    classes = np.where(valid, np.array(LEGEND.values)[probabilities.argmax(0)], 0)
    assert len(np.unique(classes)) >= 3
    alike(read(target)[0], classes, probabilities, TIE[engine.precision])
    best = np.sort(probabilities, axis=0)
    layers = {"confidence": best[-1:], "gap": best[-1:] - best[-2:-1], "probabilities": probabilities}
    far = {"fp32": 0.0026, "bf16": 0.05}[engine.precision]
    for name, shares in layers.items():
        found = read(target.with_stem(f"{target.stem}_{name}"))
        assert found.dtype == np.uint8
        assert (found[:, ~valid] == 255).all()
        assert found[:, valid].max() <= 200
        np.testing.assert_allclose(found[:, valid] / 200, shares[:, valid], atol=far)


@pytest.mark.parametrize("engine", ENGINES)
def test_layers_in_float32_are_exact_and_nan_outside(scene: str, tmp_path: Path, engine: EngineSpec) -> None:
    target = mapped(scene, tmp_path / "map.tif", engine=engine, outputs=FOUR, dtype="float32")
    probabilities, valid = expected(1)
    found = read(tmp_path / "map_probabilities.tif")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(~valid, found.shape))
    far = {"fp32": 1e-5, "bf16": 0.05}[engine.precision]
    np.testing.assert_allclose(found[:, valid], probabilities[:, valid], atol=far)
    np.testing.assert_allclose(found[:, valid].sum(0), 1, atol=1e-5)
    np.testing.assert_allclose(read(tmp_path / "map_confidence.tif")[0][valid], found.max(0)[valid], rtol=1e-6)
    best = np.sort(found[:, valid], axis=0)
    np.testing.assert_allclose(read(tmp_path / "map_gap.tif")[0][valid], best[-1] - best[-2], atol=1e-6)
    assert read(target).dtype == np.uint8


def test_rasters_say_what_they_are(scene: str, tmp_path: Path) -> None:
    target = mapped(scene, tmp_path / "map.tif", outputs=FOUR)
    with rasterio.open(scene) as source:
        place = (source.crs, source.transform, source.shape)
    for name in ("map", "map_confidence", "map_gap", "map_probabilities"):
        path = tmp_path / f"{name}.tif"
        assert cog_validate(path, strict=True) == (True, [], [])
        with rasterio.open(path) as file:
            assert (file.crs, file.transform, file.shape) == place
            assert "scene ü.tif" in file.tags()["LANDMIX_INPUT"]
            assert str(tmp_path) not in str(file.tags())
            if name == "map":
                assert file.nodata == 0
                assert file.colormap(1)[7][:3] == (0, 0, 255)
            else:
                assert file.nodata == 255
                assert set(file.scales) == {0.005}
    with rasterio.open(tmp_path / "map_probabilities.tif") as file:
        assert file.descriptions == LEGEND.names
    assert category_names(target) == dict(zip(LEGEND.values, LEGEND.names, strict=True))


def test_only_the_outputs_are_left(scene: str, tmp_path: Path) -> None:
    mapped(scene, tmp_path / "out" / "map.tif")
    sides = {"map.tif", "map.qml", "map.tif.aux.xml", "map.tif.vat.dbf", "map.tif.vat.cpg"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == sides


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("small_shards")
def test_any_number_of_workers_writes_the_same_bytes(scene: str, tmp_path: Path, engine: EngineSpec) -> None:
    maps = [
        mapped(scene, tmp_path / str(n) / "map.tif", workers=n, engine=engine, outputs=FOUR, tile=16) for n in (1, 2, 3)
    ]
    for name in sorted(p.name for p in maps[0].parent.iterdir()):
        first, second, third = ((m.parent / name).read_bytes() for m in maps)
        assert first == second == third, name


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("blocks", [0, 2])
def test_tiles_of_any_size_give_the_same_map(scene: str, tmp_path: Path, blocks: int, engine: EngineSpec) -> None:
    first, *others = (
        mapped(scene, tmp_path / str(tile) / "map.tif", blocks, engine=engine, tile=tile) for tile in (16, 32, 48, 512)
    )
    for other in others:
        alike(read(other)[0], read(first)[0], expected(blocks)[0], CUT)


def test_tiles_smaller_than_the_margin_give_the_same_map(scene: str, tmp_path: Path) -> None:
    maps = [mapped(scene, tmp_path / str(tile) / "map.tif", 18, workers=2, tile=tile) for tile in (16, 512)]
    alike(read(maps[0])[0], read(maps[1])[0], expected(18)[0], CUT)


@pytest.mark.parametrize(
    "layout",
    [{"tiled": False, "blockysize": 1}, {"tiled": False, "blockysize": 9}, {"blockxsize": 64, "blockysize": 32}],
    ids=["lines", "strips", "oblong blocks"],
)
def test_blocks_of_any_shape_give_the_same_map(scene: str, tmp_path: Path, layout: dict[str, Any]) -> None:
    squares = mapped(scene, tmp_path / "squares" / "map.tif", 2)
    other = write_scene(tmp_path / "other.tif", **layout)
    found = mapped(other, tmp_path / "map.tif", 2, workers=2)
    alike(read(found)[0], read(squares)[0], expected(2)[0], CUT)


@pytest.mark.usefixtures("small_shards")
def test_a_killed_run_goes_on_where_it_was(scene: str, tmp_path: Path) -> None:
    whole = mapped(scene, tmp_path / "whole" / "map.tif", outputs=("classes", "gap"), tile=16)
    bundle = model()
    plan = plan_of(bundle, scene, tmp_path / "out" / "map.tif", outputs=("classes", "gap"), tile=16)
    assert len(plan.shards) == 6
    with pytest.raises(Interrupted):
        run(plan, bundle, Killed(at=0.4), workers=2)
    parts = {p: p.stat().st_mtime_ns for p in plan.work.glob("*.tif")}
    assert 2 <= len(parts) < 12
    assert len(parts) % 2 == 0
    assert not plan.target.exists()
    assert not list(plan.work.glob(".landmix-*"))
    with pytest.raises(Interrupted):  # killed again later: the parts were not computed anew
        run(plan, bundle, Killed(at=0.8))
    assert parts.items() <= {p: p.stat().st_mtime_ns for p in plan.work.glob("*.tif")}.items()
    assert run(plan, bundle) == "done"
    for name in ("map.tif", "map_gap.tif", "map.qml"):
        assert (whole.parent / name).read_bytes() == (plan.target.parent / name).read_bytes()
    assert not plan.work.parent.exists()


@pytest.mark.usefixtures("small_shards")
def test_parts_of_another_model_are_not_used(scene: str, tmp_path: Path) -> None:
    other = model(seed=5)
    target = tmp_path / "out" / "map.tif"
    with pytest.raises(Interrupted):
        run(plan_of(other, scene, target), other, Killed(at=0.6))
    mapped(scene, target)
    assert target.read_bytes() == mapped(scene, tmp_path / "clean" / "map.tif").read_bytes()


def test_a_finished_map_is_kept(scene: str, tmp_path: Path) -> None:
    target = mapped(scene, tmp_path / "map.tif")
    before = target.stat().st_mtime_ns
    bundle = model()
    for overwrite in (False, True):
        plan = plan_of(bundle, scene, target)
        assert run(plan, bundle, Killed(at=0), overwrite=overwrite) == "kept"
    assert target.stat().st_mtime_ns == before


def test_a_style_that_is_missing_is_written_again(scene: str, tmp_path: Path) -> None:
    target = mapped(scene, tmp_path / "map.tif")
    names = ("map.qml", "map.tif.aux.xml", "map.tif.vat.dbf")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    for name in names:
        (tmp_path / name).unlink()
        bundle = model()
        assert run(plan_of(bundle, scene, target), bundle) == "kept"
        assert (tmp_path / name).read_bytes()[:1] == before[name][:1]
    assert {name: (tmp_path / name).read_bytes()[4:] for name in names} == {n: b[4:] for n, b in before.items()}


def test_only_the_missing_layer_is_made(scene: str, tmp_path: Path) -> None:
    target = mapped(scene, tmp_path / "map.tif", outputs=("classes", "gap"))
    before = target.stat().st_mtime_ns
    gap = (tmp_path / "map_gap.tif").read_bytes()
    (tmp_path / "map_gap.tif").unlink()
    mapped(scene, target, outputs=("classes", "gap"))
    assert (tmp_path / "map_gap.tif").read_bytes() == gap
    assert target.stat().st_mtime_ns == before


@pytest.mark.parametrize("foreign", ["model", "settings", "input", "something else than landmix"])
def test_another_map_is_refused_and_replaced_only_on_demand(scene: str, tmp_path: Path, foreign: str) -> None:
    target = tmp_path / "map.tif"
    if foreign == "model":
        other = model(seed=5)
        run(plan_of(other, scene, target), other)
    elif foreign == "settings":
        mapped(scene, target, tile=64)
    elif foreign == "input":
        (tmp_path / "in").mkdir()
        mapped(write_scene(tmp_path / "in" / "scene ü.tif", scene_values() // 2 + 1), target)
    else:
        target.write_text("mine")
    before = target.read_bytes()
    bundle = model()
    plan = plan_of(bundle, scene, target)
    with pytest.raises(LandmixError, match=rf"map\.tif exists .*{foreign}.*overwrite=true"):
        run(plan, bundle)
    assert target.read_bytes() == before
    assert run(plan, bundle, overwrite=True) == "done"
    assert target.read_bytes() == mapped(scene, tmp_path / "clean" / "map.tif").read_bytes()


def test_the_style_of_the_scene_is_never_replaced(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "scene.tiff")
    style = tmp_path / "scene.qml"
    style.write_text("somebody's own")
    with pytest.raises(LandmixError, match="is the style of"):
        run(plan_of(model(), source, tmp_path / "scene.tif"), model())
    assert style.read_text() == "somebody's own"
    style.unlink()
    for _ in range(2):  # a style of its own is no reason to refuse
        run(plan_of(model(), source, tmp_path / "scene.tif"), model())
    assert "paletted" in style.read_text()


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_the_input_is_never_replaced(tmp_path: Path, link: Any) -> None:
    source = Path(write_scene(tmp_path / "scene.tif"))
    before = source.read_bytes()
    target = source
    if link is not None:
        target = tmp_path / "map.tif"
        link(source, target)
    bundle = model()
    with pytest.raises(LandmixError, match="would replace its own input"):
        run(plan_of(bundle, str(source), target), bundle, overwrite=True)
    assert source.read_bytes() == before


def test_stale_temporaries_do_no_harm(scene: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "map.tif"
    bundle = model()
    plan = plan_of(bundle, scene, target)
    plan.work.mkdir(parents=True)
    (plan.work / f".landmix-0-{plan.part(plan.layers[0], plan.shards[0]).name}").write_text("junk")
    (plan.work / "lock").touch()
    assert run(plan, bundle) == "done"
    assert not plan.work.exists()


def test_two_runs_do_not_work_on_one_map(scene: str, tmp_path: Path) -> None:
    bundle = model()
    plan = plan_of(bundle, scene, tmp_path / "out" / "map.tif")
    plan.work.mkdir(parents=True)
    with FileLock(plan.work / "lock"), pytest.raises(LandmixError, match="another landmix is classifying"):
        run(plan, bundle)
    assert not plan.target.exists()


def test_a_damaged_scene_leaves_the_old_map(tmp_path: Path) -> None:
    source = Path(
        write_scene(tmp_path / "scene.tif", np.random.default_rng(0).integers(1, 99, (2, 400, 400), np.uint8))
    )
    target = tmp_path / "out" / "map.tif"
    target.parent.mkdir()
    target.write_text("old")
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    bundle = model()
    with pytest.raises(LandmixError, match=r"scene\.tif"):
        run(plan_of(bundle, str(source), target), bundle, workers=2, overwrite=True)
    assert target.read_text() == "old"


def test_the_training_nodata_serves_scenes_without_any(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "scene.tif")
    with rasterio.open(source, "r+") as file:
        file.nodata = None
    bundle = model(nodata=(0.0, None))
    plan = plan_of(bundle, source, tmp_path / "map.tif")
    assert plan.scene.nodata == (0.0, None)
    run(plan, bundle)
    np.testing.assert_array_equal(read(plan.target)[0] == 0, scene_values()[1] == 0)


def test_bands_by_position_are_a_warning(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "scene.tif")
    with rasterio.open(source, "r+") as file:
        file.descriptions = (None, None)
    silent = Silent()
    plan = plan_of(model(), source, tmp_path / "map.tif", silent)
    assert [plan.scene.stored[i].number for (i,) in plan.scene.origins] == [2, 1]
    assert "by position" in silent.warnings[0]


def test_a_missing_band_is_an_error(tmp_path: Path) -> None:
    source = write_scene(tmp_path / "scene.tif")
    with rasterio.open(source, "r+") as file:
        file.descriptions = ("red", "swir")
    with pytest.raises(LandmixError, match=r"needs band nir, but .*scene\.tif has red, swir"):
        plan_of(model(), source, tmp_path / "map.tif")
