"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # several processes: threads that wait would spin

settings.register_profile("tamflux", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("tamflux")

REPO = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real provider files beside the checkout."""
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found: {folder} is absent")
    return folder
