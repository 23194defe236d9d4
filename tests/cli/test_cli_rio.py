"""`rio landmix`, as the shell runs it and inside the test process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from commands import (
    BANDS,
    BLOCKS,
    OFFSET,
    SCALE,
    _environment,
    big_values,
    read,
    reflectance,
    run,
    stop_when,
    tree,
    world,
    write_scene,
)
from commands import Done as Ended

from landmix import bundle as bundles


def rio(*arguments: str | Path, cwd: Path) -> Ended:
    """Run the installed command."""
    return run("landmix", *map(str, arguments), cwd=cwd, program=[program()])


def program() -> str:
    return str(Path(sys.executable).with_name("rio"))


def inside(*arguments: str | Path) -> Ended:
    """Run it in this process."""
    from rasterio.rio.main import main_group  # noqa: PLC0415

    done = CliRunner().invoke(main_group, ["landmix", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)


def model() -> list[str]:
    return ["--model", str(world().model), "--device", "cpu"]


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `landmix predict` makes of the world."""
    from commands import done_inside  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("maps")
    what = ["device=cpu", "progress=off", "outputs=[classes,confidence]", f"out_dir={folder}"]
    done_inside("predict", f"model={world().model}", f"scenes={world().scene}", *what)
    return folder


def refused(done: Ended, code: int, *words: str) -> None:
    """As rasterio's commands refuse: one sentence after `Error: `, no traceback."""
    assert done.code == code, (done.code, done.out, done.err)
    assert done.out == ""
    last = done.err.splitlines()[-1]
    assert last.startswith("Error: "), done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in last, (word, last)


