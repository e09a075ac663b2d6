"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # several processes: threads that wait would spin

settings.register_profile("tamflux", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("tamflux")

REPO = Path(__file__).parents[1]


def pytest_collection_modifyitems(items) -> None:
    """Tests of a file, and all that share the finished chain, run in one process of `pytest -n`."""
    for item in items:
        group = "chain" if "finished_run" in item.fixturenames else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real provider files beside the checkout."""
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found: {folder} is absent")
    return folder
