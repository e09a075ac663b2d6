"""A few kills of the whole chain, and a second run beside it; `make faults` makes every fault."""

import pytest
from faults.cases import two_runs
from faults.chain import Chain
from faults.kills import kill_at_random

pytestmark = pytest.mark.slow


def test_a_few_kills_at_random_moments_change_nothing(finished_run, tmp_path):
    outcome = kill_at_random(Chain(finished_run.folder), tmp_path / "chain", kills=8, seed=3)
    assert outcome.times == 8 and not outcome.problems, outcome.row()


def test_a_second_run_in_the_same_folder_is_refused(finished_run, tmp_path):
    outcome = two_runs(Chain(finished_run.folder), tmp_path / "chain")
    assert not outcome.problems, outcome.row()
