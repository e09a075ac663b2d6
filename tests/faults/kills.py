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

    A kill comes some jobs after the start, at a random moment of the last one's usual time. How
    many jobs is drawn so that the kills of a round reach all stages.
    """
    rng = np.random.default_rng(seed)
    seconds = _usual_seconds(reference)
    outcome, rules = Outcome(f"kill -9 at a random moment, seed {seed}"), Counter()
    while outcome.times < kills and not outcome.problems:
        shutil.rmtree(folder, ignore_errors=True)
        chain = Chain.create(folder, reference.folder)
        spacing = len(seconds) / (kills - outcome.times)
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
    jobs = run.wait_for_jobs(max(1, rng.poisson(spacing)))
    if not jobs:
        return False
    usual = seconds.get(jobs[max(jobs)], 1.0)
    deadline = time.monotonic() + rng.uniform(0, 1.1) * usual
    while time.monotonic() < deadline:
        if not run.is_running():
            return False
        time.sleep(0.05)
    return bool(run.jobs())


def _usual_seconds(reference: Chain) -> dict[str, float]:
    """Seconds of each job of the undisturbed run by the name of its script; one entry a job."""
    found = {}
    for file in (reference.results / "benchmarks").rglob("*.tsv"):
        found[file.stem] = float(file.read_text().splitlines()[1].split()[0])
    scripts = [p.stem for p in (reference.folder / "workflow" / "scripts").glob("*.py")]
    usual = {s: t for name, t in found.items() for s in scripts if name.startswith(s)}
    return found | usual
