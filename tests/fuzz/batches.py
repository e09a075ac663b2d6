"""Many damaged inputs in child processes: an abort or a hang costs one input, not the run."""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import resource
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from .trial import Reader, try_input

TIME_LIMIT = 60.0
"""Seconds one input may take; the slowest takes under one on an idle core."""

MEMORY_LIMIT = 8 * 1024**3
"""Bytes of address space of a child: a size that damage made enormous fails, not the machine."""


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    reader: str
    number: int
    how: str
    outcome: str
    text: str


def run_inputs(
    reader: Reader,
    n: int,
    seed: int,
    time_limit: float = TIME_LIMIT,
    first: int = 0,
    attempt: Callable = try_input,
) -> Iterator[Result]:
    """Results of the inputs `first` to `n` of a reader, in order; `attempt` makes and reads one."""
    number = first
    while number < n:
        ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(
            target=_work, args=(theirs, reader, range(number, n), seed, attempt)
        )
        child.start()
        theirs.close()
        try:
            while number < n:
                if not ours.poll(time_limit):
                    yield Result(reader.name, number, "", "hang", f"over {time_limit:g} s")
                    break
                yield Result(reader.name, number, *ours.recv())
                number += 1
        except EOFError:
            child.join()
            if child.exitcode >= 0:  # not a signal: the harness, not the reader
                raise RuntimeError(f"the trial itself failed on input {number}") from None
            yield Result(reader.name, number, "", "abort", f"signal {-child.exitcode}")
        finally:
            child.kill()
            child.join()
            ours.close()
        number += 1


def _work(
    results: Connection, reader: Reader, numbers: range, seed: int, attempt: Callable
) -> None:
    """Child: try inputs one by one; what libraries print is thrown away."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.disable()  # an abort is an outcome like others
    logging.disable()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        reader.write(whole)
        expected = reader.read(Path(shutil.copytree(whole, Path(scratch) / "copy")))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        for number in numbers:
            results.send(attempt(reader, number, seed, whole, expected))
