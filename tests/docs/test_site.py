"""The pages as a site: whole, with no broken link, and without a request to another host; links of the other pages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from mkdocstrings_handlers.python._internal import rendering

import bioft
from bioft.cli.main import app
from tests.docs.pages import ROOT, text

SETTINGS = str(ROOT / "mkdocs.yml")
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed|object)\b[^>]*?\b(?:src|data)=\"?((?:https?:)?//[^\s\">]+)"
)
STYLES = re.compile(r"<link\b[^>]*?\bhref=\"?((?:https?:)?//[^\s\">]+)|url\([\"']?((?:https?:)?//[^)]+)|@import")
BESIDE = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "recipes/README.md")
"""Pages that are read where the code is, not on the site."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The site, as `make docs` builds it, but for the lines of long signatures: each would start a formatter."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "_get_formatter", lambda: lambda code, _: code)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.chdir(ROOT)
        build(load_config(SETTINGS, site_dir=str(folder)))
        yield folder


@pytest.mark.slow
def test_the_site_has_every_page_command_recipe_and_package(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert all((site / page).is_file() for page in pages)
    commands = (site / "commands.html").read_text(encoding="utf-8")
    names = list(commands_below(typer.main.get_command(app)))
    assert len(names) > 40
    assert not [name for name in names if f"<code>bioft {name}</code>" not in commands]
    recipes = (site / "recipes.html").read_text(encoding="utf-8")
    for name in ("bioft train mlm", "--mask_probability", "--dataset_path", "--learning_rate", "smollm2_ctd"):
        assert f"<code>{name}</code>" in recipes
    packages = {path.name for path in Path(bioft.__file__).parent.iterdir() if (path / "__init__.py").is_file()}
    assert {path.stem for path in (site / "api").iterdir()} >= packages - {"cli"}
    assert "wilson" in (site / "api" / "metrics.html").read_text(encoding="utf-8").lower()


def commands_below(group: Any, above: str = "") -> Iterator[str]:
    """The words that call every command of a group, and of the groups in it."""
    for name in group.list_commands(None) if hasattr(group, "list_commands") else ():
        yield f"{above}{name}"
        yield from commands_below(group.get_command(None, name), f"{above}{name} ")


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(files) > 30
    for path in files:
        found = path.read_text(encoding="utf-8")
        assert not FETCHED.search(found) and not STYLES.search(found), path


def test_a_broken_link_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name, link in (("whole", "[here](index.md#start)"), ("file", "[x](no.md)"), ("anchor", "[x](#nowhere)")):
        (docs := tmp_path / name).mkdir()
        (docs / "index.md").write_text(f"# Start\n\n{link}\n")
        config = load_config(
            SETTINGS, docs_dir=str(docs), site_dir=str(tmp_path / "out"), nav=[], hooks=[], plugins=[]
        )
        if name == "whole":
            build(config)
        else:
            with pytest.raises(Abort):
                build(config)


@pytest.mark.parametrize("page", BESIDE)
def test_links_beside_the_site_lead_somewhere(page: str) -> None:
    assert (links := re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text(page)))
    assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]


def test_the_front_page_is_short() -> None:
    assert len(text("README.md").splitlines()) <= 150
