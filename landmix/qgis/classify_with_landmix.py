# landmix: Processing script for QGIS; `landmix qgis` writes it anew, so changes here are lost
"""The algorithm "Classify with landmix" in QGIS's Processing toolbox.

It runs in QGIS's own Python (3.9 or newer), and landmix in the Python environment where it is installed: two programs
that speak through arguments, lines of JSON and an exit code.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from qgis import core

COMMAND: list[str] = []
"""What runs landmix; `landmix qgis` fills it in."""

FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PROJ_", "GDAL_", "QGIS_")
"""Beginnings of environment variables that are about QGIS's own Python and libraries, not landmix's."""

SIDE_FILES = (".aux.xml", ".vat.dbf", ".vat.cpg", ".ovr", ".msk")
"""What lies beside a raster under its whole name; the style, .qml, has its stem."""
HIDDEN = ".landmix-qgis-"


class Style(core.QgsProcessingLayerPostProcessorInterface):  # type: ignore[misc]
    """Gives a layer the style beside its file, which Processing leaves out."""

    def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:  # noqa: ARG002
        layer.loadDefaultStyle()


STYLES: list[Style] = []
"""One a layer: QGIS deletes them, but does not keep what is written in Python alive until then."""


class ClassifyWithLandmix(core.QgsProcessingAlgorithm):  # type: ignore[misc]
    """Classifies a raster layer with a model that landmix has trained."""

    def createInstance(self) -> ClassifyWithLandmix:
        return ClassifyWithLandmix()

    def name(self) -> str:
        return "classify_with_landmix"

    def displayName(self) -> str:
        return "Classify with landmix"

    def group(self) -> str:
        return "landmix"

    groupId = group  # noqa: N815

    def shortHelpString(self) -> str:
        return (
            "Makes a land-cover map of a raster layer with a model that <i>landmix train</i> has written. The model's"
            " bands are found in the layer by name and wavelength. Confidence is the probability of the best class,"
            " from 0 to 1. Existing outputs are replaced."
        )

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: ARG002
        self.addParameter(core.QgsProcessingParameterRasterLayer("INPUT", "Raster layer"))
        models = "landmix models (*.ckpt *.safetensors);;All files (*)"
        self.addParameter(core.QgsProcessingParameterFile("MODEL", "Model", fileFilter=models))
        for name, title, options in (
            ("DEVICE", "Device", ["auto", "cpu", "cuda"]),
            ("BACKEND", "Backend", ["auto", "openvino", "torch"]),
        ):
            choice = core.QgsProcessingParameterEnum(name, title, options, defaultValue="auto", usesStaticStrings=True)
            choice.setFlags(choice.flags() | core.QgsProcessingParameterDefinition.FlagAdvanced)
            self.addParameter(choice)
        self.addParameter(core.QgsProcessingParameterRasterDestination("OUTPUT", "Classes"))
        self.addParameter(
            core.QgsProcessingParameterRasterDestination(
                "CONFIDENCE", "Confidence", optional=True, createByDefault=False
            )
        )

    def prepareAlgorithm(self, parameters: dict[str, Any], context: Any, feedback: Any) -> bool:  # noqa: ARG002
        """In QGIS's main thread, where layers live."""
        if not COMMAND:
            msg = "this file is only a template: install the algorithm with the command landmix qgis"
            raise core.QgsProcessingException(msg)
        self.source = _source(self.parameterAsRasterLayer(parameters, "INPUT", context))
        return True

    def processAlgorithm(self, parameters: dict[str, Any], context: Any, feedback: Any) -> dict[str, str]:
        """In a thread of its own: landmix writes into a hidden folder, from where finished files are moved."""
        targets: dict[str, Path] = {}
        for name in ("OUTPUT", "CONFIDENCE"):
            path = self.parameterAsOutputLayer(parameters, name, context)
            if path:
                targets[name] = _target(Path(path).absolute(), [Path(self.source), *targets.values()])
                if context.willLoadLayerOnCompletion(path):
                    STYLES.append(Style())
                    context.layerToLoadOnCompletionDetails(path).setPostProcessor(STYLES[-1])
        try:
            for target in targets.values():
                target.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=targets["OUTPUT"].parent))
        except OSError as error:
            msg = f"cannot write {targets['OUTPUT']}: {error.strerror}"
            raise core.QgsProcessingException(msg) from None
        try:
            wanted = "[classes,confidence]" if "CONFIDENCE" in targets else "[classes]"
            fixed = [f"out_dir={work}", f"outputs={wanted}", "progress=json"]
            _run([*COMMAND, "predict", *self._chosen(parameters, context), *fixed], feedback)
            if feedback.isCanceled():
                return {}
            made = Path(json.loads((work / "predict.json").read_text(encoding="utf-8"))[0]["map"])
            for name, target in targets.items():
                _move(made if name == "OUTPUT" else made.with_name(f"{made.stem}_confidence.tif"), target, work.name)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return {name: str(target) for name, target in targets.items()}

    def _chosen(self, parameters: dict[str, Any], context: Any) -> list[str]:
        """What the user has chosen, as arguments of landmix."""
        return [
            f"model={Path(self.parameterAsFile(parameters, 'MODEL', context)).absolute()}",
            f"scenes={self.source}",
            f"device={self.parameterAsEnumString(parameters, 'DEVICE', context)}",
            f"backend={self.parameterAsEnumString(parameters, 'BACKEND', context)}",
        ]


