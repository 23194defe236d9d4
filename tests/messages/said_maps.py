"""Maps: those that are there already, and what is done with finished ones."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from commands import NAMES, cells, done_inside, on_ground, truth, write_classes, write_labels, write_scene
from filelock import FileLock
from provoking import Case, Group, good_files
from rasterio.errors import RasterioError
from rasterio.transform import Affine

from landmix import bundle as bundles
from landmix.classify import run as running
from landmix.geo.legends import make_legend
from landmix.geo.sidecars import write_sidecars

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = ("predict", "model=model.ckpt", "device=cpu", "backend=torch", "precision=fp32")
PREDICT = (*MODEL, "scenes=scene.tif", "out_dir=new")
EVALUATE = ("evaluate", "out_dir=new", "field=class")
GOOD = (*EVALUATE, "map=map.tif", "reference=labels.gpkg")
FRACTIONS = ("evaluate", "map=map.tif", "out_dir=new")
SAMPLE = ("sample", "out_dir=new")
VIEW = ("view", "open=false")


def _predictions(folder: Path) -> None:
    good_files(folder)
    write_classes(folder / "maps" / "scene.tif")
    done_inside(*MODEL, "scenes=scene.tif", f"out_dir={folder / 'done'}", "progress=off")
    bundles.save(replace(bundles.load("model.ckpt"), reference=None), folder / "bare.ckpt")
    (folder / "styled").mkdir()
    (folder / "styled" / "scene.tif").write_bytes((folder / "scene.tif").read_bytes())
    (folder / "linked").mkdir()
    (folder / "linked" / "scene.tif").symlink_to(folder / "scene.tif")
    (folder / "catalogue").mkdir()
    (folder / "catalogue" / "collection.json").write_text("{}", encoding="utf-8")
    for name in ("maps", "linked", "styled", "catalogue"):
        (folder / name / "predict.json").touch()  # what a run that fails writes too
    (folder / "predict.json").touch()
    (folder / "named.tif").write_bytes((folder / "scene.tif").read_bytes())
    (folder / "named.qml").write_text("<qgis/>", encoding="utf-8")


@contextlib.contextmanager
def _in_use() -> Iterator[None]:
    """As where another process classifies the same scene."""
    folder = Path("new/.landmix/scene")
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"):
        yield


@contextlib.contextmanager
def _begun() -> Iterator[None]:
    """As where an earlier run wrote its share of the parts, in fp32."""
    done_inside(*MODEL, "scenes=scene.tif", "out_dir=new", "shard=1/1", "progress=off")
    with mock.patch("landmix.engines.choose.has_bf16", return_value=True):
        yield


@contextlib.contextmanager
def _begun_elsewhere() -> Iterator[None]:
    """As where another machine, with another version of torch, wrote one of two parts."""
    done_inside(*MODEL, "scenes=scene.tif", "out_dir=new", "shard=1/1", "outputs=[classes,confidence]", "progress=off")
    next(Path("new/.landmix/scene").glob("*confidence.tif")).unlink()
    with mock.patch("landmix.engines.choose.importlib.metadata.version", return_value="9.9"):
        yield


class _Idle(contextlib.nullcontext[None]):
    """A scheduler's client that finds no workers."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __enter__(self) -> Any:
        return self

    def wait_for_workers(self, *_: object, **__: object) -> None:
        raise TimeoutError


@contextlib.contextmanager
def _no_dask() -> Iterator[None]:
    with mock.patch.dict("sys.modules", {"distributed": None}):
        sys.modules.pop("landmix.classify.cluster", None)
        yield


@contextlib.contextmanager
def _damaged_part(*, cut: bool) -> Iterator[None]:
    done_inside(*MODEL, "scenes=scene.tif", "out_dir=new", "shard=1/1", "progress=off")
    (part,) = Path("new/.landmix/scene").glob("*.tif")
    if cut:
        part.write_bytes(part.read_bytes()[:400])
    else:
        with rasterio.open(part, "r+") as file:
            file.write(np.ones(file.shape, np.uint8), 1)
    yield


@contextlib.contextmanager
def _changing() -> Iterator[None]:
    """As where somebody writes the scene while it is classified."""
    finish = running._finish

    def later(*given: object) -> None:
        os.utime("scene.tif")
        finish(*given)  # type: ignore[arg-type]

    with mock.patch.object(running, "_finish", later):
        yield


