"""landmix demo: an embedded scene, from training to map and accuracy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from landmix.demo import write_demo
from landmix.errors import LandmixError
from landmix.files import make_folder
from landmix.tasks.evaluate import evaluate
from landmix.tasks.predict import predict
from landmix.tasks.settings import DataSettings, EvaluateSettings, NetFile, PredictTask, TrainSettings
from landmix.tasks.train import train

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import DemoSettings


def demo(settings: DemoSettings, progress: Progress) -> float:
    """Make a scene with labels, train, classify, evaluate; returns the overall accuracy of the map.

    Replaces what an earlier demo left in `settings.out_dir`; raises `LandmixError` for a folder of something else.
    """
    start = time.monotonic()
    folder = Path(settings.out_dir)
    if folder.exists() and any(folder.iterdir()) and not (folder / "reference.tif").exists():
        msg = f"{folder} is not empty and holds no landmix demo: choose another out_dir"
        raise LandmixError(msg)
    make_folder(folder)
    progress.say(f"making a scene of {settings.size} x {settings.size} pixels and 12 bands, with labels")
    files = write_demo(folder, seed=settings.seed, size=settings.size)
    progress.say("training on the labelled polygons")
    train(_training(settings, str(files.scene), str(files.labels)), progress)
    progress.say("classifying the scene")
    predict(_prediction(settings, str(files.scene)), progress)
    progress.say("comparing the map with the truth at every pixel")
    figures = evaluate(
        EvaluateSettings(
            map=str(folder / "map" / "scene.tif"), reference=str(files.reference), out_dir=str(folder / "accuracy")
        ),
        progress,
    )
    progress.say(_summary(folder, figures["overall_accuracy"], time.monotonic() - start))
    return float(figures["overall_accuracy"])


def _training(settings: DemoSettings, scene: str, labels: str) -> TrainSettings:
    return TrainSettings(
        data=DataSettings(scenes=scene, labels=labels, field="class"),
        out_dir=str(Path(settings.out_dir) / "model"),
        net=settings.net,
        optim=settings.optim,
        seed=settings.seed,
        device=settings.device,
        overwrite=True,
    )


def _prediction(settings: DemoSettings, scene: str) -> PredictTask:
    return PredictTask(
        model=str(Path(settings.out_dir) / "model" / "model.ckpt"),
        scenes=scene,
        out_dir=str(Path(settings.out_dir) / "map"),
        outputs=["classes", "confidence"],
        net=NetFile(plugin=settings.net.plugin),
        device=settings.device,
        overwrite=True,
    )


def _summary(folder: Path, accuracy: float, seconds: float) -> str:
    return "\n".join(
        [
            f"done in {seconds:.0f} s; the map is right at {accuracy:.1%} of all pixels. Look at:",
            f"  {folder / 'scene.tif'}: the scene; labels.gpkg, reference.tif and fractions.tif beside it",
            f"  {folder / 'map' / 'scene.tif'}: the map, for QGIS; scene_confidence.tif beside it",
            f"  {folder / 'model' / 'report.html'}: how training went",
            f"  {folder / 'accuracy' / 'report.html'}: how good the map is",
        ]
    )
