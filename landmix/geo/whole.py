"""Small rasters and vectors, written in one go and read back before they get their names.

Neither rasterio nor pyogrio reports that a file could not be closed: on a full disk what is cut short looks finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import pyogrio.raw
import rasterio
from pyogrio.errors import DataLayerError, DataSourceError, FieldError
from rasterio.errors import RasterioError

from landmix.errors import LandmixError
from landmix.files import reason, replacing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_VECTOR_ERRORS = (DataSourceError, DataLayerError, FieldError)


def write_raster(
    target: Path,
    values: NDArray[np.generic],
    describe: Callable[[rasterio.io.DatasetWriter], None],
    **profile: Any,
) -> None:
    """Write (C, H, W) as a GeoTIFF with GDAL's `profile`; `describe` adds names, scales, colours.

    Raises `LandmixError` where the disk is full; what lay at `target` is then untouched.
    """
    try:
        with replacing(target) as temporary:
            with rasterio.open(temporary, "w", **profile) as file:
                file.write(values)
                describe(file)
            with rasterio.open(temporary, driver="GTiff", sharing=False) as file:
                for band, written in enumerate(values, start=1):
                    _check(np.array_equal(file.read(band), written, equal_nan=written.dtype.kind == "f"))
    except (RasterioError, SystemError) as error:
        msg = f"cannot write {target}: {reason(target.parent, error)}"
        raise LandmixError(msg) from error


def write_vector(
    target: Path, *, geometry: NDArray[np.object_] | None, columns: dict[str, Any], **options: Any
) -> None:
    """Write geometry, WKB (N,) or none for a mere table, and `columns` (N,) by name, with options of pyogrio.

    Raises `LandmixError` where the disk is full; what lay at `target` is then untouched.
    """
    try:
        with replacing(target) as temporary:
            pyogrio.raw.write(
                temporary, geometry=geometry, field_data=list(columns.values()), fields=list(columns), **options
            )
            temporary.with_suffix(".cpg").unlink(missing_ok=True)  # of a dBASE table: who wants one writes it
            _, _, shapes, found = pyogrio.raw.read(temporary, read_geometry=geometry is not None)
            _check(all(len(column) == len(next(iter(columns.values()))) for column in found))
            _check(geometry is None or np.array_equal(shapes, geometry))
            # GDAL says nothing of an index that did not fit
            about = pyogrio.read_info(temporary)["capabilities"]
            _check(options["driver"] != "GPKG" or about["fast_spatial_filter"])
    except (*_VECTOR_ERRORS, RasterioError) as error:
        msg = f"cannot write {target}: {reason(target.parent, error)}"
        raise LandmixError(msg) from error


def _check(same: bool) -> None:  # noqa: FBT001
    if not same:
        msg = "what was written reads back different"
        raise RasterioError(msg)
