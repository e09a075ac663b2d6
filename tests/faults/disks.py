"""Faults of disks: full, or with a file that cannot be read."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from .chain import Chain
from .report import Outcome

REMADE = ("product", "validation/*", "report.html", "tiles/*", "models/tamrl_0*",
          "samples/2002.parquet", "predictors/2002.zarr", "predictors/*/2002.zarr",
          "demo_earth/era5/2002")  # fmt: skip
STEP_MB = 6
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#define REFUSE(path) if (strstr(path, getenv("UNREADABLE"))) { errno = EIO; return -1; }
#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) \
    { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); }
#define OPEN(name) int name(const char *path, int flags, ...) { MODE REFUSE(path) \
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); }
#define OPENAT(name) int name(int dir, const char *path, int flags, ...) { MODE REFUSE(path) \
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name)) \
        (dir, path, flags, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)
"""


def disk_full(reference: Chain, folder: Path) -> Outcome:
    """The chain on a disk that is always a little too small, and grows whenever it was full."""
    outcome = Outcome("disk full")
    if os.geteuid():
        outcome.note = "not tried: mounting a small disk needs root"
        return outcome
    folder.mkdir(parents=True, exist_ok=True)
    with _small_disk(folder) as resize:
        chain = reference.copy(folder)
        chain.remove(*REMADE)
        finished = None
        while outcome.times < 6:
            resize(_used_mb(folder) + STEP_MB)
            finished = chain.run()
            if finished.status == 0:
                break
            outcome.times += 1
            said = "the disk is full" in finished.text or "No space left" in finished.text
            outcome.expect(said, "it does not say that the disk is full", finished)
        resize(_used_mb(folder) + 1000)
        outcome.judge(chain.run(), chain.differences(reference))
    outcome.expect(outcome.times >= 3, "the disk was never too small")
    return outcome


def unreadable(reference: Chain, folder: Path) -> Outcome:
    """Results that give an I/O error, are cut short, or became a folder."""
    outcome = Outcome("result unreadable, cut short or a folder")
    chain = reference.copy(folder)
    for name, spoil in [
        ("models/calibration.json", _make_folder),
        ("product/tamflux_daily_2002.nc", _cut_short),
        ("demo_earth/truth/2002.zarr/nee/zarr.json", _cut_short),
    ]:
        chain.remove("product/tamflux_[ma]*", "product/totals.csv", "validation/*", "report.html")
        if name.startswith("models"):
            chain.remove("product")
        spoil(chain.results / name)
        outcome.times += 1
        finished = chain.run()
        outcome.expect(finished.status == 0 or "was damaged" in finished.text, name, finished)
        outcome.judge(chain.run(), chain.differences(reference))
    if shutil.which("gcc"):
        library = folder / "shim.so"
        command = ["gcc", "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", library, "-ldl"]
        subprocess.run(command, input=SHIM, text=True, check=True)
        for name in ("tiles/tamrl_2002.zarr/gpp", "models/calibration.json"):
            chain.remove("product", "validation/*", "report.html")
            spoilt = {"LD_PRELOAD": str(library), "UNREADABLE": name}
            finished = chain.run(environment=spoilt)
            outcome.times += 1
            outcome.expect(finished.status != 0, "an I/O error went unnoticed", finished)
            outcome.expect("cannot be read" in finished.text, "it is not named", finished)
            outcome.judge(chain.run(), chain.differences(reference))
    return outcome


@contextmanager
def _small_disk(folder: Path):
    """Mount memory of a size in place of a folder; gives a function that sets the size in MB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", folder], check=True)
    try:
        yield lambda size: subprocess.run(
            ["mount", "-o", f"remount,size={int(size)}m", folder], check=True
        )
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _used_mb(folder: Path) -> float:
    return shutil.disk_usage(folder).used / 2**20


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)
