"""What every job does around its work, so that no fault of a machine spoils a result.

A job dies with the Snakemake that started it, removes what a killed one left, checks its inputs
against their checksums, and writes the checksums of its outputs when all of them are finished. It
counts how often it failed, so that the next run makes its outputs, and what follows, again.
"""

from __future__ import annotations

import ctypes
import glob
import logging
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tamflux.checksums import (
    STAMP,
    damaged_files,
    forget_checksums,
    has_checksums,
    record_checksums,
    verify,
)
from tamflux.errors import InputError, TamfluxError
from tamflux.files import remove
from tamflux.logs import job_log

PR_SET_PDEATHSIG = 1


@contextmanager
def job(snakemake, title: str) -> Iterator[logging.Logger]:
    """Do the work of a Snakemake script inside this.

    Parameters
    ----------
    snakemake : object
        What Snakemake gives a script: `input`, `output` and `log` are used.
    title : str
        Names the job in the log.

    Raises
    ------
    SystemExit
        In place of a `TamfluxError`, which is printed; see `tamflux.logs.job_log`.
    """
    _die_with_parent()
    with job_log(snakemake.log[0], title) as log:
        _remove_leftovers(snakemake.output)
        _end_future(snakemake.input)
        try:
            _count_failures(snakemake, 1)  # unless it comes to its end
            verify(snakemake.input)
            _refuse_damaged(getattr(snakemake, "params", {}).get("files", []))
            yield log
            for path in snakemake.output:
                record_checksums(path)
            _count_failures(snakemake, 0)
        except OSError as error:
            if error.errno is None:
                raise
            raise TamfluxError(
                "a file cannot be read or written",
                file=error.filename,
                found=error.strerror,
                fix="make room for it, restore it or give permission; run the same command again",
            ) from error


def failures(log: str | Path) -> int:
    """How often the job of a log has failed or was killed.

    Snakemake records the parameters of a failed job as if it had made its outputs, which it
    removes: the next run would take what was made from the old ones for finished. This number is a
    parameter of every job, so that a failed one differs from its record and runs again.
    """
    mark = _failure_mark(log)
    if not mark.exists():
        return 0
    try:
        return int(mark.read_text())
    except ValueError:  # killed while it was written
        return 1


def _failure_mark(log: str | Path) -> Path:
    return Path(log).with_name(f".{Path(log).name}.failures")


def _count_failures(snakemake, more: int) -> None:
    """Write down the failures that Snakemake knows of, and `more`."""
    known = getattr(snakemake, "params", {}).get("failures")
    mark, number = _failure_mark(snakemake.log[0]), more + (known if isinstance(known, int) else 0)
    if number:
        mark.write_text(f"{number}\n")
    else:
        mark.unlink(missing_ok=True)


def _die_with_parent() -> None:
    """On Linux, be killed when Snakemake is: a job nobody waits for would disturb the next run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_leftovers(outputs: Iterable[str]) -> None:
    """Remove checksums of the last time and what killed jobs left under temporary names."""
    for path in map(Path, outputs):
        forget_checksums(path)
        name = glob.escape(f".{path.name}.")
        for leftover in path.parent.glob(f"{name}*.partial*"):
            remove(leftover)


def _refuse_damaged(files: Iterable[str] | Mapping[Any, Iterable[str]]) -> None:
    """Refuse raw files that are not as downloaded; like all raw files they stay as they are."""
    groups = files.values() if isinstance(files, Mapping) else [files]
    for path in (file for group in groups for file in group if file):
        if names := damaged_files(path):
            raise InputError(
                "a raw file was damaged after its download", file=path,
                found=f"{names[0]}: not as in .{Path(path).name}.sha256",
                fix="remove it and download it again; if you changed it, remove its checksums",
            )  # fmt: skip


def _end_future(inputs: Iterable[str]) -> None:
    """Give results that a wrong clock dated in the future the time of now.

    Snakemake would take everything behind them for outdated, again and again. Results are the
    files that have checksums below ``results/``; a user's own files are never touched.
    """
    now = time.time()
    for path in map(Path, inputs):
        if path.parts[:1] != ("results",) or not has_checksums(path):
            continue
        for file in (path, path / STAMP) if path.is_dir() else (path,):
            if file.exists() and file.stat().st_mtime > now:
                os.utime(file, (now, now))
