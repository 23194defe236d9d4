"""Commands and calls that end badly on purpose, and the page on which a person can read what they say."""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from commands import Done, ended_inside, tree, world
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from landmix.classify.loaded import Loaded
from landmix.cli.config import config_folder
from landmix.cli.main import Command
from landmix.errors import LandmixError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Ran = Sequence[str] | Callable[[], object]
"""The arguments of the command (`landmix` is not said, `rio landmix` is `rio`), or a call from Python."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to meet a message."""

    ran: Ran
    given: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    """What holds while it runs."""
    hides: str = ""
    """A pattern for what a library says in its own words, which change with its version."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that share a folder of files."""

    title: str
    cases: dict[str, Case | Ran]
    prepare: Callable[[Path], None] = field(default=lambda _: None)
    """Makes the files in an empty folder."""
    whole: bool = False
    """Whether hydra itself composes each command, which takes most of its time."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a user sees of a case."""

    name: str
    code: int
    lines: tuple[str, ...]
    """Of standard error; a call from Python gives one line."""

    def __str__(self) -> str:
        return "\n".join([f"{self.name} ({self.code})", *(f"    {line}" for line in self.lines)])


def endings(group: Group, folder: Path) -> Iterator[Ending]:
    """Run a group's cases, which may write into the folder `new` and nowhere else."""
    world()
    start = Path.cwd()
    os.chdir(folder)
    try:
        group.prepare(folder)
        before = tree(folder)
        for name, given in group.cases.items():
            case = given if isinstance(given, Case) else Case(given)
            with contextlib.nullcontext() if group.whole else _quickly(), case.given():
                ending = _ended(name, case, folder)
            made = tree(folder) - before
            left = {path for path in made if path != "new" and not path.startswith("new/")}
            assert not left, (name, left)
            assert not made or ending.code != _USAGE, (name, made)
            shutil.rmtree("new", ignore_errors=True)
            yield ending
    finally:
        os.chdir(start)


_USAGE = 2
"""The exit code of a command that nothing was done for."""


def _ended(name: str, case: Case, folder: Path) -> Ending:
    if callable(case.ran):
        code, lines = _called(case.ran)
    else:
        with _library_lines() as heard:
            done = _rio(*case.ran[1:]) if case.ran[0] == "rio" else ended_inside(*case.ran)
        code, lines = done.code, [*done.err.splitlines(), *heard]
    hidden = [re.sub(case.hides, "<what the library says>", line) if case.hides else line for line in lines]
    return Ending(name, code, tuple(_without_places(line, folder) for line in hidden))


def _called(call: Callable[[], object]) -> tuple[int, list[str]]:
    """A call from Python: its warnings and its error, with the exit code that it would be."""
    code, ended = 0, []
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            call()
        except LandmixError as error:
            code, ended = (_USAGE if isinstance(error, UsageError) else 1), [f"error: {' '.join(str(error).split())}"]
    said = [f"warning: {found.message}" for found in heard if found.category is UserWarning]
    return code, [*said, *ended]


def _rio(*arguments: str) -> Done:
    from click.testing import CliRunner  # noqa: PLC0415
    from rasterio.rio.main import main_group  # noqa: PLC0415

    done = CliRunner().invoke(main_group, ["landmix", *arguments])
    return Done(done.exit_code, done.stdout, re.sub(r"\AUsage: .*\nTry .*\n\n", "", done.stderr))


@contextlib.contextmanager
def _quickly() -> Iterator[None]:
    """Without what takes a command's time and has no message of its own."""
    with mock.patch.object(Command, "_hydra", _composed_once), mock.patch.object(Loaded, "warm"):
        yield


def _composed_once(command: Command, _: str) -> None:
    """In place of hydra: the overrides put into a configuration that is composed once."""
    config = copy.deepcopy(_base(command.verb.name, ()))
    parsed = OverridesParser.create().parse_overrides(command.arguments)
    groups = [o for o in parsed if OmegaConf.is_dict(OmegaConf.select(config, o.get_key_element())) and o.value() != ""]
    chosen = tuple(str(o.input_line) for o in groups if isinstance(o.value(), str))
    config = copy.deepcopy(_base(command.verb.name, chosen))
    for override in parsed:
        if str(override.input_line) not in chosen:
            OmegaConf.update(config, override.get_key_element(), override.value(), merge=False)
    command._job(config)


@functools.cache
def _base(verb: str, groups: tuple[str, ...]) -> DictConfig:
    with initialize_config_dir(config_folder(), version_base="1.3"):
        composed = compose(verb, overrides=list(groups))
    OmegaConf.set_struct(composed, value=False)
    return composed


@contextlib.contextmanager
def _library_lines() -> Iterator[list[str]]:
    """What libraries in C print past Python while the block runs."""
    heard: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield heard
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            heard += file.read().decode(errors="replace").splitlines()


def _without_places(line: str, folder: Path) -> str:
    """A line that reads the same on every machine."""
    for place, name in ((folder, "<here>"), (world().folder, "<world>"), (Path.home(), "<home>")):
        line = line.replace(str(place), name)
    line = re.sub(r"take \d+ bytes", "take <n> bytes", line)  # versions of libraries are part of a record
    return re.sub(r"\b[0-9a-f]{16}\b", "<digest>", line)


@contextlib.contextmanager
def without(*packages: str) -> Iterator[None]:
    """As where an optional package is not installed."""
    with mock.patch.dict(sys.modules, dict.fromkeys(packages)):
        yield


FORM = re.compile(r"(error|warning|Error|Warning): \S.*([^\s.]|[=,] ?\.\.\.)")
"""A line that landmix prints: no full stop, as one sentence needs none."""

FOREIGN = re.compile(
    r"\b(None|True|False|NoneType|tuple|dict|ndarray|dtype|numpy|torch\.\w+|builtins|kwargs?|Traceback|pydantic|OmegaConf)\b"
    r"|\b\w+(Error|Exception)\b|<class|object at 0x|\[Errno|landmix\.[a-z]+\.|self\.|  "
)
"""Words of Python, which say nothing to people who make maps."""


def good_files(folder: Path) -> None:
    """A scene, its labels and truth, and a model that was trained on them, under their own names."""
    w = world()
    for source in (w.scene, w.labels, w.truth, w.model):
        shutil.copyfile(source, folder / source.name)
