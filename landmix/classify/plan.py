"""Plan: what is read from where, in which shards, and what the map will be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from landmix.classify.cut import cut_for
from landmix.engines.engine import BESIDES, FULL, INSIDE, SHARES, Wanted
from landmix.errors import LandmixError, UsageError
from landmix.files import local_file
from landmix.geo.remote import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from landmix.bundle import Bundle
    from landmix.classify.cut import Cut
    from landmix.core.bands import BandSet
    from landmix.core.legend import Legend
    from landmix.core.window import Window
    from landmix.engines.engine import EngineSpec
    from landmix.geo.scene import Scene

_GPU_CORE = 2048
"""Side in pixels, about, of what is read at once for a GPU, which wants more at a time."""

OUTPUTS = ("classes", *BESIDES, "fractions")

SUITED = {"classes": ("classes",), "fractions": ("classes", "fractions")}
"""What is written where nothing else is asked for, by what the model was trained for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One raster that a prediction writes."""

    name: str
    """One of OUTPUTS."""
    bands: tuple[str, ...]
    """Band descriptions."""
    dtype: np.dtype[np.generic]
    nodata: float
    scale: float
    """Stored value -> physical value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictSettings:
    """What is asked of a prediction, as far as it can change a byte of its maps."""

    outputs: tuple[str, ...] = ("classes",)
    dtype: str = "uint8"
    """Of all but classes: `uint8` (0 to 200) or `float32`."""
    tile: int = 512
    """Side in pixels, about, of what is read at once."""
    tta: str = "none"
    """`flips` averages logits over 8 flips and turns."""
    allow_missing: tuple[str, ...] = ()
    """Bands or roles of the model that a scene may lack: they count as the mean of the training pixels."""
    sieve: int = 0
    """Smaller patches of the finished map take the class of their largest neighbour; 0: none."""
    creation: tuple[tuple[str, str], ...] = ()
    """GDAL's creation options of the finished rasters, where the user wants others than landmix's own."""

    def __post_init__(self) -> None:
        if self.tta not in {"none", "flips"}:
            msg = f"tta must be none or flips, not {self.tta!r}"
            raise UsageError(msg)

    @property
    def wanted(self) -> Wanted:
        """What the engine is to give; fractions are probabilities to it, which are coded together later."""
        shares = tuple(name for name in BESIDES if name in self.outputs)
        if "fractions" in self.outputs:
            return Wanted(shares=("probabilities", *shares), coded=False)
        return Wanted(shares=shares, coded=self.dtype == "uint8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One scene, ready to be classified. Holds no handle, so it can be sent to a worker."""

    scene: Scene
    """Only the model's bands, in its order; it may lack some."""
    target: Path
    """The map."""
    work: Path
    """Where unfinished parts lie."""
    layers: tuple[Layer, ...]
    settings: PredictSettings
    engine: EngineSpec
    """What computes."""
    margin: int
    stamps: tuple[tuple[str, int, int], ...]
    """Local files that are read, with size and time of change: as they were when their hash was taken."""
    places: tuple[tuple[str, Path], ...] = ()
    """Where rasters of other names than the map's are to lie, by layer."""
    provenance: dict[str, str]
    """Tags that say what made the map; they decide `digest`."""

    @property
    def digest(self) -> str:
        """sha256 over model, input, settings and engine: parts and maps with another one are never used."""
        return _digest(self.provenance)

    def computed_by(self, engine: EngineSpec) -> Plan:
        """The same map by another engine."""
        return replace(self, engine=engine, provenance={**self.provenance, "engine": _engine(engine)})

    @property
    def missing(self) -> list[str]:
        """Bands of the model that the scene lacks."""
        return json.loads(self.provenance.get("missing", "[]"))  # type: ignore[no-any-return]

    @property
    def map_digest(self) -> str:
        """The same, whatever computes the map."""
        return _digest({key: value for key, value in self.provenance.items() if key != "engine"})

    @property
    def tags(self) -> dict[str, str]:
        """What is written into the rasters."""
        return {f"LANDMIX_{key.upper()}": value for key, value in {**self.provenance, "digest": self.digest}.items()}

    @property
    def cut(self) -> Cut:
        """Tiles and shards."""
        core = self.settings.tile if self.engine.device == "cpu" else max(self.settings.tile, _GPU_CORE)
        return cut_for(self.scene, self.layers, self.margin, core)

    def check_unchanged(self) -> None:
        """Raise `LandmixError` where a file is not what it was when the scene was planned."""
        for path, size, changed in self.stamps:
            if stamp(path) != (path, size, changed):
                msg = f"{path} changed while it was read: run the command again"
                raise LandmixError(msg)

    @property
    def shards(self) -> list[Window]:
        """Groups of whole tiles, each written as one file a layer."""
        return [tile.write for tile in self.cut.shards.tiles(self.scene.grid.window)]

    def path(self, layer: Layer) -> Path:
        """The finished raster of a layer."""
        beside = self.target if layer.name == "classes" else self.target.with_stem(f"{self.target.stem}_{layer.name}")
        return dict(self.places).get(layer.name, beside)

    def part(self, layer: Layer, shard: Window) -> Path:
        """The finished part of a layer in a shard."""
        return self.work / f"{self.digest[:16]}-{shard.row}-{shard.col}-{layer.name}.tif"


def outputs_for(bundle: Bundle, asked: Sequence[str] | None) -> tuple[str, ...]:
    """What a model is to write: what was `asked` for, or what suits it.

    Raises `UsageError` for shares that the model does not know.
    """
    if asked is None:
        return SUITED[bundle.task]
    strange = set(SHARES) if bundle.task == "fractions" else {"fractions"}
    if wrong := [name for name in asked if name in strange]:
        what = "tells fractions" if bundle.task == "fractions" else "tells classes apart"
        way = (
            "ask for fractions" if bundle.task == "fractions" else "ask for probabilities, or train with task=fractions"
        )
        msg = f"the model {what}, so it has no {' and '.join(wrong)} to write into outputs: {way}"
        raise UsageError(msg)
    return tuple(asked)


def check_outputs(bundle: Bundle, settings: PredictSettings) -> None:
    """Raise `LandmixError` where a model has not learnt what is asked of it."""
    if "applicability" in settings.outputs and bundle.reference is None:
        msg = (
            "outputs asks for applicability, but this model does not know how far its training pixels lie apart: train"
            " a network of landmix's own again, with labels in several places"
        )
        raise LandmixError(msg)


def layers(legend: Legend, settings: PredictSettings) -> tuple[Layer, ...]:
    """The rasters that the settings ask for."""
    shares = _shares(settings.dtype)
    inside = shares | ({"scale": 1 / INSIDE} if settings.dtype == "uint8" else {})
    found = {
        "classes": Layer(name="classes", bands=("class",), dtype=legend.dtype, nodata=legend.nodata, scale=1.0),
        "confidence": Layer(name="confidence", bands=("confidence",), **shares),
        "gap": Layer(name="gap", bands=("gap",), **shares),
        "probabilities": Layer(name="probabilities", bands=legend.names, **shares),
        "fractions": Layer(name="fractions", bands=legend.names, **shares),
        "applicability": Layer(name="applicability", bands=("dissimilarity / threshold, inside up to 1",), **inside),
    }
    return tuple(found[name] for name in OUTPUTS if name in settings.outputs)


def _shares(dtype: str) -> dict[str, Any]:
    """How fractions from 0 to 1 are stored."""
    if dtype == "float32":
        return {"dtype": np.dtype(np.float32), "nodata": float("nan"), "scale": 1.0}
    return {"dtype": np.dtype(np.uint8), "nodata": 255, "scale": 1 / FULL}


def provenance(
    bundle: Bundle, scene: Scene, settings: PredictSettings, engine: EngineSpec, hashes: list[str], version: str
) -> dict[str, str]:
    """What made the map. Names only files' last parts, so that the same work in another folder is the same map."""
    names = [shown(path).replace("\\", "/").rsplit("/", 1)[-1] for path in scene.files]
    kept = {
        **asdict(settings),
        # what changes nothing is not to tell maps apart
        "outputs": [name for name in OUTPUTS if name in settings.outputs],
        "dtype": settings.dtype if settings.wanted.shares else None,
        "scene": asdict(scene.options),
    }
    if not settings.creation:
        del kept["creation"]
    del kept["allow_missing"]  # but what is missing does
    missing = missing_bands(bundle.bands, scene.bands)
    known = bundle.reference if "applicability" in settings.outputs else None
    measured = {"threshold": known.threshold, "distance": known.distance} if known else None
    return {
        **({"missing": json.dumps(missing, ensure_ascii=False)} if missing else {}),
        **({"applicability": json.dumps(measured)} if measured else {}),
        "version": version,
        "model": bundle.digest,
        "input": json.dumps([{"name": n, "sha256": h} for n, h in zip(names, hashes, strict=True)], ensure_ascii=False),
        "bands": json.dumps(_sources(scene), ensure_ascii=False),
        "settings": json.dumps(kept, sort_keys=True),
        "engine": _engine(engine),
        "classes": json.dumps({str(c.value): c.name for c in bundle.legend}, ensure_ascii=False),
        "training_labels": json.dumps([entry["sha256"] for entry in bundle.training.get("labels", [])]),
    }


def missing_bands(wanted: BandSet, has: BandSet) -> list[str]:
    """Names of a model's bands that a scene, as it was fitted to the model, lacks."""
    return [band.name for band in wanted if band.name not in has.names]


def _digest(provenance: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()


def _engine(engine: EngineSpec) -> str:
    return json.dumps(engine.as_data(), sort_keys=True)


def _sources(scene: Scene) -> list[list[Any]]:
    """Where each band comes from, and what its numbers mean: of two scenes with the same files, roles may differ."""
    return [
        [
            band.name,
            *([s.file, s.number, s.nodata, s.scale, s.offset, s.decode] for s in map(scene.stored.__getitem__, o)),
        ]
        for band, o in zip(scene.bands, scene.origins, strict=True)
    ]


def stamp(path: str) -> tuple[str, int, int] | None:
    """A local file's size and time of change in ns; None for a remote one, or one that is gone."""
    file = local_file(path)
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (path, found.st_size, found.st_mtime_ns) if found else None
