"""A tiny world to run landmix on, and two ways to run it: as the installed command, and inside the test process."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from rasterio.transform import Affine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

SIZE = 96
CELL = 16
TRANSFORM = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_300_000.0)
NAMES = ("field", "forest", "water")
"""Classes by value from 1, in the order in which landmix numbers them."""
BANDS = ("blue", "red", "nir", "swir")
WAVELENGTHS: tuple[float | None, ...] = (490.0, 665.0, 842.0, 1610.0)
SPECTRA = np.array([[0.08, 0.12, 0.35, 0.30], [0.03, 0.04, 0.30, 0.15], [0.06, 0.04, 0.02, 0.01]])
SCALE, OFFSET = 0.0001, -0.1
TINY = ("net=small", "optim.steps=30", "calibration.folds=0", "device=cpu", "progress=off")
"""A training that takes less than a second: one fit, and none to parts that are held back."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on standard error."""
        return (self.err.splitlines() or [""])[-1]


def executable() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("landmix.exe" if os.name == "nt" else "landmix"))


def _environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "HYDRA_FULL_ERROR"}
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **(extra or {})}


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None, program: Sequence[str] = ()) -> Done:
    """Run the installed command in the folder `cwd`."""
    ended = subprocess.run(
        [*(program or [executable()]), *arguments],
        cwd=cwd,
        env=_environment(env),
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=300,
        check=False,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start the installed command, with signals as a shell would leave them."""
    return subprocess.Popen(
        [executable(), *arguments],
        cwd=cwd,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads here
    )


def stop_when(process: subprocess.Popen[str], ready: Callable[[], bool], number: signal.Signals) -> Done:
    """Send a signal as soon as `ready`; how the process ended."""
    limit = time.monotonic() + 120
    while not ready() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    assert process.poll() is None, f"the command ended before it could be stopped: {process.communicate()}"
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


def inside(*arguments: str) -> int:
    """Run landmix in this process, and leave torch and hydra as they were."""
    import torch  # noqa: PLC0415 - most tests of the command itself need none
    from hydra.core.global_hydra import GlobalHydra  # noqa: PLC0415

    from landmix.cli.main import main  # noqa: PLC0415

    deterministic = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as for a user: what libraries say to programmers is no failure here
            return main(list(arguments))
    finally:
        GlobalHydra.instance().clear()
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = benchmark
        torch.set_num_threads(threads)


def ended_inside(*arguments: str) -> Done:
    """Run landmix in this process, in the present folder; how it ended."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = inside(*arguments)
    return Done(code, out.getvalue(), err.getvalue())


def done_inside(*arguments: str) -> None:
    """Run landmix in this process; it must do all."""
    assert inside(*arguments) == 0


def refused(done: Done, code: int, *words: str) -> None:
    """Check that a command ended as it should: exit code, one sentence that holds `words`, no traceback."""
    assert done.code == code, (done.code, done.out, done.err)
    assert done.last.startswith("error: "), done.err
    assert "Traceback" not in done.err + done.out
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1, done.err
    for word in words:
        assert word in done.last, (word, done.last)


def tree(folder: Path) -> set[str]:
    """Everything in a folder, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def load_json(path: Path) -> Any:
    """Parse strictly: NaN and Infinity are no JSON."""

    def refuse(text: str) -> None:
        msg = f"{text} in {path}"
        raise AssertionError(msg)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def truth(size: int = SIZE) -> NDArray[np.uint8]:
    """(H, W): class values of a world of square fields."""
    row, col = np.indices((size, size)) // CELL
    return ((row + col) % 3 + 1).astype(np.uint8)


def reflectance(seed: int = 0, size: int = SIZE, noise: float = 0.01) -> NDArray[np.float32]:
    """(band, H, W): what the scene's pixels reflect."""
    rng = np.random.default_rng(seed)
    clean = np.moveaxis(SPECTRA[truth(size) - 1], 2, 0)
    return np.asarray((clean + rng.normal(0, noise, clean.shape)).clip(0.001, 1), np.float32)


def write_scene(
    path: Path,
    values: NDArray[Any] | None = None,
    *,
    seed: int = 0,
    names: Sequence[str] | None = BANDS,
    wavelengths: Sequence[float | None] | None = WAVELENGTHS,
    scaled: bool = True,
    georeferenced: bool = True,
    nodata: float | None = 0,
    transform: Affine = TRANSFORM,
    **profile: Any,
) -> Path:
    """Write a scene; uint16 with scale and offset tags unless `scaled` is False or `values` (band, H, W) are given."""
    if values is None:
        physical = reflectance(seed)
        values = np.rint((physical - OFFSET) / SCALE).astype(np.uint16) if scaled else physical
    count, height, width = values.shape
    place = {"crs": "EPSG:32633", "transform": transform} if georeferenced else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=count,
            height=height,
            width=width,
            dtype=values.dtype.name,
            nodata=nodata,
            **place,
            **profile,
        ) as file:
            file.write(values)
            if scaled:
                file.scales, file.offsets = (SCALE,) * count, (OFFSET,) * count
            if names is not None:
                file.descriptions = tuple(names)
            for number, nm in enumerate(wavelengths or (), start=1):
                if nm is not None:
                    file.update_tags(number, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{nm / 1000:g}", FWHM_UM="0.03")
    return path


BLOCKS: dict[str, Any] = {"tiled": True, "blockxsize": 16, "blockysize": 16}
"""How a small scene must be stored for `tiling.core` to cut it: blocks are never split."""


def big_values(times: int = 2) -> NDArray[np.uint16]:
    """Stored values of the world, side by side `times` x `times`, each time with other noise."""
    rows = [np.concatenate([_stored(times * row + col) for col in range(times)], axis=2) for row in range(times)]
    return np.concatenate(rows, axis=1)


def _stored(seed: int) -> NDArray[np.uint16]:
    values: NDArray[np.uint16] = np.rint((reflectance(seed) - OFFSET) / SCALE).astype(np.uint16)
    values[:, 40:44, 50:57] = 0
    return values


def on_ground(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates (N, 2) of places (N, 2) in the world's pixels, column before row."""
    return np.asarray(pixels * (TRANSFORM.a, TRANSFORM.e) + (TRANSFORM.c, TRANSFORM.f))


def cells(size: int = SIZE) -> list[tuple[str, Any]]:
    """Class name and polygon (10 x 10 pixels) of each field of the world."""
    found = []
    for row in range(0, size - CELL + 1, CELL):
        for col in range(0, size - CELL + 1, CELL):
            box = shapely.box(col + 3, row + 3, col + 13, row + 13)
            name = NAMES[(row // CELL + col // CELL) % 3]
            found.append((name, shapely.transform(box, on_ground)))
    return found


def write_labels(path: Path, features: Iterable[tuple[str, Any]] | None = None, crs: str = "EPSG:32633") -> Path:
    """Write labelled polygons or points with the fields `class` (text) and `code` (number)."""
    kept = cells() if features is None else list(features)
    path.parent.mkdir(parents=True, exist_ok=True)
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.to_wkb(shape) for _, shape in kept], object),
        field_data=[
            np.array([name for name, _ in kept], object),
            np.array([NAMES.index(name) + 1 if name in NAMES else 9 for name, _ in kept], np.int64),
        ],
        fields=["class", "code"],
        geometry_type=kept[0][1].geom_type if kept else "Polygon",
        crs=crs,
        driver="GeoJSON" if path.suffix == ".geojson" else "GPKG",
    )
    return path


def write_classes(path: Path, values: NDArray[Any] | None = None, **profile: Any) -> Path:
    """Write a raster of class values, 0 where there is none."""
    values = truth() if values is None else values
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"crs": "EPSG:32633", "transform": TRANSFORM, "nodata": 0, **profile}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=values.shape[0],
        width=values.shape[1],
        dtype=values.dtype.name,
        **options,
    ) as file:
        file.write(values, 1)
    return path


