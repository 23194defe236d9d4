"""Command lines of any kind: settings, or one sentence; never a traceback, never a file."""

from __future__ import annotations

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path

from commands import inside
from fuzz_depth import fuzzed
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from landmix.cli.config import config_folder

VERBS = ("train", "predict", "evaluate", "inspect", "export", "sample")
NEVER = {"progress", "hydra"}


@cache
def keys(verb: str) -> list[str]:
    """Every setting of a verb, with its dots."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = OmegaConf.to_container(compose(verb), resolve=False)
    GlobalHydra.instance().clear()
    return [key for key in _flat(config) if key.split(".")[0] not in NEVER]


def _flat(data: object, prefix: str = "") -> list[str]:
    if not isinstance(data, dict) or not data:
        return [prefix]
    return [key for name, part in data.items() for key in _flat(part, f"{prefix}.{name}".lstrip("."))]


VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.sampled_from(
        [
            "",
            "null",
            "true",
            "[]",
            "{}",
            "[[]]",
            "[1,2]",
            "{a: 1}",
            "1e400",
            "-1",
            "0",
            "nan",
            "inf",
            "a.tif",
            "@list",
            "@",
            "${out_dir}",
            "${oc.env:HOME}",
            "${",
            "???",
            "'",
            '"',
            "\\",
            "[",
            "{",
            "a,b",
            "*",
            "../..",
            "/dev/null",
            "{name: a, path: b}",
            "{a: {b: c}}",
            "[a.tif,[b.tif]]",
            "1_000",
            "0x10",
            "~",
            "é",
            "x" * 300,
            "://",
            "http://",
            "/vsizip/{a.zip}/b",
            "99999999999999999999999",
        ]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A verb with overrides: of its settings, of none, and things that are no overrides."""
    verb = draw(st.sampled_from(VERBS))
    sign = st.sampled_from(["", "", "", "+", "++", "~"])
    own = st.builds(lambda s, key, value: f"{s}{key}={value}", sign, st.sampled_from(keys(verb)), VALUES)
    strange = st.builds(lambda key, value: f"{key}={value}", st.text(max_size=8), VALUES)
    bare = st.text(max_size=8).filter(lambda text: not text.startswith("-"))
    return [verb, *draw(st.lists(own | own | own | strange | bare, max_size=4))]


@fuzzed(60)
@given(lines())
def test_any_command_line_ends_in_a_sentence(arguments: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            # nothing that exists is named, so nothing can be done
            code = inside(*arguments, "progress=off")
        assert code in {0, 1, 2}, (arguments, err.getvalue())
        if code:
            last = err.getvalue().splitlines()[-1]
            assert last.startswith("error: "), (arguments, err.getvalue())
            assert "unexpectedly" not in last, (arguments, err.getvalue())
        assert "Traceback" not in err.getvalue() + out.getvalue(), arguments
        if code == 2:
            assert not any(Path(folder).iterdir()), arguments
