"""Made-up numbers of the shape that the reports take."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from landmix.accuracy.confusion import Confusion
from landmix.core.bands import Band, BandSet
from landmix.core.legend import Legend, LegendClass, palette
from landmix.report.figures import Places
from landmix.report.page import EvaluateReport, Spectra, TrainReport

NASTY_NAME = '<script>alert(1)</script>&"$x$'
NASTY = NASTY_NAME + "\x0b\ud800"


@dataclass(frozen=True, slots=True)
class Fake:
    """Reports of any number of classes and bands."""

    seed: int = 0

    def legend(self, count: int, *names: str) -> Legend:
        every = [*names, *(f"class {i}" for i in range(len(names), count))]
        colors = palette(count)
        return Legend(tuple(LegendClass(value=i + 1, name=every[i], color=colors[i]) for i in range(count)))

    def bands(self, count: int, *, wavelengths: bool = True) -> BandSet:
        # Two detectors that overlap, as imaging spectrometers have them: the wavelengths do not ascend.
        centres = np.r_[np.linspace(420, 1000, count - count // 2), np.linspace(900, 2450, count // 2)]
        return BandSet(
            tuple(
                Band(name=f"B{i + 1}", wavelength=float(nm) if wavelengths else None, number=i + 1)
                for i, nm in enumerate(centres)
            )
        )

    def confusion(self, legend: Legend) -> Confusion:
        rng = np.random.default_rng(self.seed)
        counts = rng.integers(0, 40, (len(legend),) * 2) + 500 * np.eye(len(legend), dtype=int)
        return Confusion(classes=legend.classes, counts=counts.astype(np.int64), unmapped=7)

    def places(self, shape: tuple[int, int] = (300, 400), count: int = 500) -> Places:
        rng = np.random.default_rng(self.seed)
        rows, cols = (rng.integers(0, side, count) for side in shape)
        part = rng.integers(0, 3, count).astype(np.int8)
        return Places(name="scene.tif", shape=shape, rows=rows, cols=cols, part=part)

    def history(self, epochs: int) -> list[dict[str, float]]:
        return [
            {"epoch": i + 1, "loss": 1 / (i + 1), "lr": 1e-3, "val_macro_f1": 1 - 1 / (i + 2)} for i in range(epochs)
        ]

    def spectra(self, classes: int, bands: int) -> Spectra:
        rng = np.random.default_rng(self.seed)
        return Spectra(mean=rng.random((classes, bands)), std=rng.random((classes, bands)) / 9, unit="reflectance")

    def train(self, classes: int = 4, bands: int = 6, **changes: Any) -> TrainReport:
        legend, confusion = self.legend(classes), self.confusion(self.legend(classes))
        split = {"kind": "blocks", "side_m": 640.0, "buffer_px": 8, "fraction": 0.25, "seed": 0, "folds": None}
        report = TrainReport(
            title="A run",
            legend=legend,
            bands=self.bands(bands),
            metrics=confusion.to_json() | {"split": split, "distance_m": {"min": 90.0, "median": 1412.3}},
            confusion=confusion,
            warnings=["the sky is cloudy"],
            history=self.history(5),
            spectra=self.spectra(classes, bands),
            places=[self.places()],
            folds=[{"overall_accuracy": 0.9 + i / 100, "macro_f1": 0.8, "kappa": 0.7, "n": 1000} for i in range(3)],
            settings="net:\n  name: spectral\n",
            facts=[("Scenes", "scene.tif")],
        )
        return replace(report, **changes)

    def evaluate(self, classes: int = 4, **changes: Any) -> EvaluateReport:
        report = EvaluateReport(
            title="Accuracy",
            map_name="map.tif",
            reference_name="reference.gpkg",
            confusion=self.confusion(self.legend(classes)),
            mapped=np.arange(classes) * 1000,
            pixel_m2=100.0,
        )
        return replace(report, **changes)

    def design(self, classes: int = 4, *, hectares: bool = True) -> dict[str, Any]:
        """What stands under `design` in accuracy.json."""

        def interval(value: float, half: float | None, unit: float = 1.0) -> dict[str, float | None]:
            if half is None:
                return {"value": unit * value, "se": None, "half": None, "low": None, "high": None}
            ends = {"low": unit * max(value - half, 0), "high": unit * min(value + half, 1)}
            return {"value": unit * value, "se": unit * half / 1.96, "half": unit * half, **ends}

        rows = []
        for number, c in enumerate(self.legend(classes)):
            half = 0.02 if number else None  # nothing says how sure the first one is
            row = {"value": c.value, "name": c.name, "mapped_pixels": 1000 * number, "area_share": interval(0.1, half)}
            row |= {"users_accuracy": interval(0.9, 0.03), "producers_accuracy": interval(0.8, None)}
            rows.append(row | ({"area_ha": interval(0.1, half, 5000.0)} if hectares else {}))
        return {"kind": "stratified", "n": 300, "overall_accuracy": interval(0.9, 0.02), "classes": rows}
