"""What a job does around its work: before it, after it, and when it fails or is orphaned."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tamflux.checksums import damaged_files, record_checksums
from tamflux.job import failures, job


@pytest.fixture
def paths(tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out" / "out.csv"
    source.write_text("1\n")
    target.parent.mkdir()
    return SimpleNamespace(input=[str(source)], output=[str(target)], log=[str(tmp_path / "log")])


def work(paths):
    Path(paths.output[0]).write_text(Path(paths.input[0]).read_text())


def test_outputs_get_checksums_and_what_a_killed_job_left_goes(paths):
    folder = Path(paths.output[0]).parent
    (folder / ".out.csv.123.partial.csv").touch()
    (folder / ".out.csv.123.partial.scratch").mkdir()
    (folder / ".other.csv.123.partial.csv").touch()
    with job(paths, "copy"):
        work(paths)
    assert {path.name for path in folder.iterdir()} == {
        "out.csv", ".out.csv.sha256", ".other.csv.123.partial.csv"
    }  # fmt: skip
    Path(paths.output[0]).write_text("2\n")
    assert damaged_files(paths.output[0]) == ["out.csv"]


def test_a_damaged_input_stops_the_job_before_its_work(paths, capsys):
    record_checksums(paths.input[0])
    Path(paths.input[0]).write_text("2\n")
    with pytest.raises(SystemExit), job(paths, "copy"):
        pytest.fail("it worked on a damaged file")
    assert "was damaged after it was written" in capsys.readouterr().err


def test_a_failed_job_leaves_no_checksums(paths):
    record_checksums(paths.input[0])
    with pytest.raises(ZeroDivisionError), job(paths, "copy"):
        work(paths)
        raise ZeroDivisionError
    assert not list(Path(paths.output[0]).parent.glob(".*.sha256"))


def test_failures_count_until_snakemake_knows_them(paths):
    """A run that ends well leaves the number that it was given, and Snakemake records."""
    for known in (None, 1):
        paths.params = {"failures": known}
        with pytest.raises(ZeroDivisionError), job(paths, "copy"):
            raise ZeroDivisionError
        assert failures(paths.log[0]) == (known or 0) + 1
    for known in (2, object()):
        paths.params = {"failures": known}
        with job(paths, "copy"):
            work(paths)
            assert failures(paths.log[0]) == (3 if known == 2 else 1)  # a killed one has failed
        assert failures(paths.log[0]) == (2 if known == 2 else 0)


def test_results_of_the_future_are_of_now_afterwards(paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = Path("results/towers/in.csv")
    result.parent.mkdir(parents=True)
    result.write_text("1\n")
    record_checksums(result)
    later = time.time() + 1e6
    os.utime(result, (later, later))
    paths.input = [str(result)]
    with job(paths, "copy"):
        work(paths)
    assert result.stat().st_mtime <= time.time()


@pytest.mark.parametrize("name", ["in.csv", "results/raw/in.csv"])
def test_a_users_own_file_keeps_its_date_and_is_not_touched(paths, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    source = Path(name)
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("1\n")
    later = time.time() + 1e6
    os.utime(source, (later, later))
    monkeypatch.setattr(os, "utime", lambda *args, **kwargs: pytest.fail("a date was changed"))
    before = source.stat()
    paths.input = [name]
    with job(paths, "copy"):
        work(paths)
    assert source.stat().st_mtime_ns == before.st_mtime_ns
    assert source.stat().st_ctime_ns == before.st_ctime_ns


@pytest.mark.parametrize("listed", [list, lambda files: {2001: files}])
def test_a_raw_file_damaged_after_its_download_stops_the_job_and_stays(paths, capsys, listed):
    raw = Path(paths.input[0])
    record_checksums(raw)
    raw.write_text("2\n")
    paths.params, paths.input = {"files": listed([str(raw)])}, []
    with pytest.raises(SystemExit), job(paths, "copy"):
        pytest.fail("it worked on a damaged file")
    assert "damaged after its download" in capsys.readouterr().err
    assert raw.read_text() == "2\n"


def test_a_file_that_cannot_be_read_is_named(paths, capsys):
    with pytest.raises(SystemExit), job(paths, "copy"):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "results/x.nc")
    said = capsys.readouterr().err
    assert "results/x.nc" in said and "Input/output error" in said


@pytest.mark.skipif(sys.platform != "linux", reason="Linux kills the children")
def test_a_job_dies_with_its_snakemake(tmp_path):
    code = (
        "import sys, time; from types import SimpleNamespace; from tamflux.job import job\n"
        f"log = [{str(tmp_path / 'log')!r}]\n"
        "with job(SimpleNamespace(input=[], output=[], log=log), 'wait'):\n"
        "    print(end='at work', flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); "
        "print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, code], stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        assert process.stdout.read(7) == "at work"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout.read() == ""  # its end closes the pipe
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{child}").exists()
