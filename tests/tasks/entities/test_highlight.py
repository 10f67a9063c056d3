"""Highlighted texts show every character once, in the terminal and as a page that holds all it needs."""

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

from hypothesis import given, strategies as st

from bioft.tasks.entities import files
from bioft.tasks.entities.files import Found, InputDocument
from bioft.tasks.entities.tagging import Entity

TYPES = ["Chemical", "Disease"]


@st.composite
def documents(draw: st.DrawFn) -> tuple[InputDocument, Found]:
    text = draw(
        st.text(st.sampled_from("ab <>&\"'µ\n/") | st.characters(codec="utf-8", categories=["L", "N", "P", "S"]))
    )
    ends = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    entities = [Entity(a, b, draw(st.sampled_from(TYPES)), 0.5) for a, b in pairwise(ends) if draw(st.booleans())]
    return InputDocument("1<2", text), Found(entities)


class Balanced(HTMLParser):
    """Counts open elements."""

    depth = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.depth += tag not in ("meta",)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1
        assert self.depth >= 0


@given(documents())
def test_the_page_holds_the_text_and_marks_the_entities(shown: tuple[InputDocument, Found]) -> None:
    document, found = shown
    page = files.to_html([document], [found], TYPES, "Found")
    parser = Balanced()
    parser.feed(page)
    assert parser.depth == 0
    body = page.split('<div class="entities">')[1].split("</div>\n</main>")[0]
    marks = re.findall(r'<mark class="entity type-(\d)"[^>]*>(.*?)<span>(\w+)</span></mark>', body, re.DOTALL)
    assert [(TYPES[int(index)], unescape(name), kind) for index, name, kind in marks] == [
        (e.type, document.text[e.start : e.end], e.type) for e in found.entities
    ]
    plain = re.sub(r"<span>\w+</span></mark>|<mark[^>]*>", "", body)
    assert unescape(plain) == document.text
    assert "1&lt;2" in page and "http" not in page.replace(body, "")


@given(documents())
def test_the_terminal_shows_the_text_with_types_after_entities(asked: tuple[InputDocument, Found]) -> None:
    document, found = asked
    shown = files.to_terminal(document, found, TYPES).plain
    expected, place = "", 0
    for e in found.entities:
        expected += f"{document.text[place : e.end]}⟨{e.type}⟩"
        place = e.end
    assert shown == expected + document.text[place:]


def test_entities_that_overlap_show_their_text_once() -> None:
    text = "acute kidney failure and pain"
    spans = [(0, 20), (6, 20), (13, 29)]
    found = Found([Entity(start, end, "Disease", 1.0) for start, end in spans])
    shown = files.to_terminal(InputDocument("a", text), found, TYPES).plain
    assert shown == "acute kidney failure⟨Disease⟩⟨Disease⟩ and pain⟨Disease⟩"
    body = files.to_html([InputDocument("a", text)], [found], TYPES, "t").split('<div class="entities">')[1]
    assert re.sub(r"<span>\w+</span></mark>|<mark[^>]*>", "", body.split("</div>")[0]) == text


def test_each_type_has_a_colour_of_its_own_that_does_not_depend_on_the_document() -> None:
    document = InputDocument("a", "xy")
    one = files.to_terminal(document, Found([Entity(1, 2, "Disease", 1.0)]), TYPES)
    two = files.to_terminal(document, Found([Entity(0, 1, t, 1.0) for t in TYPES[:1]]), TYPES)
    assert one.spans[0].style != two.spans[0].style
    page = files.to_html([document], [Found([])], TYPES, "t")
    assert str(one.spans[0].style).split()[-1] in page
