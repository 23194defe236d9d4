"""What each verb needs: its settings, and the task that does it (imported only when it is called)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command."""

    name: str
    does: str
    settings: str
    """Class in `landmix.tasks.settings`."""

    def settings_class(self) -> type[Any]:
        """What its configuration becomes."""
        return getattr(import_module("landmix.tasks.settings"), self.settings)  # type: ignore[no-any-return]

    def task(self) -> Callable[[Any, Any], Any]:
        """The function that does it: settings and progress in."""
        return getattr(import_module(f"landmix.tasks.{self.name}"), self.name)  # type: ignore[no-any-return]


VERBS = {
    verb.name: verb
    for verb in (
        Verb("demo", "an embedded scene, from training to map and accuracy", "DemoSettings"),
        Verb("train", "scenes and labels in, a model out", "TrainSettings"),
        Verb("predict", "a model and scenes in, a classification map a scene out", "PredictTask"),
        Verb("evaluate", "accuracy of a finished map against labels", "EvaluateSettings"),
        Verb("inspect", "what a model or a scene is", "InspectSettings"),
        Verb("verify", "whether a map or a model is whole, and what made it", "VerifySettings"),
        Verb("sample", "pixels of a map for somebody to look up", "SampleSettings"),
        Verb("export", "a model for other programs: ONNX, safetensors, a STAC item, a model card", "ExportSettings"),
        Verb("view", "a map in the browser", "ViewSettings"),
        Verb("qgis", "install the Processing script for QGIS", "QgisSettings"),
    )
}


def usage() -> str:
    """What `landmix --help` prints."""
    width = max(map(len, VERBS))
    lines = [
        "landmix VERB [override ...]",
        "",
        "Land-cover maps from satellite scenes and a few labelled polygons.",
        "",
    ]
    lines += [f"  {verb.name:{width}}  {verb.does}" for verb in VERBS.values()]
    return "\n".join([*lines, "", "landmix VERB --help shows what a verb takes, landmix --version the version."])
