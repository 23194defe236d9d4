"""landmix sample: pixels of a map for somebody to look up, drawn so that areas can be estimated from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from landmix.accuracy.area import allocate, expected_se, sample_size
from landmix.errors import LandmixError, UsageError
from landmix.files import file_hash, is_remote, make_folder, write_json
from landmix.geo.drawing import Drawn, draw
from landmix.geo.maps import MapReader
from landmix.geo.strata import Strata
from landmix.geo.whole import write_vector
from landmix.tasks.origins import LAYER, RECORD, answered

if TYPE_CHECKING:
    from landmix.progress import Progress
    from landmix.tasks.settings import SampleSettings

_USUAL = 0.8
"""User's accuracy that is expected of classes that nobody has said anything of."""


def sample(settings: SampleSettings, progress: Progress) -> dict[str, Any]:
    """Draw a sample into `sample.gpkg`; returns the content of `sample.json`, which says how it was drawn.

    Raises `LandmixError` for a map without georeference, strata that are not on its grid or nowhere where the map
    has a class, or a sample that is there.
    """
    folder = Path(settings.out_dir)
    points, about = folder / f"{LAYER}.gpkg", folder / f"{LAYER}.json"
    if points.exists() and not settings.overwrite:
        msg = f"{points} exists: choose another out_dir, or replace it with overwrite=true"
        raise LandmixError(msg)
    if answered(points):
        msg = f"{points} holds answers in its field `reference`, which overwrite=true would lose: move it away first"
        raise LandmixError(msg)
    with MapReader(settings.map, settings.limits) as reader, Strata(reader, settings.strata, settings.limits) as strata:
        if not reader.grid.georeferenced:
            msg = f"{settings.map} has no place on the ground, so nobody can look its pixels up: give it a CRS and a"
            msg += " transform first"
            raise LandmixError(msg)
        if not strata.counts:
            msg = f"the map {settings.map} holds nothing but nodata"
            if settings.strata is not None and reader.counts:
                msg = f"the strata {settings.strata} hold nothing but nodata where the map {settings.map} has classes"
            raise LandmixError(msg)
        allocation = _allocation(settings, strata)
        wanted = allocation.wanted
        drawn = draw(strata, wanted, settings.seed)
        mapped = reader.values_at(drawn.rows, drawn.cols)
        described = _describe(settings, strata, allocation)
        make_folder(folder, settings.limits.stale_after)
        _write(points, reader, strata, drawn, None if settings.hide else mapped, described)
        write_json(about, described)
    for text in _doubts(settings, described):
        progress.warn(text)
    progress.say(_table(described))
    given = "" if settings.strata is None else f" strata={settings.strata}"
    progress.say(
        f"{points}: write what is true at each point, the name of a class, into the field `reference`, then\n"
        f"landmix evaluate map={settings.map} reference={points} field=reference design=stratified{given} out_dir=..."
    )
    return described


@dataclass(frozen=True, slots=True, kw_only=True)
class _Allocation:
    wanted: dict[int, int]
    """Pixels to draw by value of the stratum."""
    se: float
    """Standard error that overall accuracy will have, if the strata are as accurate as is expected."""


def _allocation(settings: SampleSettings, strata: Strata) -> _Allocation:
    """How many pixels of each stratum are drawn."""
    values = sorted(strata.counts)
    sizes = np.array([strata.counts[value] for value in values])
    names = [strata.names.get(value, str(value)) for value in values]
    said = settings.expected if isinstance(settings.expected, dict) else dict.fromkeys(names, settings.expected)
    if unknown := set(said) - set(names):
        msg = f"expected names {min(unknown)!r}, which {strata.path} does not hold: it has {', '.join(names)}"
        raise UsageError(msg)
    expected = np.array([said.get(name, _USUAL) for name in names])
    n = settings.n or sample_size(sizes / sizes.sum(), expected, float(settings.se or 0))
    drawn = allocate(n, sizes, settings.allocation, expected)
    wanted = dict(zip(values, drawn.tolist(), strict=True))
    return _Allocation(wanted=wanted, se=expected_se(sizes, expected, drawn))


