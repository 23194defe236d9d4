"""Strangers' rasters through the installed command: classified right, or refused in one sentence that names them."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import odd_broken
import odd_places
import odd_storage
import odd_values
import pytest
import rasterio
from commands import Done, ended_inside, refused, run, tree
from rasterio.enums import ColorInterp
from seam_models import bundle_of

import landmix
from landmix import bundle as bundles

if TYPE_CHECKING:
    from odd_kinds import Kind

KINDS = (*odd_values.KINDS, *odd_storage.KINDS, *odd_places.KINDS, *odd_broken.KINDS)
NAMED = [kind for kind in KINDS if "\n" not in kind.name]
FEW = NAMED[::7]
"""Those that every run of the tests looks at."""


BOTH = pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)])


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 280


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="landmix-odd-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def model(bands: int) -> Path:
    path = folder() / f"model-{bands}.ckpt"
    bundles.save(bundle_of(bands), path)
    return path


def path_of(kind: Kind) -> Path:
    return folder() / f"in-{kind.bands}-{kind in FEW}" / str(KINDS.index(kind)) / f"{kind.name}{kind.suffix}"


@cache
def ended(bands: int, few: bool) -> tuple[Done, dict[str, Any]]:  # noqa: FBT001
    """The few kinds of so many bands, or the others, by one command: how it ended, and its rows by scene."""
    kinds = [kind for kind in NAMED if kind.bands == bands and (kind in FEW) == few]
    for kind in kinds:
        path_of(kind).parent.mkdir(parents=True)
        kind.make(path_of(kind))
    names = folder() / f"{bands}-{few}.txt"
    target = folder() / f"out-{bands}-{few}"
    names.write_text("".join(f"{path_of(kind)}\n" for kind in kinds), encoding="utf-8")
    given = f"model={model(bands)}", f"scenes=@{names}", f"out_dir={target}"
    done = run("predict", *given, "device=cpu", "backend=torch", "precision=fp32", "progress=off", cwd=folder())
    rows = json.loads((target / "predict.json").read_text(encoding="utf-8"))
    return done, {row["scene"]: row for row in rows}


@pytest.mark.parametrize(
    "kind", [kind if kind in FEW else pytest.param(kind, marks=pytest.mark.slow) for kind in NAMED], ids=str
)
def test_an_odd_raster_is_classified_right_or_refused(kind: Kind) -> None:
    _, rows = ended(kind.bands, kind in FEW)
    path = path_of(kind)
    row = rows[str(path)]
    if kind.refused is None:
        assert row["status"] == "done", row["error"]
        _compare(path, Path(row["map"]), model(kind.bands))
    else:
        assert row["status"] == "failed"
        assert re.search(kind.refused, row["error"]), row["error"]
        assert path.name in row["error"]
        assert not Path(row["map"]).exists()


def _compare(path: Path, target: Path, used: Path) -> None:
    """The map has the scene's grid, and the classes of its pixels as GDAL reads them."""
    with rasterio.open(path, driver="GTiff") as scene, rasterio.open(target) as made:
        assert made.shape == scene.shape
        assert [(p.row, p.col, p.x, p.y, p.z) for p in made.gcps[0]] == [
            (p.row, p.col, p.x, p.y, p.z) for p in scene.gcps[0]
        ]
        assert (made.crs or made.gcps[1]) == (scene.crs or scene.gcps[1])
        assert made.transform == scene.transform or scene.gcps[0]
        assert {**made.tags(ns="RPC")} == {**scene.tags(ns="RPC")}
        bands = [i for i in scene.indexes if scene.colorinterp[i - 1] != ColorInterp.alpha]
        pixels = scene.read(bands)
        valid = np.all([scene.read_masks(i) > 0 for i in scene.indexes], axis=0)
        valid &= np.isfinite(pixels).all(0)
        if len(bands) < scene.count:
            valid &= scene.read(scene.colorinterp.index(ColorInterp.alpha) + 1) > 0
        classes = landmix.load(used, device="cpu", backend="torch", precision="fp32").classify(pixels)
        np.testing.assert_array_equal(made.read(1), np.where(valid, classes, made.nodata))


@BOTH
def test_nothing_but_maps_is_left(few: bool) -> None:  # noqa: FBT001
    done, rows = ended(2, few)
    assert done.code == 1
    assert done.last.startswith("error: ")
    assert "Traceback" not in done.err
    maps = {Path(row["map"]).stem for row in rows.values() if row["status"] == "done"}
    left = {name.split(".")[0] for name in tree(folder() / f"out-2-{few}")} - {"predict"}
    assert left <= {stem.split(".")[0] for stem in maps}


@BOTH
def test_no_library_floods_the_console(few: bool) -> None:  # noqa: FBT001
    done, _ = ended(2, few)
    lines = [line for line in done.err.splitlines() if not line.startswith(("warning: ", "error: "))]
    assert lines == []


@BOTH
def test_nearly_all_readable_files_are_classified(few: bool) -> None:  # noqa: FBT001
    rows = ended(2, few)[1]
    readable = [kind for kind in NAMED if kind.bands == 2 and (kind in FEW) == few and _reads(path_of(kind))]
    classified = [kind for kind in readable if rows[str(path_of(kind))]["status"] == "done"]
    assert len(classified) >= 0.9 * len(readable), {k.name for k in readable} - {k.name for k in classified}


def _reads(path: Path) -> bool:
    """Whether GDAL gives all pixels."""
    if not path.is_file():
        return False
    try:
        with rasterio.open(path, driver="GTiff") as dataset:
            few = dataset.width * dataset.height * dataset.count < 10**6
            return bool(few and dataset.read().size)
    except (rasterio.errors.RasterioError, OSError, SystemError):
        return False


def test_a_name_of_two_lines(tmp_path: Path) -> None:
    kind = next(kind for kind in KINDS if "\n" in kind.name)
    kind.make(tmp_path / f"{kind.name}.tif")
    bundles.save(bundle_of(2), tmp_path / "m.ckpt")
    done = ended_inside(
        "predict", f"model={tmp_path / 'm.ckpt'}", f"scenes={tmp_path / kind.name}.tif", f"out_dir={tmp_path / 'out'}"
    )
    assert done.code == 0, done.err


@pytest.mark.parametrize("name", ["cut-at-50%-deflate", "65535-bands", "wms", "complex-complex64", "pipe", "empty"])
def test_inspect_refuses_as_predict_does(tmp_path: Path, name: str) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    path = tmp_path / "odd.tif"
    kind.make(path)
    refused(ended_inside("inspect", f"path={path}"), 1, "odd.tif")


def test_a_limit_is_lifted_as_the_message_says(tmp_path: Path) -> None:
    kind = next(kind for kind in KINDS if kind.name == "many-bands")
    kind.make(tmp_path / "a.tif")
    refused(ended_inside("inspect", f"path={tmp_path}/a.tif", "limits.bands=299"), 1, "a.tif", "limits.bands=300")
    assert ended_inside("inspect", f"path={tmp_path}/a.tif", "limits.bands=300").code == 0
