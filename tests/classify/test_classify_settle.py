"""What computes: `auto` is settled once, and a map is never mixed of two engines."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import rasterio
import torch
from classify_files import EXACT, model, plan_of, read, run, write_scene

from landmix.classify import cut
from landmix.classify.settle import Wish, settled
from landmix.engines import choose as choosing
from landmix.engines.choose import check, choose, choose_device, has_bf16
from landmix.engines.engine import EngineSpec
from landmix.errors import LandmixError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from landmix.classify.plan import Plan

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


@pytest.fixture
def plain_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bf16 and no GPU."""
    monkeypatch.setattr(choosing, "has_bf16", lambda *_: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def modern_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """With bf16, which need not be so: nothing is computed."""
    monkeypatch.setattr(choosing, "has_bf16", lambda *_: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (60 * 2**30, 80 * 2**30))


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "_installed", lambda package: package != "openvino")


def said(spec: EngineSpec) -> tuple[str, str, str]:
    return spec.backend, spec.device, spec.precision


# what this machine takes


@needs_openvino
@pytest.mark.usefixtures("plain_processor")
def test_auto_is_openvino_in_fp32_on_a_plain_processor() -> None:
    assert said(choose()) == ("openvino", "cpu", "fp32")


@needs_openvino
@pytest.mark.usefixtures("modern_processor")
def test_auto_is_bf16_where_the_processor_has_it() -> None:
    assert said(choose()) == ("openvino", "cpu", "bf16")
    assert said(choose("cpu", "torch")) == ("torch", "cpu", "bf16")
    assert said(choose(precision="fp32")) == ("openvino", "cpu", "fp32")


@pytest.mark.usefixtures("plain_processor", "no_openvino")
def test_auto_is_torch_without_openvino() -> None:
    assert said(choose()) == ("torch", "cpu", "fp32")


@pytest.mark.usefixtures("gpu")
def test_auto_is_the_gpu_where_there_is_one() -> None:
    spec = choose()
    assert said(spec) == ("torch", "cuda", "bf16")
    assert spec.batch > 1
    assert choose("cpu").device == "cpu"
    assert choose_device("auto").type == "cuda"


@pytest.mark.parametrize("backend", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_the_engine_names_the_version_of_what_computes(backend: str) -> None:
    spec = choose("cpu", backend, "fp32")
    assert spec.version == importlib.metadata.version(backend)
    assert spec.version in spec.words


@pytest.mark.usefixtures("plain_processor")
def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LandmixError, match="use device=auto"):
        choose("cuda")
    with pytest.raises(LandmixError, match="use device=auto"):
        check(EngineSpec(device="cuda"))


@needs_openvino
@pytest.mark.usefixtures("gpu")
def test_openvino_does_not_compute_on_gpus() -> None:
    with pytest.raises(LandmixError, match=r"backend=openvino .*device=cpu.*backend=torch"):
        choose("cuda", "openvino")


@pytest.mark.usefixtures("no_openvino")
def test_a_backend_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(LandmixError, match=r"needs the package openvino.*backend=torch"):
        choose("cpu", "openvino")


@pytest.mark.usefixtures("plain_processor")
def test_bf16_is_refused_where_the_processor_lacks_it() -> None:
    with pytest.raises(LandmixError, match=r"precision=bf16 needs a processor.*precision=fp32"):
        choose("cpu", "torch", "bf16")


# what an earlier run settled


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cut, "SHARD", 32)
    return write_scene(tmp_path / "scene.tif")


def planned(scene: str, folder: Path, wish: Wish, *, overwrite: bool = False) -> Plan:
    """As a run with this wish would plan now."""
    engine = choose(wish.device, wish.backend, wish.precision)
    return settled(plan_of(model(), scene, folder / "map.tif", engine=engine), wish, overwrite=overwrite)


OTHER = replace(EXACT, tile=96)
"""Another engine that every machine has."""


def begun(scene: str, folder: Path, engine: EngineSpec = OTHER) -> Plan:
    """Some parts of a map, by an engine that is not what `auto` takes."""
    plan = plan_of(model(), scene, folder / "map.tif", engine=engine)
    assert run(plan, model(), shards=plan.shards[:2]) == "parts"
    return plan


def test_a_map_that_was_begun_goes_on_as_it_began(scene: str, tmp_path: Path) -> None:
    begun(scene, tmp_path / "out")
    plan = planned(scene, tmp_path / "out", Wish())
    assert plan.engine == OTHER
    assert run(plan, model()) == "done"
    whole = plan_of(model(), scene, tmp_path / "whole" / "map.tif", engine=OTHER)
    run(whole, model())
    assert plan.target.read_bytes() == whole.target.read_bytes()


