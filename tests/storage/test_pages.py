"""Pages from templates: everything is escaped, a value that is missing is an error, and nothing is fetched."""

from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from bioft.compare.page import Chapter, Section, write_page
from bioft.storage.pages import html

HOSTILE = "</title><script>alert(1)</script>\" onload='x'"


def test_values_are_escaped_in_text_and_attributes(tmp_path: Path) -> None:
    (tmp_path / "run1").mkdir()
    table = pd.DataFrame({HOSTILE: [HOSTILE], "n": [3]})
    section = Section(HOSTILE, [HOSTILE], {"table.csv": table}, {"figure.png": HOSTILE}, [HOSTILE])
    write_page([Chapter(HOSTILE, "run1", [section])], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page and "' onload" not in page and "http" not in page
    assert page.count("&lt;script&gt;") == 8, "title of chapter twice, section, sentence, head, cell, alt, reason"
    assert "<td>3</td>" in page and '<td class="words">&lt;' in page


def test_markup_is_kept_and_a_missing_value_is_an_error() -> None:
    values = {"title": Markup("<b>a</b>"), "rankings": [], "apart": {"<run>": "why"}, "cells": None}
    page = html("bioft.compare", "comparison.html.j2", **values)
    assert "<h1><b>a</b></h1>" in page and "&lt;run&gt;" in page
    with pytest.raises(UndefinedError):
        html("bioft.compare", "comparison.html.j2", title="a", rankings=[])


def test_the_style_sheet_is_in_every_page() -> None:
    style = (files("bioft.storage") / "templates" / "style.css.j2").read_text()
    for package, name in (("bioft.compare", "comparison.html.j2"), ("bioft.storage", "page.html.j2")):
        assert style in html(package, name, title="t", rankings=[], apart={})
