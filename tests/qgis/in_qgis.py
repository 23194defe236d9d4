"""What the tests ask of QGIS; runs in QGIS's own Python, the last line on standard output is the answer as JSON.

in_qgis.py ORDERS.json, a list of orders, each `do` and the arguments of the function of that name.
"""
# ruff: noqa: PLC0415 - QGIS is imported inside functions: the tests' own Python collects this file and has no QGIS

from __future__ import annotations

import glob
import json
import sys
import threading
import time
from typing import Any


def describe(paths: list[str]) -> list[dict[str, Any]]:
    """How QGIS shows each raster when it is opened."""
    from qgis.core import QgsRasterLayer

    return [_described(QgsRasterLayer(path, path, "gdal")) for path in paths]


def _described(layer: Any) -> dict[str, Any]:
    """Renderer, classes as [value, name, colour, alpha], and what the layer tree shows."""
    renderer = layer.renderer()
    found: dict[str, Any] = {"valid": layer.isValid(), "type": renderer.type() if renderer else None}
    found["name"] = layer.name()
    if found["type"] == "paletted":
        found["classes"] = [[c.value, c.label, c.color.name(), c.color.alpha()] for c in renderer.classes()]
    if found["type"] == "singlebandpseudocolor":
        items = renderer.shader().rasterShaderFunction().colorRampItemList()
        found["ramp"] = [[item.value, item.color.name()] for item in items]
        found["range"] = [renderer.classificationMin(), renderer.classificationMax()]
    provider = layer.dataProvider()
    found["nodata"] = provider.sourceNoDataValue(1) if provider.sourceHasNoDataValue(1) else None
    found["extent"] = [provider.extent().xMinimum(), provider.extent().yMaximum()]
    return found


def render(path: str, png: str, width: int, height: int) -> list[list[str]]:
    """Draw a raster as QGIS does, with its legend beside it; returns the colours of the map's pixels, row by row."""
    from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer
    from qgis.PyQt.QtCore import QSize
    from qgis.PyQt.QtGui import QColor, QImage, QPainter

    layer = QgsRasterLayer(path, "map", "gdal")
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setBackgroundColor(QColor("white"))
    settings.setOutputSize(QSize(width, height))
    settings.setExtent(layer.extent())
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    drawn = job.renderedImage()
    legend = _legend(layer)
    whole = QImage(width + legend.width(), max(height, legend.height()), QImage.Format_RGB32)
    whole.fill(QColor("white"))
    painter = QPainter(whole)
    painter.drawImage(0, 0, drawn)
    painter.drawImage(width, 0, legend)
    painter.end()
    whole.save(png)
    return [[drawn.pixelColor(col, row).name() for col in range(width)] for row in range(height)]


def _legend(layer: Any) -> Any:
    """What stands in the layer tree."""
    from qgis.core import QgsLayerTree, QgsLayerTreeModel, QgsLegendRenderer, QgsLegendSettings, QgsRenderContext
    from qgis.PyQt.QtGui import QColor, QImage, QPainter

    tree = QgsLayerTree()
    tree.addLayer(layer)
    model = QgsLayerTreeModel(tree)  # a name of its own: the renderer does not keep it alive
    renderer = QgsLegendRenderer(model, QgsLegendSettings())
    dots = 4  # a millimetre
    size = renderer.minimumSize()
    image = QImage(int(size.width() * dots * 1.2), int(size.height() * dots * 1.2), QImage.Format_RGB32)
    image.setDotsPerMeterX(dots * 1000)
    image.setDotsPerMeterY(dots * 1000)
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.scale(dots, dots)
    context = QgsRenderContext.fromQPainter(painter)
    renderer.drawLegend(context)
    painter.end()
    return image


def algorithm() -> dict[str, Any]:
    """The installed algorithm, as the toolbox shows it."""
    from qgis.core import QgsApplication

    found = QgsApplication.processingRegistry().algorithmById("script:classify_with_landmix")
    parameters = [[p.name(), p.type(), bool(p.flags() & p.FlagAdvanced)] for p in found.parameterDefinitions()]
    return {"name": found.displayName(), "group": found.group(), "parameters": parameters}


def classify(parameters: dict[str, Any], cancel_when: str | None = None, provider: str = "gdal") -> dict[str, Any]:
    """Run the installed algorithm as the toolbox does, and load what it made.

    Cancelled from another thread as soon as something matches the pattern `cancel_when`.
    """
    import processing
    from qgis.core import QgsProcessingException, QgsProcessingFeedback, QgsProject, QgsRasterLayer

    class Feedback(QgsProcessingFeedback):  # type: ignore[misc]
        """Hears everything."""

        def __init__(self) -> None:
            super().__init__(False)  # noqa: FBT003
            self.said: list[list[str]] = []

        def pushInfo(self, info: str) -> None:  # noqa: N802
            self.said.append(["info", info])

        def pushWarning(self, warning: str) -> None:  # noqa: N802
            self.said.append(["warning", warning])

        def reportError(self, error: str, fatalError: bool = False) -> None:  # noqa: FBT001, FBT002, N802, N803
            self.said.append(["fatal" if fatalError else "error", error])

    QgsProject.instance().removeAllMapLayers()
    feedback = Feedback()
    steps: list[float] = []
    feedback.progressChanged.connect(steps.append)
    if cancel_when is not None:
        threading.Thread(target=_cancel, args=(feedback, cancel_when), daemon=True).start()
    given = QgsRasterLayer(parameters["INPUT"], "input", provider)
    QgsProject.instance().addMapLayer(given)
    result: dict[str, Any] = {"raised": None, "results": None}
    try:
        result["results"] = processing.runAndLoadResults(
            "script:classify_with_landmix", {**parameters, "INPUT": given.id()}, feedback=feedback
        )
    except QgsProcessingException as error:
        result["raised"] = str(error)
    loaded = [layer for layer in QgsProject.instance().mapLayers().values() if layer.id() != given.id()]
    result["layers"] = sorted(map(_described, loaded), key=lambda layer: str(layer["name"]))
    return {**result, "said": feedback.said, "steps": steps, "canceled": feedback.isCanceled()}


def _cancel(feedback: Any, pattern: str) -> None:
    while not glob.glob(pattern, include_hidden=True):  # noqa: PTH207 - hidden folders too
        time.sleep(0.01)
    feedback.cancel()


def main() -> None:
    """Start QGIS without a window and do what is asked."""
    from qgis.core import QgsApplication

    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123
        orders = json.load(file)
    names = {order["do"] for order in orders}
    application = QgsApplication([], "render" in names)  # fonts need a screen, if only an offscreen one
    application.initQgis()
    if names & {"algorithm", "classify"}:
        sys.path.append("/usr/share/qgis/python/plugins")
        from processing.core.Processing import Processing

        Processing.initialize()
    answers = [globals()[order.pop("do")](**order) for order in orders]
    print("\n" + json.dumps(answers), flush=True)  # noqa: T201
    application.exitQgis()


if __name__ == "__main__":
    main()