@pytest.mark.skipif(not has_bf16(), reason="this processor does not compute in bf16")
def test_bf16_goes_on_as_bf16_and_not_as_fp32(scene: str, tmp_path: Path) -> None:
    begun(scene, tmp_path / "out", EngineSpec(backend="torch", precision="bf16"))
    assert planned(scene, tmp_path / "out", Wish()).engine.precision == "bf16"
    assert planned(scene, tmp_path / "out", Wish(device="cpu", backend="torch")).engine.precision == "bf16"
    plan = planned(scene, tmp_path / "out", Wish(precision="fp32"))
    assert plan.engine.precision == "fp32"
    with pytest.raises(LandmixError, match=r"begun with torch .*bf16.*cannot go on with .*fp32.*overwrite=true"):
        run(plan, model())
    assert not plan.target.exists()


def test_overwrite_begins_anew_with_another_engine(scene: str, tmp_path: Path) -> None:
    begun(scene, tmp_path / "out")
    wish = Wish(backend="torch", precision="fp32")
    plan = planned(scene, tmp_path / "out", wish, overwrite=True)
    assert plan.engine != OTHER
    assert run(plan, model(), overwrite=True) == "done"
    assert not plan.work.exists()
    with rasterio.open(plan.target) as file:
        assert json.loads(file.tags()["LANDMIX_ENGINE"]) == plan.engine.as_data()


def test_parts_of_a_machine_with_bf16_wait_for_one(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without bf16 says so, instead of mixing precisions in one map."""
    plan = begun(scene, tmp_path / "out")
    text = (plan.work / "plan.json").read_text().replace('"fp32"', '"bf16"')
    (plan.work / "plan.json").write_text(text)
    monkeypatch.setattr(choosing, "has_bf16", lambda *_: False)
    there = planned(scene, tmp_path / "out", Wish())
    assert there.engine.precision == "bf16"
    with pytest.raises(LandmixError, match=r"needs a processor that computes in bf16.*begun so; overwrite=true"):
        run(there, model())


def test_a_finished_map_of_another_engine_is_kept_by_auto(scene: str, tmp_path: Path) -> None:
    plan = plan_of(model(), scene, tmp_path / "out" / "map.tif", engine=OTHER)
    run(plan, model())
    before = plan.target.stat().st_mtime_ns
    for overwrite in (False, True):
        again = planned(scene, tmp_path / "out", Wish())
        assert again.engine == OTHER
        assert run(again, model(), overwrite=overwrite) == "kept"
    assert plan.target.stat().st_mtime_ns == before


def test_a_finished_map_in_bf16_is_kept_where_there_is_none(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_bf16():
        pytest.skip("this processor does not compute in bf16")
    plan = plan_of(model(), scene, tmp_path / "out" / "map.tif", engine=replace(EXACT, precision="bf16"))
    run(plan, model())
    monkeypatch.setattr(choosing, "has_bf16", lambda *_: False)
    assert run(planned(scene, tmp_path / "out", Wish()), model()) == "kept"


@needs_openvino
def test_a_finished_map_is_not_replaced_by_another_engine_unless_asked(scene: str, tmp_path: Path) -> None:
    plan = plan_of(model(), scene, tmp_path / "out" / "map.tif", engine=choose("cpu", "torch", "fp32"))
    run(plan, model())
    before = plan.target.read_bytes()
    wish = Wish(backend="openvino", precision="fp32")
    with pytest.raises(LandmixError, match=r"made with another engine: .*overwrite=true"):
        run(planned(scene, tmp_path / "out", wish), model())
    assert plan.target.read_bytes() == before
    other = planned(scene, tmp_path / "out", wish, overwrite=True)
    assert run(other, model(), overwrite=True) == "done"
    with rasterio.open(other.target) as file:
        assert json.loads(file.tags()["LANDMIX_ENGINE"])["backend"] == "openvino"
    assert (read(other.target) == read_bytes(before, tmp_path)).mean() > 0.999


def read_bytes(content: bytes, tmp_path: Path) -> NDArray[Any]:
    path = tmp_path / "before.tif"
    path.write_bytes(content)
    return read(path)


def test_parts_of_another_model_do_not_settle_this_map(scene: str, tmp_path: Path) -> None:
    """The same command gives the same map, whatever an interrupted run of another model left behind."""
    target = tmp_path / "out" / "map.tif"
    other = model(seed=5)
    left = plan_of(other, scene, target, engine=OTHER)
    run(left, other, shards=left.shards[:2])
    plan = planned(scene, tmp_path / "out", Wish())
    assert run(plan, model()) == "done"
    clean = plan_of(model(), scene, tmp_path / "clean" / "map.tif", engine=choose())
    run(clean, model())
    assert plan.target.read_bytes() == clean.target.read_bytes()


@pytest.mark.parametrize("content", ["", "[]", '{"engine": 3}', '{"engine": {"backend": "abacus"}}', "{"])
def test_a_damaged_plan_file_settles_nothing(scene: str, tmp_path: Path, content: str) -> None:
    plan = begun(scene, tmp_path / "out", choose())
    (plan.work / "plan.json").write_text(content)
    again = planned(scene, tmp_path / "out", Wish())
    assert again.engine == choose()
    assert run(again, model()) == "done"
