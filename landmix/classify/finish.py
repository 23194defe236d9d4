"""Finish: the parts of a scene become its map, under its final name."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import rasterio.features
from rasterio.errors import RasterioError

from landmix.classify.part import read_part, write_part
from landmix.engines.engine import FULL, INSIDE
from landmix.errors import LandmixError, Stopped
from landmix.files import replacing
from landmix.geo.sidecars import sidecar_paths, write_share_style, write_sidecars
from landmix.geo.writing import Mosaic, new_cog, open_mosaic

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.classify.plan import Layer, Plan
    from landmix.core.window import Window

_SIEVE = 500_000_000
"""Pixels of a map that can be sieved: GDAL needs the whole of it in memory, 2 to 3 bytes a pixel and its patches."""


def check_sieve(plan: Plan) -> None:
    """Raise `LandmixError` for a map that is too large to be sieved."""
    if plan.settings.sieve and plan.scene.grid.window.size > _SIEVE:
        msg = f"predict.sieve takes maps of up to {_SIEVE // 10**6} Mpx, but {plan.target} would have"
        msg += f" {plan.scene.grid.window.size / 1e6:.0f} Mpx: leave it out, or cut the scene"
        raise LandmixError(msg)


def assemble(
    plan: Plan,
    layers: Sequence[Layer],
    bundle: Bundle,
    counted: Mapping[Path, dict[int, int]],
    stop: threading.Event,
) -> None:
    """Put the parts of layers together under their final names, with what GIS programs look for beside them.

    No older raster is replaced before all new ones are whole. `counted`: how often each value stands in those parts
    that this run has written, and read back.

    Raises `LandmixError` where a part is damaged or the disk is full, `Stopped` when it was told to stop.
    """
    counts: dict[str, dict[int, int]] = {}
    with contextlib.ExitStack() as finished:
        for layer in layers:
            if stop.is_set():
                raise Stopped
            counts[layer.name] = finished.enter_context(_raster(plan, layer, bundle, counted))
    for layer in layers:
        style(plan, layer, bundle, counts[layer.name])


@contextlib.contextmanager
def _raster(
    plan: Plan, layer: Layer, bundle: Bundle, counted: Mapping[Path, dict[int, int]]
) -> Iterator[dict[int, int]]:
    """A layer as one file, which gets its name when the block ends well; gives how often it has each value."""
    with contextlib.ExitStack() as stack:
        with _parts(plan, layer) as parts:
            expected: dict[int, int] = {}
            for shard, path in parts:
                known = counted[path] if path in counted else read_part(path, layer, shard)
                for value, count in known.items():
                    expected[value] = expected.get(value, 0) + count
            found = stack.enter_context(new_cog(_mosaic(plan, layer, parts, bundle), plan.path(layer), expected))
        yield found


def style(plan: Plan, layer: Layer, bundle: Bundle, counts: dict[int, int]) -> None:
    """Write what gives a raster's values names and colours; `counts` are pixels by value."""
    if layer.name != "classes":
        write_share_style(plan.path(layer), FULL / INSIDE if layer.name == "applicability" else 1.0)
        return
    named = {value: count for value, count in counts.items() if value != bundle.legend.nodata}
    write_sidecars(plan.target, bundle.legend, named)


def styled(plan: Plan, layer: Layer) -> bool:
    """Whether a raster has what `style` writes: a run can be killed in between."""
    kinds = ("qml", "aux", "vat", "cpg") if layer.name == "classes" else ("qml",)
    return all(sidecar_paths(plan.path(layer))[kind].exists() for kind in kinds)


@contextlib.contextmanager
def _parts(plan: Plan, layer: Layer) -> Iterator[list[tuple[Window, Path]]]:
    """The files that together are a layer."""
    parts = [(shard, plan.part(layer, shard)) for shard in plan.shards]
    if layer.name != "classes" or not plan.settings.sieve:
        yield parts
        return
    path = plan.work / f"{plan.digest[:16]}-sieved.tif"
    try:
        _sieve(plan, layer, parts, path)
        yield [(plan.scene.grid.window, path)]
    finally:
        path.unlink(missing_ok=True)


def _sieve(plan: Plan, layer: Layer, parts: list[tuple[Window, Path]], path: Path) -> None:
    """Give patches of fewer than `sieve` pixels the class of their largest neighbour; nodata stays where it is."""
    try:
        with open_mosaic(_mosaic(plan, layer, parts)) as source:
            values = source.read(1)
            sieved = rasterio.features.sieve(values, plan.settings.sieve, mask=values != layer.nodata)
        with replacing(path, durable=False) as temporary:
            write_part(temporary, np.where(values != layer.nodata, sieved, layer.nodata).astype(layer.dtype)[None])
    except (RasterioError, SystemError) as error:
        msg = f"cannot sieve {plan.target}: {error}"
        raise LandmixError(msg) from error


def _mosaic(plan: Plan, layer: Layer, parts: list[tuple[Window, Path]], bundle: Bundle | None = None) -> Mosaic:
    return Mosaic(
        parts=parts,
        grid=plan.scene.grid,
        dtype=layer.dtype,
        nodata=layer.nodata,
        bands=layer.bands,
        tags=plan.tags,
        scale=layer.scale,
        creation=dict(plan.settings.creation),
        legend=bundle.legend if bundle and layer.name == "classes" else None,
    )
