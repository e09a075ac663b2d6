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

    Threads start immediately and share one copy of the model and of torch. Processes take seconds
    to start but do not compete for one interpreter lock. Both end when this process is killed, so
    that no orphan keeps writing.

    Parameters
    ----------
    scheduler_address : str, optional
        Address of a running scheduler; the other parameters are ignored then.
    workers : int
        Number of threads or processes.
    processes : bool
        Whether every worker is a process. The calling script then needs an
        ``if __name__ == "__main__"`` guard, since the processes import it.

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
    """Close at the end; an error while closing does not hide an earlier one (such as no memory)."""
    try:
        yield part
    except BaseException:
        with suppress(Exception):
            part.close()
        raise
    part.close()
