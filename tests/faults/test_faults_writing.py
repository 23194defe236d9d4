"""The one way of writing: every file goes through it, and nothing else is to be found in the package."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from landmix.errors import LandmixError
from landmix.files import make_folder, replacing, write_text
from landmix.geo.whole import write_raster, write_vector

PACKAGE = Path(__file__).resolve().parents[2] / "landmix"

REASONS = {
    "files.py:make_folder": "the probe, removed at once",
    "qgis/classify_with_landmix.py:processAlgorithm": "a hidden folder beside the output; QGIS knows no landmix",
    "qgis/classify_with_landmix.py:_move": "finished files, renamed after they lie beside their places",
    "cli/main.py:run": "what hydra leaves of a sweep, in the temporary folder",
    "classify/cluster.py:_client": "what dask's workers spill, in the temporary folder",
    "samples.py:_mapped": "pixels of one run in its folder of unfinished work, never read by another",
    "seal.py:seal": "fills in the digest of a file that has no name yet",
    "files.py:sync": "asks for the bytes to be on the disk",
    "report/quicklook.py:quicklook": "a picture in memory",
    "report/sweep.py:sweep": "a picture in memory",
    "report/svg.py:to_svg": "a picture in memory",
    "geo/georeference.py:_through_geotiff": "a raster of one pixel in memory",
    "geo/writing.py:_copy": "writes where `new_cog` tells it to, which is below `replacing`",
    "classify/part.py:write_part": "writes where `write_parts` and `_sieve` tell it to, which is below `replacing`",
}
"""Places that write otherwise, or seem to, and why they may."""

WRITERS = {
    "write_text", "write_bytes", "savefig", "to_file", "to_csv", "to_netcdf", "save", "savez", "memmap", "tofile",
    "touch", "copy", "copyfile", "copytree", "move", "rename", "mkdtemp", "mkstemp", "TemporaryDirectory",
    "NamedTemporaryFile", "symlink_to", "hardlink_to", "save_file", "dump", "truncate", "write_dataframe",
}  # fmt: skip
"""Names of functions and methods that write files, in whatever library."""

MODES = set("wax+")

OWN = {"write_text", "save"}
"""Names that landmix's own functions have too; called bare or by module, they are those."""


def _writes(call: ast.Call) -> bool:
    """Whether a call writes a file by itself."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if name == "open":
        texts = [a.value for a in [*call.args, *(k.value for k in call.keywords)] if isinstance(a, ast.Constant)]
        return any(isinstance(t, str) and t and set(t) <= set("rwaxbt+") and MODES & set(t) for t in texts)
    if name in {"copy", "dump"}:
        return owner in {"shutil", "rasterio.shutil", "pickle"}
    if name == "save":
        return owner in {"np", "torch", "numpy"}
    if name == "write" and owner.endswith("raw"):
        return True
    return name in WRITERS and not (name in OWN and not owner)


def _found() -> dict[str, set[str]]:
    """Functions that write, with what else they call."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            if any(map(_writes, calls)):
                names = {getattr(c.func, "attr", getattr(c.func, "id", "")) for c in calls}
                found[f"{path.relative_to(PACKAGE).as_posix()}:{function.name}"] = names
    return found


def test_every_file_is_written_in_one_way() -> None:
    found = _found()
    strays = [place for place, calls in found.items() if "replacing" not in calls and place not in REASONS]
    assert not strays, "these write files by themselves: use landmix.files.replacing, or say above why not"
    assert len([place for place, calls in found.items() if "replacing" in calls]) > 8, "the search finds nothing"


def test_the_list_of_reasons_is_true() -> None:
    """What is no longer there is not excused any more."""
    assert set(REASONS) == {place for place, calls in _found().items() if "replacing" not in calls}


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace
    kind = {True: "folder", False: "file"}

    def synced(descriptor: int) -> None:
        done.append(f"sync {kind[Path(f'/proc/self/fd/{descriptor}').is_dir()]}")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_text(tmp_path / "a.txt", "a")
    assert done == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, number: int) -> None:
    target = tmp_path / "a.tif"
    target.write_text("old")

    def write() -> None:
        with replacing(target) as temporary:
            temporary.write_text("new")
            for end in (".aux.xml", ".msk", ".ovr.tmp"):  # as GDAL puts beside it
                Path(f"{temporary}{end}").touch()
            raise OSError(number, os.strerror(number))

    with pytest.raises(LandmixError, match=r"cannot write .*a\.tif: "):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    assert target.read_text() == "old"


def test_a_file_in_the_place_of_a_folder_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LandmixError, match=r"cannot write .*Not a directory"):
        write_text(tmp_path / "file" / "a.txt", "a")
    with pytest.raises(LandmixError, match="cannot write"):
        make_folder(tmp_path / "file" / "folder")


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing"])
def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path, there: bool) -> None:  # noqa: FBT001
    elsewhere = tmp_path / "elsewhere.txt"
    if there:
        elsewhere.write_text("theirs")
    (tmp_path / "a.txt").symlink_to(elsewhere)
    with pytest.raises(LandmixError, match=r"a\.txt is a link to .*elsewhere\.txt"):
        write_text(tmp_path / "a.txt", "mine")
    assert (tmp_path / "a.txt").is_symlink()
    assert (elsewhere.read_text() == "theirs") if there else not elsewhere.exists()


def test_a_name_of_255_bytes(tmp_path: Path) -> None:
    """What is unfinished has a short name, whatever the final one."""
    name = "ü" * 125 + ".json"
    write_text(tmp_path / name, "a")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_raster_that_was_not_closed_well_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, where rasterio says nothing."""
    target = tmp_path / "a.tif"
    values = np.random.default_rng(0).integers(0, 255, (2, 64, 64), np.uint8)
    profile = {"driver": "GTiff", "count": 2, "height": 64, "width": 64, "dtype": "uint8"}
    write_raster(target, values, lambda _: None, **profile)
    before = target.read_bytes()
    opened = rasterio.open

    def cut(path: Path, mode: str = "r", **options: object) -> rasterio.DatasetReader:
        if mode == "r":
            path.write_bytes(path.read_bytes()[:-3000])
        return opened(path, mode, **options)

    monkeypatch.setattr(rasterio, "open", cut)
    with pytest.raises(LandmixError, match=r"cannot write .*a\.tif"):
        write_raster(target, values, lambda _: None, **profile)
    assert target.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("share", [0.4, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("suffix", [".dbf", ".gpkg"])
def test_a_table_that_was_cut_short_gets_no_name(tmp_path: Path, suffix: str, share: float) -> None:
    """pyogrio reports no failed close either."""
    resource = pytest.importorskip("resource")
    shapely = pytest.importorskip("shapely")
    points = shapely.to_wkb(shapely.points(np.random.default_rng(0).random((5000, 2)))) if suffix == ".gpkg" else None
    options = {".dbf": {"driver": "ESRI Shapefile", "encoding": "UTF-8"}, ".gpkg": {"driver": "GPKG", "layer": "a"}}
    place = {"geometry_type": "Point", "crs": "EPSG:32633"} if suffix == ".gpkg" else {}
    columns = {"Value": np.arange(5000), "Name": np.array(["x" * 50] * 5000, object)}

    def write(path: Path) -> None:
        write_vector(path, geometry=points, columns=columns, **options[suffix], **place)

    write(tmp_path / f"whole{suffix}")
    size = (tmp_path / f"whole{suffix}").stat().st_size
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share),) * 2)
        try:
            write(tmp_path / f"a{suffix}")
        except LandmixError:
            os._exit(1)
        except BaseException:  # noqa: BLE001
            os._exit(2)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"whole{suffix}"]
