"""Every message that stands in the source: what `raise` and `warn` are given, as patterns for what a user reads."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[2] / "landmix"

_HOLE = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for what a message says of the case at hand."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A place in the source that says something to a user."""

    file: str
    """Relative to the package."""
    template: str
    """The words of the message, with an ellipsis for each value in it."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the message where it is read, in the words of another one too."""
        return re.compile(".*?".join(re.escape(part) for part in self.template.split(_HOLE)), re.DOTALL)

    def __str__(self) -> str:
        return f"{self.file}: {self.template}"


def sites() -> list[Site]:
    """Those of the whole package. A message that is only handed on (`str(error)`) has its site where it was made."""
    found = {
        Site(path.relative_to(PACKAGE).as_posix(), template)
        for path in sorted(PACKAGE.rglob("*.py"))
        for template in _templates(ast.parse(path.read_text(encoding="utf-8")))
    }
    return sorted(site for site in found if len(site.template.replace(_HOLE, "").strip()) > _SHORT)


_SHORT = 4
"""Letters that a message needs to be one, and not another one with a colon before it."""


_SAYING = ("warn", "notes.append", "found.append", "self._refuse")
"""What is called to say something, besides making an error."""


def _templates(tree: ast.Module) -> Iterator[str]:
    for body in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
        for block in _blocks(body):
            for index, statement in enumerate(block):
                for said in _said(statement):
                    yield from _words(said, block[:index])


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if block:
            yield block
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def _said(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement itself, without those inside it, raises or warns of."""
    if isinstance(statement, ast.Raise) and isinstance(statement.exc, ast.Call) and statement.exc.args:
        yield statement.exc.args[0]
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and call.args and ast.unparse(call.func).endswith(_SAYING):
        yield call.args[0]
    made = statement.value if isinstance(statement, ast.Return) else None
    if isinstance(made, ast.Call) and made.args and ast.unparse(made.func) in ("LandmixError", "UsageError"):
        yield made.args[0]


def _words(said: ast.expr, before: list[ast.stmt]) -> list[str]:
    """The templates of an expression; that of a variable is what it was last set to, and what was added since."""
    if isinstance(said, ast.Name):
        built: list[str] = []
        for statement in before:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == said.id:
                built = _words(statement.value, [])
            elif isinstance(statement, ast.AugAssign) and ast.unparse(statement.target) == said.id:
                built = [one + two for one in built for two in _words(statement.value, [])]
        return built
    if isinstance(said, ast.Constant) and isinstance(said.value, str):
        return [said.value]
    if isinstance(said, ast.JoinedStr):
        return ["".join(p.value if isinstance(p, ast.Constant) else _HOLE for p in said.values)]  # type: ignore[misc]
    if isinstance(said, ast.IfExp):
        return [*_words(said.body, before), *_words(said.orelse, before)]
    if isinstance(said, ast.BinOp) and isinstance(said.op, ast.Add):
        return [one + two for one in _words(said.left, before) for two in _words(said.right, before)]
    return [_HOLE]
