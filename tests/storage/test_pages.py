"""Pages from templates: everything is escaped, a value that is missing is an error, and nothing is fetched."""

import re
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
    assert page.count("&lt;script&gt;") == 9, (
        "title of chapter twice, section twice, sentence, head, cell, alt, reason"
    )
    assert "<td>3</td>" in page and '<th scope="row" class="words">&lt;' in page


def test_markup_is_kept_and_a_missing_value_is_an_error() -> None:
    values = {"title": Markup("<b>a</b>"), "rankings": [], "apart": {"<run>": "why"}}
    page = html("bioft.compare", "comparison.html.j2", **values)
    assert "<h1><b>a</b></h1>" in page and "&lt;run&gt;" in page
    with pytest.raises(UndefinedError):
        html("bioft.compare", "comparison.html.j2", title="a", rankings=[])


def test_the_style_sheet_is_in_every_page() -> None:
    style = (files("bioft.storage") / "templates" / "style.css.j2").read_text()
    for package, name in (("bioft.compare", "comparison.html.j2"), ("bioft.storage", "page.html.j2")):
        assert style in html(package, name, title="t", rankings=[], apart={})


def tokens(style: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", style))


def contrast(first: str, second: str) -> float:
    """The contrast of two colours as WCAG 2 defines it, 1 to 21."""

    def luminance(colour: str) -> float:
        digits = colour.removeprefix("#")
        digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def test_every_text_has_enough_contrast_in_light_and_dark() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21) and contrast("#777", "#fff") == pytest.approx(4.48, abs=0.01)
    style = (files("bioft.storage") / "templates" / "style.css.j2").read_text()
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    modes = {"light": tokens(light), "dark": tokens(light) | tokens(dark.partition("body")[0])}
    assert modes["light"] != modes["dark"] and modes["light"].keys() == modes["dark"].keys()
    for mode, colours in modes.items():
        for text in ("text", "note", "good", "bad"):
            for ground in ("ground", "soft"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (mode, text, ground)
    used = set(re.findall(r"var\(--([a-z]+)\)", style))
    assert used == modes["light"].keys(), "every colour is one of the tokens"
    assert set(re.findall(r"#[0-9a-f]{3,6}", style)) <= {*light_and_dark(modes), "#fff"}


def light_and_dark(modes: dict[str, dict[str, str]]) -> set[str]:
    return {colour for colours in modes.values() for colour in colours.values()}