def test_rio_lists_it_and_loads_nothing_heavy(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path, program=[program()])
    assert re.search(r"^ +landmix +Classify a scene", done.out, re.MULTILINE), done.out
    code = (
        "import sys, landmix.cli.rio\n"  # other plugins load what they like
        "print(sorted({'torch', 'openvino', 'hydra', 'pydantic', 'xarray', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout == "[]\n"
    text = inside("--help").out
    assert "    $ rio landmix scene.tif map.tif --model model.ckpt\n" in text
    assert "\b" not in text


def test_as_predict_with_any_file_name(tmp_path: Path, maps: Path) -> None:
    scene = tmp_path / "Jürgen (1), a=b [x] @ü.tif"
    scene.write_bytes(world().scene.read_bytes())
    target = tmp_path / "Karte {0}, $HOME.tif"
    done = rio(scene.name, target.name, *model(), "--confidence", "wie sicher?.tiff", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out == ""
    assert done.err == ""
    np.testing.assert_array_equal(read(target), read(maps / "scene.tif"))
    np.testing.assert_array_equal(read(tmp_path / "wie sicher?.tiff"), read(maps / "scene_confidence.tif"))
    beside = {name.replace("scene", target.stem, 1) for name in tree(maps) if re.match(r"scene\.", name)}
    assert beside
    assert beside <= tree(tmp_path)
    assert not [name for name in tree(tmp_path) if ".landmix" in name]
    with rasterio.open(target) as own, rasterio.open(maps / "scene.tif") as other:
        assert own.colormap(1) == other.colormap(1)
        assert (own.transform, own.crs, own.nodata) == (other.transform, other.crs, other.nodata)


def test_bands_by_order(tmp_path: Path, maps: Path) -> None:
    values = read(world().scene)
    turned = write_scene(tmp_path / "turned.tif", values[::-1].copy(), names=None, wavelengths=None)
    assert inside(turned, tmp_path / "map.tif", *model(), "--bands", "4, 3,2,1").code == 0
    np.testing.assert_array_equal(read(tmp_path / "map.tif"), read(maps / "scene.tif"))
    named = write_scene(tmp_path / "named.tif", values[::-1].copy(), names=["a", "b", "c", "d"], wavelengths=None)
    assert inside(named, tmp_path / "map2.tif", *model(), "-b", "d,c,b,a").code == 0
    np.testing.assert_array_equal(read(tmp_path / "map2.tif"), read(maps / "scene.tif"))
    for given, words in (
        ("4,3,2", ["bands must name 4 bands", "not 3", *BANDS]),
        ("4,3,2,5", ["band number 5 does not exist", "1 to 4"]),
        ("4,3,2,2", ["bands must name each band once", "named twice"]),
        ("4,3,2,red", ["no band 'red'"]),
        ("", ["bands must name 4 bands"]),
    ):
        code = 2 if "must name 4" in words[0] else 1
        refused(inside(turned, tmp_path / "x.tif", *model(), "--bands", given), code, *words)
    assert not (tmp_path / "x.tif").exists()


def test_what_numbers_mean(tmp_path: Path, maps: Path) -> None:
    stored = np.rint(reflectance() / SCALE).astype(np.uint16)
    scene = write_scene(tmp_path / "scene.tif", stored, scaled=False)
    done = inside(scene, tmp_path / "map.tif", *model(), "--scale", str(SCALE))
    assert done.code == 0, done.err
    assert (read(tmp_path / "map.tif") == read(maps / "scene.tif")).mean() > 0.95
    refused(inside(scene, tmp_path / "x.tif", *model(), "--scale", "much"), 2, "Error: --scale must be auto")
    assert inside(scene, tmp_path / "wrong.tif", *model(), "--scale", "none").code == 0
    assert (read(tmp_path / "wrong.tif") != read(maps / "scene.tif")).mean() > 0.2


def test_creation_options(tmp_path: Path, maps: Path) -> None:
    target = tmp_path / "map.tif"
    assert inside(world().scene, target, *model(), "--co", "COMPRESS=LZW", "--co", "blocksize=128").code == 0
    with rasterio.open(target) as file:
        assert file.profile["compress"] == "lzw"
        assert file.profile["blockxsize"] == 128
    np.testing.assert_array_equal(read(target), read(maps / "scene.tif"))
    assert inside(world().scene, target, *model(), "--co", "COMPRESS=NONE", "--overwrite").code == 0
    with rasterio.open(target) as file:
        assert "compress" not in file.profile
    before = target.read_bytes()
    for option, words in (
        ("COMPRES=LZW", ["COMPRES is no creation option", "did you mean COMPRESS?"]),
        ("COMPRESS=JPEG", ["COMPRESS must be NONE, LZW, DEFLATE, ZSTD or LZMA, not JPEG"]),
        ("TILING_SCHEME=GoogleMapsCompatible", ["TILING_SCHEME is no creation option"]),
        ("OVERVIEW_RESAMPLING=AVERAGE", ["OVERVIEW_RESAMPLING is no creation option"]),
        ("LEVEL=much", ["LEVEL must be a number, not MUCH"]),
        ("LZW", ["Invalid syntax"]),
    ):
        refused(inside(world().scene, target, *model(), "--overwrite", "--co", option), 2, *words)
    assert target.read_bytes() == before


def test_what_exists_is_not_replaced(tmp_path: Path) -> None:
    target, other = tmp_path / "map.tif", tmp_path / "c.tif"
    target.write_bytes(b"mine")
    refused(inside(world().scene, target, *model()), 1, "map.tif exists", "--overwrite")
    refused(inside(world().scene, other, *model(), "--confidence", target), 1, "map.tif exists", "--overwrite")
    assert target.read_bytes() == b"mine"
    assert inside(world().scene, target, *model(), "--overwrite").code == 0
    assert read(target).shape == (1, 96, 96)
    link = tmp_path / "link.tif"
    link.symlink_to(world().scene)
    for args, words in (
        ([world().scene, world().scene], ["DST must not be SRC"]),
        ([world().scene, link], ["DST must not be SRC"]),
        ([world().scene, other, "--confidence", link], ["--confidence must not be SRC"]),
        ([world().scene, other, "--confidence", other], ["two files"]),
        ([world().scene, world().model], ["DST must not be --model"]),
        ([world().scene, tmp_path / "map.qml"], ["must end in .tif"]),
        ([world().scene, tmp_path], ["is a directory"]),
    ):
        refused(inside(*args, *model(), "--overwrite"), 2, *words)
    assert read(world().scene).shape == (4, 96, 96)


def test_errors_are_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "text.tif"
    text.write_text("no raster", encoding="utf-8")
    scene, target = world().scene, tmp_path / "map.tif"
    refused(inside(tmp_path / "none.tif", target, *model()), 2, "there is no scene", "none.tif")
    refused(inside(text, target, *model()), 1, "text.tif is no raster")
    refused(inside(scene, target, "--model", text), 1, "text.tif is no landmix model")
    refused(inside(scene, target, "--model", tmp_path / "none.ckpt"), 1, "there is no model file")
    refused(inside(scene, target), 2, "Missing option")
    refused(inside(scene, target, *model()[:2], "--device", "tpu"), 2, "tpu")
    refused(inside(scene, tmp_path / "no" / "map.tif", "--model", scene), 1, "no landmix model")
    vrt = tmp_path / "scene.vrt"
    with rasterio.open(scene) as source, rasterio.vrt.WarpedVRT(source) as warped:
        rasterio.shutil.copy(warped, vrt, driver="VRT")
    refused(inside(vrt, target, *model()), 1, "allow it with --allow-vrt if you trust it")
    assert inside(vrt, target, *model(), "--allow-vrt", "--scale", str(SCALE), "--offset", str(OFFSET)).code == 0
    unnamed = write_scene(tmp_path / "unnamed.tif", names=None, wavelengths=[1, 2, 3, 4])
    refused(inside(unnamed, tmp_path / "x.tif", *model()), 1, "needs band blue")


def test_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    scene, target = world().scene, tmp_path / "map.tif"
    odd = os.fsdecode(b"odd \xff.tif")
    refused(inside(tmp_path / odd, target, *model()), 2, "names must be UTF-8", r"odd \udcff.tif")
    refused(inside(scene, tmp_path / "map.jpg", *model()), 2, "must end in .tif or .tiff")
    refused(inside(scene, target, *model(), "--confidence", tmp_path / "map.tiff"), 1, "would share the style")
    assert not target.exists()


def test_progress_is_on_standard_error(tmp_path: Path) -> None:
    unnamed = write_scene(tmp_path / "unnamed.tif", names=None, wavelengths=None)
    done = inside(unnamed, tmp_path / "a.tif", *model(), "--progress")
    assert (done.code, done.out) == (0, "")
    assert "classify a" in done.err
    assert "Warning: " in done.err
    assert "names no bands" in done.err
    assert inside(unnamed, tmp_path / "b.tif", *model(), "--quiet", "--progress").err == ""
    from rasterio.rio.main import main_group  # noqa: PLC0415

    quiet = CliRunner().invoke(main_group, ["-q", "landmix", str(unnamed), str(tmp_path / "c.tif"), *model()])
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals, code: int) -> None:
    write_scene(tmp_path / "big.tif", np.tile(big_values(2), (1, 12, 12)), **BLOCKS)
    process = subprocess.Popen(
        [program(), "landmix", "big.tif", "map.tif", *model(), "--confidence", "sure.tif"],
        cwd=tmp_path,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads
    )
    done = stop_when(process, (tmp_path / ".landmix" / "map" / "lock").exists, number)
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert {name for name in tree(tmp_path) if not name.startswith(".landmix/")} - {".landmix"} == {"big.tif"}
    assert not [name for name in tree(tmp_path) if "/.landmix-" in name]


def test_map_is_a_cog_with_provenance(tmp_path: Path) -> None:
    cogeo = pytest.importorskip("rio_cogeo.cogeo")
    target = tmp_path / "map.tif"
    assert inside(world().scene, target, *model()).code == 0
    valid, errors, warned = cogeo.cog_validate(target, strict=True, quiet=True)
    assert valid, (errors, warned)
    with rasterio.open(target) as file:
        assert file.tags()["LANDMIX_MODEL"] == bundles.load(world().model).digest
