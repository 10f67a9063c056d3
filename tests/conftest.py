"""Shared fixtures: the offline environment and the real data that some tests measure on."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real CTD, BC5CDR, … files beside the checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("BIOFT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder} (set BIOFT_SHARED_DATA)")
    return folder