def _maps(folder: Path) -> None:
    good_files(folder)
    legend = {i + 1: name for i, name in enumerate(NAMES)}
    write_classes(folder / "map.tif")
    write_sidecars(folder / "map.tif", make_legend([(v, n, None) for v, n in legend.items()]), dict.fromkeys(legend, 1))
    write_classes(folder / "bare.tif")
    write_classes(folder / "nodata.tif", truth() * 0)
    half = truth()
    half[:50, :50] = 0
    write_classes(folder / "half.tif", half)
    write_classes(folder / "shares.tif", truth().astype(np.float32))
    write_classes(folder / "confidence.tif")
    with rasterio.open(folder / "confidence.tif", "r+") as file:
        file.scales = (0.005,)
    numbers = np.arange(96 * 96, dtype=np.uint16).reshape(96, 96)
    write_classes(folder / "numbers.tif", numbers)
    write_classes(folder / "no place.tif", crs=None, transform=None)
    write_classes(folder / "beyond.tif", crs="EPSG:4326", transform=Affine(1, 0, 0, 0, -1, 300))
    write_classes(folder / "strata.tif", (truth() > 1).astype(np.uint8) + 1)
    write_classes(folder / "few strata.tif", (truth() > 1).astype(np.uint8))
    write_classes(folder / "apart.tif", truth(32))
    done_inside(*MODEL, "scenes=scene.tif", "out_dir=made", "progress=off")
    write_classes(folder / "tagged.tif")
    with rasterio.open(folder / "tagged.tif", "r+") as file:
        file.update_tags(LANDMIX_CLASSES='{"1": "", "2": "a"}')
    cut = (folder / "numbers.tif").read_bytes()
    (folder / "cut.tif").write_bytes(cut[:3000])
    far = [(name, shapely.transform(shape, lambda xy: xy + 1e5)) for name, shape in cells()]
    write_labels(folder / "far.gpkg", far)
    write_labels(folder / "first.gpkg", [(NAMES[0], cells()[0][1])])
    write_labels(folder / "foreign.gpkg", [*cells(), ("Water", cells()[4][1])])
    write_labels(folder / "odd.gpkg", [("bog", shape) for _, shape in cells()[:2]] + cells()[2:])
    write_labels(folder / "inside.gpkg", [cell for cell in cells() if cell[0] != "field"])
    write_labels(folder / "partly far.gpkg", [*cells(), far[0]])
    write_labels(folder / "partly blank.gpkg", [*cells()[1:], ("", cells()[0][1])])
    write_classes(folder / "wide.tif", crs="EPSG:4326", transform=Affine(0.5, 0, 0, 0, -0.5, 60))
    points = [
        (n, shapely.transform(shapely.Point(x, y), on_ground))
        for n, x, y in (("field", 8.5, 8.5), ("forest", 24.5, 8.5))
    ]
    write_labels(folder / "points.gpkg", points)
    (folder / "drawn").mkdir()
    write_labels(folder / "drawn" / "sample.gpkg", cells())
    record = {"map": "older.tif", "map_sha256": "0" * 64, "strata": None}
    (folder / "drawn" / "sample.json").write_text(json.dumps(record), encoding="utf-8")
    pyogrio.raw.write(
        folder / "drawn" / "filled.gpkg",
        geometry=shapely.to_wkb(np.array([shapely.Point(500050, 5299950)])),
        field_data=[np.array(["water"], object)],
        fields=["reference"],
        layer="sample",
        geometry_type="Point",
        crs="EPSG:32633",
        driver="GPKG",
    )
    (folder / "filled").mkdir()
    (folder / "drawn" / "filled.gpkg").replace(folder / "filled" / "sample.gpkg")
    (folder / "sampled").mkdir()
    (folder / "sampled" / "sample.gpkg").write_text("mine", encoding="utf-8")
    write_scene(folder / "small.tif", np.ones((2, 8, 8), np.uint8), names=None, wavelengths=None, scaled=False)


def _fractions(folder: Path) -> None:
    half = np.full((2, 96, 96), 0.5, np.float32)
    plain: dict[str, Any] = {"wavelengths": None, "scaled": False, "nodata": -1}
    for name, values, names in (
        ("map", half, ("a", "b")),
        ("other", half, ("a", "b")),
        ("named", half, ("a", "c")),
        ("small", half[:, :50], ("a", "b")),
        ("nothing", half * 0 - 1, ("a", "b")),
        ("nameless", half, None),
        ("large", half * 4, ("a", "b")),
    ):
        write_scene(folder / f"{name}.tif", values, names=names, **plain)
    noise = np.random.default_rng(0).random(half.shape, np.float32)
    write_scene(folder / "damaged.tif", noise, names=("a", "b"), compress="deflate", **plain)
    whole = (folder / "damaged.tif").read_bytes()
    (folder / "damaged.tif").write_bytes(whole[:20_000] + bytes(2_000) + whole[22_000:])


@contextlib.contextmanager
def _taken() -> Iterator[None]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 50123))
        taken.listen()
        yield


@contextlib.contextmanager
def _shown() -> Iterator[None]:
    """A page that ends as soon as it is there."""
    nothing = mock.patch("landmix.view.serve.serving", return_value=contextlib.nullcontext())
    with nothing, mock.patch("landmix.view.serve.wait"):
        yield


