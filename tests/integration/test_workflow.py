"""The workflow as a user meets it, before anything has run."""

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


def snakemake(*args, cwd=REPO):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_a_dry_run_explains_the_whole_chain(tmp_path):
    result = snakemake("-n", "-s", str(REPO / "Snakefile"), "--directory", str(tmp_path),
                       "--configfile", str(REPO / "config.yaml"))  # fmt: skip
    assert result.returncode == 0, result.stderr
    for rule in ("simulate_era5", "prepare_era5", "harmonise_towers", "train_member",
                 "predict_tiles", "assemble_product", "write_report"):  # fmt: skip
        assert rule in result.stdout


def test_lint_is_clean():
    result = snakemake("--lint")
    assert "Congratulations" in result.stdout + result.stderr, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("grid: {resolutoin: 1.0}", "resolutoin"),
        ("grid: {resolution: 0.7}", "grid.resolution does not fit"),
        ("inputs: {towers: {path: nowhere/*.zip}}", "no file matches a path of `inputs`"),
    ],
)
def test_a_wrong_configuration_stops_before_any_work(tmp_path, override, message):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(override)
    result = snakemake("-n", "--configfile", str(overlay))
    assert result.returncode != 0
    assert message in result.stdout + result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["--rulegraph"],
        ["--summary"],
        ["--list-changes", "params"],
        ["--report", "snakemake_report.zip"],
        ["--unlock"],
    ],
    ids=lambda arguments: arguments[0].strip("-"),
)
def test_a_look_at_a_finished_run_needs_no_cores(finished_run, arguments):
    command = [sys.executable, "-m", "snakemake", *arguments]
    command += ["--configfile", "workflow/config/smoke.yaml"]
    result = subprocess.run(
        command,
        cwd=finished_run.folder,
        env=finished_run.environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]


def test_the_configuration_of_the_checkout_is_read_from_any_folder(tmp_path):
    """No --configfile is needed with --directory and -s."""
    result = snakemake("-n", "-s", str(REPO / "Snakefile"), "--directory", "run", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "simulate_era5" in result.stdout
