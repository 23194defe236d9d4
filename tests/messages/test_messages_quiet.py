"""Libraries keep silent: what a user reads are our lines, whatever the files are like."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import shapely
from commands import TINY, cells, on_ground, truth, write_classes, write_labels, write_scene
from provoking import good_files

if TYPE_CHECKING:
    from pathlib import Path

RUN = """
import contextlib, io, os, sys
from landmix.cli.main import main

for line in sys.stdin.read().splitlines():
    os.write(2, b"> " + line.encode() + b"\\n")
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(line.split("|"))
    sys.stderr.flush()
    os.write(2, b"< %d\\n" % code)
"""
"""Commands after each other in one process, with warnings and file descriptors as Python and the shell leave them."""

OURS = re.compile(r"(warning|error): .*")


def _quiet(folder: Path, commands: list[tuple[str, ...]]) -> list[int]:
    """Run commands; their exit codes. Nothing but our lines may stand on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input="\n".join("|".join(command) for command in commands),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes, foreign, now = [], [], ""
    for line in done.stderr.splitlines():
        if line.startswith("> "):
            now = line
        elif line.startswith("< "):
            codes.append(int(line[2:]))
        elif not OURS.fullmatch(line):
            foreign.append(f"{now}\n    {line}")
    assert not foreign, "\n".join(foreign)
    return codes


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Good files and odd ones."""
    good_files(tmp_path)
    whole = (tmp_path / "scene.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "header.tif").write_bytes(whole[:100])
    (tmp_path / "text.tif").write_text("text", encoding="utf-8")
    (tmp_path / "text.gpkg").write_text("text", encoding="utf-8")
    write_scene(tmp_path / "no place.tif", georeferenced=False)
    write_scene(tmp_path / "nan.tif", np.full((4, 96, 96), np.nan, np.float32), scaled=False, nodata=None)
    odd = [("Wald 森林 ☃", shape) if name == "forest" else (name, shape) for name, shape in cells()]
    bow = shapely.transform(shapely.Polygon([(3, 3), (13, 13), (13, 3), (3, 13)]), on_ground)
    write_labels(tmp_path / "odd.gpkg", [*odd, ("water", bow)])
    write_labels(
        tmp_path / "one pixel.gpkg", [*cells(), ("bog", shapely.transform(shapely.box(3, 3, 4, 4), on_ground))]
    )
    write_classes(tmp_path / "no crs.tif", crs=None)
    values = truth()
    values[:5] = 77
    write_classes(tmp_path / "other.tif", values)
    broken = (tmp_path / "truth.tif").read_bytes()
    (tmp_path / "broken.tif").write_bytes(broken[:1500] + b"\xff" * 500 + broken[2000:])
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        file.update_tags(ns="RPC", LINE_OFF="x")
    return tmp_path


TRAIN = ("train", *TINY, "data.scenes=scene.tif")
PREDICT = ("predict", "model=model.ckpt", "device=cpu", "progress=off")


def test_no_library_speaks_up_on_good_files(here: Path) -> None:
    good = ("data.labels=labels.gpkg", "data.field=class")
    commands: list[tuple[str, ...]] = [
        (*TRAIN, *good, "out_dir=b", "-m", "seed=1,2", "optim.steps=3", "data.features=[ndvi]"),
        (*TRAIN, "data.labels=truth.tif", "out_dir=d", "optim=constant", "optim.steps=10"),
        (*PREDICT, "scenes=scene.tif", "out_dir=maps", "outputs=[classes,confidence]", "stac=true", "predict.sieve=4"),
        (*PREDICT, "scenes=scene.tif", "out_dir=torch", "backend=torch", "tta=flips", "precision=fp32"),
        ("evaluate", "map=maps/scene.tif", "reference=labels.gpkg", "field=class", "out_dir=e"),
        ("evaluate", "map=maps/scene.tif", "reference=truth.tif", "design=stratified", "out_dir=f"),
        ("sample", "map=maps/scene.tif", "n=20", "out_dir=g"),
        ("inspect", "path=scene.tif", "quicklook=q.png"),
        ("inspect", "path=model.ckpt"),
        *(
            ("export", "model=model.ckpt", f"format={kind}", f"out=x.{kind}")
            for kind in ("safetensors", "stac", "card")
        ),
    ]
    assert _quiet(here, commands) == [0] * len(commands)


def test_no_library_speaks_up_on_odd_files(here: Path) -> None:
    commands: list[tuple[str, ...]] = [
        (*TRAIN, "data.labels=odd.gpkg", "data.field=class", "out_dir=a"),
        (*TRAIN, "data.labels=text.gpkg", "out_dir=c"),
        (*TRAIN, "data.labels=no crs.tif", "out_dir=d"),
        (*TRAIN, "data.labels=broken.tif", "out_dir=e"),
        *((*PREDICT, f"scenes={name}.tif", f"out_dir={name}") for name in ("cut", "header", "text", "no place", "nan")),
        *(("inspect", f"path={name}.tif", f"quicklook={name}.png") for name in ("cut", "text", "no place", "nan")),
        ("evaluate", "map=other.tif", "reference=odd.gpkg", "field=class", "out_dir=f"),
        ("evaluate", "map=broken.tif", "reference=labels.gpkg", "field=class", "out_dir=g"),
        ("view", "map=broken.tif", "scene=text.tif", "open=false"),
    ]
    codes = _quiet(here, commands)
    assert len(codes) == len(commands)
    assert set(codes) <= {0, 1, 2}
