"""Faults other than kills at random moments; each case gives the same command again afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from .chain import Chain
from .disks import disk_full, unreadable
from .report import Outcome

MADE_LAST = ("product", "validation/*", "report.html")
BEHIND_TILES = (*MADE_LAST, "tiles/*")


def damaged_results(reference: Chain, folder: Path) -> Outcome:
    """One bit flipped in finished results of every format, times kept; all have to be noticed."""
    chain = reference.copy(folder)
    outcome = Outcome("bit flipped in a finished result")
    rng = np.random.default_rng(7)
    victims = [
        "demo_earth/era5/2001/2m_temperature_daily_mean_2001.nc",
        "predictors/2001.zarr",
        "predictors/era5/2001.zarr",
        "predictors/static.nc",
        "towers/fluxes.parquet",
        "samples/2001.parquet",
        "models/tamrl_0.safetensors",
        "models/tamrl_feature_space.safetensors",
        "models/calibration.json",
        "tiles/tamrl_2002.zarr",
    ]
    for victim in victims:
        path = chain.results / victim
        _flip_bit(path, rng)
        outcome.times += 1
    chain.remove(*MADE_LAST)
    noticed, finished = set(), chain.run()
    while finished.status and len(noticed) <= len(victims):
        found = {v for v in victims if f"file: results/{v}\n" in finished.text}
        outcome.expect("was damaged after it was written" in finished.text, "no message", finished)
        outcome.expect(bool(found - noticed), "nothing new noticed", finished)
        if outcome.problems:
            break
        noticed |= found
        finished = chain.run()
    outcome.judge(finished, chain.differences(reference))
    outcome.note = f"{len(noticed)} noticed when read, the others made anew before that"
    # what nothing reads any more is found by the target `verify`
    _flip_bit(chain.results / "product" / "tamflux_annual_2002.nc", rng)
    outcome.times += 1
    verified = chain.run("verify")
    outcome.expect("results/product/tamflux_annual_2002.nc" in verified.text, "missed", verified)
    outcome.judge(chain.run(), chain.differences(reference))
    return outcome


def worker_killed(reference: Chain, folder: Path) -> Outcome:
    """One of two workers of a Dask cluster killed after some tiles."""
    chain = reference.copy(folder)
    outcome = Outcome("Dask worker killed", times=1)
    chain.remove(*BEHIND_TILES)
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    address = "tcp://127.0.0.1:28786"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for kind, arguments in [
            ("scheduler", ["--host", address, "--dashboard-address", "127.0.0.1:0"]),
            *[("worker", [address, "--nthreads", "1", "--no-nanny", "--no-dashboard"])] * 2,
        ]
    ]
    try:
        run = chain.start("--config", f"inference={{scheduler_address: '{address}'}}")
        marks = chain.results / "tiles" / ".tamrl_2002.work" / "done"
        killed = _wait_for(lambda: len(list(marks.glob("r*"))) >= 2, run)
        processes[1].kill()
        outcome.expect(killed, "the chain ended before a worker was killed")
        finished = run.wait()
        outcome.expect(finished.status == 0, "the chain did not end", finished)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    # the page names the scheduler: written again without it
    outcome.judge(chain.run(), chain.differences(reference))
    return outcome


def out_of_memory(reference: Chain, folder: Path) -> Outcome:
    """The job of the tiles without memory: refused an allocation, then killed by SIGKILL."""
    chain = reference.copy(folder)
    outcome = Outcome("out of memory in a tile")
    chain.remove(*BEHIND_TILES)
    begun = chain.results / "tiles" / ".tamrl_2002.work" / "in_progress"
    for how, advice in [("limit", "tile r"), ("kill", None)]:
        run = chain.start()
        pid = _process_in_a_tile(run, begun)
        if not pid:
            outcome.expect(False, f"the tiles were finished before the {how}", run.wait())
            return outcome
        if how == "limit":
            subprocess.run(["prlimit", f"--pid={pid}", "--as=1000000"], check=True)
        else:
            os.kill(pid, 9)
        finished = run.wait()
        outcome.times += 1
        outcome.expect(finished.status != 0, "the job did not feel it", finished)
        if advice:
            outcome.expect(advice in finished.text, "the tile is not named", finished)
            outcome.expect("inference.batch_cells" in finished.text, "no advice", finished)
    finished = chain.run()
    outcome.expect("the last run was cut off in tiles r" in finished.text, "not named", finished)
    outcome.judge(finished, chain.differences(reference))
    return outcome


def two_runs(reference: Chain, folder: Path) -> Outcome:
    """A second run while one works, and two at the same instant."""
    chain = reference.copy(folder)
    outcome = Outcome("two runs at once", times=2)
    chain.remove(*BEHIND_TILES)
    first = chain.start()
    first.wait_for_jobs(0)
    second = chain.run()
    outcome.expect(first.is_running(), "the first had ended before", second)
    outcome.expect(second.status != 0, "the second was let in", second)
    outcome.expect("another run works in this folder" in second.text, "it does not say so", second)
    outcome.judge(first.wait(), chain.differences(reference))
    chain.remove(*MADE_LAST)
    runs = [chain.start(), chain.start()]
    finished = [run.wait() for run in runs]
    good = [f for f in finished if f.status == 0]
    outcome.expect(len(good) == 1, "not exactly one of two went on", finished[0])
    outcome.judge(good[0] if good else finished[0], chain.differences(reference))
    outcome.expect(chain.is_done(), "not up to date after it")
    return outcome


def clock_jumps(reference: Chain, folder: Path) -> Outcome:
    """Inputs and results dated in the future and in the past; a new input with an old date."""
    chain = reference.copy(folder)
    outcome = Outcome("clock jumps, files of the wrong date", times=6)
    now, year = time.time(), 365 * 86400
    for name, shift in [
        ("demo_earth/towers", year),
        ("towers/fluxes.parquet", -year),
        ("predictors/static.nc", 10 * year),
        ("models/tamrl_0.safetensors", -year),
        ("tiles/tamrl_2002.zarr", year),
        ("product/tamflux_daily_2002.nc", -30 * year),
    ]:
        path = chain.results / name
        files = [path, *path.rglob("*")] if path.is_dir() else [path]
        for file in files:
            os.utime(file, (now + shift, now + shift))
    outcome.judge(chain.run(), chain.differences(reference))
    outcome.expect(chain.is_done(), "it runs again and again")
    _expect_new_input_is_seen(chain, outcome)
    return outcome


def _expect_new_input_is_seen(chain: Chain, outcome: Outcome) -> None:
    """Put another file in place of one of the user's own, with an older date."""
    own = chain.folder / "own"
    shutil.copytree(chain.results / "demo_earth" / "towers", own)
    path = ("--config", "inputs={towers: {path: 'own/*.zip'}}")
    target = "results/towers/sites.csv"
    finished = chain.run(target, *path)
    outcome.expect(finished.status == 0, "the own towers are refused", finished)
    outcome.expect("Nothing to be done" in chain.run("-n", target, *path).text, "not up to date")
    victim = sorted(own.glob("*.zip"))[0]
    victim.write_bytes(victim.read_bytes() + b"\0")
    os.utime(victim, (0, 0))
    dry = chain.run("-n", target, *path)
    outcome.times += 1
    outcome.expect("harmonise_towers" in dry.text, "a new input of an old date is not seen", dry)


def _flip_bit(path: Path, rng: np.random.Generator) -> None:
    """Flip a bit of a file, or of the largest chunk of a store, and keep its times."""
    if path.is_dir():
        path = max(path.glob("*/c/**/*"), key=lambda p: p.stat().st_size * p.is_file())
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _process_in_a_tile(run, begun: Path) -> int | None:
    """The process of the job that works on a tile."""
    if not _wait_for(lambda: begun.is_dir() and any(begun.iterdir()), run):
        return None
    return next((pid for pid, name in run.jobs().items() if name == "predict_tiles"), None)


def _wait_for(condition, run) -> bool:
    while not condition():
        if not run.is_running():
            return False
        time.sleep(0.002)
    return True


CASES = (
    damaged_results,
    disk_full,
    unreadable,
    worker_killed,
    out_of_memory,
    two_runs,
    clock_jumps,
)
