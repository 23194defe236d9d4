"""DataArrays of xarray are classified: lazily where they are chunked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.classify.array_bands import in_file_order
from landmix.classify.array_blocks import Classifier, keep
from landmix.classify.array_cut import at_once, lazily
from landmix.classify.array_layers import as_layer
from landmix.classify.array_scene import scene_of
from landmix.classify.fitted import fitted
from landmix.classify.plan import OUTPUTS, PredictSettings, check_outputs, layers
from landmix.classify.prepare import reading
from landmix.errors import LandmixError, UsageError
from landmix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from landmix.classify.loaded import Loaded
    from landmix.engines.engine import EngineSpec
    from landmix.geo.scene import Scene
    from landmix.progress import Progress


def classify_array(
    model: Loaded,
    engine: EngineSpec,
    array: xr.DataArray,
    *,
    dim: str | None,
    bands: Sequence[str | int] | None,
    settings: PredictSettings,
    said: Mapping[str, Any],
    progress: Progress,
) -> list[xr.DataArray]:
    """The layers of `settings` for an array, in the order of its outputs; lazy where the array is chunked.

    See `landmix.model.Model.classify_xarray`. Raises `LandmixError` where the array does not fit the model, and where a
    package is missing.
    """
    _check(array, settings)
    check_outputs(model.bundle, settings)
    axis = _band_axis(array, dim)
    array = array.transpose(axis, array.rio.y_dim, array.rio.x_dim)
    try:
        scene = _fitted(model, array, axis, said, bands, settings.allow_missing, progress)
    except UsageError as error:
        raise UsageError(_in_arguments(error)) from error
    except LandmixError as error:
        raise LandmixError(_in_arguments(error)) from error
    digest = model.bundle.digest
    work = Classifier(
        scene=scene,
        engine=engine,
        settings=settings,
        layers=layers(model.bundle.legend, settings),
        margin=model.bundle.margin,
        digest=digest,
        legend=model.bundle.legend,
    )
    model = keep(digest, model)
    stored = array.isel({axis: [band.number - 1 for band in scene.stored]}).data
    found = lazily(work, model, stored) if hasattr(stored, "dask") else at_once(work, model, np.asarray(stored))
    tags = {"LANDMIX_MODEL": digest, "LANDMIX_VERSION": __version__, "LANDMIX_ENGINE": engine.words}
    like = array.isel({axis: 0}, drop=True)
    made = {}
    for layer in work.layers:
        data = found[layer.name]
        data = data.transpose(2, 0, 1) if data.ndim == 3 else data  # noqa: PLR2004 - bands last
        made[layer.name] = as_layer(like, data, layer, model.bundle.legend, tags)
    return [made[name] for name in settings.outputs]


def together(made: Sequence[xr.DataArray]) -> xr.Dataset:
    """Layers as one Dataset, by name."""
    import xarray  # noqa: PLC0415 - an optional dependency

    return xarray.Dataset({layer.name: layer for layer in made})


def _check(array: xr.DataArray, settings: PredictSettings) -> None:
    """Packages and arguments."""
    try:
        import rioxarray  # noqa: F401, PLC0415 - an optional dependency, which adds `.rio`
        import xarray  # noqa: PLC0415
    except ImportError as error:
        msg = f"classify_xarray needs the package {error.name}: pip install 'landmix[xarray]'"
        raise LandmixError(msg) from error
    given: Any = array
    if not isinstance(given, xarray.DataArray):
        hint = "; a Dataset becomes one with .to_dataarray('band')" if isinstance(given, xarray.Dataset) else ""
        msg = f"classify_xarray takes a DataArray, not {type(array).__name__}{hint}"
        raise UsageError(msg)
    unknown = [name for name in settings.outputs if name not in OUTPUTS]
    if unknown or not settings.outputs or len(set(settings.outputs)) < len(settings.outputs):
        msg = f"outputs must be some of {', '.join(OUTPUTS)}, each once, not {', '.join(map(str, settings.outputs))}"
        raise UsageError(msg)


def _band_axis(array: xr.DataArray, dim: str | None) -> str:
    """The name of the band axis; the other two are rows and columns."""
    from rioxarray.exceptions import MissingSpatialDimensionError  # noqa: PLC0415 - an optional dependency

    try:
        others = [str(axis) for axis in array.dims if axis not in {array.rio.y_dim, array.rio.x_dim}]
    except MissingSpatialDimensionError as error:
        msg = f"the array needs axes for rows and columns, called y and x, but has {', '.join(map(str, array.dims))}:"
        msg += " name them with .rio.set_spatial_dims"
        raise LandmixError(msg) from error
    found = dim if dim is not None else "band" if "band" in others else others[0] if len(others) == 1 else None
    if found is None or others != [found]:
        what = ", ".join(map(str, array.dims))
        msg = f"the array needs one axis of bands beside rows and columns, but has {what}: choose one place along the"
        msg += " others with .isel, or name the axis of bands with dim="
        raise LandmixError(msg)
    return found


def _fitted(
    model: Loaded,
    array: xr.DataArray,
    axis: str,
    said: Mapping[str, Any],
    bands: Sequence[str | int] | None,
    allow_missing: Sequence[str],
    progress: Progress,
) -> Scene:
    """The array as a scene with the model's bands in the model's order."""
    bundle = model.bundle
    options, inherited = reading(bundle, said)
    scene = scene_of(array, axis, options, inherited=inherited)
    if scene.unknown:
        raise LandmixError(scene.unknown)
    nameless = not any(band.named or band.wavelength is not None for band in scene.bands)
    if bands is None and nameless and not in_file_order(array, axis):
        msg = f"{scene.where} has unnamed bands in another order than a file's: say which are the model's with bands="
        raise LandmixError(msg)
    return fitted(bundle, scene, bands=bands, allow_missing=allow_missing, progress=progress)


def _in_arguments(error: LandmixError) -> str:
    """A message that speaks of settings, in the words of Python's arguments."""
    text = str(error).replace("scene.scale=none", "scale=1 and offset=0")
    return re.sub(r"\bscene\.(scale|offset|match)\b", r"\1", text)
