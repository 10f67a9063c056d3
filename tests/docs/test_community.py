"""What a code host and citation tools read of the project is as they expect it, and of this version."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import bioft
from tests.docs.pages import ROOT, text

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_citation_is_complete_and_of_this_version() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software" and citation["license"] == "MIT"
    assert all(isinstance(citation[key], str) for key in ("message", "title", "abstract", "version"))
    assert all(author.keys() & {"name", "family-names"} for author in citation["authors"])
    assert citation["version"] == bioft.__version__


def test_the_changelog_tells_of_this_version() -> None:
    headings = re.findall(r"^## (.+)$", text("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0].startswith("[Unreleased]")
    assert any(bioft.__version__ in heading for heading in headings)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_is_one_that_the_host_shows(form: Path) -> None:
    content: dict[str, Any] = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        assert content.keys() <= {"blank_issues_enabled", "contact_links"}
        return
    assert content["name"] and content["description"]
    ids = [field["id"] for field in content["body"]]
    assert len(set(ids)) == len(ids) > 2
    for field in content["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
        assert ("options" in field["attributes"]) == (field["type"] == "dropdown")


def test_there_is_a_form_for_each_kind_of_report() -> None:
    assert {path.stem for path in FORMS} == {"bug", "source_or_task", "figure", "config"}
