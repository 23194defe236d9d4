"""The public object behind `landmix.load`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landmix import bundle as bundles
from landmix.classify.loaded import Loaded, cores
from landmix.classify.plan import PredictSettings
from landmix.classify.prepare import plan_scene
from landmix.classify.run import Work, classify
from landmix.classify.settle import Wish, settled
from landmix.core.scaling import Affine
from landmix.engines.choose import choose
from landmix.geo.paths import scene_entries
from landmix.predictor import Predictor, channels
from landmix.progress import Silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.bundle import Bundle
    from landmix.core.bands import BandSet
    from landmix.core.legend import Legend


class Model:
    """A trained model: classifies arrays and scenes.

    Example: `landmix.load("model.ckpt").classify_scene("scene.tif", "map.tif")`.
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto", backend: str = "auto", precision: str = "auto") -> None:
        """`device` (auto, cpu, cuda), `backend` (auto, torch, openvino) and `precision` (auto, fp32, bf16) compute."""
        self.bundle = bundle
        self._wish = Wish(device=device, backend=backend, precision=precision)
        self._loaded = Loaded(bundle, cores())

    @property
    def bands(self) -> BandSet:
        """The bands that it needs, in the order of the channel axis of what it classifies."""
        return self.bundle.bands.inputs

    @property
    def legend(self) -> Legend:
        """Its classes."""
        return self.bundle.legend

    @property
    def margin(self) -> int:
        """Context in pixels that it needs on each side."""
        return self.bundle.margin

    def classify(
        self,
        pixels: NDArray[np.generic],
        *,
        scale: float | NDArray[np.floating] | None = None,
        offset: float | NDArray[np.floating] | None = None,
    ) -> NDArray[np.integer]:
        """Classify an array of stored values (C, H, W) with C in the order of `bands` -> class values (H, W).

        They are taken to be stored as in the training scene; otherwise `value * scale + offset`, a number or one a
        band, must be the physical value that the model was trained on (1 and 0 for physical values). Spectral indices
        are computed. Pixels that are nodata in any band become `legend.nodata`. Outside the array counts as nodata.
        Raises `ValueError` for another number of bands or axes.
        """
        count = len(self.bands)
        if pixels.ndim != 3 or pixels.shape[0] != count:  # noqa: PLR2004
            msg = f"pixels must have the shape (bands, rows, columns) with {count} bands, not {pixels.shape}"
            raise ValueError(msg)
        trained = self.bundle.scaling
        scaling = Affine(
            scale=trained.scale if scale is None else tuple(np.broadcast_to(scale, count).astype(float).tolist()),
            offset=trained.offset if offset is None else tuple(np.broadcast_to(offset, count).astype(float).tolist()),
        )
        pixels, scaling, nodata = channels(self.bundle, pixels, scaling)
        engines = self._loaded.engines(choose(self._wish.device, self._wish.backend, self._wish.precision))
        predictor = Predictor(self.bundle, engines, scaling=scaling, nodata=nodata)
        pad = ((predictor.margin, predictor.margin),) * 2
        inside = np.pad(np.ones(pixels.shape[1:], np.bool_), pad)
        prediction = predictor(np.pad(pixels, ((0, 0), *pad)), inside)
        return self.legend.decode(prediction.index, prediction.valid)

    def classify_scene(self, scene: str | Path, target: str | Path, *, overwrite: bool = False) -> Path:
        """Classify a raster file into a finished map; returns its path.

        Raises `LandmixError` where the scene does not fit the model, or another map lies at `target`.
        """
        target = Path(target)
        (entry,) = scene_entries({"name": target.stem, "path": str(scene)}, "scene")
        progress = Silent()
        engine = choose(self._wish.device, self._wish.backend, self._wish.precision)
        plan = plan_scene(self.bundle, entry, target, PredictSettings(), engine, progress=progress)
        plan = settled(plan, self._wish, overwrite=overwrite)
        classify(plan, self._loaded, Work(overwrite=overwrite, workers=cores()), progress)
        return target


def load(path: str | Path, *, device: str = "auto", backend: str = "auto", precision: str = "auto") -> Model:
    """Read a model file. It is plain data: nothing in it is run.

    `device` is auto, cpu or cuda, `backend` auto, torch or openvino, `precision` auto, fp32 or bf16.

    Raises `LandmixError` for a file that is no landmix model or is damaged.
    """
    return Model(bundles.load(path), device=device, backend=backend, precision=precision)
