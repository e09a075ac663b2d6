"""Tiles on a Dask cluster of several processes, of which some die half way."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import toy_planet
import xarray as xr
from toy_planet import ToyEnsemble, write_planet

from tamflux.errors import TamfluxError
from tamflux.inference import predict, tiles
from tamflux.inference.cluster import dask_client
from tamflux.inference.predict import predict_tiles

RUN = {"workers": 1, "batch_cells": 7}
LAND_TILES = 15
SECONDS = 30  # that a process may take to start, or a run to get to its third tile


@pytest.fixture
def planet(tmp_path, monkeypatch):
    monkeypatch.setattr(tiles, "Ensemble", ToyEnsemble)
    return write_planet(tmp_path)


@pytest.fixture
def expected(planet, tmp_path):
    """The tiles of a local run with one thread."""
    predict_tiles(**planet, output=tmp_path / "local_2004.zarr", **RUN)
    return xr.open_zarr(tmp_path / "local_2004.zarr").load()


class Cluster:
    """A scheduler and workers of one thread each, every one a process of its own."""

    def __init__(self, stack: ExitStack, folder: Path, workers: int):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self._stack, self._folder = stack, folder
        self.scheduler = self._start(
            "scheduler", "--port", str(port), "--dashboard-address", "127.0.0.1:0"
        )
        self.workers = [
            self._start(
                "worker",
                self.address,
                *("--nthreads", "1", "--no-nanny", "--no-dashboard"),
                *("--preload", toy_planet.__file__, "--local-directory", str(folder)),
            )
            for _ in range(workers)
        ]

    def _start(self, kind: str, *args: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1"]
        process = self._stack.enter_context(
            subprocess.Popen(
                [*command, *args],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        )
        self._stack.callback(process.kill)  # before the wait of Popen.__exit__
        return process


@contextmanager
def cluster_of(folder: Path, workers: int):
    """Start a cluster and wait until its workers have registered."""
    from distributed import Client

    with ExitStack() as stack:
        cluster = Cluster(stack, folder, workers)
        with Client(cluster.address, timeout=SECONDS) as client:
            client.wait_for_workers(workers, timeout=SECONDS)
        yield cluster


@contextmanager
def killed_after_tiles(process: subprocess.Popen, marks: Path, count: int = 3):
    """Meanwhile SIGKILL a process as soon as `count` tiles are finished; give their marks."""
    seen = {}

    def kill():
        deadline = time.monotonic() + SECONDS
        while len(found := list(marks.glob("r*"))) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        seen.update({mark.name: mark.stat().st_mtime_ns for mark in found})

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield seen
    finally:
        thread.join()


def test_a_run_that_loses_a_worker_gives_the_tiles_of_a_local_run(planet, expected, tmp_path):
    output, marks = tmp_path / "t_2004.zarr", tmp_path / ".t_2004.work" / "done"
    with cluster_of(tmp_path, workers=2) as cluster:
        with killed_after_tiles(cluster.workers[0], marks) as seen:
            predict_tiles(**planet, output=output, **RUN, scheduler_address=cluster.address)
        assert cluster.workers[0].wait() == -9 and cluster.workers[1].poll() is None
    assert 3 <= len(seen) < LAND_TILES  # the worker did die half way
    xr.testing.assert_identical(xr.open_zarr(output).load(), expected)


def test_a_run_that_loses_the_scheduler_says_so_and_the_next_goes_on(
    planet, expected, tmp_path, monkeypatch
):
    output, marks = tmp_path / "t_2004.zarr", tmp_path / ".t_2004.work" / "done"
    with cluster_of(tmp_path, workers=2) as cluster:
        with (
            killed_after_tiles(cluster.scheduler, marks) as seen,
            pytest.raises(TamfluxError, match="scheduler was lost") as error,
        ):
            predict_tiles(**planet, output=output, **RUN, scheduler_address=cluster.address)
        assert cluster.address in str(error.value) and not output.exists()
    assert 3 <= len(seen) < LAND_TILES
    computed, original = [], predict.predict_tile

    def predict_one(sources, tile, batch_cells):
        computed.append(tile.id)
        return original(sources, tile, batch_cells)

    monkeypatch.setattr(predict, "predict_tile", predict_one)
    predict_tiles(**planet, output=output, **RUN)
    assert computed and set(seen).isdisjoint(computed)
    xr.testing.assert_identical(xr.open_zarr(output).load(), expected)


def test_worker_processes_end_when_their_job_is_killed():
    code = (
        "import os, time; from tamflux.inference.cluster import dask_client\n"
        "with dask_client(None, 2, processes=True) as client:\n"
        "    print(*client.run(os.getpid).values(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as job:
        workers = [Path("/proc") / pid for pid in job.stdout.readline().split()]
        assert len(workers) == 2 and all(worker.exists() for worker in workers)
        job.kill()
    end = time.monotonic() + SECONDS
    while any(worker.exists() for worker in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(worker.exists() for worker in workers)


def test_a_local_worker_process_that_dies_is_replaced():
    with dask_client(None, 2, processes=True) as client:
        before = set(client.run(os.getpid).values())
        os.kill(min(before), signal.SIGKILL)
        assert client.gather(client.map(abs, range(20), pure=False)) == list(range(20))
        client.wait_for_workers(2, timeout=SECONDS)
        after = set(client.run(os.getpid).values())
    assert len(after) == 2 and max(before) in after and min(before) not in after
