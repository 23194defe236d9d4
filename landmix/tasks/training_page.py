"""The page of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from landmix.report.page import Spectra, TrainReport, train_page
from landmix.report.places import Places
from landmix.tasks.results import file_name, versions
from landmix.training.statistics import class_statistics

if TYPE_CHECKING:
    from landmix.tasks.results import Results


def page(results: Results, config: dict[str, Any]) -> str:
    """`report.html` of a run that was configured with `config`."""
    samples, legend = results.data.samples, results.data.learnt
    statistics = class_statistics(samples, results.trained, len(legend))
    seen = results.fitted.channels
    return train_page(
        TrainReport(
            title=f"Training on {_title(results)}",
            legend=legend,
            bands=samples.bands.take(seen.tolist()),
            metrics=results.metrics,
            confusion=results.confusion if results.folds else None,
            warnings=results.notes,
            history=results.fitted.history,
            spectra=Spectra(mean=statistics.mean[:, seen], std=statistics.std[:, seen]),
            places=_places(results),
            folds=results.metrics["folds"],
            settings=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
            facts=_facts(results),
        )
    )


def _title(results: Results) -> str:
    """The scenes, or how many there are."""
    names = [scene.name for scene in results.data.training.scenes]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _places(results: Results) -> list[Places]:
    """Where the pixels of the first fold lie."""
    labelled, split = results.data.samples.labelled, results.data.split
    part = np.full(len(labelled), 2, np.int8)
    part[split.training(0) if split.folds else results.trained] = 0
    part[split.validation(0)] = 1
    scenes = [*results.data.training.scenes]
    scenes += results.data.own_validation.scenes if results.data.own_validation else ()
    places = []
    for number, scene in enumerate(scenes):
        here = labelled.scene == number
        shape = (scene.grid.height, scene.grid.width)
        places.append(
            Places(name=scene.name, shape=shape, rows=labelled.rows[here], cols=labelled.cols[here], part=part[here])
        )
    return places


def _facts(results: Results) -> list[tuple[str, str]]:
    training, cost = results.data.training, results.cost
    side = 2 * cost["margin"] + 1
    facts = [
        ("Scenes", ", ".join(scene.name for scene in training.scenes)),
        ("Labels", ", ".join(dict.fromkeys(map(file_name, training.labelled.files)))),
        ("Training pixels", "; ".join(f"{name}: {n:,}" for name, n in results.metrics["trained_on"].items())),
        ("Bands", str(len(results.fitted.channels))),
    ]
    if results.left_out:
        facts.append(("Bands left out (nodata or constant)", ", ".join(results.left_out)))
    return [
        *facts,
        ("Network", f"{cost['parameters']:,} parameters, sees {side} x {side} pixels"),
        ("Speed, measured quickly", f"{cost['megapixels_per_s'] or '-'} Mpx/s a worker here ({cost['engine']})"),
        ("Epochs", str(len(results.fitted.history))),
        ("Seed", str(results.settings.seed)),
        ("Device", results.device),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
    ]