@dataclass(frozen=True, slots=True)
class World:
    """Files that tests may read and must not change."""

    folder: Path
    scene: Path
    labels: Path
    truth: Path
    run: Path
    """A finished training."""

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.run / "model.ckpt"

    @property
    def data(self) -> list[str]:
        """What to train on."""
        return [f"data.scenes={self.scene}", f"data.labels={self.labels}", "data.field=class"]


@cache
def world() -> World:
    """Made once in a test process."""
    folder = Path(tempfile.mkdtemp(prefix="landmix-tests-")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = World(
        folder=folder,
        scene=write_scene(folder / "scene.tif"),
        labels=write_labels(folder / "labels.gpkg"),
        truth=write_classes(folder / "truth.tif"),
        run=folder / "run",
    )
    with contextlib.redirect_stdout(None):
        done_inside("train", *made.data, f"out_dir={made.run}", *TINY)
    return made


def train(out_dir: Path, *arguments: str) -> Path:
    """Train on the world in this process, into a folder that is given back."""
    given = {argument.partition("=")[0].lstrip("+") for argument in arguments}
    data = [argument for argument in world().data if argument.partition("=")[0] not in given]
    tiny = [argument for argument in TINY if argument.partition("=")[0] not in given]
    done_inside("train", *data, f"out_dir={out_dir}", *tiny, *arguments)
    return out_dir


def weights(run_folder: Path) -> dict[str, Any]:
    """The tensors of a trained model."""
    import torch  # noqa: PLC0415

    content = torch.load(run_folder / "model.ckpt", weights_only=True)
    return dict(content["weights"])


def distance(one: Path, other: Path) -> float:
    """The largest difference between the weights of two trained models."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


def read(path: Path) -> NDArray[Any]:
    """All bands of a raster."""
    with rasterio.open(path) as file:
        values: NDArray[Any] = file.read()
    return values