def _source(layer: Any) -> str:
    """The file of a layer. Raises `QgsProcessingException` where it has none that another program can read."""
    kind, source = layer.providerType(), layer.source()
    if kind == "gdal" and Path(source).exists():
        return str(Path(source).absolute())
    if kind == "gdal" and source.startswith(("/vsi", "http", "s3://", "gs://")) and "|" not in source:
        return str(source)
    what = f"{source}, a part of a file" if kind == "gdal" else f"of the kind {kind}"
    msg = f"landmix reads whole raster files, but the layer {layer.name()} is {what}: export it to a GeoTIFF first"
    raise core.QgsProcessingException(msg)


def _target(path: Path, taken: list[Path]) -> Path:
    """Where an output goes. Raises `QgsProcessingException` where it cannot go there."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        msg = f"landmix writes GeoTIFFs: give {path} a name that ends with .tif"
        raise core.QgsProcessingException(msg)
    for other in taken:
        same = path.exists() and other.exists() and path.samefile(other)
        if same or path.with_suffix("") == other.with_suffix(""):
            msg = f"{path} would share its name, and so its style, with {other}: choose another name for the output"
            raise core.QgsProcessingException(msg)
    return path


def _run(command: list[str], feedback: Any) -> None:
    """Run landmix to its end, passing on what it tells. Raises `QgsProcessingException` with its own sentence."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}
    environment["PYTHONIOENCODING"] = "utf-8"  # Windows would write JSON in the system's code page
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        msg = f"cannot start {command[0]} ({error.strerror}): run landmix qgis again where landmix is installed now"
        raise core.QgsProcessingException(msg) from None
    errors = _listen(process, feedback)
    code = process.wait()
    if code and not feedback.isCanceled():
        told = [line.removeprefix("error: ") for line in errors if line.startswith("error: ")] or errors
        raise core.QgsProcessingException(told[-1] if told else f"landmix ended with exit code {code}")


def _listen(process: subprocess.Popen[str], feedback: Any) -> list[str]:
    """Hear landmix until it has ended, or end it when the user cancels; returns the lines of its standard error."""
    lines: queue.Queue[tuple[Any, str]] = queue.Queue()
    open_streams = [process.stdout, process.stderr]
    for stream in open_streams:
        threading.Thread(target=_pass_on, args=(stream, lines), daemon=True).start()
    errors: list[str] = []
    while open_streams:
        if feedback.isCanceled():
            process.terminate()  # SIGTERM, upon which landmix cleans up
            break
        try:
            stream, line = lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if not line:
            open_streams.remove(stream)
        elif stream is process.stdout:
            _tell(line.strip(), feedback)
        else:
            errors.append(line.strip())
    return errors


def _pass_on(stream: IO[str], lines: queue.Queue[tuple[Any, str]]) -> None:
    """Every line of a stream, and an empty text at its end."""
    with stream:
        for line in stream:
            lines.put((stream, line))
    lines.put((stream, ""))


def _tell(line: str, feedback: Any) -> None:
    """One line of `progress=json`."""
    try:
        event = json.loads(line)
        if event["event"] == "step":
            feedback.setProgress(100 * event["done"] / (event["total"] or 1))
        elif event["event"] == "warning":
            feedback.pushWarning(event["text"])
        elif HIDDEN not in event["text"]:  # where the map lies for a moment helps nobody
            feedback.pushInfo(event["text"])
    except (ValueError, KeyError, TypeError):
        feedback.pushConsoleInfo(line)


def _move(made: Path, target: Path, hidden: str) -> None:
    """Put a raster with its side files in its place; what belongs to an older one there goes first."""
    names = {made: target, made.with_suffix(".qml"): target.with_suffix(".qml")}
    names.update({made.with_name(made.name + end): target.with_name(target.name + end) for end in SIDE_FILES})
    waiting = {}
    try:
        for number, (source, path) in enumerate(names.items()):
            if source.exists():
                # the target may lie on another disk, which may be full
                waiting[path] = path.with_name(f"{hidden}-{number}")
                shutil.move(str(source), str(waiting[path]))
        for path in filter(Path.exists, names.values()):
            path.unlink()  # the raster first: Windows keeps one that is open elsewhere, and then nothing is lost
        for path in reversed(list(waiting)):
            waiting[path].replace(path)
    except OSError as error:
        msg = f"cannot write {target} ({error.strerror}): remove its layer from the project, or choose another name"
        raise core.QgsProcessingException(msg) from None
    finally:
        for path in filter(Path.exists, waiting.values()):
            path.unlink()
