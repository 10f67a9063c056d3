"""What every page keeps, whatever it shows: one style sheet, names for all that is drawn, and no request to anywhere.

Where no browser is here, that nothing scrolls sideways on a phone follows from the rules of the style sheet and from
where the tables stand.
"""

import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioft.compare import analyze, compare, leaderboard
from tests.analysis_runs import build_dataset, write_pairs_run
from tests.browser import serious_findings
from tests.compare.test_leaderboard import write

STYLE = (files("bioft.storage") / "templates" / "style.css.j2").read_text()
VOID = {"meta", "img", "br", "link", "input"}


class Structure(HTMLParser):
    """The tags of a page, each with its attributes and the open ones around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.found: list[tuple[str, dict[str, str | None], list[tuple[str, dict[str, str | None]]]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), list(self.open)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        name, _ = self.open.pop()
        assert name == tag, "tags are closed in order"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    names = [str(write(folder / f"run{seed}", seed, baselines={})) for seed in (0, 1)]
    found = compare.compare(names)
    dataset, manifest = build_dataset(folder)
    rows = np.arange(len(dataset["test"]))
    pairs = write_pairs_run(folder / "pairs", dataset, manifest, rows % 3 > 0, rows % 2 > 0)
    analyze.analyse([str(pairs)], folder / "analysis", analyze.Options(dataset_path=folder / "dataset"))
    board = leaderboard.build_leaderboard(names, folder / "board")
    return {
        "comparison": compare.to_html(found),
        "leaderboard": leaderboard.to_html(board),
        "analysis": (folder / "analysis" / "index.html").read_text(),
    }


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_nothing_serious(pages: dict[str, str], browser: Any, mode: str, width: int) -> None:
    """Nor does a page ask for anything, or scroll sideways."""
    view = browser.new_page(viewport={"width": width, "height": 850}, color_scheme=mode)
    requested: list[str] = []
    view.on("request", lambda request: requested.append(request.url))
    for name, html in pages.items():
        view.set_content(html)
        assert serious_findings(view) == [], name
        assert view.evaluate("document.documentElement.scrollWidth") <= width, name
    assert [url for url in requested if not url.startswith("data:")] == []
    view.close()


@pytest.mark.parametrize("name", ["comparison", "leaderboard", "analysis"])
def test_a_page_can_be_read_by_everyone(pages: dict[str, str], name: str) -> None:
    page = Structure(pages[name])
    tags = [tag for tag, *_ in page.found]
    assert not page.open and ("html", {"lang": "en"}, []) in page.found
    headings = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings.count(1) == 1 and headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings)), "none is skipped"
    for tag, attributes, around in page.found:
        outer = [inner for inner, _ in around]
        if tag == "img":
            assert attributes["alt"]
        if tag == "th":
            assert attributes["scope"] == ("col" if "thead" in outer else "row")
        if tag == "select":
            assert "label" in outer
        if tag == "table":
            assert {"class": "scroll", "tabindex": "0", "role": "region"}.items() <= around[-1][1].items()
            assert around[-1][1]["aria-label"]
        for address in (attributes.get("src"), attributes.get("href")):
            assert address is None or not re.match(r"(https?:)?//", address), "nothing is loaded from another host"
    assert tags.count("table") and "url(" not in pages[name] and "@import" not in pages[name]


def test_all_pages_have_the_one_style_sheet(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert (
            text.count("<style>") == 1
            and text.partition("<style>")[2].partition("</style>")[0].strip() == STYLE.strip()
        )
        assert 'content="width=device-width, initial-scale=1"' in text and " style=" not in text


def test_nothing_is_wider_than_a_phone() -> None:
    """Tables scroll in a box of their own, figures and menus shrink, and long words are broken."""
    wide, _, narrow = STYLE.partition("@media (max-width")
    assert narrow
    rules = {name.strip(): body for name, body in re.findall(r"([^{}]+)\{([^{}]*)\}", wide)}
    assert "max-width: 100%; overflow-x: auto" in rules[".scroll"]
    assert "max-width: 100%" in rules["img"] and "max-width: 100%" in rules["select"]
    assert "overflow-wrap: anywhere" in rules["body"]
    fixed = [width for body in rules.values() for width in re.findall(r"(?:^|[^-])width: (\d+)(?:px|rem)", body)]
    assert not fixed, "no fixed width"


def test_the_pages_are_files_of_a_folder(tmp_path: Path) -> None:
    run = write(tmp_path / "run", 0)
    compare.write_comparison(compare.compare([str(run)]), tmp_path / "out")
    page = Structure((tmp_path / "out" / "comparison.html").read_text())
    shown = [attributes["src"] for tag, attributes, _ in page.found if tag == "img"]
    assert shown and all((tmp_path / "out" / str(name)).is_file() for name in shown)
