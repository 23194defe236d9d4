"""What goes wrong outside landmix: one sentence, the right exit code, nothing half done."""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import shapely
import torch
from commands import (
    BANDS,
    NAMES,
    WAVELENGTHS,
    Done,
    cells,
    ended_inside,
    reflectance,
    refused,
    run,
    train,
    tree,
    world,
    write_classes,
    write_labels,
    write_scene,
)

if TYPE_CHECKING:
    from pathlib import Path

TINY = ("net=small", "optim.steps=30", "device=cpu")


class Canary:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        import os  # noqa: PLC0415 - the pickle names os.mkdir

        return os.mkdir, (self.path,)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with good and bad files, for commands to run in."""
    w = world()
    for source in (w.scene, w.labels, w.model):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "text.tif").write_text("this is no raster\n", encoding="utf-8")
    (tmp_path / "cut.tif").write_bytes(w.scene.read_bytes()[:3000])
    (tmp_path / "text.gpkg").write_text("this is no vector file\n", encoding="utf-8")
    write_labels(tmp_path / "empty.gpkg", [])
    write_labels(
        tmp_path / "far.gpkg", [(name, shapely.transform(shape, lambda xy: xy + 1e5)) for name, shape in cells()]
    )
    write_labels(tmp_path / "one.gpkg", [(name, shape) for name, shape in cells() if name == "water"])
    (tmp_path / "text.ckpt").write_text("this is no model\n", encoding="utf-8")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.ckpt")
    (tmp_path / "pickle.ckpt").write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    torch.save({"format": Canary(tmp_path / "canary")}, tmp_path / "torch_pickle.ckpt")
    (tmp_path / "file").write_text("in the way\n", encoding="utf-8")
    (tmp_path / "header.csv").write_text("picture,label\nscene.tif,truth.tif\n", encoding="utf-8")
    (tmp_path / "missing.csv").write_text("image,label\nscene.tif,\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def inside_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


TRAIN = ("train", *TINY, "out_dir=new")
GOOD = ("data.scenes=scene.tif", "data.labels=labels.gpkg", "data.field=class")
PREDICT = ("predict", "device=cpu", "out_dir=new")

WORK = {
    "scene is no raster": ((*TRAIN, "data.scenes=text.tif", *GOOD[1:]), ["text.tif", "no raster"]),
    "scene is missing": ((*TRAIN, "data.scenes=gone.tif", *GOOD[1:]), ["gone.tif"]),
    "scene is damaged": ((*TRAIN, "data.scenes=cut.tif", *GOOD[1:]), ["cut.tif"]),
    "scene glob without match": ((*TRAIN, "data.scenes=nothing*.tif", *GOOD[1:]), ["nothing*.tif"]),
    "labels are missing": ((*TRAIN, GOOD[0], "data.labels=gone.gpkg"), ["gone.gpkg"]),
    "labels are text": ((*TRAIN, GOOD[0], "data.labels=text.gpkg"), ["text.gpkg"]),
    "labels are empty": ((*TRAIN, GOOD[0], "data.labels=empty.gpkg", "data.field=class"), ["empty.gpkg"]),
    "labels lie elsewhere": ((*TRAIN, GOOD[0], "data.labels=far.gpkg", "data.field=class"), ["far.gpkg", "scene.tif"]),
    "field does not exist": ((*TRAIN, *GOOD[:2], "data.field=klass"), ["klass", "class", "code", "labels.gpkg"]),
    "field is not named": ((*TRAIN, *GOOD[:2], "data.layer=nothing"), ["labels.gpkg"]),
    "one class only": ((*TRAIN, GOOD[0], "data.labels=one.gpkg", "data.field=class"), ["one.gpkg", "water"]),
    "no class is left": ((*TRAIN, *GOOD, "data.ignore=[water,field]"), ["forest"]),
    "band is unknown": ((*TRAIN, *GOOD, "data.bands=[blue,nri]"), ["nri", "scene.tif", "nir"]),
    "band number is unknown": ((*TRAIN, *GOOD, "data.bands=[9]"), ["9", "scene.tif"]),
    "wavelength is unknown": ((*TRAIN, *GOOD, "data.bands=[2200nm]"), ["2200nm", "scene.tif"]),
    "legend is missing": ((*TRAIN, *GOOD, "data.legend=gone.csv"), ["gone.csv"]),
    "folder below a file": (("train", *TINY, *GOOD, "out_dir=file/below"), ["file/below"]),
    "folder is a file": (("train", *TINY, *GOOD, "out_dir=file"), ["file"]),
    "header of a list of pairs": ((*TRAIN, "data.scenes=@header.csv"), ["header.csv", "image"]),
    "hole in a list of pairs": ((*TRAIN, "data.scenes=@missing.csv"), ["missing.csv"]),
    "list is missing": ((*TRAIN, "data.scenes=@gone.txt", *GOOD[1:]), ["gone.txt"]),
    "logger is not installed": ((*TRAIN, *GOOD, "logger=mlflow"), ["mlflow", "landmix[mlflow]"]),
    "model is missing": ((*PREDICT, "model=gone.ckpt", "scenes=scene.tif"), ["gone.ckpt"]),
    "model is text": ((*PREDICT, "model=text.ckpt", "scenes=scene.tif"), ["text.ckpt", "no landmix model"]),
    "model is a raster": ((*PREDICT, "model=scene.tif", "scenes=scene.tif"), ["scene.tif", "no landmix model"]),
    "model is another checkpoint": ((*PREDICT, "model=other.ckpt", "scenes=scene.tif"), ["other.ckpt"]),
    "model is a URL": ((*PREDICT, "model=https://example.org/m.ckpt", "scenes=scene.tif"), ["example.org/m.ckpt"]),
    "model is a folder": ((*PREDICT, "model=.", "scenes=scene.tif"), []),
    "map folder below a file": (
        ("predict", "device=cpu", "model=model.ckpt", "scenes=scene.tif", "out_dir=file/below"),
        ["file/below"],
    ),
    "scenes glob without match": ((*PREDICT, "model=model.ckpt", "scenes=nothing?.tif"), ["nothing?.tif"]),
    "map is missing": (("evaluate", "map=gone.tif", "reference=labels.gpkg", "out_dir=new"), ["gone.tif"]),
    "map is a scene": (
        ("evaluate", "map=scene.tif", "reference=labels.gpkg", "field=class", "out_dir=new"),
        ["scene.tif"],
    ),
    "path is missing": (("inspect", "path=gone.tif"), ["gone.tif"]),
    "path is text": (("inspect", "path=text.tif"), ["text.tif"]),
    "path is another checkpoint": (("inspect", "path=other.ckpt"), ["other.ckpt"]),
}


INSTALLED = [
    "scene is no raster",
    "model is another checkpoint",
    "map is missing",
    "path is text",
    *(
        pytest.param(case, marks=pytest.mark.slow)
        for case in (
            "labels are empty",
            "labels lie elsewhere",
            "field does not exist",
            "one class only",
            "folder below a file",
            "model is a URL",
        )
    ),
]
"""Those that also start the installed command, which takes seconds."""


@pytest.mark.parametrize("case", INSTALLED)
def test_installed_command_exits_1_and_names_the_file(here: Path, case: str) -> None:
    arguments, words = WORK[case]
    before = tree(here)
    refused(run(*arguments, cwd=here), 1, *words)
    assert tree(here) == before


@pytest.mark.parametrize(("arguments", "words"), WORK.values(), ids=WORK.keys())
def test_exit_1_names_the_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: list[str]
) -> None:
    monkeypatch.chdir(here)
    before = tree(here)
    refused(ended_inside(*arguments), 1, *words)
    assert tree(here) == before


USAGE = {
    "unknown verb": (("tran", *GOOD), ["tran", "did you mean train"]),
    "unknown option": ((*TRAIN, *GOOD, "data.feild=x"), ["data.feild", "data.field"]),
    "unknown option at the top": ((*TRAIN, *GOOD, "sede=3"), ["sede", "seed"]),
    "option without its group": ((*TRAIN, *GOOD, "field=x"), ["field", "data.field"]),
    "option of another verb": ((*PREDICT, "model=model.ckpt", "scenes=scene.tif", "outdir=x"), ["outdir", "out_dir"]),
    "added option": ((*TRAIN, *GOOD, "+data.nothing=3"), ["data.nothing"]),
    "removed option": ((*TRAIN, *GOOD, "~data.nothing"), ["nothing"]),
    "unknown flag": ((*TRAIN, *GOOD, "--overwrit"), ["--overwrit"]),
    "not a setting": ((*TRAIN, *GOOD, "overwrite"), ["overwrite"]),
    "unknown choice": ((*TRAIN, *GOOD, "net=smal"), ["net", "smal", "small", "large"]),
    "unknown group": ((*TRAIN, *GOOD, "nets=small"), ["nets", "net"]),
    "unknown value": ((*TRAIN, *GOOD, "split.kind=block"), ["split.kind", "blocks"]),
    "unknown device": ((*TRAIN, *GOOD, "device=gpu"), ["device", "gpu"]),
    "unknown output": (
        (*PREDICT, "model=model.ckpt", "scenes=scene.tif", "outputs=[classes,confidenc]"),
        ["outputs", "confidenc"],
    ),
    "text for a number": ((*TRAIN, *GOOD, "seed=abc"), ["seed", "abc"]),
    "quoted number": ((*TRAIN, *GOOD, "seed='1'"), ["seed"]),
    "fraction for a whole number": ((*TRAIN, *GOOD, "optim.batch=1.5"), ["optim.batch", "1.5"]),
    "text for a truth value": ((*TRAIN, *GOOD, "refit=perhaps"), ["refit", "perhaps"]),
    "list for a text": ((*TRAIN, *GOOD[:2], "data.field=[a,b]"), ["data.field"]),
    "out of range": ((*TRAIN, *GOOD, "split.fraction=1.5"), ["split.fraction", "1.5"]),
    "not a number": ((*TRAIN, *GOOD, "split.side_m=nan"), ["split.side_m"]),
    "negative": ((*TRAIN, *GOOD, "optim.steps=-1"), ["optim.steps"]),
    "nothing given": (("train",), ["data.scenes", "out_dir"]),
    "out_dir is missing": (("train", *GOOD), ["out_dir"]),
    "model is not given": ((*PREDICT, "scenes=scene.tif"), ["model"]),
    "reference is not given": (("evaluate", "map=scene.tif", "out_dir=new"), ["reference"]),
    "path is not given": (("inspect",), ["path"]),
    "unclosed bracket": ((*TRAIN, "data.scenes=[scene.tif", *GOOD[1:]), ["scene.tif"]),
    "resume and overwrite": ((*TRAIN, *GOOD, "resume=true", "overwrite=true"), ["resume", "overwrite"]),
    "two devices without a launcher": (
        (*TRAIN, *GOOD, "trainer.devices=2"),
        ["torchrun", "--nproc-per-node=2", "-m landmix train"],
    ),
    "two scenes with one stem": (
        (*PREDICT, "model=model.ckpt", "scenes=[scene.tif,sub/scene.tif]"),
        ["scene"],
    ),
    "map would replace its scene": (
        ("predict", "device=cpu", "model=model.ckpt", "scenes=scene.tif", "out_dir=."),
        ["scene.tif"],
    ),
    "unknown choice in a sweep": ((*TRAIN, *GOOD, "-m", "net=smal,large"), ["smal"]),
    "unknown option in a sweep": ((*TRAIN, *GOOD, "-m", "seed=1,2", "sede=3"), ["sede"]),
}


@pytest.mark.parametrize(("arguments", "words"), USAGE.values(), ids=USAGE.keys())
def test_exit_2_names_the_setting_and_writes_nothing(here: Path, arguments: tuple[str, ...], words: list[str]) -> None:
    before = tree(here)
    refused(run(*arguments, cwd=here), 2, *words)
    assert tree(here) == before


LATE = {
    "labels are not given": ((*TRAIN, "data.scenes=scene.tif"), ["data.labels"]),
    "scenes are a number": ((*TRAIN, "data.scenes=[1]", *GOOD[1:]), ["data.scenes"]),
    "scenes are empty": ((*TRAIN, "data.scenes=[]", *GOOD[1:]), ["data.scenes"]),
    "the same scene twice": ((*PREDICT, "model=model.ckpt", "scenes=[scene.tif,scene.tif]"), ["scene"]),
    "overwrite cannot replace a scene": (
        ("predict", "device=cpu", "model=model.ckpt", "scenes=scene.tif", "out_dir=.", "overwrite=true"),
        ["scene.tif"],
    ),
}
"""Told by the task, so that the installed command takes seconds."""


@pytest.mark.parametrize(("arguments", "words"), LATE.values(), ids=LATE.keys())
def test_exit_2_from_a_task(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: list[str]
) -> None:
    monkeypatch.chdir(here)
    before = tree(here)
    refused(ended_inside(*arguments), 2, *words)
    assert tree(here) == before


@pytest.mark.parametrize("name", ["pickle.ckpt", "torch_pickle.ckpt"])
@pytest.mark.parametrize("verb", ["predict", "inspect"])
def test_no_code_of_a_model_file_runs(here: Path, monkeypatch: pytest.MonkeyPatch, verb: str, name: str) -> None:
    arguments = [f"path={name}"] if verb == "inspect" else [f"model={name}", "scenes=scene.tif", "out_dir=new"]
    monkeypatch.chdir(here)
    refused(ended_inside(verb, *arguments), 1, name)
    assert not (here / "canary").exists()
    pickle.loads((here / "pickle.ckpt").read_bytes())  # noqa: S301 - our own: the canary does sing
    assert (here / "canary").is_dir()


def test_lightnings_checkpoint_is_no_model(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    (here / "last.ckpt").write_bytes((world().run / "last.ckpt").read_bytes())
    refused(ended_inside(*PREDICT, "model=last.ckpt", "scenes=scene.tif"), 1, "last.ckpt")


def test_overwrite_keeps_the_old_model_when_the_new_one_fails(inside_tmp: Path) -> None:
    out = train(inside_tmp / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (inside_tmp / "text.tif").write_text("no raster", encoding="utf-8")
    done = ended_inside("train", *TINY, "data.scenes=text.tif", *world().data[1:], "out_dir=out", "overwrite=true")
    refused(done, 1, "text.tif")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_no_traceback_unless_asked_for(inside_tmp: Path) -> None:
    done = run("inspect", "path=gone.tif", cwd=inside_tmp, env={"HYDRA_FULL_ERROR": "1"})
    assert done.code == 1
    assert "Traceback" in done.err
    assert done.last.startswith("error: ")


def test_message_with_line_breaks_is_one_line(inside_tmp: Path) -> None:
    assert inside_tmp.is_dir()
    refused(ended_inside("inspect", "path=gone\nfor ever.tif"), 1, "for ever.tif")


# what the scene must have for the model


def predict(scene: Path) -> Done:
    return ended_inside("predict", f"model={world().model}", f"scenes={scene}", "out_dir=maps", "device=cpu")


def test_scene_without_a_band_of_the_model(inside_tmp: Path) -> None:
    scene = write_scene(
        inside_tmp / "s.tif", reflectance()[:3], names=BANDS[:3], wavelengths=WAVELENGTHS[:3], scaled=False
    )
    refused(predict(scene), 1, "swir (1610 nm)", "s.tif", "nir (842 nm)")
    assert tree(inside_tmp / "maps") == {"predict.json"}


def test_same_band_name_with_another_wavelength(inside_tmp: Path) -> None:
    scene = write_scene(inside_tmp / "s.tif", wavelengths=(490.0, 665.0, 705.0, 1610.0))
    refused(predict(scene), 1, "nir (842 nm)", "nir (705 nm)", "s.tif")


def test_nameless_scene_with_another_number_of_bands(inside_tmp: Path) -> None:
    scene = write_scene(inside_tmp / "s.tif", reflectance()[:3], names=None, wavelengths=None, scaled=False)
    refused(predict(scene), 1, "s.tif", "3", "4")


def test_scene_of_files_that_do_not_overlap(inside_tmp: Path) -> None:
    write_scene(inside_tmp / "a.tif", reflectance()[:2], names=BANDS[:2], wavelengths=None, scaled=False)
    write_scene(inside_tmp / "b.tif", reflectance()[2:], names=BANDS[2:], wavelengths=None, scaled=False)
    with rasterio.open(inside_tmp / "b.tif", "r+") as file:
        file.transform = file.transform.translation(1e5, 0) @ file.transform
    done = ended_inside("inspect", "path=[[a.tif,b.tif]]")
    refused(done, 1, "a.tif", "b.tif")


def test_scene_with_one_band_name_twice(inside_tmp: Path) -> None:
    for name in ("a.tif", "b.tif"):
        write_scene(inside_tmp / name, reflectance()[:1], names=["red"], wavelengths=None, scaled=False)
    refused(ended_inside("inspect", "path=[[a.tif,b.tif]]"), 1, "red", "a.tif", "b.tif")


def test_evaluate_reference_elsewhere(inside_tmp: Path) -> None:
    write_classes(inside_tmp / "map.tif")
    far = [(name, shapely.transform(shape, lambda xy: xy + 1e5)) for name, shape in cells()]
    write_labels(inside_tmp / "far.gpkg", far)
    done = ended_inside("evaluate", "map=map.tif", "reference=far.gpkg", "field=class", "out_dir=new")
    refused(done, 1, "far.gpkg", "map.tif")
    assert not (inside_tmp / "new").exists()


def test_evaluate_reference_on_nodata_only(inside_tmp: Path) -> None:
    values = np.ones((96, 96), np.uint8)
    values[:50, :50] = 0
    write_classes(inside_tmp / "map.tif", values)
    write_labels(inside_tmp / "r.gpkg", [(NAMES[0], cells()[0][1])])
    done = ended_inside("evaluate", "map=map.tif", "reference=r.gpkg", "field=code", "out_dir=new")
    refused(done, 1, "r.gpkg", "map.tif")
    assert not (inside_tmp / "new").exists()


def test_evaluate_map_of_nodata_only(inside_tmp: Path) -> None:
    write_classes(inside_tmp / "map.tif", np.zeros((96, 96), np.uint8))
    write_labels(inside_tmp / "r.gpkg")
    done = ended_inside("evaluate", "map=map.tif", "reference=r.gpkg", "field=code", "out_dir=new")
    refused(done, 1, "map.tif")


def test_evaluate_field_does_not_exist(inside_tmp: Path) -> None:
    write_classes(inside_tmp / "map.tif")
    write_labels(inside_tmp / "r.gpkg")
    done = ended_inside("evaluate", "map=map.tif", "reference=r.gpkg", "field=clas", "out_dir=new")
    refused(done, 1, "clas", "class", "code", "r.gpkg")


def test_complex_scene(inside_tmp: Path) -> None:
    with rasterio.open(inside_tmp / "c.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="complex64") as c:
        c.write(np.ones((1, 4, 4), np.complex64))
    refused(ended_inside("inspect", "path=c.tif"), 1, "c.tif", "complex")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="all names are text there")
def test_names_that_are_not_utf8_are_refused(here: Path) -> None:
    odd = os.fsdecode(b"odd \xff.tif")
    (here / odd).write_bytes(b"")
    for arguments in (
        ["model=model.ckpt", f"scenes={odd}", "out_dir=maps"],
        ["model=model.ckpt", "scenes=scene.tif", f"out_dir={odd}"],
    ):
        refused(run("predict", *arguments, cwd=here), 2, "names must be UTF-8", r"\udcff")
    assert not (here / "maps").exists()


@pytest.mark.parametrize("setting", ["client=deepness", "tile=128", "resolution=10"])
def test_settings_of_onnx_are_refused_for_other_formats(here: Path, setting: str) -> None:
    refused(run("export", "model=model.ckpt", "format=card", "out=card.md", setting, cwd=here), 2, "format=onnx")
    assert not (here / "card.md").exists()
