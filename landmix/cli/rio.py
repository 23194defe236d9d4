"""`rio landmix SRC DST --model M`: one scene through rasterio's command line.

`rio` loads this file whenever it starts, so nothing heavy is imported before the command runs. click comes with
rasterio.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import click
from rasterio.rio import options

from landmix.cli.signals import signals
from landmix.cli.streams import visible
from landmix.errors import LandmixError, Terminated, UsageError
from landmix.files import check_text, is_remote

_FULL = "the memory is full: close other programs, or cut the scene"


@click.command(short_help="Classify a scene into a land-cover map.")
@click.argument("src", metavar="SRC")
@click.argument("dst", metavar="DST", type=click.Path(dir_okay=False))
@click.option("-m", "--model", required=True, type=click.Path(), help="A model that landmix train has written.")
@click.option("-b", "--bands", help="Bands of SRC by number or name, in the order of the model's: 4,3,2 or red,nir.")
@click.option("--confidence", type=click.Path(dir_okay=False), help="A second raster: share of the best class.")
@click.option("--scale", help="What numbers in SRC mean: auto, stac, tiff, none (physical values), or a factor.")
@click.option("--offset", type=float, help="What is added to stored * scale.")
@click.option("--match", type=click.Choice(["auto", "name", "wavelength", "position"]), help="How bands are found.")
@click.option("--allow-vrt", is_flag=True, help="SRC may be a VRT, which can name any other file.")
@click.option("--allow-missing", help="Bands or roles that SRC may lack: B05,B06. They count as the training mean.")
@click.option("--plugin", type=click.Path(), help="Your Python file with the model's network, if it is your own.")
@click.option("--tta", type=click.Choice(["none", "flips"]), default="none", help="Average over turned surroundings.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute.")
@click.option("--backend", type=click.Choice(["auto", "torch", "openvino"]), default="auto", help="With what.")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", help="In which numbers.")
@options.overwrite_opt  # type: ignore[untyped-decorator]
@options.creation_options  # type: ignore[untyped-decorator]
@click.option("--progress/--no-progress", default=None, help="Show a bar; by default on a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
@click.pass_context
def landmix(ctx: click.Context, /, **given: Any) -> None:
    """Classify a scene with a landmix model.

    SRC is one scene: a raster, an address, a /vsi path, a product folder or a STAC item. DST becomes a cloud-optimised
    GeoTIFF with the side files by which GIS programs know its classes. Its pixels are those of landmix predict.

    \b
        $ rio landmix scene.tif map.tif --model model.ckpt

    Creation options are those of GDAL's COG driver, as far as they leave pixels as they are:

    \b
        $ rio landmix scene.tif map.tif -m model.ckpt --co COMPRESS=ZSTD --co BLOCKSIZE=256

    Work that was interrupted goes on where it was when the command is run again.
    """  # noqa: D301 - click's own sign for lines that stay as they are
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `landmix`: before torch is imported
    os.environ.setdefault("CPL_LOG", os.devnull)  # likewise: GDAL's complaints come in our errors
    about = ctx.obj or {"env": contextlib.nullcontext(), "verbosity": 0}  # what `rio` itself was told
    quiet = given["quiet"] or about["verbosity"] < 0
    try:
        with signals(), about["env"]:
            _classify(given, quiet=quiet)
    except (KeyboardInterrupt, Terminated) as stop:
        interrupted = isinstance(stop, KeyboardInterrupt)
        click.echo("Aborted!" if interrupted else "Terminated!", err=True)
        ctx.exit(130 if interrupted else 143)
    except UsageError as error:
        raise click.UsageError(_in_options(error), ctx) from error
    except LandmixError as error:
        raise click.ClickException(_in_options(error)) from error
    except MemoryError as error:
        raise click.ClickException(_FULL) from error
    except OSError as error:
        message = f"cannot use {error.filename or 'a file'}: {error.strerror or error}"
        raise click.ClickException(message) from error


def _classify(given: dict[str, Any], *, quiet: bool) -> None:
    check_text(given["src"], given["dst"], given["model"], given["confidence"] or "")
    source = _source(given["src"])
    _check_targets(source, given)
    from landmix.cli.rio_progress import RioProgress  # noqa: PLC0415
    from landmix.model import load  # noqa: PLC0415 - torch

    model = load(
        given["model"], plugin=given["plugin"], **{key: given[key] for key in ("device", "backend", "precision")}
    )
    with RioProgress(bar=given["progress"], quiet=quiet) as progress:
        model.classify_scene(
            source,
            given["dst"],
            confidence=given["confidence"],
            bands=_bands(given["bands"]),
            tta=given["tta"],
            allow_missing=[item.strip() for item in (given["allow_missing"] or "").split(",") if item.strip()],
            read=_reading(given),
            creation=given["creation_options"],
            overwrite=given["overwrite"],
            progress=progress,
        )


def _source(text: str) -> str:
    """SRC as a path that means nothing but itself: no list file, no pattern."""
    if is_remote(text):
        return text
    if not Path(text).exists():
        msg = f"there is no scene {text}"
        raise UsageError(msg)
    return str(Path(text).absolute())


def _check_targets(source: str, given: dict[str, Any]) -> None:
    """Raise `UsageError` where one file would be two things, `LandmixError` for one that exists."""
    named = {"DST": given["dst"], "--confidence": given["confidence"]}
    targets = {name: Path(path) for name, path in named.items() if path is not None}
    others = {"SRC": source, "--model": given["model"]}
    if len({os.path.realpath(path) for path in targets.values()}) < len(targets):
        msg = f"DST and --confidence must be two files, not both {given['dst']}"
        raise UsageError(msg)
    for name, path in targets.items():
        for other, used in others.items():
            if not is_remote(used) and os.path.realpath(path) == os.path.realpath(used):
                msg = f"{name} must not be {other}, but both are {path}"
                raise UsageError(msg)
        if path.suffix.lower() not in {".tif", ".tiff"}:
            msg = f"{name} is a GeoTIFF and must end in .tif or .tiff, but is {path}"
            raise UsageError(msg)
        if path.exists() and not given["overwrite"]:
            msg = f"{path} exists: choose another {name}, or replace it with --overwrite"
            raise LandmixError(msg)


def _bands(text: str | None) -> list[str | int] | None:
    """`4,3,red` -> [4, 3, "red"]."""
    if text is None:
        return None
    items = [item.strip() for item in text.split(",")]
    return [int(item) if item.isascii() and item.isdigit() else item for item in items]


def _reading(given: dict[str, Any]) -> dict[str, Any]:
    """What is said of how SRC is read, as settings of `scene.*`."""
    said = {key: given[key] for key in ("scale", "offset", "match") if given[key] is not None}
    if given["allow_vrt"]:
        said["allow_vrt"] = True
    try:
        said["scale"] = float(said["scale"])
    except (KeyError, ValueError):  # a word, or nothing
        return said
    return said


def _in_options(error: LandmixError) -> str:
    """A message that speaks of settings, in the words of this command line."""
    text = visible(" ".join(str(error).split()))
    for setting, option in (
        (r"\boverwrite=true\b", "--overwrite"),
        (r"\banother out_dir\b", "another DST"),
        (r"\bscene\.allow_vrt=true\b", "--allow-vrt"),
        (r"\bscene\.(scale|offset|match)=", r"--\1 "),
        (r"\bscene\.(scale|offset|match)(?=[ ,:;])", r"--\1"),
        (r"\ballow_missing=\[([^\]]*)\]", r"--allow-missing \1"),
        (r"\bnet\.plugin=", "--plugin "),
        (r"(?<!\S)(device|backend|precision)=(?=\w)", r"--\1 "),
    ):
        text = re.sub(setting, option, text)
    return text
