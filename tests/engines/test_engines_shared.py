"""One engine, several threads; and what a back-end leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_networks import FINE, ROUGH, needs_openvino, network, pixels

from landmix.engines.engine import SHARES, Wanted
from landmix.engines.load import Engines

if TYPE_CHECKING:
    from landmix.engines.engine import Answer, EngineSpec


def same(one: Answer, other: Answer) -> bool:
    return np.array_equal(one.index, other.index) and all(
        np.array_equal(values, other.shares[name]) for name, values in one.shares.items()
    )


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
@pytest.mark.parametrize("threads", [1, 4])
def test_four_threads_get_what_one_gets(spec: EngineSpec, threads: int) -> None:
    """Also where the engine was built for fewer."""
    net = network(blocks=2)
    sizes = [(40, 50), (150, 90), (33, 41), (200, 60), (64, 64), (20, 130)] * 3
    windows = [pixels(3, *size, "uint16", seed=seed) for seed, size in enumerate(sizes)]
    wanted = Wanted(shares=SHARES)
    alone = Engines(net, spec).get(wanted)
    expected = [alone(*window) for window in windows]
    engine = Engines(net, spec, threads=threads).get(wanted)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda window: engine(*window), windows))
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("spec", [*FINE, *ROUGH])
def test_threads_that_ask_first_at_once_share_one_engine(spec: EngineSpec) -> None:
    engines = Engines(network(), spec, threads=4)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: engines.get(Wanted()), range(4)))
    assert len({id(engine) for engine in found}) == 1


def test_an_engine_does_not_change_the_pixels_it_is_given() -> None:
    for spec in [param.values[0] for param in FINE if not param.marks]:
        given = pixels(3, 30, 30)
        before = [values.copy() for values in given]
        Engines(network(), spec).get(Wanted())(*given)  # type: ignore[arg-type]
        assert all(np.array_equal(one, other) for one, other in zip(given, before, strict=True))


FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "nn")]
"""Where the helpers of these tests lie, for processes that know no pytest."""

CODE = """
import sys, threading
told = []
sys.addaudithook(lambda event, _: told.append(event) if event.startswith(("socket.", "subprocess.")) else None)
sys.path[:0] = {folders!r}
from engine_networks import network, pixels
from landmix.engines.engine import EngineSpec, Wanted
from landmix.engines.load import Engines
told.clear()
spec = EngineSpec(backend="openvino", precision="fp32")
Engines(network(), spec).get(Wanted())(*pixels(3, 20, 20))
print(told, [thread.name for thread in threading.enumerate()])
"""


@needs_openvino
def test_openvino_writes_nothing_into_the_home_folder_and_tells_nobody(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    folders = {name: str(home) for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "APPDATA")}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(folders=FOLDERS)],
        cwd=tmp_path,
        env={**os.environ, **folders},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[] ['MainThread']"
    assert [path.name for path in tmp_path.rglob("*")] == ["home"]


SIZES = """
import sys
from pathlib import Path
sys.path[:0] = {folders!r}
import numpy as np
from engine_networks import pixels
from landmix.engines.engine import EngineSpec, Wanted
from landmix.engines.load import Engines
from landmix.nn.network import Network
from landmix.nn.spec import NetSpec

def memory():
    line = next(text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmRSS"))
    return int(line.split()[1]) / 1024

net = Network(NetSpec(in_channels=12, classes=10)).eval()
engine = Engines(net, EngineSpec(backend={backend!r}, precision="fp32")).get(Wanted())
rng = np.random.default_rng(0)
for number in range(80):
    height, width = rng.integers(86, 190, 2)
    engine(*pixels(12, height + 4, width + 4, "uint16"))
    if number == 15:
        before = memory()
print(memory() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory from /proc")
@pytest.mark.parametrize("backend", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_scenes_of_ever_new_sizes_do_not_fill_the_memory(backend: str) -> None:
    """64 sizes more than 16; a thousand scenes may have a thousand."""
    code = SIZES.format(folders=FOLDERS, backend=backend)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert float(done.stdout) < 150
