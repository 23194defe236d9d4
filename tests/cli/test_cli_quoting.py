"""Any text is a path: what stands behind a path key reaches the configuration unchanged."""

from __future__ import annotations

import pytest
from commands import ended_inside
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from landmix.cli.quoting import PATH_KEYS, quote_paths

HARD = [
    "/data/Jürgen (1), a=b.tif",
    "C:\\Users\\Ann\\scene.tif",
    "C:\\data\\",
    "\\\\server\\share\\a.tif",
    "it's.tif",
    "it\\'s.tif",
    'say "hi".tif',
    "a,b.tif",
    "a=b.tif",
    "${oc.env:HOME}",
    "$HOME/a.tif",
    "-leading/dash.tif",
    "a{1}.tif",
    "a[1].tif",
    "a]b.tif",
    "glob(*)",
    "range(1,3)",
    "choice(a,b)",
    "null",
    "true",
    "1e3",
    "007",
    " blank at both ends ",
    "tab\there.tif",
    "line\nbreak.tif",
    "日本/шар/🌲.tif",
    "a#b%c&d!e~f`g^h;i?j*k|l<m>n.tif",
    "a:b",
    "trailing\\",
    "a\\\\'b",
]


def parsed(argument: str) -> object:
    """What the configuration holds in the end, interpolations resolved."""
    override = OverridesParser.create().parse_override(argument)
    assert not override.is_sweep_override()
    config = OmegaConf.create({"key": override.value()})
    return config.key


@pytest.mark.parametrize("text", HARD)
def test_hard_names_come_through(text: str) -> None:
    (argument,) = quote_paths([f"scenes={text}"])
    assert str(parsed(argument)) == text


@pytest.mark.parametrize("key", sorted(PATH_KEYS - {"scene"}))
def test_every_path_key(key: str) -> None:
    (argument,) = quote_paths([f"{key}=a, b='c'.tif"])
    assert parsed(argument) == "a, b='c'.tif"


@given(st.text(min_size=1).filter(lambda text: text[0] not in "[{'\"@"))
def test_any_text_parses_back(text: str) -> None:
    (argument,) = quote_paths([f"data.scenes={text}"])
    key, equals, _ = argument.partition("=")
    assert (key, equals) == ("data.scenes", "=")
    assert str(parsed(argument)) == text


@given(st.text(alphabet="\\'\"{}a ,=$", min_size=1).filter(lambda text: text[0] not in "[{'\"@" and "\\${" not in text))
def test_any_text_of_signs_parses_back(text: str) -> None:
    (argument,) = quote_paths([f"out_dir={text}"])
    assert parsed(argument) == text


@given(st.lists(st.text()))
def test_other_arguments_stay(texts: list[str]) -> None:
    arguments = [f"seed={text}" for text in texts]
    assert quote_paths(arguments) == arguments


@pytest.mark.parametrize(
    "argument",
    ["scenes=[a.tif,b.tif]", "scenes={name: x, path: y}", "scenes='a,b'", 'scenes="a,b"', "scenes=plain.tif", "--help"],
)
def test_what_hydra_shall_read_stays(argument: str) -> None:
    assert quote_paths([argument]) == [argument]


def test_group_choice_stays() -> None:
    assert quote_paths(["scene=inherit"]) == ["scene=inherit"]


@pytest.mark.parametrize("key", ["data.scenes", "data.labels", "out_dir", "data.legend"])
def test_path_in_the_composed_configuration(key: str) -> None:
    text = "-a, (b)=[c] 'd' \"e\" ü\\"
    done = ended_inside("train", "--cfg", "job", f"{key}={text}")
    assert done.code == 0
    config = OmegaConf.create(done.out)
    assert OmegaConf.select(config, key) == text
