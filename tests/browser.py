"""The browser that pages are tested in, where there is one, and what axe-core finds on them."""

import shutil
from typing import Any

import pytest

BINARIES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
SERIOUS = ("serious", "critical")


def executable(playwright: Any) -> str:
    """A Chromium on the PATH, or the one of `playwright install chromium`; without one the test skips."""
    found = next(filter(None, map(shutil.which, (*BINARIES, playwright.chromium.executable_path))), None)
    if found is None:
        pytest.skip("no Chromium is here (on the PATH, or by `playwright install chromium`): pages are tested in it")
    return found


def serious_findings(page: Any) -> list[str]:
    """What axe-core calls serious or critical on a page that is open: rule, places and why."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        f"{each['id']}: {'; '.join(node['html'][:160] + node['failureSummary'] for node in each['nodes'][:3])}"
        for each in axe.run(page).response["violations"]
        if each["impact"] in SERIOUS
    ]