def _doubts(settings: SampleSettings, described: dict[str, Any]) -> list[str]:
    """Where a sample is not quite what was asked for."""
    found = []
    n, se = described["n"], described["expected_se"]
    if settings.n is not None and n < settings.n:
        found.append(f"all {n:,} pixels of the map are drawn: it has no {settings.n:,}")
    if settings.n is not None and n > settings.n:
        found.append(f"{n} pixels are drawn, not {settings.n}, because each stratum needs two")
    if settings.se is not None and se > settings.se * 1.005:
        found.append(
            f"allocation={settings.allocation} gives overall accuracy a standard error of {se:.4f}, not {settings.se}:"
            " n is what the best allocation needs; take allocation=neyman, or more with n="
        )
    if settings.allocation == "neyman" and not isinstance(settings.expected, dict):
        found.append(
            "allocation=neyman is allocation=proportional as long as all strata are expected to be equally accurate:"
            " say what you expect of each, as expected='{forest: 0.95, crop: 0.7}'"
        )
    return found


def _describe(settings: SampleSettings, strata: Strata, allocation: _Allocation) -> dict[str, Any]:
    wanted = allocation.wanted
    return {
        "map": Path(settings.map).name,
        "map_sha256": _hash(settings.map),
        "strata": Path(settings.strata).name if settings.strata else None,
        "strata_sha256": _hash(settings.strata),
        "allocation": settings.allocation,
        "seed": settings.seed,
        "n": sum(wanted.values()),
        "expected_se": allocation.se,
        "classes": [
            {
                "value": value,
                "name": strata.names.get(value, str(value)),
                "pixels": strata.counts[value],
                "drawn": number,
                "inclusion_probability": number / strata.counts[value],
            }
            for value, number in wanted.items()
        ],
    }


def _hash(path: str | None) -> str | None:
    return None if path is None or is_remote(path) else file_hash(path)


def _write(
    path: Path, reader: MapReader, strata: Strata, drawn: Drawn, mapped: np.ndarray | None, described: dict[str, Any]
) -> None:
    """The points, in the map's CRS, at the centres of their pixels; the file says itself how they were drawn."""
    per_value = {value: int((drawn.values == value).sum()) for value in np.unique(drawn.values).tolist()}
    probability = [per_value[value] / strata.counts[value] for value in drawn.values.tolist()]
    columns: dict[str, Any] = {
        "id": np.arange(1, len(drawn.rows) + 1),
        "row": drawn.rows,
        "col": drawn.cols,
        "stratum": drawn.values,
        "probability": np.array(probability),
    }
    if mapped is not None:
        columns["map_value"] = mapped.astype(np.int64)
        columns["map_class"] = np.array([reader.names.get(v, str(v)) for v in mapped.tolist()], object)
    elif strata.path == reader.path:
        del columns["stratum"]  # it is the map's class
        del columns["probability"]
    columns["reference"] = np.full(len(drawn.rows), None, object)
    crs = reader.grid.crs
    assert crs is not None  # noqa: S101 - the grid is georeferenced
    write_vector(
        path,
        geometry=shapely.to_wkb(shapely.points(reader.grid.centres(drawn.rows, drawn.cols))),
        columns=columns,
        geometry_type="Point",
        crs=crs.to_wkt(),
        driver="GPKG",
        layer=LAYER,
        layer_metadata={RECORD: json.dumps(described)},
    )


def _table(described: dict[str, Any]) -> str:
    rows = [(c["name"], f"{c['pixels']:,}", f"{c['drawn']:,}") for c in described["classes"]]
    widths = [max(len(row[i]) for row in [("stratum", "pixels", "drawn"), *rows]) for i in range(3)]
    lines = [("stratum", "pixels", "drawn"), *rows]
    shown = [f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in lines]
    return "\n".join([*shown, f"expected standard error of overall accuracy {described['expected_se']:.4f}"])
