"""The command line itself, before any task: verbs, flags, overrides, kinds of values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

from provoking import Case, Group

if TYPE_CHECKING:
    import contextlib

TRAIN = ("train", "data.scenes=s.tif", "data.labels=l.gpkg", "out_dir=new")
PREDICT = ("predict", "model=m.ckpt", "scenes=s.tif", "out_dir=new")
EVALUATE = ("evaluate", "map=m.tif", "reference=r.gpkg", "out_dir=new")
SAMPLE = ("sample", "map=m.tif", "out_dir=new")
EXPORT = ("export", "model=m.ckpt", "out=o.x")


def failing(error: BaseException) -> contextlib.AbstractContextManager[object]:
    """A task that ends in an error which nobody foresaw."""
    return mock.patch("landmix.tasks.inspect.inspect", side_effect=error)


COMMAND = Group(
    "The command line",
    {
        "verb that does not exist": ("tran",),
        "verb unlike any other": ("xyzzy",),
        "name that is not UTF-8": ("inspect", "path=\udcff.tif"),
        "flag that does not exist": (*TRAIN, "--overwrit"),
        "flag without its value": (*TRAIN, "--config-dir"),
        "folder of settings that does not exist": (*TRAIN, "--config-dir", "gone"),
        "word that is no setting": (*TRAIN, "overwrite"),
        "setting that does not exist": (*TRAIN, "data.feild=x"),
        "setting unlike any other": (*TRAIN, "xyzzy=3"),
        "setting added to a group": (*TRAIN, "+data.nothing=3"),
        "setting added at the top": (*TRAIN, "+nothing=3"),
        "setting taken away": (*TRAIN, "~data.nothing"),
        "needed setting taken away": (*TRAIN, "~out_dir"),
        "several choices without a sweep": (*TRAIN, "net=spectral,small"),
        "choice that does not exist": (*TRAIN, "net=smal"),
        "group that does not exist": (*TRAIN, "nets=small"),
        "bracket that is not closed": ("train", "data.scenes=[a.tif", "out_dir=new"),
        "interpolation of nothing": (*TRAIN, "seed=${nothing}"),
        "interpolation by a resolver": (*TRAIN, "data.layer=x", "seed=${oc.env:LANDMIX_NOTHING}"),
        "text where a mapping stands": (*TRAIN, "optim.clip={a: 1}"),
        "nothing given": ("train",),
        "one setting not given": ("inspect",),
        "two settings not given": ("predict", "scenes=s.tif"),
        "choice that does not exist in a sweep": (*TRAIN, "-m", "net=smal,large"),
        "all jobs of a sweep refused": (*TRAIN, "-m", "seed=-1,-2"),
        "error that nobody foresaw": Case(("inspect", "path=s.tif"), partial(failing, RuntimeError("odd"))),
        "memory that is full": Case(("inspect", "path=s.tif"), partial(failing, MemoryError())),
        "file that the system refuses": Case(
            ("inspect", "path=s.tif"), partial(failing, PermissionError(13, "Permission denied", "s.tif"))
        ),
        "system error without a file": Case(("inspect", "path=s.tif"), partial(failing, OSError("odd"))),
        "interrupted inspection": Case(("inspect", "path=s.tif"), partial(failing, KeyboardInterrupt())),
    },
    whole=True,
)

VALUES = Group(
    "Kinds of values",
    {
        "word that is none of the choices": (*TRAIN, "split.kind=block"),
        "device that does not exist": (*TRAIN, "device=gpu"),
        "output that does not exist": (*PREDICT, "outputs=[classes,confidenc]"),
        "text for a whole number": (*TRAIN, "seed=abc"),
        "quoted number": (*TRAIN, "seed='1'"),
        "fraction for a whole number": (*TRAIN, "optim.batch=1.5"),
        "text for a number": (*TRAIN, "optim.lr=fast"),
        "text for a truth value": (*TRAIN, "refit=perhaps"),
        "list for a text": (*TRAIN, "data.field=[a,b]"),
        "text for a list": (*TRAIN, "data.bands=red"),
        "nothing for a number": (*TRAIN, "optim.steps=null"),
        "number for a path": (*EVALUATE, "legend=[1]"),
        "text for widths": (*TRAIN, "net.encoder.widths=[a]"),
        "word for a scale": (*TRAIN, "scene.scale=big"),
        "word in a prediction's scale": (*PREDICT, "scene.scale=big"),
        "address to verify": ("verify", "path=https://example.com/map.tif"),
        "two faults at once": (*TRAIN, "seed=abc", "split.folds=0"),
    },
)

SETTINGS = Group(
    "Settings",
    {
        " ".join([head[0], *changes]): (*head, *changes)
        for head, *changes in (
            (TRAIN, "seed=-1"),
            (TRAIN, "resume=true", "overwrite=true"),
            (TRAIN, "data.memory_gb=-1"),
            (TRAIN, "data.cell=0"),
            (TRAIN, "data.bands=[]"),
            (TRAIN, "data.erode=-1"),
            (TRAIN, "calibration.folds=1"),
            (TRAIN, "optim.focal_gamma=11"),
            (TRAIN, "optim.loss=focal", "optim.label_smoothing=0.1"),
            (TRAIN, "split.compare_random=true", "split.kind=random"),
            (TRAIN, "task=fractions", "data.features=[ndvi]"),
            (TRAIN, "task=fractions", "data.cell=2"),
            (TRAIN, "task=fractions", "optim.loss=focal"),
            (TRAIN, "net.name=mine"),
            (TRAIN, "net.plugin=mine.py", "net.head.blocks=1"),
            (TRAIN, "data.augment.noise=11"),
            (TRAIN, "data.augment.gain=-1"),
            (TRAIN, "trainer.devices=0"),
            (TRAIN, "trainer.devices=2"),
            (TRAIN, "optim.steps=0"),
            (TRAIN, "optim.epochs=0"),
            (TRAIN, "optim.lr=2"),
            (TRAIN, "optim.weight_decay=1"),
            (TRAIN, "optim.clip=-1"),
            (TRAIN, "optim.label_smoothing=1"),
            (TRAIN, "optim.whiten=2"),
            (TRAIN, "optim.whiten=0.01", "net.plugin=mine.py"),
            (TRAIN, "limits.bands=0"),
            (TRAIN, "split.fraction=1"),
            (TRAIN, "split.folds=0"),
            (TRAIN, "split.side_m=-1"),
            (TRAIN, "split.side_m=nan"),
            (TRAIN, "split.buffer_m=-1"),
            (TRAIN, "net.encoder.widths=[]"),
            (TRAIN, "net.encoder.widths=[0]"),
            (TRAIN, "net.encoder.residual=300"),
            (TRAIN, "net.encoder.attention=7"),
            (TRAIN, "net.encoder.band_dropout=1"),
            (TRAIN, "net.head.blocks=-1"),
            (TRAIN, "net.head.dropout=1"),
            (TRAIN, "net.head.dilation=[1]"),
            (TRAIN, "net.head.dilation=[1,99]"),
            (TRAIN, "net.head.kind=inception", "net.head.width=4"),
            (TRAIN, "scene.scale=0"),
            (TRAIN, "scene.offset=nan"),
            (TRAIN, "scene.resolution=-1"),
            (TRAIN, "scene.resampling=cubc"),
            (TRAIN, "scene.match=colour"),
            (TRAIN, "scene.quality=[]"),
            (TRAIN, "scene.quality=cleer"),
            (TRAIN, "scene.quality_dilate=-1"),
            (PREDICT, "scene.scale=0"),
            (PREDICT, "scene.quality_dilate=2000"),
            (PREDICT, "tiling.core=8"),
            (PREDICT, "executor.workers=0"),
            (PREDICT, "executor.address=tcp://10.0.0.5:8786"),
            (PREDICT, "executor=dask", "executor.address=10.0.0.5"),
            (PREDICT, "predict.sieve=-1"),
            (PREDICT, "outputs=[confidence]"),
            (PREDICT, "shard=9/8"),
            (PREDICT, "shard=third"),
            (PREDICT, "shard=3/8", "finish=true"),
            (PREDICT, "executor=dask", "finish=true"),
            (EVALUATE, "strata=s.tif"),
            (SAMPLE,),
            (SAMPLE, "n=1", "se=0.01"),
            (SAMPLE, "n=0"),
            (SAMPLE, "se=0.6"),
            (SAMPLE, "n=5", "expected=1"),
            (EXPORT, "format=onnx", "tile=8"),
            (EXPORT, "format=onnx", "resolution=0"),
            (EXPORT, "format=card", "tile=128"),
            (EXPORT, "format=onxx"),
            (("view", "map=m.tif"), "port=70000"),
            (("demo", "out_dir=new"), "size=100"),
        )
    },
)

GROUPS = [COMMAND, VALUES, SETTINGS]
