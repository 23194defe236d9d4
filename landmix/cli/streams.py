"""What goes to the terminal: in any encoding, and nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import re
import sys
import unicodedata

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What sets a colour: all that landmix itself says to a terminal."""


def visible(text: str, *, colours: bool = False) -> str:
    r"""Text in which names from a stranger's file are letters and no commands; line ends stay.

    >>> visible("a\x1b[2Jb\x9bc\u202ed\n")
    'a\\x1b[2Jb\\x9bc\\u202ed\n'
    """
    if colours and "\x1b" in text:
        marks = _COLOUR.findall(text)
        plain = [visible(part) for part in _COLOUR.split(text)]
        return "".join(part + mark for part, mark in zip(plain, [*marks, ""], strict=True))
    return "".join(c if _harmless(c) else c.encode("unicode_escape").decode() for c in text)


def _harmless(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def prepare() -> None:
    """Let streams write what their encoding lacks as escapes, and start anew in UTF-8 where file names are not.

    In a locale that is not UTF-8, Python can neither name nor open a file called `Jürgen.tif`.
    """
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very command
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
