"""Accuracy on real scenes, beside a random forest on the same training pixels: python scripts/bench_real.py FOLDER.

FOLDER holds landsat7_stack, enmap_potsdam, landsat5_bands and sentinel2_stack (docs/benchmarks.md names their public
sources). Prints a table and writes benchmarks.json into the folder given by --out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.confusion import Confusion, count_pairs
from landmix.nn.spec import HeadSpec, NetShape
from landmix.progress import Silent
from landmix.tasks.parts import open_parts
from landmix.tasks.run import Run
from landmix.tasks.settings import DataSettings, TrainSettings, ValidationSettings
from landmix.training.folder import RunFolder
from landmix.training.processes import Processes
from landmix.training.settings import SplitSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.tasks.results import Results

SEEDS = (1, 2, 3)


def tasks(folder: Path) -> dict[str, TrainSettings]:
    """The training runs, less seed and output folder."""
    l7, enmap, l5, s2 = (
        folder / name for name in ("landsat7_stack", "enmap_potsdam", "landsat5_bands", "sentinel2_stack")
    )
    polygons = SplitSettings(kind="polygons", folds=5)
    bands = [str(l5 / f"LT52240631988227CUB02_B{i}.TIF") for i in range(1, 8)]
    data = {
        "landsat7_stack": DataSettings(
            scenes=str(l7 / "LE70220491999322EDC01_stack.gtif"), labels=str(l7 / "training_data.shp"), field="class"
        ),
        "enmap_potsdam": DataSettings(
            scenes=f"@{enmap / 'train.csv'}", validation=ValidationSettings(scenes=f"@{enmap / 'validation.csv'}")
        ),
        "landsat5_bands": DataSettings(scenes=[bands], labels=str(l5 / "training_polygons.gpkg"), field="class"),
        "sentinel2_stack": DataSettings(
            scenes=str(s2 / "sentinel2.tif"), labels=str(s2 / "training_polygons.gpkg"), field="class"
        ),
    }
    runs = {
        name: TrainSettings(data=part, out_dir="", split=SplitSettings() if name == "enmap_potsdam" else polygons)
        for name, part in data.items()
    }
    single = NetShape(head=HeadSpec(blocks=0))
    return runs | {"enmap_potsdam net=spectral": dataclasses.replace(runs["enmap_potsdam"], net=single)}


def network(settings: TrainSettings) -> tuple[Run, Results, float]:
    """Train as `landmix train` does; returns the run, its results and seconds a fit."""
    with tempfile.TemporaryDirectory() as out:
        settings = dataclasses.replace(settings, out_dir=out)
        training, validation = open_parts(settings, Silent())
        run = Run(settings, RunFolder(Path(out)), "cpu", Processes(), Silent())
        run.prepare(training, validation)
        start = time.monotonic()
        results = run.fit_all()
    fits = len(results.folds) + (len(results.folds) > 1)
    return run, results, (time.monotonic() - start) / fits


def forest(run: Run, seed: int) -> list[Confusion]:
    """A random forest of 500 trees on the same folds and the same training pixels, single pixels."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - only this script needs it

    samples, split = run.data.samples, run.data.split
    values = np.concatenate(list(samples.physical(np.arange(len(samples.labelled)))))
    index = samples.labelled.index
    confusions = []
    for fold in range(split.folds):
        train, test = split.training(fold), split.validation(fold)
        model = RandomForestClassifier(500, random_state=seed, n_jobs=2).fit(values[train], index[train])
        predicted: NDArray[np.int64] = model.predict(values[test])
        counts = count_pairs(index[test], predicted, len(run.data.legend))
        confusions.append(Confusion(classes=run.data.legend.classes, counts=counts))
    return confusions


def figures(folds: list[Confusion]) -> dict[str, float]:
    """Means over folds, and of the pooled confusion matrix."""
    pooled = Confusion(classes=folds[0].classes, counts=np.sum([fold.counts for fold in folds], axis=0))
    return {
        "overall_accuracy": float(np.mean([fold.overall_accuracy for fold in folds])),
        "macro_f1": float(np.mean([fold.macro_f1 for fold in folds])),
        "pooled_accuracy": pooled.overall_accuracy,
        "pooled_macro_f1": pooled.macro_f1,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, settings in tasks(arguments.folder).items():
        if arguments.only and name not in arguments.only:
            continue
        for seed in SEEDS:
            run, results, seconds = network(dataclasses.replace(settings, seed=seed))
            rows.append({"scene": name, "seed": seed, "model": "landmix", "seconds": seconds, **figures(results.folds)})
            rows.append({"scene": name, "seed": seed, "model": "random forest", **figures(forest(run, seed))})
            (arguments.out / "benchmarks.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        for model in ("landmix", "random forest"):
            mine = [row for row in rows if row["scene"] == name and row["model"] == model]
            shown = (
                f"{key} {np.mean([r[key] for r in mine]):.4f} ± {np.std([r[key] for r in mine], ddof=1):.4f}"
                for key in ("overall_accuracy", "macro_f1", "pooled_accuracy", "pooled_macro_f1")
            )
            took = [f"{r['seconds']:.0f}" for r in mine if "seconds" in r]
            print(name, model, *shown, f"seconds a fit {' '.join(took)}" if took else "", sep=", ", flush=True)


if __name__ == "__main__":
    main()