def _not_found(package: str) -> contextlib.AbstractContextManager[object]:
    return mock.patch("landmix.tasks.view.importlib.util.find_spec", lambda name: None if name == package else object())


GROUPS = [
    Group(
        "Predictions",
        {
            "map of somebody else": (*MODEL, "scenes=scene.tif", "out_dir=maps"),
            "map of other settings": (*MODEL, "scenes=scene.tif", "out_dir=done", "tta=flips"),
            "map that is a link to its scene": (*MODEL, "scenes=scene.tif", "out_dir=linked"),
            "applicability of a model without it": (
                "predict",
                "model=bare.ckpt",
                "device=cpu",
                "scenes=scene.tif",
                "out_dir=new",
                "outputs=[classes,applicability]",
            ),
            "fractions of a model of classes": (*PREDICT, "outputs=[classes,fractions]"),
            "style of its scene": (
                *MODEL,
                "scenes={name: named, path: named.tif}",
                "out_dir=.",
                "outputs=[classes]",
                "stac=false",
            ),
            "item of somebody else": (*MODEL, "scenes=scene.tif", "out_dir=catalogue", "stac=true"),
            "map in use": Case(PREDICT, _in_use),
            "parts that are missing": (*PREDICT, "finish=true"),
            "begun in other numbers": Case(
                (*PREDICT[:4], "precision=bf16", *PREDICT[5:]), _begun, r"(?<=torch )[\w.+]+"
            ),
            "part that is cut": Case(
                (*PREDICT, "finish=true"), partial(_damaged_part, cut=True), r"(?<=damaged \().*(?=\) and)"
            ),
            "part that was changed": Case((*PREDICT, "finish=true"), partial(_damaged_part, cut=False)),
            "scene that changes": Case(PREDICT, _changing),
            "sieve of a large map": Case(
                (*PREDICT, "predict.sieve=5"), partial(mock.patch, "landmix.classify.finish._SIEVE", 9000)
            ),
            "OpenVINO that is not installed": Case(
                (*PREDICT[:3], "backend=openvino", *PREDICT[4:]),
                partial(mock.patch, "landmix.engines.choose._installed", lambda _: False),
            ),
            "OpenVINO on a GPU": Case(
                ("predict", "model=model.ckpt", "device=cuda", "backend=openvino", "scenes=scene.tif", "out_dir=new"),
                partial(mock.patch, "torch.cuda.is_available", lambda: True),
            ),
            "GPU that is not there": Case(
                ("predict", "model=model.ckpt", "device=cuda", "scenes=scene.tif", "out_dir=new"),
                partial(mock.patch, "torch.cuda.is_available", lambda: False),
            ),
            "processor without bf16": Case(
                (*MODEL[:-1], "precision=bf16", "scenes=scene.tif", "out_dir=new"),
                partial(mock.patch, "landmix.engines.choose.has_bf16", lambda *_: False),
            ),
            "begun by another version": Case(
                (*PREDICT[:3], *PREDICT[4:], "outputs=[classes,confidence]"), _begun_elsewhere, r"(?<=torch )2[\w.+]+"
            ),
            "sieve that fails": Case(
                (*PREDICT, "predict.sieve=5"),
                partial(mock.patch, "landmix.classify.finish.open_mosaic", side_effect=RasterioError("no memory")),
            ),
            "Dask that is not installed": Case((*PREDICT, "executor.kind=dask"), _no_dask),
            "Dask without workers": Case(
                (*PREDICT, "executor.kind=dask", "executor.address=tcp://127.0.0.1:9"),
                partial(mock.patch, "landmix.classify.cluster.Client", _Idle),
            ),
            "Dask that is not there": Case(
                (*PREDICT, "executor.kind=dask", "executor.address=tcp://127.0.0.1:9"),
                partial(mock.patch, "landmix.classify.cluster.Client", side_effect=OSError("nobody answers")),
            ),
        },
        _predictions,
    ),
    Group(
        "Accuracy",
        {
            "map that is not there": (*EVALUATE, "map=gone.tif", "reference=labels.gpkg"),
            "map that is a scene": (*EVALUATE, "map=scene.tif", "reference=labels.gpkg"),
            "map of fractions": (*EVALUATE, "map=shares.tif", "reference=labels.gpkg"),
            "map of confidence": (*EVALUATE, "map=confidence.tif", "reference=labels.gpkg"),
            "map of nodata": (*EVALUATE, "map=nodata.tif", "reference=labels.gpkg"),
            "map that is cut": Case(
                (*EVALUATE, "map=cut.tif", "reference=labels.gpkg"), hides=r"(?<=damaged \().*(?=\))|(?<=a raster: ).*"
            ),
            "reference elsewhere": (*EVALUATE, "map=map.tif", "reference=far.gpkg"),
            "reference on nodata": (*EVALUATE, "map=half.tif", "reference=first.gpkg"),
            "names that the map lacks": (*EVALUATE, "map=map.tif", "reference=foreign.gpkg"),
            "numbers against names": ("evaluate", "map=map.tif", "reference=labels.gpkg", "field=code", "out_dir=new"),
            "training data": (*EVALUATE, "map=made/scene.tif", "reference=labels.gpkg"),
            "strata of another grid": (*GOOD, "design=stratified", "strata=apart.tif"),
            "reference outside the strata": (*GOOD, "design=stratified", "strata=few strata.tif"),
            "strata without a pixel of the sample": (
                *EVALUATE,
                "map=map.tif",
                "reference=first.gpkg",
                "design=stratified",
            ),
            "strata of a part of the map": (
                *EVALUATE,
                "map=map.tif",
                "reference=inside.gpkg",
                "design=stratified",
                "strata=few strata.tif",
            ),
            "sample that lies partly elsewhere": (
                *EVALUATE,
                "map=map.tif",
                "reference=partly far.gpkg",
                "design=random",
            ),
            "sample with gaps": (*EVALUATE, "map=map.tif", "reference=partly blank.gpkg", "design=random"),
            "sample of unequal pixels": (*EVALUATE, "map=wide.tif", "reference=wide.tif", "design=random"),
            "clusters of a raster": (*EVALUATE, "map=map.tif", "reference=truth.tif", "design=cluster"),
            "one pixel a stratum": (
                *EVALUATE,
                "map=map.tif",
                "reference=points.gpkg",
                "design=stratified",
                "strata=strata.tif",
            ),
        },
        _maps,
    ),
    Group(
        "Fractions",
        {
            "with a design": (*FRACTIONS, "reference=other.tif", "design=random"),
            "of other classes": (*FRACTIONS, "reference=named.tif"),
            "of another grid": (*FRACTIONS, "reference=small.tif"),
            "of no common pixel": (*FRACTIONS, "reference=nothing.tif"),
            "without names": (*FRACTIONS, "reference=nameless.tif"),
            "above 1": (*FRACTIONS, "reference=large.tif"),
            "damaged": Case((*FRACTIONS, "reference=damaged.tif"), hides=r"(?<=damaged \().*(?=\))"),
        },
        _fractions,
    ),
    Group(
        "Samples and pages",
        {
            "sample that is there": ("sample", "map=map.tif", "n=10", "out_dir=sampled"),
            "sample that is filled in": ("sample", "map=map.tif", "n=10", "out_dir=filled", "overwrite=true"),
            "sample of a map without a place": (*SAMPLE, "map=no place.tif", "n=10"),
            "sample of nodata": (*SAMPLE, "map=nodata.tif", "n=10"),
            "sample of strata on nodata": (*SAMPLE, "map=map.tif", "n=10", "strata=nodata.tif"),
            "sample of classes that are not there": (*SAMPLE, "map=map.tif", "n=10", "expected={Water: 0.9}"),
            "sample larger than the map": (*SAMPLE, "map=map.tif", "n=100000"),
            "sample smaller than two a stratum": (*SAMPLE, "map=map.tif", "n=2"),
            "sample by what is not said": (*SAMPLE, "map=map.tif", "n=90", "allocation=neyman"),
            "sample of another error than was asked for": (
                *SAMPLE,
                "map=map.tif",
                "se=0.02",
                "allocation=equal",
                "expected={field: 0.99, forest: 0.6}",
            ),
            "few points that agree": (
                *EVALUATE,
                "map=map.tif",
                "reference=points.gpkg",
                "design=random",
            ),
            "sample of another map": (*EVALUATE, "map=map.tif", "reference=drawn/sample.gpkg", "design=stratified"),
            "sample of strata, taken for random": (
                *EVALUATE,
                "map=map.tif",
                "reference=drawn/sample.gpkg",
                "design=random",
            ),
            "folder to verify": ("verify", "path=drawn"),
            "labels to verify": ("verify", "path=labels.gpkg"),
            "page of a scene": (*VIEW, "map=scene.tif"),
            "page of measurements": (*VIEW, "map=numbers.tif"),
            "page of a map with odd names": (*VIEW, "map=tagged.tif"),
            "page of a map beyond the poles": (*VIEW, "map=beyond.tif"),
            "page with another scene": (*VIEW, "map=map.tif", "scene=small.tif"),
            "page with two scenes": (*VIEW, "map=map.tif", "scene=s*.tif"),
            "page of a map that tells of no scene": Case((*VIEW, "map=map.tif"), _shown),
            "page on a port in use": Case((*VIEW, "map=map.tif", "scene=scene.tif", "port=50123"), _taken),
            "page without its packages": Case((*VIEW, "map=map.tif"), partial(_not_found, "starlette")),
        },
        _maps,
    ),
]
