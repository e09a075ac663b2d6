"""Kills at random moments of one chain that is continued until it ends."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np

from .chain import Chain
from .report import Outcome

ALONE = 0.2  # share of kills that hit Snakemake alone and not its jobs


def kill_at_random(reference: Chain, folder: Path, kills: int, seed: int) -> Outcome:
    """Kill the chain so many times, in rounds; every round ends and is compared.

    A kill comes when some jobs have finished since the start, at a random moment of the usual time
    of one that runs. How many jobs is drawn so that the kills of a round reach all stages.
    """
    rng = np.random.default_rng(seed)
    jobs, seconds = _usual_seconds(reference)
    outcome, rules = Outcome(f"kill -9 at a random moment, seed {seed}"), Counter()
    while outcome.times < kills and not outcome.problems:
        shutil.rmtree(folder, ignore_errors=True)
        chain = Chain.create(folder, reference.folder)
        spacing = jobs / (kills - outcome.times)
        finished = None
        while finished is None:
            run = chain.start()
            if outcome.times < kills and _wait_for_moment(run, spacing, seconds, rng):
                alone = rng.random() < ALONE
                rules.update(run.jobs().values())
                run.kill(with_jobs=not alone)
                outcome.times += 1
                outcome.problems += [f"{job} outlived Snakemake" for job in run.orphans()]
                run.wait()
            else:
                finished = run.wait()
        outcome.judge(finished, chain.differences(reference))
        if not outcome.problems and not chain.is_done():
            outcome.problems.append("the finished chain is not up to date")
    outcome.note = ", ".join(f"{rule} {n}" for rule, n in sorted(rules.items()))
    return outcome


def _wait_for_moment(run, spacing: float, seconds: dict[str, float], rng) -> bool:
    """Wait for the moment of a kill; False if the run ended before."""
    jobs = run.wait_for_jobs(rng.poisson(spacing))
    if not jobs:
        return False
    usual = seconds.get(jobs[rng.choice(sorted(jobs))], 1.0)
    deadline = time.monotonic() + rng.uniform(0, 1.1) * usual
    while time.monotonic() < deadline:
        if not run.is_running():
            return False
        time.sleep(0.05)
    return bool(run.jobs())


def _usual_seconds(reference: Chain) -> tuple[int, dict[str, float]]:
    """Number of jobs of the undisturbed run, and seconds of one by the name of its script."""
    scripts = [path.stem for path in (reference.folder / "workflow" / "scripts").glob("*.py")]
    files = list((reference.results / "benchmarks").rglob("*.tsv"))
    seconds = {
        script: float(file.read_text().splitlines()[1].split()[0])
        for file in files
        for script in scripts
        if file.stem.startswith(script)
    }
    return len(files), seconds
