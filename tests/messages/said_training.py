"""Labels, legends, splits and training folders."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pyogrio.raw
import shapely
import yaml
from affine import Affine
from commands import (
    TINY,
    TRANSFORM,
    cells,
    on_ground,
    reflectance,
    train,
    truth,
    write_classes,
    write_labels,
    write_scene,
)
from filelock import FileLock
from provoking import Case, Group, good_files, without

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENE = ("data.scenes=scene.tif",)
LABELS = ("data.labels=labels.gpkg", "data.field=class")
TRAIN = ("train", *TINY, "out_dir=new")
GOOD = (*TRAIN, *SCENE, *LABELS)


def _rasters(folder: Path) -> None:
    write_classes(folder / "fractions.tif", truth().astype(np.float32) + 0.5)
    write_classes(folder / "measured.tif", np.arange(96 * 96, dtype=np.uint16).reshape(96, 96))
    write_classes(folder / "small.tif", truth(32), crs=None, transform=None)
    write_classes(folder / "negative.tif", truth().astype(np.int16) - 2, nodata=None)
    write_classes(folder / "other.tif")
    write_classes(folder / "huge.tif", truth().astype(np.int32) * 100_000)
    (folder / "cut labels.tif").write_bytes((folder / "truth.tif").read_bytes()[:2000])
    write_scene(folder / "no place.tif", georeferenced=False)
    write_scene(folder / "second.tif")
    write_scene(folder / "elsewhere.tif", transform=TRANSFORM @ Affine.translation(10_000, 0))
    flat = np.full((2, 96, 96), 5, np.uint16)
    write_scene(folder / "flat.tif", flat, names=None, wavelengths=None)
    empty = np.zeros((2, 96, 96), np.uint16)
    write_scene(folder / "empty.tif", empty, names=None, wavelengths=None)
    stored = np.rint(reflectance() * 1e4).astype(np.uint16)
    stored[0] = 0
    write_scene(folder / "one empty.tif", stored)
    stored = np.rint(reflectance() * 1e4).astype(np.uint16)
    stored[0, ::2], stored[1, 1::2] = 0, 0
    write_scene(folder / "some empty.tif", stored)
    stored = np.rint(reflectance() * 1e4).astype(np.uint16)
    stored[:, truth() != 1] = 0
    write_scene(folder / "one class.tif", stored)


def _vectors(folder: Path) -> None:
    (folder / "text.gpkg").write_text("this is no vector file\n", encoding="utf-8")
    (folder / "labels.vrt").write_text("<OGRVRTDataSource></OGRVRTDataSource>", encoding="utf-8")
    write_labels(folder / "none.gpkg", [])
    write_labels(folder / "far.gpkg", [(n, shapely.transform(s, lambda xy: xy + 1e5)) for n, s in cells()])
    write_labels(folder / "one.gpkg", [(name, shape) for name, shape in cells() if name == "water"])
    write_labels(folder / "single.gpkg", cells()[:3])
    first = cells()[0][1]
    every = [(name, shape) for name, shape in cells() if name != "water"]
    water = [(name, shape) for name, shape in cells() if name == "water"]
    write_labels(folder / "lone.gpkg", [*every, water[0]])
    write_labels(folder / "near.gpkg", [*every, *water[:2]])
    write_labels(folder / "overlap.gpkg", [*cells(), ("water", first)])
    thin = shapely.transform(shapely.box(3, 3, 13, 5), on_ground)
    write_labels(folder / "thin.gpkg", [*cells()[1:], ("field", thin)])
    lines = [(name, shapely.LineString(shape.exterior.coords)) for name, shape in cells()]
    write_labels(folder / "lines.gpkg", lines)
    shapes = np.array([shapely.to_wkb(shape) for _, shape in cells()], object)
    kinds = np.array([float(i % 2) + 0.5 for i in range(len(shapes))])
    options: dict[str, Any] = {"geometry_type": "Polygon", "crs": "EPSG:32633", "driver": "GPKG"}
    for name, column in (("fractions.gpkg", kinds), ("blank.gpkg", np.array([None] * len(shapes), object))):
        pyogrio.raw.write(folder / name, geometry=shapes, field_data=[column], fields=["kind"], **options)
    pyogrio.raw.write(
        folder / "two fields.gpkg", geometry=shapes, field_data=[kinds, kinds], fields=["a", "b"], **options
    )
    for layer in ("a", "b"):
        pyogrio.raw.write(
            folder / "layers.gpkg",
            geometry=shapes,
            field_data=[kinds],
            fields=["kind"],
            layer=layer,
            append=layer == "b",
            **options,
        )
    thin = shapely.transform(shapely.box(3.1, 3.1, 3.2, 3.2), on_ground)
    write_labels(folder / "bare.gpkg", [*cells(), ("bog", thin)])


def _legends(folder: Path) -> None:
    (folder / "broken.yaml").write_text("a: [", encoding="utf-8")
    (folder / "list.yaml").write_text("[1, 2]", encoding="utf-8")
    classes: list[dict[str, Any]] = [
        {"value": 1, "name": "field", "color": "#00ff00"},
        {"value": 2, "name": "forest", "color": "#007700"},
    ]
    changes: dict[str, Any] = {
        "lacks": {},
        "colour": {"color": "green"},
        "no name": {"name": ""},
        "lines": {"name": "a\nb"},
        "value": {"value": -1},
        "doubled": {"value": 2},
        "number": {"value": "one"},
        "short": None,
    }
    for name, change in changes.items():
        first = {"value": 1} if change is None else {**classes[0], **change}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump([first, classes[1]]), encoding="utf-8")


def _prepare(folder: Path) -> None:
    good_files(folder)
    _rasters(folder)
    _vectors(folder)
    _legends(folder)
    (folder / "pairs.csv").write_text("image,label\nscene.tif,truth.tif\n", encoding="utf-8")


def _folders(folder: Path) -> None:
    good_files(folder)
    for name in ("finished", "unfinished"):
        train(Path(name), *SCENE, *LABELS)
    (folder / "unfinished" / ".landmix").mkdir()
    (folder / "unfinished" / ".landmix" / "unfinished").write_text("other hashes", encoding="utf-8")
    (folder / "file").write_text("in the way", encoding="utf-8")
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("all my work", encoding="utf-8")


@contextlib.contextmanager
def _claimed() -> Iterator[None]:
    """As where another process trains into the folder."""
    Path("new").mkdir()
    with FileLock("new/.landmix-lock"):
        yield


def _launched(**variables: str) -> contextlib.AbstractContextManager[object]:
    return mock.patch.dict("os.environ", variables)


FINISHED = tuple(a.replace("=new", "=finished") for a in GOOD)
UNFINISHED = tuple(a.replace("=new", "=unfinished") for a in GOOD)

GROUPS = [
    Group(
        "Labels",
        {
            "not given": (*TRAIN, *SCENE),
            "given twice": (*TRAIN, "data.scenes=@pairs.csv", "data.labels=truth.tif"),
            "not there": (*TRAIN, *SCENE, "data.labels=gone.gpkg"),
            "text": Case((*TRAIN, *SCENE, "data.labels=text.gpkg"), hides=r"(?<=as a vector file: ).*"),
            "virtual": (*TRAIN, *SCENE, "data.labels=labels.vrt"),
            "no feature": (*TRAIN, *SCENE, "data.labels=none.gpkg", "data.field=class"),
            "no feature with a class": (*TRAIN, *SCENE, "data.labels=blank.gpkg"),
            "lines": (*TRAIN, *SCENE, "data.labels=lines.gpkg", "data.field=class"),
            "fractions in a field": (*TRAIN, *SCENE, "data.labels=fractions.gpkg"),
            "field that is not there": (*TRAIN, *SCENE, "data.labels=labels.gpkg", "data.field=klass"),
            "field that is not named": (*TRAIN, *SCENE, "data.labels=two fields.gpkg"),
            "layer that is not named": (*TRAIN, *SCENE, "data.labels=layers.gpkg"),
            "layer that is not there": Case(
                (*TRAIN, *SCENE, "data.labels=layers.gpkg", "data.layer=c"), hides=r"(?<=as a vector file: ).*"
            ),
            "elsewhere": (*TRAIN, *SCENE, "data.labels=far.gpkg", "data.field=class"),
            "overlapping": (*TRAIN, *SCENE, "data.labels=overlap.gpkg", "data.field=class"),
            "one class": (*TRAIN, *SCENE, "data.labels=one.gpkg", "data.field=class"),
            "too small for a pixel": (*TRAIN, *SCENE, "data.labels=bare.gpkg", "data.field=class"),
            "scene that no label touches": (
                *TRAIN,
                "data.scenes=[scene.tif,elsewhere.tif]",
                *LABELS,
            ),
            "scene without a CRS": (*TRAIN, "data.scenes=no place.tif", *LABELS),
            "raster of several bands": (*TRAIN, *SCENE, "data.labels=scene.tif"),
            "raster of measurements": (*TRAIN, *SCENE, "data.labels=measured.tif"),
            "raster of fractions": (*TRAIN, *SCENE, "data.labels=fractions.tif"),
            "raster that is cut short": Case(
                (*TRAIN, *SCENE, "data.labels=cut labels.tif"), hides=r"(?<=damaged \().*(?=\))|(?<=a raster: ).*"
            ),
            "raster without georeference": (*TRAIN, *SCENE, "data.labels=small.tif"),
            "raster of negative classes": (*TRAIN, *SCENE, "data.labels=negative.tif", "data.ignore=0"),
            "raster of huge classes": (*TRAIN, *SCENE, "data.labels=huge.tif"),
            "two rasters for one scene": (*TRAIN, *SCENE, "data.labels=[truth.tif,other.tif]"),
            "rasters of other names": (
                *TRAIN,
                "data.scenes=[scene.tif,second.tif]",
                "data.labels=[truth.tif,other.tif]",
            ),
            "text and numbers": (*TRAIN, *SCENE, "data.labels=[labels.gpkg,truth.tif]", "data.field=class"),
            "legend that is not there": (*GOOD, "data.legend=gone.yaml"),
            "legend that is no YAML": Case((*GOOD, "data.legend=broken.yaml"), hides=r"(?<=broken\.yaml: ).*"),
            "legend that is no list of classes": (*GOOD, "data.legend=list.yaml"),
            "legend without names": (*GOOD, "data.legend=short.yaml"),
            "legend without a class": (*GOOD, "data.legend=lacks.yaml"),
            "legend with a colour of its own": (*GOOD, "data.legend=colour.yaml"),
            "legend with an empty name": (*GOOD, "data.legend=no name.yaml"),
            "legend with a name of two lines": (*GOOD, "data.legend=lines.yaml"),
            "legend with a negative value": (*GOOD, "data.legend=value.yaml"),
            "legend with a value twice": (*GOOD, "data.legend=doubled.yaml"),
            "legend with a word for a value": (*GOOD, "data.legend=number.yaml"),
        },
        _prepare,
    ),
    Group(
        "Pixels and splits",
        {
            "constant bands": (*TRAIN, "data.scenes=flat.tif", *LABELS),
            "nothing but nodata": (*TRAIN, "data.scenes=empty.tif", *LABELS),
            "band of nodata": (*TRAIN, "data.scenes=one empty.tif", *LABELS),
            "nodata in some band everywhere": (*TRAIN, "data.scenes=some empty.tif", *LABELS),
            "one class with valid pixels": (*TRAIN, "data.scenes=one class.tif", *LABELS),
            "one place a class": (*TRAIN, *SCENE, "data.labels=single.gpkg", "data.field=class"),
            "one place a class in folds": (
                *TRAIN,
                *SCENE,
                "data.labels=single.gpkg",
                "data.field=class",
                "split.folds=3",
                "split.compare_random=true",
            ),
            "more folds than polygons": (
                *TRAIN,
                *SCENE,
                "data.labels=near.gpkg",
                "data.field=class",
                "split.kind=polygons",
                "split.folds=30",
                "optim.steps=2",
            ),
            "one place of one class": (*TRAIN, *SCENE, "data.labels=lone.gpkg", "data.field=class"),
            "buffer over a class": (*TRAIN, *SCENE, "data.labels=near.gpkg", "data.field=class", "split.buffer_m=320"),
            "erosion of everything": (*GOOD, "data.erode=20"),
            "erosion of one area": (*TRAIN, *SCENE, "data.labels=thin.gpkg", "data.field=class", "data.erode=2"),
            "one block": (*GOOD, "split.side_m=100000"),
            "buffer over everything": (*GOOD, "split.buffer_m=100000"),
            "polygons of a raster": (*TRAIN, *SCENE, "data.labels=truth.tif", "split.kind=polygons"),
            "random split": (*GOOD, "split.kind=random"),
            "constant rate on one block": (
                *TRAIN,
                *SCENE,
                "data.labels=single.gpkg",
                "data.field=class",
                "split.kind=none",
                "optim=constant",
            ),
            "nothing to hold back": (
                *TRAIN,
                *SCENE,
                "data.labels=single.gpkg",
                "data.field=class",
                "split.kind=none",
                "calibration.folds=3",
            ),
            "fusion of one sensor": (*GOOD, "net=fusion"),
            "GPU that is not there": Case(
                (*GOOD[:4], "device=cuda", *GOOD[5:]), partial(mock.patch, "torch.cuda.is_available", lambda: False)
            ),
        },
        _prepare,
    ),
    Group(
        "Training folders",
        {
            "finished model": FINISHED,
            "finished model of other settings": (*FINISHED, "seed=5"),
            "unfinished run": UNFINISHED,
            "unfinished run of other settings": (*UNFINISHED, "seed=5", "resume=true"),
            "unfinished run of other labels": (*UNFINISHED, "resume=true"),
            "folder in use": Case(GOOD, _claimed),
            "folder that is a file": tuple(a.replace("=new", "=file") for a in GOOD),
            "demo beside other work": ("demo", "out_dir=mine"),
            "two processes without a launcher": (*GOOD, "trainer.devices=2"),
            "other processes than were started": Case(
                (*GOOD, "trainer.devices=3"),
                partial(
                    _launched,
                    WORLD_SIZE="2",
                    LOCAL_WORLD_SIZE="2",
                    RANK="0",
                    LOCAL_RANK="0",
                    GROUP_RANK="0",
                    MASTER_ADDR="127.0.0.1",
                    MASTER_PORT="9",
                    TORCHELASTIC_RUN_ID="1",
                ),
            ),
            "logger that is not installed": Case((*GOOD, "logger=mlflow"), partial(without, "mlflow")),
            "baselines that are not installed": Case((*GOOD, "baseline=true"), partial(without, "sklearn")),
        },
        _folders,
    ),
]
