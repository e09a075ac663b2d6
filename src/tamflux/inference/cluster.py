"""Dask: a local cluster of threads, or any cluster that is running already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from distributed import Client, LocalCluster

from tamflux.errors import ConfigError

CONNECT_SECONDS = 30

_Part = TypeVar("_Part", Client, LocalCluster)


@contextmanager
def dask_client(scheduler_address: str | None, workers: int) -> Iterator[Client]:
    """Yield a client of the cluster at an address, or of a local one with `workers` threads.

    The local cluster is made of threads in this process: the work is torch and decompression,
    which release the interpreter lock; the model, the cubes and torch itself are loaded once
    instead of once per worker; and a kill of the job leaves no worker behind that still writes.

    Raises
    ------
    ConfigError
        If no scheduler answers at `scheduler_address`.
    """
    if scheduler_address:
        try:
            client = Client(scheduler_address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise ConfigError(
                "no Dask scheduler answers",
                variable="inference.scheduler_address",
                found=scheduler_address,
                expected=f"an answer within {CONNECT_SECONDS} s",
                fix="start the cluster, correct the address, or set null for a local cluster",
            ) from error
        with client:
            yield client
    else:
        with (
            _closed(
                LocalCluster(
                    n_workers=1,
                    threads_per_worker=workers,
                    processes=False,
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0",
                    memory_limit=0,
                )
            ) as cluster,
            _closed(Client(cluster)) as client,
        ):
            yield client


@contextmanager
def _closed(part: _Part) -> Iterator[_Part]:
    """Close at the end; what fails in closing after a failure (no memory) does not hide that."""
    try:
        yield part
    except BaseException:
        with suppress(Exception):
            part.close()
        raise
    part.close()
