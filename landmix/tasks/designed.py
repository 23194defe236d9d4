"""Accuracy and area as they follow from how the reference was drawn (`evaluate design=`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.accuracy.area import Estimate, Sample
from landmix.errors import LandmixError
from landmix.geo.limits import DEFAULT, Limits
from landmix.geo.strata import Strata
from landmix.tasks.tables import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.core.legend import LegendClass
    from landmix.geo.maps import MapReader
    from landmix.samples import Labelled


def estimates(
    kind: str,
    reader: MapReader,
    strata: str | None,
    labelled: Labelled,
    mapped: NDArray[np.integer],
    classes: tuple[LegendClass, ...],
    pixel_m2: float | None,
    limits: Limits = DEFAULT,
) -> dict[str, Any]:
    """What stands under `design` in `accuracy.json`, of the reference pixels `labelled` and their map class (N,).

    `kind` is stratified, random or cluster; `strata` a raster on the map's grid, or None for the map's own classes.
    Raises `LandmixError` for strata on another grid or without a sampled pixel, and for clusters of rasters.
    """
    if kind == "stratified":
        stratum, sizes, described = _strata(reader, strata, labelled, limits)
    else:
        stratum, sizes, described = np.zeros(len(labelled), np.intp), np.array([float(sum(reader.counts.values()))]), []
    if kind == "cluster" and (labelled.units < 0).any():
        msg = "design=cluster takes polygons or points, each a cluster, but the reference is a raster"
        raise LandmixError(msg)
    sample = Sample(
        stratum=stratum,
        sizes=sizes,
        mapped=mapped.astype(np.intp),
        reference=labelled.index.astype(np.intp),
        cluster=labelled.units.astype(np.intp) if kind == "cluster" else None,
    )
    hectares = None if pixel_m2 is None else sizes.sum() * pixel_m2 / 1e4
    return {
        "kind": kind,
        "n": len(labelled),
        "clusters": len(np.unique(labelled.units)) if kind == "cluster" else None,
        "areas_of_several_pixels": 0 if kind == "cluster" else _areas(labelled),
        "strata": described,
        "overall_accuracy": _interval(sample.overall()),
        "classes": [_row(sample, k, c, reader.counts.get(c.value, 0), hectares) for k, c in enumerate(classes)],
    }


def _areas(labelled: Labelled) -> int:
    """Features of more than one pixel."""
    return int((np.unique(labelled.units[labelled.units >= 0], return_counts=True)[1] > 1).sum())


def doubts(design: dict[str, Any], mapped: int) -> list[str]:
    """What should be known of estimates, of a map with `mapped` pixels that have a class."""
    found = []
    if areas := design["areas_of_several_pixels"]:
        found.append(
            f"design={design['kind']} counts every pixel as drawn by itself, but {areas} areas of the reference have"
            " several pixels, which are alike: the intervals are too narrow; take design=cluster, or points"
        )
    single = [row["name"] for row in design["strata"] if row["drawn"] == 1 < row["pixels"]]
    if single:
        found.append(
            f"the sample has one pixel of {', '.join(single)}, which says nothing of how alike that stratum is:"
            " there are no intervals"
        )
    if sure := [row for row in design["classes"] if _too_sure(row)]:
        points = [(row["name"], row["sampled_pixels"]) for row in sure]
        named = ", ".join(f"{name} (n = {n}: up to {100 * _unseen(n):.0f} % may be otherwise)" for name, n in points)
        found.append(f"user's accuracy is ± 0 where all points of a class agree, but few show few errors: {named}")
    pixels = sum(row["pixels"] for row in design["strata"])
    if design["strata"] and pixels < mapped:
        found.append(
            f"the strata cover {pixels:,} of the map's {mapped:,} pixels with a class: the areas are those of that part"
        )
    return found


def _too_sure(row: dict[str, Any]) -> bool:
    """Whether a class's points leave no room for an error, though too few to exclude one in a hundred."""
    points = row["sampled_pixels"]
    return row["users_accuracy"]["se"] == 0 and points < row["mapped_pixels"] and _unseen(points) > 0.01  # noqa: PLR2004


