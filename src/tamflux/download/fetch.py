"""Download one file at a time, completely or not at all, and record its checksum.

`name.sha256` next to a file has the format of `sha256sum`: `sha256sum -c *.sha256` checks a folder.
A file without it belongs to the user and is never touched.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential

from tamflux.errors import DownloadError
from tamflux.files import atomic_path
from tamflux.provenance import file_hash

log = logging.getLogger("tamflux")

ATTEMPTS = 4
FIRST_WAIT, MAX_WAIT = 30.0, 600.0
"""Seconds before the second attempt, doubled before each further one, up to the maximum."""
COLUMNS = ("file", "size", "sha256", "source")


class Interrupted(DownloadError):
    """A download that may succeed if retried."""


def fetch(
    target: str | Path,
    source: str,
    write: Callable[[Path], None],
    problem: Callable[[Path], str | None],
) -> dict[str, str | int]:
    """Download a file unless it exists, complete and correct.

    Parameters
    ----------
    target : path
        The final name, given to the file after its content is complete and checked.
    source : str
        Origin of the file, for the manifest.
    write : callable
        Downloads to the given path. Raises `Interrupted` if a retry may help.
    problem : callable
        Returns the problem of the file at a path, None if there is none.

    Returns
    -------
    dict
        The row of the manifest: `file, size, sha256, source`.

    Raises
    ------
    DownloadError
        If the download fails.
    """
    target = Path(target)
    recorded = _checksum_file(target)
    if target.exists():
        if not recorded.exists():
            log.info("%s was not downloaded here: left as it is", target)
            return _row(target, file_hash(target), "")
        digest = recorded.read_text().split()[0]
        reason = "its checksum has changed" if digest != file_hash(target) else problem(target)
        if not reason:
            return _row(target, digest, source)
        log.warning("%s is downloaded again: %s", target, reason)
    for left in target.parent.glob(f".{target.name}.*.partial*"):  # of a run that was killed
        left.unlink()
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_WAIT, max=MAX_WAIT),
        retry=retry_if_exception_type(Interrupted),
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
    digest = retrying(_fetch_once, target, write, problem)
    log.info("%s: %.1f MB", target, target.stat().st_size / 1e6)
    return _row(target, digest, source)


def _fetch_once(target: Path, write, problem) -> str:
    with atomic_path(target) as partial:
        write(partial)
        if reason := problem(partial):
            raise Interrupted(
                "the file that arrived is not the one requested", file=target, found=reason
            )
        digest = file_hash(partial)
        with atomic_path(_checksum_file(target)) as path:
            path.write_text(f"{digest}  {target.name}\n")
    return digest


def write_manifest(path: str | Path, rows: Iterable[dict[str, str | int]]) -> None:
    """Write the manifest of a download, a CSV with the columns `COLUMNS`."""
    with atomic_path(path) as partial, open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _checksum_file(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _row(target: Path, digest: str, source: str) -> dict[str, str | int]:
    size = target.stat().st_size
    return dict(zip(COLUMNS, (str(target), size, digest, source), strict=True))
