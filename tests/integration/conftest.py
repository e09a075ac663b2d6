"""A finished run of the whole chain on a coarse planet, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


@dataclass
class Run:
    """A copy of the workflow with its own sources and results."""

    folder: Path

    def snakemake(self, *args: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *args]
        if "--configfile" not in args:
            command += ["--configfile", "workflow/config/smoke.yaml"]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    @property
    def environment(self) -> dict[str, str]:
        """The copy's own sources come before the installed ones."""
        return os.environ | {"PYTHONPATH": str(self.folder / "src")}

    def rules(self, *args: str) -> set[str]:
        """Rules that a dry run lists."""
        result = self.snakemake("-n", "--quiet", "rules", *args)
        assert result.returncode == 0, result.stdout + result.stderr
        lines = (line.split() for line in result.stdout.splitlines())
        return {words[0] for words in lines if len(words) == 2 and words[1].isdigit()} - {"total"}


def check_out(folder: Path) -> Path:
    """Copy what runs the workflow into a folder, without any data."""
    for name in ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src", "tests"):
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Run:
    """The folder has brackets, a space and an accent in its name: every test runs there."""
    run = Run(check_out(tmp_path_factory.mktemp("chaîne [2001] of tests")))
    result = run.snakemake()
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    return run
