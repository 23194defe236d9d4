"""Layers of a classified array become DataArrays that other programs understand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine as Transform

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from landmix.classify.plan import Layer
    from landmix.core.legend import Legend

_SAME = 1e-3
"""Places that are closer than this part of a pixel are one."""


def flags(legend: Legend) -> dict[str, Any]:
    """CF's attributes of class values: values in the data's own type, words without blanks, and colours."""
    return {
        "flag_values": np.array(legend.values, legend.dtype),
        "flag_meanings": " ".join(words(legend)),
        "flag_colors": " ".join(c.color for c in legend),
    }


def words(legend: Legend) -> list[str]:
    """Each class name as one word, and no two the same."""
    taken: list[str] = []
    for c in legend:
        word = re.sub(r"[^\w.+@-]+", "_", c.name).strip("_") or f"class_{c.value}"
        while word in taken:
            word = f"{word}_{c.value}"
        taken.append(word)
    return taken


def as_layer(like: xr.DataArray, data: Any, layer: Layer, legend: Legend, tags: dict[str, str]) -> xr.DataArray:
    """A layer (H, W), or (bands, H, W), on the pixels of `like`, which has no band axis."""
    import xarray  # noqa: PLC0415 - an optional dependency

    attrs: dict[str, Any] = {"long_name": layer.name, **tags}
    coords = dict(like.coords)
    dims = like.dims
    if layer.name == "classes":
        attrs = {"long_name": "class", **flags(legend), **tags}
    if layer.scale != 1.0:
        attrs |= {"scale_factor": layer.scale, "add_offset": 0.0}
    if data.ndim > like.ndim:
        dims = ("class", *dims)
        coords["class"] = ("class", np.array(layer.bands, dtype=str))
    found = xarray.DataArray(data, coords=coords, dims=dims, name=layer.name, attrs=attrs)
    return _placed(found.rio.write_nodata(layer.dtype.type(layer.nodata)), like)


def _placed(found: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """With the CRS and transform of `like`, to the last bit where they are still true of its coordinates."""
    name, crs = like.rio.grid_mapping, like.rio.crs
    if name in found.coords:
        found.encoding["grid_mapping"] = name
    elif crs is not None:
        found = found.rio.write_crs(crs)
    transform = _transform(like) if name in found.coords else None
    return found if transform is None else found.rio.write_transform(transform)


def _transform(like: xr.DataArray) -> Transform | None:
    """The transform to be written; None where the one that is there is true: after a selection it is not."""
    if {like.rio.x_dim, like.rio.y_dim} - set(like.coords) or not like.size:
        return None
    kept = like.rio.transform()
    if kept.b or kept.d or kept.is_identity:
        return None
    x, y = (np.asarray(like.coords[dim].values, float) for dim in (like.rio.x_dim, like.rio.y_dim))
    if _true(kept, x, y):
        return None
    col, row = ~kept @ (float(x[0]), float(y[0]))
    shifted: Transform = kept @ Transform.translation(round(col - 0.5), round(row - 0.5))
    if _true(shifted, x, y):
        return shifted
    recalculated: Transform | None = like.rio.transform(recalc=True) if min(x.size, y.size) > 1 else None
    return recalculated


def _true(transform: Transform, x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether the first and the last pixel's centres are where the coordinates say."""
    first, last = transform @ (0.5, 0.5), transform @ (x.size - 0.5, y.size - 0.5)
    far = max(abs(first[0] - x[0]), abs(last[0] - x[-1])) / abs(transform.a)
    return bool(max(far, max(abs(first[1] - y[0]), abs(last[1] - y[-1])) / abs(transform.e)) <= _SAME)
