"""The fuzzing run sees every kind of failure, and a short one finds none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fuzz.batches import run_inputs
from fuzz.trial import Reader

from tamflux.errors import InputError

TESTS = Path(__file__).parents[1]
WHOLE = np.arange(6.0).reshape(3, 1, 2)


def outcomes(read, n=1, **options):
    """What becomes of the inputs of a toy reader; `read` gets the bytes of a damaged file."""

    def read_file(folder):
        content = (folder / "a").read_bytes()
        return {"x": WHOLE} if content == bytes(100) else read(content)

    reader = Reader("toy", lambda folder: (folder / "a").write_bytes(bytes(100)), read_file,
                    {"x": (0, 10)}, **options)  # fmt: skip
    return [result.outcome for result in run_inputs(reader, n, seed=1, time_limit=3)]


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("outcome", "read"),
    [
        ("identical", lambda content: {"x": WHOLE}),
        ("in range", lambda content: {"x": WHOLE + 1}),
        ("refused", lambda content: fail(InputError("damaged"))),
        ("listed", lambda content: {"x": WHOLE * np.nan, "rejections": ["a"]}),
        ("traceback", lambda content: fail(KeyError("x"))),
        ("hang", lambda content: time.sleep(60)),
        ("abort", lambda content: os.kill(os.getpid(), signal.SIGABRT)),
        ("silent NaN", lambda content: {"x": np.where(WHOLE > 3, np.nan, WHOLE)}),
        ("out of range", lambda content: {"x": WHOLE * 3}),
        ("out of range", lambda content: {"x": WHOLE + np.inf}),
    ],
)
def test_each_outcome_is_seen(outcome, read):
    assert outcomes(read) == [outcome]


def test_an_abort_costs_one_input():
    seen = outcomes(lambda content: (len(content) < 100 and os.abort()) or {"x": WHOLE}, n=30)
    assert len(seen) == 30 and {"abort", "identical"} == set(seen)


def test_a_fault_must_not_be_accepted():
    faults = {"emptied": lambda folder: (folder / "a").write_bytes(b"")}
    assert outcomes(lambda content: {"x": WHOLE}, faults=faults) == ["wrong accepted"]


def test_a_few_damaged_inputs_on_every_reader():
    """`make fuzz` tries twelve times as many."""
    command = [sys.executable, "-m", "fuzz", "--inputs", "10", "--believable", "2"]
    environment = os.environ | {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
