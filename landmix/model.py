"""The public object behind `landmix.load`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from landmix import bundle as bundles
from landmix.classify.loaded import Loaded, cores
from landmix.classify.plan import PredictSettings, outputs_for
from landmix.classify.prepare import plan_scene, reading
from landmix.classify.run import Work, classify
from landmix.classify.settle import Wish, settled
from landmix.core.scaling import Affine
from landmix.engines.choose import choose
from landmix.errors import ShapeError
from landmix.files import make_folder
from landmix.geo.creation import creation_options
from landmix.geo.paths import scene_entries
from landmix.predictor import Predictor, channels
from landmix.progress import Silent, Warner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from landmix.bundle import Bundle
    from landmix.core.bands import BandSet
    from landmix.core.legend import Legend
    from landmix.core.matching import How
    from landmix.progress import Progress


class Model:
    """A trained model: classifies arrays and scenes.

    Example: `landmix.load("model.ckpt").classify_scene("scene.tif", "map.tif")`.
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto", backend: str = "auto", precision: str = "auto") -> None:
        """`device` (auto, cpu, cuda), `backend` (auto, torch, openvino) and `precision` (auto, fp32, bf16) compute."""
        self.bundle = bundle
        choose(device, backend, precision)  # what cannot be had is said at once
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
        Raises `ShapeError`, a `ValueError`, for another number of bands or axes.
        """
        count = len(self.bands)
        if pixels.ndim != 3 or pixels.shape[0] != count:  # noqa: PLR2004
            msg = f"pixels must have the shape (bands, rows, columns) with {count} bands, not {pixels.shape}"
            raise ShapeError(msg)
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

    @overload
    def classify_xarray(
        self,
        array: xr.DataArray,
        *,
        dim: str | None = ...,
        bands: Sequence[str | int] | None = ...,
        scale: float | None = ...,
        offset: float | None = ...,
        match: How | None = ...,
        outputs: None = ...,
        tta: Literal["none", "flips"] = ...,
        allow_missing: Sequence[str] = ...,
    ) -> xr.DataArray: ...

    @overload
    def classify_xarray(
        self,
        array: xr.DataArray,
        *,
        dim: str | None = ...,
        bands: Sequence[str | int] | None = ...,
        scale: float | None = ...,
        offset: float | None = ...,
        match: How | None = ...,
        outputs: Sequence[str],
        tta: Literal["none", "flips"] = ...,
        allow_missing: Sequence[str] = ...,
    ) -> xr.Dataset: ...

    def classify_xarray(
        self,
        array: xr.DataArray,
        *,
        dim: str | None = None,
        bands: Sequence[str | int] | None = None,
        scale: float | None = None,
        offset: float | None = None,
        match: How | None = None,
        outputs: Sequence[str] | None = None,
        tta: Literal["none", "flips"] = "none",
        allow_missing: Sequence[str] = (),
    ) -> xr.DataArray | xr.Dataset:
        """Classify a DataArray with axes for bands, rows and columns -> class values (y, x) with names, CRS and nodata.

        A chunked array is classified lazily, chunk by chunk with the margin around it. The result is what
        `landmix predict` makes of the same pixels, with `flag_values` and `flag_meanings` in its attributes.

        `dim` is the axis of bands (`band`, or the only one beside rows and columns). Bands are found as in a scene, by
        the names and wavelengths that lie along it; `bands` names them instead, by number from 1 or by name, in the
        order of the model's. What numbers mean follows from `scale_factor` and `add_offset` as rioxarray keeps them;
        `scale` and `offset` say it instead: `value * scale + offset` is the physical value. Pixels are nodata where
        they are NaN or `rio.nodata`; so is all outside. `outputs`, some of classes, confidence, gap, probabilities and
        applicability, or classes and fractions of a model that tells them, gives them together as a Dataset, stored as
        the command stores them. `tta`: `flips` averages over turned surroundings. `allow_missing`: bands or roles that
        may lack; they count as the mean of the training pixels.

        Raises `LandmixError` where the array does not fit the model or a package is missing, `UsageError` for arguments
        that cannot be.
        """
        from landmix.classify.xarrays import classify_array, together  # noqa: PLC0415 - optional dependencies

        said = {"scale": scale, "offset": offset, "match": match}
        made = classify_array(
            self._loaded,
            choose(self._wish.device, self._wish.backend, self._wish.precision),
            array,
            dim=dim,
            bands=bands,
            settings=PredictSettings(
                outputs=outputs_for(self.bundle, _outputs(outputs)), tta=tta, allow_missing=tuple(allow_missing)
            ),
            said={key: value for key, value in said.items() if value is not None},
            progress=Warner(),
        )
        return made[0] if outputs is None else together(made)

    def classify_scene(
        self,
        scene: str | Path,
        target: str | Path,
        *,
        confidence: str | Path | None = None,
        bands: Sequence[str | int] | None = None,
        tta: Literal["none", "flips"] = "none",
        allow_missing: Sequence[str] = (),
        read: Mapping[str, Any] | None = None,
        creation: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Classify one scene into a finished map with its side files; returns its path.

        `scene` is whatever `landmix predict` takes for one: a file, an address, a product folder, a STAC item.
        `confidence`: a file for the share of the best class, from 0 to 1 stored as 0 to 200. `bands`: the scene's bands
        by number from 1 or by name, in the order of the model's, for files whose names say nothing. `tta`: `flips`
        averages over turned surroundings. `allow_missing`: bands or roles that the scene may lack; they count as the
        mean of the training pixels. `read`: settings of `scene.*`, such as `{"scale": "none"}`. `creation`: GDAL's
        creation options, such as `{"COMPRESS": "ZSTD"}`. `progress` hears how far it is, and warnings.

        Raises `LandmixError` where the scene does not fit the model or something else lies at `target`, `UsageError`
        for arguments that cannot be.
        """
        target, heard = Path(target), progress or Silent()
        places = {} if confidence is None else {"confidence": Path(confidence)}
        (entry,) = scene_entries({"name": target.stem, "path": str(scene)}, "scene")
        settings = PredictSettings(
            outputs=outputs_for(self.bundle, ("classes", *places)),
            tta=tta,
            allow_missing=tuple(allow_missing),
            creation=creation_options(creation or {}),
        )
        options, inherited = reading(self.bundle, read or {})
        engine = choose(self._wish.device, self._wish.backend, self._wish.precision)
        plan = plan_scene(
            self.bundle,
            entry,
            target,
            settings,
            engine,
            options=options,
            inherited=inherited,
            bands=bands,
            places=places,
            progress=heard,
        )
        plan = settled(plan, self._wish, overwrite=overwrite)
        for path in (target, *places.values()):
            make_folder(path.parent)
        classify(plan, self._loaded, Work(overwrite=overwrite, workers=cores()), heard)
        return target


def _outputs(said: Sequence[str] | None) -> tuple[str, ...]:
    return ("classes",) if said is None else (said,) if isinstance(said, str) else tuple(said)


def load(
    path: str | Path,
    *,
    plugin: str | Path | None = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
) -> Model:
    """Read a model file. It is plain data: nothing in it is run.

    `plugin`: a Python file of your own that holds the network, where it is none of landmix's; that one is run. `device`
    is auto, cpu or cuda, `backend` auto, torch or openvino, `precision` auto, fp32 or bf16.

    Raises `LandmixError` for a file that is no landmix model or is damaged, or lacks `plugin`.
    """
    bundle = bundles.load(path, plugin, warn=Warner().warn)
    return Model(bundle, device=device, backend=backend, precision=precision)
