"""The habits of the Makefile, with programs that only say that they were called."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
MAKEFILE = (REPO / "Makefile").read_text()

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@pytest.fixture
def checkout(tmp_path):
    """The Makefile beside an installed environment, whose pytest fails at what `fail` names."""
    shutil.copy(REPO / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock", ".venv/installed"):
        (tmp_path / name).touch()
    pytest_program = tmp_path / ".venv/bin/pytest"
    pytest_program.write_text(
        '#!/bin/sh\necho "$1" >> called; echo "$XDG_CACHE_HOME" > cache\n! grep -qx "$1" fail\n'
    )
    pytest_program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("fail", [[], ["tests/unit"], ["tests/integration"]])
def test_both_parts_are_tested_and_a_failure_is_one_at_the_end(checkout, fail):
    (checkout / "fail").write_text("".join(f"{name}\n" for name in fail))
    result = subprocess.run(["make", "test"], cwd=checkout, capture_output=True, text=True)
    assert (checkout / "called").read_text().split() == ["tests/unit", "tests/integration"]
    assert (result.returncode != 0) == bool(fail), result.stderr


def test_every_extra_is_installed_with_the_versions_of_the_lock():
    assert re.search(
        r"^INSTALL := .*pip install .*--constraint \.venv/versions\.txt", MAKEFILE, re.M
    )
    lines = [line for line in MAKEFILE.splitlines() if '".[' in line]
    assert len(lines) > 3 and all(line.strip().startswith("$(INSTALL) -e ") for line in lines)


def test_where_the_home_cannot_be_written_the_cache_is_in_the_checkout(checkout, tmp_path):
    (checkout / "fail").touch()
    environment = {k: v for k, v in os.environ.items() if k != "XDG_CACHE_HOME"}
    for home, cache in {str(tmp_path): "", "/proc/nobody": f"{checkout}/.venv/cache"}.items():
        command = ["make", "test"]
        subprocess.run(command, cwd=checkout, env=environment | {"HOME": home}, check=True)
        assert (checkout / "cache").read_text().strip() == cache


@pytest.mark.parametrize("overlay", [None, "mine.yaml"])
def test_a_run_takes_a_configuration_of_ones_own(checkout, overlay):
    program = checkout / ".venv/bin/snakemake"
    program.write_text('#!/bin/sh\necho "$@" > arguments\n')
    program.chmod(0o755)
    (checkout / "results/product").mkdir(parents=True)
    (checkout / "results/product/a.nc").touch()
    given = [] if overlay is None else [f"CONFIG={overlay}"]
    command = ["make", "run", "CORES=3", *given]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    expected = ["--cores", "3"] + ([] if overlay is None else ["--configfile", overlay])
    assert (checkout / "arguments").read_text().split() == expected