def _unseen(points: int) -> float:
    """The largest share that so many points miss altogether in 1 of 20 samples (Clopper and Pearson 1934)."""
    return 1 - float(0.05 ** (1 / points))


def _strata(
    reader: MapReader, path: str | None, labelled: Labelled, limits: Limits
) -> tuple[NDArray[np.intp], NDArray[np.float64], list[dict[str, Any]]]:
    """The stratum of each pixel (N,), the strata's sizes (H,), and both as data."""
    with Strata(reader, path, limits) as strata:
        values = np.array(sorted(strata.counts))
        here = strata.values_at(labelled.rows, labelled.cols)
        drawn = {value: int((here == value).sum()) for value in values.tolist()}
        rows = [
            {"value": v, "name": strata.names.get(v, str(v)), "pixels": strata.counts[v], "drawn": drawn[v]}
            for v in values.tolist()
        ]
        outside = len(here) - sum(drawn.values())
        if outside:
            msg = f"{outside} reference pixels lie in no stratum of {strata.path}: they cannot be part of its sample"
            raise LandmixError(msg)
        empty = [row["name"] for row in rows if not row["drawn"]]
        if empty:
            msg = (
                f"the sample has no pixel of {', '.join(empty)}, so nothing is known of that stratum of {strata.path}:"
            )
            msg += " draw some, or take the design that the sample has"
            raise LandmixError(msg)
        return np.searchsorted(values, here), np.array([float(row["pixels"]) for row in rows]), rows


def _row(sample: Sample, k: int, c: LegendClass, pixels: int, hectares: float | None) -> dict[str, Any]:
    area = sample.area(k)
    row = {
        "value": c.value,
        "name": c.name,
        "mapped_pixels": pixels,
        "sampled_pixels": int((sample.mapped == k).sum()),
        "area_share": _interval(area),
        "users_accuracy": _interval(sample.users(k)),
        "producers_accuracy": _interval(sample.producers(k)),
    }
    if hectares is not None:
        row |= {"area_ha": _interval(area, hectares), "area_km2": _interval(area, hectares / 100)}
    return row


def _interval(found: Estimate, unit: float = 1.0) -> dict[str, float | None]:
    """Value, standard error and 95 % interval, cut to what is possible; null where it is not known."""
    low, high = max(found.value - found.half, 0.0), min(found.value + found.half, 1.0)
    figures = {"value": found.value, "se": found.se, "half": found.half, "low": low, "high": high}
    if math.isnan(found.se):
        figures |= {"low": math.nan, "high": math.nan}
    return {key: None if math.isnan(figure) else figure * unit for key, figure in figures.items()}


def design_table(design: dict[str, Any]) -> str:
    """A row a class for the console."""
    width = max(len("class"), *(len(row["name"]) for row in design["classes"]))
    unit = "area ha" if "area_ha" in design["classes"][0] else "share of area"
    key = "area_ha" if "area_ha" in design["classes"][0] else "area_share"
    lines = [f"{'class':{width}}  {unit:>24}  {'user':>15}  {'producer':>15}"]
    lines += [
        f"{row['name']:{width}}  {_plus_minus(row[key], 1 if key == 'area_ha' else 4):>24}"
        f"  {_plus_minus(row['users_accuracy'], 3):>15}  {_plus_minus(row['producers_accuracy'], 3):>15}"
        for row in design["classes"]
    ]
    overall = design["overall_accuracy"]
    lines.append(
        f"overall accuracy {share(overall['value'])} ± {share(overall['half'])} (95 %, {design['kind']} sample)"
    )
    return "\n".join(lines)


def _plus_minus(interval: dict[str, float | None], digits: int) -> str:
    value, half = interval["value"], interval["half"]
    if value is None:
        return "-"
    return f"{value:,.{digits}f} ± {'?' if half is None else f'{half:,.{digits}f}'}"
