"""docs/networks.md stays true: its table, and its example of a network of one's own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from landmix.cli.config import config_folder, settings_from
from landmix.nn.build import build
from landmix.nn.describe import describe
from landmix.nn.spec import NetShape

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
BANDS, CLASSES = 12, 10


def rows() -> dict[str, list[str]]:
    """The table's cells by name."""
    lines = [line for line in PAGE.splitlines() if re.match(r"\| `\w+`", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): rest for name, *rest in cells}


def shape(name: str) -> NetShape:
    """A file of `conf/net/` as the command line reads it."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = compose("demo", [f"net={name}"])
    GlobalHydra.instance().clear()
    return settings_from(config.net, NetShape)


def test_every_network_has_a_row() -> None:
    assert set(rows()) == {path.stem for path in Path(config_folder()).glob("net/*.yaml")}


@pytest.mark.parametrize("name", sorted(rows()))
def test_the_table_is_true(name: str) -> None:
    found = shape(name)
    bands, inputs = (2 * BANDS, (BANDS, BANDS)) if found.fusion else (BANDS, ())
    network = build(found, bands, CLASSES, inputs).eval()
    facts = describe(network, channels=bands, margin=network.margin)
    _, sees, margin, parameters, operations = rows()[name]
    assert sees == f"{facts.sees[0]} x {facts.sees[1]}"
    assert facts.sees == (2 * network.margin + 1,) * 2
    assert int(margin) == network.margin
    assert parameters == f"{facts.parameters:,}"
    assert operations == f"{2 * facts.multiply_adds / 1000:.1f}"


def test_the_example_is_a_network(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_net.py").write_text(code, encoding="utf-8")
    found = build(replace(NetShape(), plugin=str(tmp_path / "my_net.py")), 12, 10)
    assert f"sees {2 * found.margin + 1} x {2 * found.margin + 1} pixels" in PAGE
