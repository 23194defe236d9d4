"""Every message is on the page, in one form, and says there what it says today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from page import GROUPS, HEAD, LAST, PAGE, section, sections, unprovoked, unsaid
from provoking import FOREIGN, FORM, Group, endings
from scan import Site, sites
from unprovoked import UNPROVOKED

if TYPE_CHECKING:
    from pathlib import Path

ANEW = "read what has changed, then write the page anew with `python tests/messages/page.py`"
CODES = {0, 1, 2, 130}
PYTHON = {"From Python", "Networks of one's own"}
"""Whoever meets these writes Python."""


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.title)
def test_messages_are_those_of_the_page(group: Group, tmp_path: Path) -> None:
    ended = list(endings(group, tmp_path.resolve()))
    for ending in ended:
        assert ending.code in CODES, ending
        errors = [line for line in ending.lines if line.lower().startswith("error: ")]
        assert len(errors) == (ending.code != 0), ending
        assert not errors or ending.lines[-1] == errors[0], ending
        for line in ending.lines:
            assert FORM.fullmatch(line), line  # what a library prints has another
            assert group.title in PYTHON or not FOREIGN.search(_without_own_words(line)), line
    assert section(group, ended) == sections().get(group.title), ANEW


def _without_own_words(line: str) -> str:
    """Without the name of an error that nobody foresaw, which helps whoever hears of it."""
    return line.replace("(RuntimeError: odd)", "")


def test_page_holds_the_groups_and_nothing_else() -> None:
    assert list(sections()) == [*(group.title for group in GROUPS), LAST], ANEW
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)
    assert sections()[LAST] == unprovoked(), ANEW


def test_every_message_of_the_source_is_on_the_page() -> None:
    missing = "\n".join(map(str, unsaid()))
    assert not missing, (
        f"no case in tests/messages/said_*.py provokes this, or has a reason in unprovoked.py:\n{missing}"
    )


def test_reasons_are_of_messages_that_there_are() -> None:
    assert {Site(*key) for key in UNPROVOKED} <= set(sites())


def test_scan_finds_messages_however_they_are_written() -> None:
    known = {str(site) for site in sites()}
    for words in (
        "bundle.py: there is no model file …",  # a variable
        "tasks/evaluate.py: no reference pixel of … has a value in the map …: are both of the same place?",  # two steps
        "labelling.py: no label touches …",  # a warning
        "tasks/run.py: bands left out because they are nodata at every label: …",  # a note
        "files.py: cannot write …: …",  # an error that a function gives back
    ):
        assert words in known, words


def test_pattern_finds_a_message_in_another_one() -> None:
    site = Site("x.py", "a class value must lie between 0 and …, not …")
    assert site.pattern.search("error: the labels a.tif cannot be used: a class value must lie between 0 and 9, not -1")
    assert not site.pattern.search("error: a class name must lie between 0 and 9, not -1")
