"""What landmix depends on: all of it is used, pinned, new enough, and its licence listed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "scripts"))

from _licences import EXTRAS, canonical, closure  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NAMES = {
    "hydra-core": "hydra",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
"""Modules that are called otherwise than their packages."""

RUN = {
    "hatchling": "builds the wheel",
    "import-linter": "scripts/test runs lint-imports",
    "mypy": "scripts/test",
    "pytest-xdist": "scripts/test runs two processes",
    "ruff": "scripts/test",
    "types-pyyaml": "mypy reads it",
    "pip-audit": "scripts/audit",
    "uv": "scripts/test --lowest",
    "build": "tests make a wheel by python -m build",
    "onnxscript": "torch.onnx.export imports it",
    "tensorboard": "Lightning's logger imports it",
    "mlflow": "Lightning's logger imports it",
    "wandb": "Lightning's logger imports it",
    "distributed": "imported by landmix.classify.cluster",
}
"""What is run, or imported by others, and where."""

FLOORS = {"torch": "2.10", "lightning": "2.6.6", "hydra-core": "1.3.8", "onnx": "1.21"}
"""Versions below which a stranger's file was dangerous, or the package itself."""


def requirements() -> dict[str, list[Requirement]]:
    """By extra; `` for what everybody gets."""
    extras = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    return {extra: [Requirement(text) for text in texts] for extra, texts in extras.items()}


def pins() -> dict[str, str]:
    """Versions in constraints.txt by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([\w.-]+)==([\w.+]+)", line) for line in lines if not line.startswith("#")]
    assert all(found), "every line pins one version"
    return {canonical(match[1]): match[2] for match in found if match}


AS_PINNED = pytest.mark.skipif(version("torch").partition("+")[0] != pins()["torch"], reason="other versions")
"""Of other versions other packages are installed: `scripts/test --lowest`."""


def imported(*folders: str) -> set[str]:
    """Top modules that the sources import, also by name as in `importorskip("sklearn")`."""
    modules: set[str] = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules.add(node.module.partition(".")[0])
                elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    if called in {"importorskip", "import_module", "find_spec"}:
                        modules.add(str(node.args[0].value).partition(".")[0])
    return modules


@pytest.mark.parametrize("extra", requirements())
def test_every_dependency_is_used(extra: str) -> None:
    used = imported("landmix") | (imported("tests", "scripts") if extra in {"dev", "bench"} else set())
    wanted = {canonical(need.name) for need in requirements()[extra]} - {"landmix"}
    unused = {name for name in wanted if NAMES.get(name, name.replace("-", "_")) not in used} - set(RUN)
    assert not unused


def test_every_import_is_a_dependency() -> None:
    """What is there only because something else needs it may be gone tomorrow."""
    known = {
        NAMES.get(n, n.replace("-", "_"))
        for needs in requirements().values()
        for n in (canonical(r.name) for r in needs)
    }
    known |= {"landmix", "click", "dask", "qgis", "processing", *sys.stdlib_module_names}  # click comes with rasterio
    assert imported("landmix") <= known


@pytest.mark.parametrize("name", FLOORS)
def test_floors(name: str) -> None:
    for needs in requirements().values():
        for need in needs:
            if canonical(need.name) == name:
                (floor,) = [part for part in need.specifier if part.operator == ">="]
                assert Version(floor.version) >= Version(FLOORS[name])


def test_every_dependency_has_a_floor() -> None:
    for needs in requirements().values():
        assert all(need.extras or any(s.operator == ">=" for s in need.specifier) for need in needs)


@AS_PINNED
def test_everything_is_pinned() -> None:
    """The dependencies of dependencies too, as far as they are installed here."""
    wanted = frozenset(PROJECT["optional-dependencies"])
    missing = set(closure("landmix", wanted)) - set(pins()) - {"landmix"}
    assert not missing


def test_the_pins_are_allowed() -> None:
    for needs in requirements().values():
        for need in needs:
            if (name := canonical(need.name)) in pins():
                assert need.specifier.contains(pins()[name], prereleases=True), need


@AS_PINNED
def test_licences_are_listed() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = {canonical(row.split("|")[1].strip()) for row in text.splitlines() if row.startswith("| ")}
    assert set(closure("landmix", EXTRAS)) - {"landmix"} <= listed
    assert "not stated" not in text
