"""What is read on the page stands out from what is behind it, in light and dark mode: 4.5 to 1 (WCAG), shapes 3."""

import re
from typing import Any

import numpy as np
import pytest

from bioft.demo import article_map, map_tab, page
from bioft.tasks.entities import files

READ_ON = [
    ("body_text_color", "body_background_fill"),
    ("body_text_color", "block_background_fill"),
    ("body_text_color", "input_background_fill"),
    ("body_text_color_subdued", "body_background_fill"),
    ("body_text_color_subdued", "block_background_fill"),
    ("body_text_color_subdued", "input_background_fill"),
    ("link_text_color", "body_background_fill"),
    ("block_label_text_color", "block_label_background_fill"),
    ("block_title_text_color", "block_title_background_fill"),
    *(
        (f"button_{kind}_text_color{state}", f"button_{kind}_background_fill{state}")
        for kind in ("primary", "secondary")
        for state in ("", "_hover")
    ),
]


def colour_of(name: str, dark: bool) -> str:
    """A colour of the theme, as its style sheet resolves it."""
    value = (getattr(page.THEME, f"{name}_dark", None) if dark else None) or getattr(page.THEME, name)
    return colour_of(value[1:], dark) if value.startswith("*") else {"white": "#ffffff"}.get(value, value)


def rgb(colour: str) -> np.ndarray:
    if colour.startswith("rgb("):
        return np.array(list(map(int, re.findall(r"\d+", colour))))
    digits = colour.removeprefix("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    return np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)])


def luminance(colour: np.ndarray) -> float:
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Any, other: Any) -> float:
    light, dark = sorted(luminance(rgb(each) if isinstance(each, str) else each) for each in (one, other))[::-1]
    return (light + 0.05) / (dark + 0.05)


def in_style(selector: str, what: str) -> str:
    """What the style sheet says of a selector."""
    for selectors, rules in re.findall(r"([^{}]+)\{([^}]*)\}", re.sub(r"/\*.*?\*/", "", page.CSS)):
        found = re.search(rf"(?<![\w-]){what}:\s*([^;]+)", rules)
        if selector in [each.strip() for each in selectors.split(",")] and found:
            return found[1].strip()
    raise AssertionError(f"{selector} has no {what}")


@pytest.mark.parametrize("dark", [False, True])
def test_letters_of_the_page(dark: bool) -> None:
    low = {pair: contrast(*(colour_of(name, dark) for name in pair)) for pair in READ_ON}
    assert {pair: round(value, 2) for pair, value in low.items() if value < 4.5} == {}
    letters, behind = (rgb(colour_of(name, dark)) for name in READ_ON[0])
    opacity = float(in_style(".bioft .about", "opacity"))
    assert contrast(letters * opacity + behind * (1 - opacity), behind) >= 4.5
    retracted = in_style(".dark .bioft span.retracted" if dark else ".bioft span.retracted", "color")
    assert contrast(retracted, behind) >= 4.5
    selected = in_style(".dark button[role=tab].selected", "color") if dark else colour_of("color_accent", dark)
    assert contrast(selected, behind) >= 4.5


def test_letters_on_marks_and_cells() -> None:
    """Both the words of an entity and its type have letters of their own: Gradio would give the type the page's."""
    for selector in (".bioft .entities mark", ".bioft .entities mark span"):
        letters = in_style(selector, "color")
        assert min(contrast(letters, colour) for colour in files.COLOURS) >= 4.5
    marks = ".bioft .results mark"
    assert contrast(in_style(marks, "color"), in_style(marks, "background")) >= 4.5
    cells = [map_tab.cell(cosine)["colour"] for cosine in np.linspace(-1, 1, 41)]
    assert min(contrast(map_tab.LETTERS, colour) for colour in cells) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_points_of_the_map(dark: bool) -> None:
    behind = colour_of("body_background_fill", dark)
    assert {each: contrast(each, behind) for each in article_map.COLOURS if contrast(each, behind) < 3} == {}
    assert len(set(article_map.COLOURS)) == 12
