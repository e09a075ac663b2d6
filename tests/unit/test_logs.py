import pytest

from tamflux.errors import InputError
from tamflux.logs import job_log


def test_a_job_says_what_it_did_and_how_long(tmp_path):
    path = tmp_path / "logs" / "job.log"
    with job_log(path, "make bread") as log:
        log.info("kneading")
    text = path.read_text()
    assert "make bread: start" in text and "kneading" in text and "make bread: done in" in text


def test_a_users_error_shows_its_message_alone_and_logs_the_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop, job_log(tmp_path / "job.log", "read"):
        raise InputError("file is empty", file="a.nc")
    assert stop.value.code == 1
    screen = capsys.readouterr().err
    assert "InputError: file is empty" in screen and "a.nc" in screen
    assert "Traceback" not in screen
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_any_other_error_is_logged_and_raised(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "job.log", "divide"):
        _ = 1 / 0
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()
