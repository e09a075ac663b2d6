"""A copy of the workflow in a folder of its own: started, killed, started again, compared."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src", "tests/product")
ASIDE = re.compile(r"^(logs|benchmarks|comparison)/|(^|/)\.")
"""Results that hold times, and those of another target, which the reference may have too."""
JOB = re.compile(rb"\.snakemake/scripts/tmp\w+\.(\w+)\.py")
CONFIG = ("--configfile", "workflow/config/smoke.yaml")
PATIENCE = 3600  # seconds that one start may take


@dataclass
class Finished:
    """The end of a run: exit status and all that it said."""

    status: int
    text: str


class Chain:
    """The workflow on the coarse planet of the integration tests, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.results = folder / "results"

    @classmethod
    def create(cls, folder: Path, source_folder: Path = REPO) -> Chain:
        """A folder with the workflow of this repository, or of another run, and no results."""
        for name in PARTS:
            source, target = source_folder / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        return cls(folder)

    def copy(self, folder: Path) -> Chain:
        """A copy with results, times and what Snakemake remembers."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Chain(folder)

    def start(self, *arguments: str, environment: dict | None = None) -> Run:
        """Start the command of every case."""
        return Run(self.folder, arguments, environment or {})

    def run(self, *arguments: str, environment: dict | None = None) -> Finished:
        """Start the command and wait for its end."""
        return self.start(*arguments, environment=environment).wait()

    def remove(self, *patterns: str) -> None:
        """Remove results, so that they are made again from those before."""
        for path in [path for pattern in patterns for path in self.results.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def is_done(self) -> bool:
        """Whether the same command finds nothing to do."""
        finished = self.run("-n")
        return finished.status == 0 and "Nothing to be done" in finished.text

    def differences(self, reference: Chain) -> list[str]:
        """Results that differ from those of another run, are missing, or are left over."""
        mine, theirs = _contents(self.results), _contents(reference.results)
        names = mine.keys() | theirs.keys()
        different = {name for name in names if mine.get(name) != theirs.get(name)}
        leftovers = {str(path) for path in self.results.rglob(".*.partial*")}
        return sorted(different | leftovers)


class Run:
    """A run in a process group of its own; what it says goes to a file."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environment: dict):
        self._said = open(folder / "said.txt", "a+")
        self._begin = self._said.seek(0, os.SEEK_END)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, *CONFIG],
            cwd=folder,
            env=os.environ
            | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
            | environment,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, seconds: float = PATIENCE) -> Finished:
        """Wait for the end; a run that does not end is killed and counts as failed."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._said.seek(self._begin)
        text = self._said.read()
        self._said.close()
        return Finished(self._process.returncode, text)

    def is_running(self) -> bool:
        """Whether Snakemake has not ended."""
        return self._process.poll() is None

    def jobs(self) -> dict[int, str]:
        """Names of the scripts that are running, by process."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
                script = JOB.search((entry / "cmdline").read_bytes())
            except (OSError, ValueError, IndexError):
                continue
            if script and session == self._process.pid:
                found[int(entry.name)] = script[1].decode()
        return found

    def wait_for_jobs(self, finished: int) -> dict[int, str]:
        """Wait until so many jobs have finished since now and others run; those, or none."""
        seen: set[int] = set()
        while self.is_running():
            jobs = self.jobs()
            seen |= jobs.keys()
            if jobs and len(seen) - len(jobs) >= finished:
                return jobs
            time.sleep(0.1)
        return {}

    def kill(self, with_jobs: bool = True) -> None:
        """SIGKILL, to the whole group or to Snakemake alone; wait until no process is left."""
        if with_jobs:
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + 10
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.1)

    def orphans(self) -> list[str]:
        """Jobs that outlived Snakemake."""
        return list(self.jobs().values())


def _contents(results: Path) -> dict[str, bytes]:
    """Contents of all results by name, without the times that some formats hold."""
    files = [path for path in results.rglob("*") if path.is_file()]
    names = {path.relative_to(results).as_posix(): path for path in files}
    return {name: _timeless(path) for name, path in names.items() if not ASIDE.search(name)}


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".txt":  # what pytest says: where, how long, which plugins
        content = re.sub(rb"(?m)^(?:rootdir|plugins|hypothesis profile).*$", b"", content)
        content = re.sub(rb" in [\d.]+s(?: \([\d:]+\))?|=", b"", content)
    elif path.name.endswith("_curve.csv"):  # the last column: seconds
        content = re.sub(rb"(?m),[^,\n]*$", b"", content)
    return content
