"""Dask: a local cluster of threads or processes, or any cluster that is running already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from distributed import Client, LocalCluster

from tamflux.errors import ConfigError

CONNECT_SECONDS = 30

_Part = TypeVar("_Part", Client, LocalCluster)


@contextmanager
def dask_client(
    scheduler_address: str | None, workers: int, processes: bool = False
) -> Iterator[Client]:
    """Yield a client of the cluster at an address, or of a local one with as many workers.

    Threads in this process start at once and load the model, the cubes and torch once. Processes
    take seconds to start, but none waits for the interpreter lock of another. Either end when this
    process is killed: none is left behind that still writes.

    Parameters
    ----------
    scheduler_address : str, optional
        Of a running scheduler; the other parameters do not count then.
    workers : int
        Number of threads or processes.
    processes : bool
        Whether every worker is a process of its own. A script that asks for it guards its main
        part by ``if __name__ == "__main__"``, since the processes import it.

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
                    n_workers=workers if processes else 1,
                    threads_per_worker=1 if processes else workers,
                    processes=processes,
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
