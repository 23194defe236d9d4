"""Shards as tasks of dask.distributed."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from batch_files import batch, entries, files, rows_of

from landmix.classify import cut
from landmix.classify.stages import Stages
from landmix.errors import LandmixError
from landmix.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from landmix.classify.batch import Batch, Row

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


QUIET: dict[str, Any] = {
    "dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
    "silence_logs": logging.CRITICAL,
}
"""Clusters that nobody looks at."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    level = logging.getLogger("distributed").level
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("distributed").setLevel(level)


def cluster_rows(made: Batch, address: str | None, progress: Silent | None = None) -> list[Row]:
    from landmix.classify.cluster import run_on_cluster  # noqa: PLC0415

    ended = dict(run_on_cluster(made, address, Stages(), progress or Silent()))
    return [ended[number] for number in sorted(ended)]


@pytest.fixture(scope="module")
def inside() -> Iterator[str]:
    """A scheduler with a worker of two threads in this process, which starts at once; its address."""
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **QUIET) as cluster:
        yield cluster.scheduler_address


def test_the_same_bytes_as_without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    monkeypatch.setattr(cut, "SHARD", 32)
    found = entries(tmp_path, 3)
    rows = cluster_rows(batch(found, tmp_path / "cluster", 2), inside)
    assert [(row.status, row.attempts, row.error) for row in rows] == [("done", 1, None)] * 3
    assert [row.map for row in rows] == [str(tmp_path / "cluster" / f"s{number}.tif") for number in range(3)]
    rows_of(batch(found, tmp_path / "local"))
    assert files(tmp_path / "cluster") == files(tmp_path / "local")
    again = cluster_rows(batch(found, tmp_path / "cluster", 2), inside)
    assert [row.status for row in again] == ["kept"] * 3


def test_it_goes_on_with_parts_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    from landmix.classify.share import Share  # noqa: PLC0415

    monkeypatch.setattr(cut, "SHARD", 32)
    found = entries(tmp_path, 1)
    rows_of(batch(found, tmp_path / "out", share=Share(number=1, count=2)))
    parts = {p: p.stat().st_mtime_ns for p in (tmp_path / "out/.landmix/s0").glob("*.tif")}
    assert parts
    assert [row.status for row in cluster_rows(batch(found, tmp_path / "out"), inside)] == ["done"]
    rows_of(batch(found, tmp_path / "local"))
    assert files(tmp_path / "out") == files(tmp_path / "local")


def test_a_failed_scene_is_tried_once_more_and_stops_no_other(tmp_path: Path, inside: str) -> None:
    from pathlib import Path  # noqa: PLC0415

    found = entries(tmp_path, 3)
    Path(found[1].files[0]).write_text("no raster")
    rows = cluster_rows(batch(found, tmp_path / "out", 2), inside)
    assert [row.status for row in rows] == ["done", "failed", "done"]
    assert [row.attempts for row in rows] == [1, 2, 1]
    assert "s1.tif" in str(rows[1].error)


def test_a_worker_warns_by_way_of_the_row(tmp_path: Path, inside: str) -> None:
    import numpy as np  # noqa: PLC0415
    from classify_files import write_scene  # noqa: PLC0415

    from landmix.geo.paths import Entry  # noqa: PLC0415

    values = np.random.default_rng(0).integers(10_000, 20_000, (2, 60, 60)).astype(np.uint16)
    strange = Entry(files=(write_scene(tmp_path / "a.tif", values),), stem="a")
    (row,) = cluster_rows(batch([strange], tmp_path / "out"), inside)
    assert any("not like the training pixels" in text for text in row.warnings)


def test_an_address_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match=r"no dask scheduler at executor\.address=nonsense"):
        cluster_rows(batch(entries(tmp_path, 1), tmp_path / "out"), "nonsense://nowhere")


@pytest.mark.slow
def test_an_address_where_nobody_listens_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match=r"no dask scheduler at executor\.address=tcp://127\.0\.0\.1:9"):
        cluster_rows(batch(entries(tmp_path, 1), tmp_path / "out"), "tcp://127.0.0.1:9")


@pytest.mark.slow
def test_processes_of_its_own_give_the_same_bytes(tmp_path: Path) -> None:
    found = entries(tmp_path, 5)
    rows = cluster_rows(batch(found, tmp_path / "cluster", 2), None)
    assert [row.status for row in rows] == ["done"] * 5
    rows_of(batch(found, tmp_path / "local"))
    assert files(tmp_path / "cluster") == files(tmp_path / "local")


SMALL = "import landmix.classify.cut as cut; cut.SHARD = 32"


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_shard_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np  # noqa: PLC0415
    from classify_files import write_scene  # noqa: PLC0415

    from landmix.geo.paths import Entry  # noqa: PLC0415

    monkeypatch.setattr(cut, "SHARD", 32)  # here, and in workers that start again too
    (tmp_path / "small.py").write_text(SMALL, encoding="utf-8")
    values = np.random.default_rng(0).integers(1, 200, (2, 640, 640), np.uint8)
    found = [Entry(files=(write_scene(tmp_path / "big.tif", values),), stem="big"), *entries(tmp_path, 1)]
    killed: list[int] = []

    def kill(pid: int) -> None:
        work = tmp_path / "cluster" / ".landmix" / "big"
        limit = time.monotonic() + 60
        while len(list(work.glob("*.tif"))) < 8 and time.monotonic() < limit:
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        killed.append(len(list(work.glob("*.tif"))))

    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            local_directory=str(tmp_path / "dask"),
            preload=[str(tmp_path / "small.py")],
            **QUIET,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        pids: dict[str, Any] = client.run(os.getpid)
        watcher = threading.Thread(target=kill, args=(min(pids.values()),))
        watcher.start()
        rows = cluster_rows(batch(found, tmp_path / "cluster", 2), cluster.scheduler_address)
        watcher.join()
    assert killed
    assert killed[0] < 2 * 400  # in the middle
    assert [(row.status, row.error) for row in rows] == [("done", None)] * 2
    rows_of(batch(found, tmp_path / "local", 2))
    assert files(tmp_path / "cluster") == files(tmp_path / "local")


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_said_in_words(tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415
    from classify_files import write_scene  # noqa: PLC0415

    from landmix.geo.paths import Entry  # noqa: PLC0415

    values = np.random.default_rng(0).integers(1, 200, (2, 900, 900), np.uint8)
    found = [Entry(files=(write_scene(tmp_path / "big.tif", values),), stem="big")]
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, local_directory=str(tmp_path / "dask"), **QUIET
    )

    def close() -> None:
        limit = time.monotonic() + 60
        while not list((tmp_path / "out/.landmix/big").glob("*.tif")) and time.monotonic() < limit:
            time.sleep(0.005)
        cluster.close()

    with distributed.Client(cluster, set_as_default=False) as client:
        client.run(exec, SMALL)
    watcher = threading.Thread(target=close)
    watcher.start()
    try:
        said = [str(row.error) for row in cluster_rows(batch(found, tmp_path / "out"), cluster.scheduler_address)]
    except LandmixError as error:
        said = [str(error)]
    watcher.join()
    assert len(said) == 1
    assert "None" not in said[0]
    assert "scheduler" in said[0] or "cluster" in said[0]
